//! A cloud for tests: one listener with `/wamp` and `/tunnel`, a router with a small policy, and an agent that answers
//! enrolment, `connection` and `report`. It can be stopped, started again on the same port, and told to misbehave.

use crate::eventually;
use base::key::{KeyPair, PublicKey, from_hex, to_hex};
use model::claim::Claim;
use model::{BoardId, Kind, OperationId, ProjectId, Timestamp};
use rpc::connection::{Accepted, CloudCapability, Connection, Report, Reported};
use rpc::enrol::{Enrol, Enrolled};
use rpc::handshake::{
    HelloExtra, Intent, REFUSED_KEY, UNKNOWN_KEY, WelcomeExtra, cloud_transcript,
};
use rpc::rotation::{RotateKey, Rotated};
use rpc::uri::{
    CONNECTION, ENROL, REPORT, ROTATE_KEY, agent_procedure, board_prefix, board_procedure,
};
use rpc::{Envelope, Fault, Request};
use serde::Deserialize as _;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tunnel::handshake::{Gatekeeper, HANDSHAKE_DEADLINE};
use tunnel::{Link, NotAccepting};
use wamp::auth::cryptosign;
use wamp::{
    Abort, Action, Arguments, Authentication, CallError, CallOptions, Challenge, Dict, Handler,
    Hello, Identity, Match, Policy, Router, RouterSettings, Serialiser, Session, Verdict, Welcome,
};
use websocket::Limits;
use websocket::handshake::Refusal;

const AGENT: &str = "test-cloud";

/// How the cloud misbehaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Lie {
    /// Not at all.
    #[default]
    None,
    /// Its proof is over something else.
    WrongProof,
    /// It lets everybody in without a proof.
    NoChallenge,
    /// It binds the claim, or a new key, and loses the reply.
    LostReply,
    /// It loses what a board asks, once.
    LostQuestion,
}

/// What the cloud knows; it outlives a restart.
#[derive(Default)]
pub(crate) struct Memory {
    claims: HashMap<String, Option<PublicKey>>,
    boards: HashMap<[u8; 32], Enrolled>,
    refused: HashSet<[u8; 32]>,
    /// How often a board asked for a new key.
    rotations: u32,
    connections: HashMap<BoardId, Connection>,
    reports: Vec<Report>,
    links: HashMap<BoardId, Link>,
    lie: Lie,
    time: Option<Timestamp>,
    /// A cloud of before the list until it is told what to call the board.
    name: Option<String>,
}

pub(crate) struct Cloud {
    pub(crate) key: KeyPair,
    pub(crate) address: SocketAddr,
    memory: Arc<Mutex<Memory>>,
    running: Option<Running>,
}

/// Answers a call, or never.
type Procedure = fn(&Mutex<Memory>, &wamp::Invocation) -> Option<Result<Value, Fault>>;

struct Running {
    router: Router<TestPolicy>,
    agent: Session,
    listening: JoinHandle<()>,
}

