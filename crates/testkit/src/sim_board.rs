//! A simulated board: the real protocol over a real connection with a key of its own, and conduct that no real agent shows.
//!
//! Invariant: it matches on every [`Call`], so a new call does not compile until it has an answer here.
//! Deliberately not here: running anything.

use api::plugins::Status as PluginStatus;
use base::key::{KeyPair, to_hex};
use model::BoardId;
use model::claim::Claim;
use model::facts::{Facts, Load};
use model::plugin::RunState;
use rpc::connection::{Connection, Info};
use rpc::enrol::{Enrol, Enrolled};
use rpc::handshake::{HelloExtra, Intent, WelcomeExtra};
use rpc::{Board as _, Call, Envelope, Fault, Method, REALM, Request, uri};
use serde_json::{Map, Value, json};
use std::str::FromStr as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::net::TcpStream;
use wamp::{
    Arguments, BoxFuture, CallOptions, ClientSettings, ConnectError, Invocation, Match, Roles,
    Serialiser, Session,
};

/// Longest wait for the cloud.
const TIMEOUT: Duration = Duration::from_secs(10);
/// Largest message either way.
const MAX_MESSAGE: usize = 16 << 20;

/// What goes back for one call.
#[derive(Debug, Clone)]
pub enum Reply {
    /// What a well-behaved board says.
    Proper,
    /// This instead of a WampMessage.
    Raw(Value),
    /// Nothing, ever.
    Never,
    /// A failure at the level of WAMP.
    Fault(String),
}

/// Decides the reply to each call.
pub type Conduct = Arc<dyn Fn(&Call) -> Reply + Send + Sync>;

/// What the board does properly: remembers what was asked, changes nothing.
#[derive(Default)]
struct Proper {
    seen: Mutex<Vec<(Request, Call)>>,
}

impl rpc::Board for Proper {
    async fn handle(&self, request: Request, call: Call) -> Result<Value, Fault> {
        let answer = match &call {
            Call::DevicePing => Ok(json!(request.created_at)),
            Call::DeviceEcho(echo) => Ok(json!(echo.say)),
            Call::DeviceReboot(delay) | Call::DeviceRestartLR(delay) => Ok(json!(delay.delay)),
            Call::DeviceNetConfig | Call::ServicesStatus => Ok(json!([])),
            Call::DeviceUpgradeLR(upgrade) => Ok(json!(upgrade.version)),
            Call::DevicePkgOperation(operation) => Ok(json!(operation.package)),
            Call::DeviceMountFs(mount) => Ok(json!(mount)),
            Call::DeviceRestSubmit(submission) => Ok(json!(submission)),
            Call::DeviceFactoryReset => Ok(json!("Device reset completed")),
            Call::DeviceLogs(_) | Call::PluginLogs(_) => Ok(json!(rpc::logs::Lines::default())),
            Call::PluginInject(inject) => Ok(json!(inject.plugin.name)),
            Call::PluginRemove(plugin) => Ok(json!(plugin)),
            Call::PluginCall(run) => Ok(run.parameters.clone()),
            Call::PluginStart(run) | Call::PluginReboot(run) => {
                Ok(json!(status(run.plugin, RunState::Running)))
            }
            Call::PluginStop(stop) => Ok(json!(status(stop.plugin, RunState::Stopped))),
            Call::PluginStatus(plugin) => Ok(json!(status(*plugin, RunState::Stopped))),
            Call::ServiceEnable(enable) | Call::ServiceRestore(enable) => {
                Ok(json!(enable.service.name))
            }
            Call::ServiceDisable(service) => Ok(json!(service.name)),
            Call::TerminalOpen(_) => {
                Err(Fault::new(model::Kind::Forbidden, "a simulated board has no terminals"))
            }
            Call::ForwardOpen(_) => {
                Err(Fault::new(model::Kind::Forbidden, "a simulated board has no ports"))
            }
            Call::OperationCancel(operation) => Ok(json!(operation)),
            Call::DeviceRotateKey => {
                Err(Fault::new(model::Kind::Forbidden, "a simulated board keeps its key"))
            }
            Call::RightsEpoch(epoch) => Ok(json!(epoch)),
        };
        self.seen.lock().unwrap_or_else(PoisonError::into_inner).push((request, call));
        answer
    }
}

