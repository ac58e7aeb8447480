//! A cloud of a few lines for the upstream board agent: a router that lets everybody do everything, and the procedures
//! that the agent calls. It shows what the agent needs, before the cloud under test gives it.
//!
//! Invariant: it knows one code and one board. Deliberately not here: tunnels, REST, anything stored.

use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use wamp::{
    Abort, Action, Arguments, Authentication, CallOptions, Dict, Handler, Hello, Identity,
    Invocation, Match, Policy, Router, RouterSettings, Serialiser, Session, Verdict, Welcome,
};
use websocket::handshake::Refusal;

/// The realm of upstream's boards.
pub const REALM: &str = "s4t";
/// The code that is known.
pub const CODE: &str = "CODE-123";
/// The board that has it.
pub const BOARD: &str = "b0a2d000-0000-4000-8000-000000000001";
/// The agent that the board is given.
const AGENT: &str = "agent-a";
/// Largest message either way.
const MAX_MESSAGE: usize = 16 << 20;
/// Longest wait for a board's answer.
const ANSWER: Duration = Duration::from_secs(60);

/// What the board has done so far.
#[derive(Debug, Default)]
struct Seen {
    /// Session and procedure, in the order of registration.
    procedures: Vec<(u64, String)>,
    connections: Vec<Value>,
    notified: Vec<Value>,
    left: Vec<u64>,
}

/// A running cloud.
pub struct ScriptedCloud {
    agent: Session,
    seen: Arc<Mutex<Seen>>,
    url: String,
    runtime: tokio::runtime::Runtime,
}

struct Open {
    seen: Arc<Mutex<Seen>>,
}

impl Policy for Open {
    type Pending = ();

    async fn authenticate(&self, _hello: Hello) -> Result<Authentication<()>, Abort> {
        let word = || "anonymous".to_owned();
        let welcome =
            Welcome { authid: word(), role: word(), authmethod: word(), ..Welcome::default() };
        Ok(Authentication::Welcome(welcome))
    }

    async fn verify(
        &self,
        _pending: (),
        _signature: &str,
        _extra: &Dict,
    ) -> Result<Welcome, Abort> {
        Err(Abort::denied("nobody is challenged here"))
    }

    fn authorise(&self, session: &Identity, action: Action, uri: &str) -> Verdict {
        if matches!(action, Action::Register(_)) && session.method != "local" {
            lock(&self.seen).procedures.push((session.id, uri.to_owned()));
        }
        Verdict::Allow
    }

    fn left(&self, session: &Identity) {
        lock(&self.seen).left.push(session.id);
    }
}

fn lock(seen: &Mutex<Seen>) -> MutexGuard<'_, Seen> {
    seen.lock().unwrap_or_else(PoisonError::into_inner)
}

impl ScriptedCloud {
    /// Starts one on a free port of an address of this machine.
    ///
    /// # Panics
    /// The address is not ours.
    #[must_use]
    pub fn start(at: Ipv4Addr) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let seen = Arc::<Mutex<Seen>>::default();
        let (agent, url) = runtime.block_on(async {
            let listener = TcpListener::bind((at, 0)).await.unwrap();
            let url = format!("ws://{}/", listener.local_addr().unwrap());
            let router =
                Router::new(RouterSettings::realm(REALM), Open { seen: Arc::clone(&seen) });
            let agent = router.local("cloud", "agent");
            for (procedure, answer) in procedures(&seen, &url) {
                agent.register(&procedure, Match::Exact, answer).await.unwrap();
            }
            tokio::spawn(listen(listener, router));
            (agent, url)
        });
        Self { agent, seen, url, runtime }
    }

    /// The URL that boards are given.
    #[must_use]
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The methods that the session registered for the board, in order.
    #[must_use]
    pub fn methods(&self, session: u64) -> Vec<String> {
        let prefix = format!("iotronic.{session}.{BOARD}.");
        let seen = lock(&self.seen);
        let of = |(id, uri): &(u64, String)| {
            (*id == session).then(|| uri.strip_prefix(&prefix).map(str::to_owned))?
        };
        seen.procedures.iter().filter_map(of).collect()
    }

    /// What the board said with each `connection`: its arguments.
    #[must_use]
    pub fn connections(&self) -> Vec<Value> {
        lock(&self.seen).connections.clone()
    }

    /// What the board said with each `notify_result`.
    #[must_use]
    pub fn notified(&self) -> Vec<Value> {
        lock(&self.seen).notified.clone()
    }

    /// Whether a session has left.
    #[must_use]
    pub fn has_left(&self, session: u64) -> bool {
        lock(&self.seen).left.contains(&session)
    }

    /// Calls a method of the board as upstream's agent does; answers its message.
    ///
    /// # Errors
    /// The router or the board refuses.
    ///
    /// # Panics
    /// The answer is no message.
    pub fn call(&self, session: u64, method: &str, arguments: &[Value]) -> Result<Value, String> {
        let procedure = format!("iotronic.{session}.{BOARD}.{method}");
        let mut list = vec![request(method)];
        list.extend_from_slice(arguments);
        let call = self.agent.call(&procedure, Arguments::list(list), CallOptions::within(ANSWER));
        let answer = self.runtime.block_on(call).map_err(|error| error.to_string())?;
        let text = answer.list.first().and_then(Value::as_str).unwrap_or_default();
        Ok(serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {answer:?}")))
    }
}