impl Cloud {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(crate::ports::free_address()).await.unwrap();
        let address = listener.local_addr().unwrap();
        let mut cloud =
            Self { key: KeyPair::generate(), address, memory: Arc::default(), running: None };
        cloud.run(listener).await;
        cloud
    }

    /// Ends everything at once, without a goodbye to anybody.
    pub(crate) async fn crash(&mut self) {
        let Some(running) = self.running.take() else { return };
        running.listening.abort();
        let _ = running.listening.await;
        running.router.shutdown(Duration::ZERO).await;
        self.memory().connections.clear();
    }

    /// Starts again on the same port.
    pub(crate) async fn restart(&mut self) {
        let address = self.address;
        let listener = eventually("the port is free again", async || {
            TcpListener::bind(address).await.map_err(|error| error.to_string())
        })
        .await;
        self.run(listener).await;
    }

    async fn run(&mut self, listener: TcpListener) {
        let policy = TestPolicy { key: self.key.clone(), memory: Arc::clone(&self.memory) };
        let router = Router::new(RouterSettings::realm(rpc::REALM), policy);
        let agent = router.local("cloud", "agent");
        for (procedure, handler) in [
            (ENROL.to_owned(), self.handler(enrol)),
            (agent_procedure(AGENT, CONNECTION), self.handler(connection)),
            (agent_procedure(AGENT, REPORT), self.handler(report)),
            (agent_procedure(AGENT, ROTATE_KEY), self.handler(rotate_key)),
        ] {
            agent.register(&procedure, Match::Exact, handler).await.unwrap();
        }
        let door = Door {
            key: self.key.clone(),
            memory: Arc::clone(&self.memory),
            router: router.clone(),
        };
        let listening = tokio::spawn(door.listen(listener));
        self.running = Some(Running { router, agent, listening });
    }

    fn handler(&self, answer: Procedure) -> Handler {
        let memory = Arc::clone(&self.memory);
        Arc::new(move |invocation| {
            let envelope = answer(&memory, &invocation).map(|result| match result {
                Ok(value) => Envelope::success(value),
                Err(fault) => Envelope::fault(&fault),
            });
            Box::pin(async move {
                match envelope {
                    Some(envelope) => Ok(Arguments::one(envelope.to_text())),
                    // A lost reply looks like a lost session.
                    None => std::future::pending().await,
                }
            })
        })
    }

    pub(crate) fn memory(&self) -> MutexGuard<'_, Memory> {
        self.memory.lock().unwrap()
    }

    pub(crate) fn lie(&self, lie: Lie) {
        self.memory().lie = lie;
    }

    /// Calls the board so, and is a cloud that says what it can do.
    pub(crate) fn call_it(&self, name: &str) {
        self.memory().name = Some(name.to_owned());
    }

    pub(crate) fn tell_time(&self, time: Timestamp) {
        self.memory().time = Some(time);
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub(crate) fn claim(&self) -> Claim {
        let secret = base::secret::random_text::<32>();
        self.memory().claims.insert(secret.clone(), None);
        Claim { url: self.url(), pin: self.key.public().fingerprint(), secret, authority: None }
    }

    /// Turns every known key away from now on.
    pub(crate) fn refuse_all(&self) {
        let mut memory = self.memory();
        let keys: Vec<_> = memory.boards.keys().copied().collect();
        memory.refused.extend(keys);
    }

    pub(crate) fn is_any_claim_bound(&self) -> bool {
        self.memory().claims.values().any(Option::is_some)
    }

    pub(crate) fn boards(&self) -> Vec<BoardId> {
        self.memory().boards.values().map(|board| board.uuid).collect()
    }

    /// How often a board asked for a new key.
    pub(crate) fn rotations(&self) -> u32 {
        self.memory().rotations
    }

    /// Whether this is the key of a board.
    pub(crate) fn knows(&self, key: &PublicKey) -> bool {
        self.memory().boards.contains_key(key.as_bytes())
    }

    /// Ends a board's session.
    pub(crate) fn cut(&self, session: u64) {
        self.running.as_ref().unwrap().router.kill(session, "wamp.close.killed");
    }

    pub(crate) fn forget_links(&self) {
        self.memory().links.clear();
    }

    /// Waits for a board whose agent was stopped and started again.
    pub(crate) async fn online_fresh(&self, board: BoardId) -> Connection {
        let running = self.running.as_ref().unwrap();
        eventually("the board is online on a session that lives", async || {
            let found = self.memory().connections.get(&board).cloned().ok_or("not announced")?;
            let procedure = board_procedure(found.session, board, "DevicePing");
            let request = json!(request(OperationId::new(), board, "DevicePing"));
            let options = CallOptions::within(Duration::from_secs(60));
            let ping = running.agent.call(&procedure, Arguments::one(request), options).await;
            ping.map(|_| found).map_err(|error| error.to_string())
        })
        .await
    }

    pub(crate) fn reports(&self) -> Vec<Report> {
        self.memory().reports.clone()
    }

    /// Waits until the board says that it can be called.
    pub(crate) async fn online(&self, board: BoardId) -> Connection {
        eventually("the board is online", async || {
            let found = self.memory().connections.get(&board).cloned();
            let found = found.ok_or("no connection was announced")?;
            let sessions = self.running.as_ref().map_or(0, |running| running.router.sessions());
            if sessions > 1 { Ok(found) } else { Err("its session is gone".to_owned()) }
        })
        .await
    }

    /// Waits until the board is online on another session than this one.
    pub(crate) async fn online_again(&self, before: &Connection) -> Connection {
        eventually("the board is online again", async || {
            let found = self.memory().connections.get(&before.uuid).cloned();
            found
                .filter(|found| found.session != before.session)
                .ok_or_else(|| "no new session".to_owned())
        })
        .await
    }

    /// Waits for the board's link.
    pub(crate) async fn link(&self, board: BoardId) -> Link {
        eventually("the board opens a link", async || {
            let link = self.memory().links.get(&board).cloned();
            link.filter(|link| link.ended().is_none()).ok_or_else(|| "no link".to_owned())
        })
        .await
    }

    /// Calls a method raw.
    pub(crate) async fn raw(
        &self,
        board: BoardId,
        method: &str,
        arguments: Vec<Value>,
    ) -> Result<Envelope, CallError> {
        let session = self.online(board).await.session;
        let running = self.running.as_ref().unwrap();
        let procedure = board_procedure(session, board, method);
        let options = CallOptions::within(Duration::from_secs(60));
        let answer = running.agent.call(&procedure, Arguments::list(arguments), options).await?;
        Ok(Envelope::parse(&answer.list[0]).unwrap())
    }

    /// Calls a method as a fresh operation.
    pub(crate) async fn call(
        &self,
        board: BoardId,
        method: &str,
        arguments: &[Value],
    ) -> Result<Value, Fault> {
        self.repeat(OperationId::new(), board, method, arguments).await.into_value()
    }

    /// Calls a method under a given operation.
    pub(crate) async fn repeat(
        &self,
        operation: OperationId,
        board: BoardId,
        method: &str,
        arguments: &[Value],
    ) -> Envelope {
        let mut list = vec![json!(request(operation, board, method))];
        list.extend_from_slice(arguments);
        self.raw(board, method, list).await.unwrap()
    }
}

