//! An upstream cloud by script: it joins a router as upstream's agent does, registers its procedures, remembers what boards say
//! and calls them.
//!
//! It uses nothing of the agent's own code, so that the same script runs on any router: ours here, Crossbar in the system
//! tests.

use serde_json::{Value, json};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::TcpStream;
use wamp::{
    Anonymous, Arguments, CallOptions, ClientSettings, Handler, Match, Roles, Serialiser, Session,
};
use websocket::Limits;

pub(crate) const AGENT: &str = "agent-a";
pub(crate) const CODE: &str = "CODE-123";
pub(crate) const UUID: &str = "5b1f2ac8-6b6f-4d39-9a52-0c5b9b2d1c5f";
/// Longest wait for anything.
const DEADLINE: Duration = Duration::from_secs(60);

/// What the cloud has heard.
#[derive(Default)]
pub(crate) struct Heard {
    pub(crate) registrations: Vec<Value>,
    pub(crate) connections: Vec<Value>,
    pub(crate) alive: Vec<Value>,
    pub(crate) notified: Vec<Value>,
    /// Answers `connection` with an ERROR.
    pub(crate) refuses: bool,
    /// Loses this many results.
    pub(crate) loses_results: u32,
}

/// The cloud's agent on a router.
pub(crate) struct Script {
    pub(crate) session: Session,
    heard: Arc<Mutex<Heard>>,
    pub(crate) url: String,
}

/// An answer of a board.
#[derive(Debug, Clone)]
pub(crate) struct Said {
    pub(crate) result: String,
    pub(crate) message: Value,
    pub(crate) req_id: Option<String>,
}

impl Said {
    pub(crate) fn read(text: &Value) -> Self {
        let value: Value = serde_json::from_str(text.as_str().unwrap()).unwrap();
        let members: Vec<_> = value.as_object().unwrap().keys().cloned().collect();
        let known = ["message", "req_id", "result"];
        assert!(
            members.iter().all(|member| known.contains(&member.as_str())),
            "upstream cannot read {value}"
        );
        Self {
            result: value["result"].as_str().unwrap().to_owned(),
            message: value["message"].clone(),
            req_id: value.get("req_id").map(|id| id.as_str().unwrap().to_owned()),
        }
    }

    pub(crate) fn text(&self) -> &str {
        self.message.as_str().unwrap()
    }
}

impl Script {
    /// Joins the router at `ws://{address}/`.
    pub(crate) async fn join(address: &str) -> Self {
        Self::join_again(address, Arc::default()).await
    }

    /// As [`Self::join`], with what an earlier agent has heard.
    pub(crate) async fn join_again(address: &str, heard: Arc<Mutex<Heard>>) -> Self {
        Self::join_as(address, &format!("ws://{address}/"), heard).await
    }

    /// As [`Self::join_again`], telling boards another way to the router.
    pub(crate) async fn join_as(address: &str, url: &str, heard: Arc<Mutex<Heard>>) -> Self {
        let stream = TcpStream::connect(address).await.unwrap();
        let limits = Limits { max_message: 4 << 20 };
        let protocols = [Serialiser::Json.subprotocol()];
        let opened = websocket::handshake::client(stream, address, "/", &protocols, &[], limits);
        let (socket, _) = opened.await.unwrap();
        let settings = ClientSettings::default();
        let joined =
            wamp::connect(socket, Serialiser::Json, "s4t", Roles::default(), Anonymous, settings);
        let session = joined.await.unwrap();
        let script = Self { session, heard, url: url.to_owned() };
        script.offer("stack4things.register", register).await;
        script.offer(&format!("{AGENT}.stack4things.connection"), connection).await;
        script.offer(&format!("{AGENT}.stack4things.wamp_alive"), alive).await;
        script.offer(&format!("{AGENT}.stack4things.notify_result"), notify_result).await;
        script
    }

    async fn offer(&self, procedure: &str, answer: fn(&mut Heard, &str, Value) -> Option<String>) {
        let (heard, url) = (Arc::clone(&self.heard), self.url.clone());
        let handler: Handler = Arc::new(move |invocation| {
            assert!(invocation.arguments.list.is_empty(), "upstream takes keywords");
            let said = Value::Object(invocation.arguments.keywords);
            let answer = answer(&mut heard.lock().unwrap(), &url, said);
            Box::pin(async move {
                match answer {
                    Some(text) => Ok(Arguments::one(text)),
                    None => Err(wamp::Fault::new("wamp.error.runtime_error", "lost")),
                }
            })
        });
        self.session.register(procedure, Match::Exact, handler).await.unwrap();
    }