/// The row of upstream's table of requests that comes first in every call.
fn request(method: &str) -> Value {
    json!({
        "id": 1, "uuid": "4e90e570-0000-4000-8000-000000000001", "destination_uuid": BOARD,
        "main_request_uuid": null, "pending_requests": 0, "status": "PENDING", "project": "p", "type": 0,
        "action": method, "created_at": "2026-01-01T00:00:00", "updated_at": null,
    })
}

fn procedures(seen: &Arc<Mutex<Seen>>, url: &str) -> [(String, Handler); 4] {
    let of = |name: &str| format!("{AGENT}.stack4things.{name}");
    let settings = settings(url);
    [
        (
            "stack4things.register".to_owned(),
            handler(seen, move |_, said| {
                if said["code"] == CODE {
                    message(&settings, "SUCCESS")
                } else {
                    message(&json!(format!("Board {} could not be found.", said["code"])), "ERROR")
                }
            }),
        ),
        (
            of("connection"),
            handler(seen, |seen, said| {
                seen.connections.push(said);
                message(&json!(""), "SUCCESS")
            }),
        ),
        (of("wamp_alive"), handler(seen, |_, _| json!("Iotronic alive @ now"))),
        (
            of("notify_result"),
            handler(seen, |seen, said| {
                seen.notified.push(said);
                message(&json!("notification_received"), "SUCCESS")
            }),
        ),
    ]
}

fn handler(
    seen: &Arc<Mutex<Seen>>,
    answer: impl Fn(&mut Seen, Value) -> Value + Send + Sync + 'static,
) -> Handler {
    let seen = Arc::clone(seen);
    Arc::new(move |invocation: Invocation| {
        let answer = answer(&mut lock(&seen), Value::Object(invocation.arguments.keywords));
        Box::pin(async move { Ok(Arguments::one(answer)) })
    })
}

/// A WampMessage: JSON in a text.
fn message(message: &Value, result: &str) -> Value {
    Value::String(json!({"message": message, "result": result}).to_string())
}

/// The settings that a board is given when it registers.
fn settings(url: &str) -> Value {
    let agent = json!({"url": url, "realm": REALM});
    json!({"iotronic": {
        "extra": {},
        "board": {
            "id": 1, "uuid": BOARD, "code": CODE, "status": "registered", "name": "board", "type": "generic",
            "agent": AGENT, "owner": "o", "project": "p", "fleet": null, "lr_version": null, "connectivity": {},
            "mobile": false, "extra": {}, "created_at": "2026-01-01T00:00:00", "updated_at": null,
            "location": {"longitude": "1", "latitude": "2", "altitude": "3", "updated_at": null},
        },
        "wamp": {"registration-agent": agent, "main-agent": agent},
    }})
}

async fn listen(listener: TcpListener, router: Router<Open>) {
    while let Ok((stream, peer)) = listener.accept().await {
        tokio::spawn(serve(stream, peer, router.clone()));
    }
}

async fn serve(stream: TcpStream, peer: SocketAddr, router: Router<Open>) {
    let limits = websocket::Limits { max_message: MAX_MESSAGE };
    let known = |names: &[String]| names.iter().find_map(|name| Serialiser::from_subprotocol(name));
    let choose = |request: &websocket::handshake::Request| {
        let chosen = known(&request.subprotocols).ok_or(Refusal::Subprotocol)?;
        Ok(Some(chosen.subprotocol().to_owned()))
    };
    let Ok((socket, request)) = websocket::handshake::server(stream, limits, choose).await else {
        return;
    };
    if let Some(serialiser) = known(&request.subprotocols) {
        router.serve(socket, serialiser, peer).await;
    }
}