pub(crate) fn now() -> Timestamp {
    Timestamp::from_micros(base::clock::Clock::unix_micros(&base::clock::SystemClock))
}

pub(crate) fn request(operation: OperationId, board: BoardId, method: &str) -> Request {
    let deadline = now().after(Duration::from_secs(60));
    Request::new(operation, board, ProjectId::new(), method, now(), Some(deadline))
}

fn keywords<T: DeserializeOwned>(invocation: &wamp::Invocation) -> T {
    T::deserialize(Value::Object(invocation.arguments.keywords.clone())).unwrap()
}

fn enrol(memory: &Mutex<Memory>, invocation: &wamp::Invocation) -> Option<Result<Value, Fault>> {
    let mut memory = memory.lock().unwrap();
    let authid = invocation.caller.as_ref()?.authid.clone()?;
    let key = PublicKey::parse(&authid).unwrap();
    let ask: Enrol = keywords(invocation);
    let Some(bound) = memory.claims.get_mut(&ask.secret) else {
        return Some(Err(Fault::new(Kind::NotFound, "no such claim")));
    };
    if *bound.get_or_insert(key) != key {
        return Some(Err(Fault::new(Kind::Forbidden, "the claim is bound to another key")));
    }
    let fresh = || Enrolled {
        uuid: BoardId::new(),
        name: "rod".parse().unwrap(),
        project: ProjectId::new(),
    };
    let enrolled = memory.boards.entry(*key.as_bytes()).or_insert_with(fresh).clone();
    if memory.lie == Lie::LostReply {
        memory.lie = Lie::None;
        return None;
    }
    Some(Ok(json!(enrolled)))
}