fn status(plugin: model::PluginId, state: RunState) -> PluginStatus {
    PluginStatus { plugin, state, pid: None, since: None, restarts: 0, reason: None }
}

/// A simulated board that is enrolled; [`SimulatedBoard::connect`] makes it online.
pub struct SimulatedBoard {
    /// Its id.
    pub id: BoardId,
    claim: Claim,
    key: KeyPair,
    instance: String,
    proper: Arc<Proper>,
    conduct: Mutex<Conduct>,
    runtime: tokio::runtime::Runtime,
}

impl SimulatedBoard {
    /// Enrols with a claim.
    ///
    /// # Panics
    /// The cloud refuses.
    #[must_use]
    pub fn enrol(claim: &str) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .unwrap();
        let (claim, key) = (Claim::from_str(claim).unwrap(), KeyPair::generate());
        let id = runtime.block_on(async {
            let session = join(&claim, &key, None, "").await.unwrap();
            let enrol = Enrol { secret: claim.secret.clone(), hostname: "simulated".into() };
            let answer = ask(&session, uri::ENROL, &json!(enrol)).await;
            serde_json::from_value::<Enrolled>(answer.unwrap()).unwrap().uuid
        });
        let conduct: Conduct = Arc::new(|_| Reply::Proper);
        let conduct = Mutex::new(conduct);
        let instance = base::secret::random_text::<16>();
        Self { id, claim, key, instance, proper: Arc::default(), conduct, runtime }
    }

    /// How it behaves from the next connection on.
    pub fn behave(&self, conduct: impl Fn(&Call) -> Reply + Send + Sync + 'static) {
        *self.conduct.lock().unwrap() = Arc::new(conduct);
    }

    /// Joins, registers its prefix and says that it can be called.
    ///
    /// # Errors
    /// The cloud refuses.
    pub fn connect(&self) -> Result<Session, String> {
        let handler = handler(&self.conduct.lock().unwrap(), &self.proper);
        self.runtime.block_on(async {
            let session = self.joined().await.map_err(|error| error.to_string())?;
            let prefix = uri::board_prefix(session.id(), self.id);
            let registered = session.register(&prefix, Match::Prefix, handler).await;
            registered.map_err(|error| error.to_string())?;
            let agent = agent_of(&session);
            let connection = Connection { uuid: self.id, session: session.id(), info: info() };
            let procedure = uri::agent_procedure(&agent, uri::CONNECTION);
            ask(&session, &procedure, &json!(connection)).await?;
            Ok(session)
        })
    }

    /// Joins only.
    ///
    /// # Errors
    /// The cloud refuses.
    pub fn join(&self) -> Result<Session, ConnectError> {
        self.runtime.block_on(self.joined())
    }

    async fn joined(&self) -> Result<Session, ConnectError> {
        join(&self.claim, &self.key, Some(self.id), &self.instance).await
    }

    /// Runs something on the board's own threads.
    pub fn run<T>(&self, work: impl Future<Output = T>) -> T {
        self.runtime.block_on(work)
    }

    /// What it was asked so far, as far as it answered properly.
    #[must_use]
    pub fn seen(&self) -> Vec<(Request, Call)> {
        self.proper.seen.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn info() -> Info {
    Info {
        lr_version: "simulated".into(),
        protocol: rpc::PROTOCOL,
        capabilities: Method::ALL.iter().map(|method| method.word().to_owned()).collect(),
        facts: Facts { hostname: "simulated".into(), ..Facts::default() },
        load: Load::default(),
        ..Info::default()
    }
}

fn handler(conduct: &Conduct, proper: &Arc<Proper>) -> wamp::Handler {
    let (conduct, proper) = (Arc::clone(conduct), Arc::clone(proper));
    Arc::new(move |invocation: Invocation| -> BoxFuture<Result<Arguments, wamp::Fault>> {
        let (conduct, proper) = (Arc::clone(&conduct), Arc::clone(&proper));
        Box::pin(async move {
            let (request, call) = read(&invocation)?;
            match conduct(&call) {
                Reply::Proper => {
                    let envelope = match proper.handle(request, call).await {
                        Ok(value) => Envelope::success(value),
                        Err(fault) => Envelope::fault(&fault),
                    };
                    Ok(Arguments::one(envelope.to_text()))
                }
                Reply::Raw(value) => Ok(Arguments::one(value)),
                Reply::Never => std::future::pending().await,
                Reply::Fault(text) => Err(wamp::Fault::new("wamp.error.runtime_error", text)),
            }
        })
    })
}

fn read(invocation: &Invocation) -> Result<(Request, Call), wamp::Fault> {
    let wrong = |text: String| wamp::Fault::new("wamp.error.invalid_argument", text);
    let (_, _, word) = uri::parse_board_procedure(&invocation.uri)
        .ok_or_else(|| wrong(format!("{} is no procedure of a board", invocation.uri)))?;
    let (first, rest) = invocation
        .arguments
        .list
        .split_first()
        .ok_or_else(|| wrong("there is no request object".into()))?;
    let request =
        serde_json::from_value(first.clone()).map_err(|error| wrong(error.to_string()))?;
    let method = Method::from_str(word).map_err(|fault| wrong(fault.message))?;
    let call = Call::parse(method, rest).map_err(|fault| wrong(fault.message))?;
    Ok((request, call))
}

/// The agent's name in the WELCOME.
fn agent_of(session: &Session) -> String {
    let extra = session.welcome().get("authextra").cloned().unwrap_or_default();
    serde_json::from_value::<WelcomeExtra>(extra).unwrap().s4t_agent
}

async fn ask(session: &Session, procedure: &str, keywords: &Value) -> Result<Value, String> {
    let arguments = Arguments::keywords(keywords.as_object().cloned().unwrap_or_default());
    let answer = session
        .call(procedure, arguments, CallOptions::within(TIMEOUT))
        .await
        .map_err(|error| error.to_string())?;
    let envelope = Envelope::parse(answer.list.first().unwrap_or(&Value::Null));
    let value = envelope.map_err(|fault| fault.message)?.into_value();
    value.map_err(|fault| fault.message)
}

async fn join(
    claim: &Claim,
    key: &KeyPair,
    board: Option<BoardId>,
    instance: &str,
) -> Result<Session, ConnectError> {
    let host = claim.url.strip_prefix("http://").expect("simulated boards speak plain text");
    let tcp = TcpStream::connect(host).await.unwrap();
    let serialiser = Serialiser::Json;
    let limits = websocket::Limits { max_message: MAX_MESSAGE };
    let protocols = [serialiser.subprotocol()];
    let (socket, _) =
        websocket::handshake::client(tcp, host, "/wamp", &protocols, &[], limits).await.unwrap();
    let credentials = Credentials { key: key.clone(), board, instance: instance.to_owned() };
    let settings = ClientSettings { queue_bytes: MAX_MESSAGE, ..ClientSettings::default() };
    wamp::connect(socket, serialiser, REALM, Roles::default(), credentials, settings).await
}

/// Proves the board's key. Does not check the cloud: that is the real agent's duty and tested there.
struct Credentials {
    key: KeyPair,
    board: Option<BoardId>,
    instance: String,
}

impl wamp::Credentials for Credentials {
    fn authid(&self) -> Option<String> {
        self.board.map(|board| board.to_string())
    }

    fn methods(&self) -> Vec<String> {
        vec![wamp::auth::cryptosign::METHOD.to_owned()]
    }

    fn hello_extra(&mut self) -> Map<String, Value> {
        let extra = HelloExtra {
            pubkey: to_hex(self.key.public().as_bytes()),
            s4t_nonce: to_hex(&base::secret::random::<32>()),
            s4t_intent: if self.board.is_some() { Intent::Work } else { Intent::Enrol },
            s4t_instance: self.instance.clone(),
            ..HelloExtra::default()
        };
        json!(extra).as_object().cloned().unwrap_or_default()
    }

    fn answer(
        &mut self,
        _method: &str,
        challenge: &Map<String, Value>,
    ) -> Result<(String, Map<String, Value>), String> {
        let text = challenge.get("challenge").and_then(Value::as_str).ok_or("no challenge")?;
        let bytes = base::key::from_hex::<32>(text).ok_or("no challenge")?;
        Ok((to_hex(&self.key.sign(&bytes)) + text, Map::new()))
    }
}