    pub(crate) fn heard(&self) -> MutexGuard<'_, Heard> {
        self.heard.lock().unwrap()
    }

    pub(crate) fn memory(&self) -> Arc<Mutex<Heard>> {
        Arc::clone(&self.heard)
    }

    /// Waits until the board has announced itself `times` times; the session of the last.
    pub(crate) async fn online(&self, times: usize) -> u64 {
        self.until("the board is online", |heard| {
            let last = heard.connections.get(times - 1..)?.last()?;
            last["session"].as_u64()
        })
        .await
    }

    /// Waits until what was heard gives something.
    pub(crate) async fn until<T>(&self, what: &str, look: impl Fn(&Heard) -> Option<T>) -> T {
        let deadline = tokio::time::Instant::now() + DEADLINE;
        loop {
            if let Some(found) = look(&self.heard()) {
                return found;
            }
            assert!(tokio::time::Instant::now() < deadline, "{what} did not happen");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }

    /// Calls a method of the board with upstream's request in front.
    pub(crate) async fn call(&self, board: u64, method: &str, arguments: &[Value]) -> Said {
        self.call_in(board, method, arguments, Value::Null).await
    }

    /// As [`Self::call`], as a part of a larger request.
    pub(crate) async fn call_in(
        &self,
        board: u64,
        method: &str,
        arguments: &[Value],
        main: Value,
    ) -> Said {
        let id = model::OperationId::new().to_string();
        let mut list = vec![request(&id, method, main)];
        list.extend_from_slice(arguments);
        let said = self.raw(board, method, list).await;
        assert_eq!(said.req_id, Some(id));
        said
    }

    /// Calls a method with exactly these arguments.
    pub(crate) async fn raw(&self, board: u64, method: &str, list: Vec<Value>) -> Said {
        let uri = format!("iotronic.{board}.{UUID}.{method}");
        let options = CallOptions::within(DEADLINE);
        let answer = self.session.call(&uri, Arguments::list(list), options).await;
        let answer = answer.unwrap_or_else(|error| panic!("{method}: {error}"));
        assert_eq!(answer.list.len(), 1);
        Said::read(&answer.list[0])
    }

    /// Waits for the result that was promised for a request.
    pub(crate) async fn told(&self, request: &str) -> Said {
        self.until("a result is told", |heard| {
            let told = heard.notified.iter().filter(|told| told["board_uuid"] == UUID);
            told.map(|told| Said::read(&told["wampmessage"]))
                .find(|said| said.req_id.as_deref() == Some(request))
        })
        .await
    }
}

pub(crate) fn request(id: &str, action: &str, main: Value) -> Value {
    json!({
        "id": 7, "uuid": id, "destination_uuid": UUID, "main_request_uuid": main, "pending_requests": 0,
        "status": "PENDING", "project": "p", "type": 0, "action": action,
        "created_at": "2026-01-01T10:00:00", "updated_at": null,
    })
}

/// A wamp message.
fn message(message: Value, result: &str) -> Option<String> {
    Some(json!({ "message": message, "result": result }).to_string())
}

/// The configuration that upstream's conductor makes.
pub(crate) fn configuration(url: &str) -> Value {
    json!({"iotronic": {
        "extra": {},
        "board": {
            "id": 1, "uuid": UUID, "code": CODE, "status": "registered", "name": "rod", "type": "generic",
            "agent": AGENT, "owner": "o", "project": "p", "fleet": null, "lr_version": null,
            "connectivity": {}, "mobile": false, "extra": {}, "created_at": "2026-01-01T10:00:00",
            "updated_at": null,
            "location": {"longitude": "15", "latitude": "38", "altitude": "0", "updated_at": null}
        },
        "wamp": {
            "registration-agent": {"url": url, "realm": "s4t"},
            "main-agent": {"url": url, "realm": "s4t"}
        }
    }})
}

fn register(heard: &mut Heard, url: &str, said: Value) -> Option<String> {
    let code = said["code"].clone();
    heard.registrations.push(said);
    if code != CODE {
        return message(json!(format!("Board {code} could not be found.")), "ERROR");
    }
    message(configuration(url), "SUCCESS")
}

fn connection(heard: &mut Heard, _: &str, said: Value) -> Option<String> {
    heard.connections.push(said);
    if heard.refuses {
        return message(json!("Board not allowed."), "ERROR");
    }
    message(json!(""), "SUCCESS")
}

fn alive(heard: &mut Heard, _: &str, said: Value) -> Option<String> {
    heard.alive.push(said);
    Some("Iotronic alive @ 2026-01-01 10:00:00".into())
}

fn notify_result(heard: &mut Heard, _: &str, said: Value) -> Option<String> {
    if heard.loses_results > 0 {
        heard.loses_results -= 1;
        return None;
    }
    heard.notified.push(said);
    message(json!("notification_received"), "SUCCESS")
}