fn connection(
    memory: &Mutex<Memory>,
    invocation: &wamp::Invocation,
) -> Option<Result<Value, Fault>> {
    let connection: Connection = keywords(invocation);
    let mut memory = memory.lock().unwrap();
    let time = memory.time.unwrap_or_else(now);
    memory.connections.insert(connection.uuid, connection);
    let accepted = Accepted {
        protocol: 1,
        capabilities: vec![
            "brew-tea".into(),
            CloudCapability::ReportName.word().into(),
            CloudCapability::RotateKey.word().into(),
        ],
        time,
        report_every_s: 1,
        name: memory.name.clone().unwrap_or_else(|| "rod".into()),
        rights_epoch: 0,
    };
    let mut accepted = json!(accepted);
    if memory.name.is_none() {
        accepted.as_object_mut().unwrap().remove("capabilities");
    }
    Some(Ok(accepted))
}

fn report(memory: &Mutex<Memory>, invocation: &wamp::Invocation) -> Option<Result<Value, Fault>> {
    let mut memory = memory.lock().unwrap();
    memory.reports.push(keywords(invocation));
    Some(Ok(memory.name.clone().map_or_else(|| json!("ok"), |name| json!(Reported { name }))))
}

fn rotate_key(
    memory: &Mutex<Memory>,
    invocation: &wamp::Invocation,
) -> Option<Result<Value, Fault>> {
    let (asked, session): (RotateKey, _) =
        (keywords(invocation), invocation.caller.as_ref()?.session);
    let mut memory = memory.lock().unwrap();
    memory.rotations += 1;
    let lie = memory.lie;
    if matches!(lie, Lie::LostQuestion | Lie::LostReply) {
        memory.lie = Lie::None;
    }
    if lie == Lie::LostQuestion {
        return None;
    }
    let mut boards = memory.boards.iter();
    let old = *boards.find(|(_, board)| board.uuid == asked.board_uuid)?.0;
    let Some(new) = asked.proven(session, &PublicKey::from_bytes(old)) else {
        return Some(Err(Fault::new(Kind::Unauthenticated, "the new key is not proven")));
    };
    let board = memory.boards.remove(&old)?;
    memory.boards.insert(*new.as_bytes(), board);
    memory.refused.insert(old);
    (lie != Lie::LostReply).then(|| Ok(json!(Rotated { key: new.fingerprint() })))
}

struct TestPolicy {
    key: KeyPair,
    memory: Arc<Mutex<Memory>>,
}

struct Pending {
    proof: cryptosign::Pending,
    welcome: Welcome,
}

impl TestPolicy {
    fn welcome(&self, authid: String, role: &str) -> Welcome {
        let time = self.memory.lock().unwrap().time.unwrap_or_else(now);
        let extra = WelcomeExtra { s4t_agent: AGENT.into(), s4t_protocol: 1, s4t_time: time };
        let extra = json!(extra).as_object().unwrap().clone();
        let authmethod = cryptosign::METHOD.into();
        Welcome { authid, role: role.into(), authmethod, key: None, extra }
    }
}

impl Policy for TestPolicy {
    type Pending = Pending;

    async fn authenticate(&self, hello: Hello) -> Result<Authentication<Pending>, Abort> {
        let key = cryptosign::public_key(&hello.extra)?;
        let extra = HelloExtra::deserialize(Value::Object(hello.extra)).unwrap();
        let (lie, known, is_refused) = {
            let memory = self.memory.lock().unwrap();
            (memory.lie, memory.boards.get(&key).cloned(), memory.refused.contains(&key))
        };
        let welcome = match (extra.s4t_intent, known) {
            (Intent::Enrol, _) if !is_refused => self.welcome(to_hex(&key), "machine"),
            _ if is_refused => return Err(Abort::new(REFUSED_KEY, "given up")),
            (_, Some(board)) => self.welcome(board.uuid.to_string(), "board"),
            (_, None) => return Err(Abort::new(UNKNOWN_KEY, "no board has this key")),
        };
        if lie == Lie::NoChallenge {
            return Ok(Authentication::Welcome(welcome));
        }
        let (proof, mut extra_out) = cryptosign::challenge(key);
        let challenge = from_hex(extra_out["challenge"].as_str().unwrap()).unwrap();
        let nonce = match lie {
            Lie::WrongProof => [0; 32],
            _ => from_hex(&extra.s4t_nonce).unwrap(),
        };
        let signature = self.key.sign(&cloud_transcript(&nonce, &challenge, &key));
        extra_out.insert("s4t_cloud".into(), to_hex(self.key.public().as_bytes()).into());
        extra_out.insert("s4t_proof".into(), to_hex(&signature).into());
        let state = Pending { proof, welcome };
        let method = cryptosign::METHOD.into();
        Ok(Authentication::Challenge(Challenge { method, extra: extra_out, state }))
    }

    async fn verify(&self, pending: Pending, signature: &str, _: &Dict) -> Result<Welcome, Abort> {
        cryptosign::verify(&pending.proof, signature)?;
        Ok(pending.welcome)
    }

    fn authorise(&self, session: &Identity, action: Action, uri: &str) -> Verdict {
        let is_fine = match (session.role.as_str(), action) {
            ("agent", _) => true,
            ("machine", Action::Call) => uri == ENROL,
            ("board", Action::Call) => uri.starts_with(&agent_procedure(AGENT, "")),
            ("board", Action::Register(Match::Prefix)) => {
                session.authid.parse().is_ok_and(|board| uri == board_prefix(session.id, board))
            }
            _ => false,
        };
        if is_fine { Verdict::Allow } else { Verdict::Deny("not yours".into()) }
    }
}

/// The listener.
struct Door {
    key: KeyPair,
    memory: Arc<Mutex<Memory>>,
    router: Router<TestPolicy>,
}

impl Door {
    async fn listen(self, listener: TcpListener) {
        let this = Arc::new(self);
        let mut connections = tokio::task::JoinSet::new();
        loop {
            let Ok((stream, peer)) = listener.accept().await else { return };
            let this = Arc::clone(&this);
            connections.spawn(async move { this.serve(stream, peer).await });
        }
    }

    async fn serve(&self, stream: TcpStream, peer: SocketAddr) {
        stream.set_nodelay(true).unwrap();
        let limits = Limits { max_message: 4 << 20 };
        let choose = |request: &websocket::handshake::Request| match request.path.as_str() {
            "/wamp" => Ok(request.subprotocols.first().cloned()),
            "/tunnel" => Ok(None),
            _ => Err(Refusal::NotFound),
        };
        let Ok((socket, request)) = websocket::handshake::server(stream, limits, choose).await
        else {
            return;
        };
        if request.path == "/tunnel" {
            return self.link(socket).await;
        }
        let serialiser = Serialiser::ALL
            .into_iter()
            .find(|one| Some(one.subprotocol()) == request.subprotocols.first().map(String::as_str))
            .unwrap();
        self.router.serve(socket, serialiser, peer).await;
    }

    async fn link(&self, socket: websocket::WebSocket<TcpStream>) {
        let Ok(connection) = tunnel::handshake::accept(socket, self, HANDSHAKE_DEADLINE).await
        else {
            return;
        };
        let board = connection.identity().parse().unwrap();
        let (link, driver) = Link::new(connection, NotAccepting, tunnel::Settings::default());
        self.memory.lock().unwrap().links.insert(board, link);
        driver.run().await;
    }
}

impl Gatekeeper for Door {
    async fn verify(
        &self,
        identity: &str,
        transcript: &[u8],
        signature: &[u8; 64],
    ) -> Result<(), String> {
        let memory = self.memory.lock().unwrap();
        let is_good = memory.boards.iter().any(|(key, board)| {
            board.uuid.to_string() == identity
                && PublicKey::from_bytes(*key).verifies(transcript, signature)
        });
        if is_good { Ok(()) } else { Err("unknown board".into()) }
    }

    fn sign(&self, transcript: &[u8]) -> [u8; 64] {
        self.key.sign(transcript)
    }
}
