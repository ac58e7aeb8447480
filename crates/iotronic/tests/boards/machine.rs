//! A machine that talks to the cloud: enrols, becomes a board, behaves as the test wants.

use base::key::{KeyPair, PublicKey, from_hex, to_hex};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use model::BoardId;
use model::facts::{Facts, Load};
use rpc::connection::{Accepted, Connection, Info};
use rpc::enrol::{Enrol, Enrolled};
use rpc::handshake::{ChallengeExtra, HelloExtra, Intent, cloud_transcript};
use rpc::{Envelope, Fault, Method, Request, uri};
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};
use tokio::net::{TcpSocket, TcpStream};
use wamp::{
    Arguments, CallOptions, ClientSettings, ConnectError, Credentials, Dict, Invocation, Match,
    Roles, Serialiser, Session,
};
use websocket::{Limits, WebSocket};

pub(crate) const AGENT: &str = "iotronic";

/// What a board does with a call.
pub(crate) type Behaviour =
    Arc<dyn Fn(Request, Method, Vec<Value>) -> BoxFuture<'static, Value> + Send + Sync>;

/// Who a machine is for the router.
pub(crate) struct Proof {
    pub(crate) key: KeyPair,
    pub(crate) intent: Intent,
    /// The cloud it expects, if it looks.
    pub(crate) pin: Option<String>,
    /// Signs with this key instead of its own.
    pub(crate) forged: Option<KeyPair>,
    /// What its process calls itself; empty for an agent that does not say.
    pub(crate) instance: String,
    nonce: [u8; 32],
}

impl Proof {
    pub(crate) fn new(key: &KeyPair, intent: Intent) -> Self {
        let nonce = base::secret::random();
        Self { key: key.clone(), intent, pin: None, forged: None, instance: String::new(), nonce }
    }

    /// Of the process that calls itself so: two names are two machines with one key.
    pub(crate) fn named(self, instance: &str) -> Self {
        Self { instance: instance.to_owned(), ..self }
    }
}

impl Credentials for Proof {
    fn methods(&self) -> Vec<String> {
        vec!["cryptosign".into()]
    }

    fn hello_extra(&mut self) -> Dict {
        let extra = HelloExtra {
            pubkey: to_hex(self.key.public().as_bytes()),
            s4t_nonce: to_hex(&self.nonce),
            s4t_intent: self.intent,
            s4t_instance: self.instance.clone(),
            ..HelloExtra::default()
        };
        match json!(extra) {
            Value::Object(extra) => extra,
            _ => unreachable!(),
        }
    }

    fn answer(&mut self, _: &str, challenge: &Dict) -> Result<(String, Dict), String> {
        let extra: ChallengeExtra =
            serde_json::from_value(Value::Object(challenge.clone())).map_err(|e| e.to_string())?;
        let bytes: [u8; 32] = from_hex(&extra.challenge).ok_or("no challenge")?;
        let cloud = PublicKey::parse(&extra.s4t_cloud).map_err(|e| e.to_string())?;
        let proof: [u8; 64] = from_hex(&extra.s4t_proof).ok_or("no proof")?;
        let transcript = cloud_transcript(&self.nonce, &bytes, self.key.public().as_bytes());
        if !cloud.verifies(&transcript, &proof) {
            return Err("the cloud's proof does not hold".into());
        }
        if self.pin.as_ref().is_some_and(|pin| *pin != cloud.fingerprint()) {
            return Err("another cloud than the pinned one".into());
        }
        let signer = self.forged.as_ref().unwrap_or(&self.key);
        Ok((to_hex(&signer.sign(&bytes)) + &extra.challenge, Dict::new()))
    }
}

/// A WebSocket to the cloud.
pub(crate) async fn dial(
    address: SocketAddr,
    path: &str,
    subprotocols: &[&str],
) -> WebSocket<TcpStream> {
    speak(TcpStream::connect(address).await.unwrap(), address, path, subprotocols).await
}

async fn speak(
    io: TcpStream,
    address: SocketAddr,
    path: &str,
    subprotocols: &[&str],
) -> WebSocket<TcpStream> {
    let host = address.to_string();
    let limits = Limits { max_message: 4 * 1024 * 1024 };
    websocket::handshake::client(io, &host, path, subprotocols, &[], limits).await.unwrap().0
}

/// Joins the boards' realm.
pub(crate) async fn join(address: SocketAddr, proof: Proof) -> Result<Session, ConnectError> {
    join_from(Ipv4Addr::LOCALHOST, address, proof).await
}

/// Joins the boards' realm from one of the addresses of loopback.
pub(crate) async fn join_from(
    from: Ipv4Addr,
    address: SocketAddr,
    proof: Proof,
) -> Result<Session, ConnectError> {
    let serialiser = Serialiser::MessagePack;
    let io = TcpSocket::new_v4().unwrap();
    io.bind((from, 0).into()).unwrap();
    let io = io.connect(address).await.unwrap();
    let socket = speak(io, address, "/wamp", &[serialiser.subprotocol()]).await;
    let settings = ClientSettings::default();
    wamp::connect(socket, serialiser, rpc::REALM, Roles::default(), proof, settings).await
}

/// Calls a procedure of the cloud with keyword arguments; the envelope's value.
pub(crate) async fn ask(session: &Session, procedure: &str, asked: Value) -> Result<Value, Fault> {
    let Value::Object(keywords) = asked else { panic!("keyword arguments are an object") };
    let options = CallOptions::within(crate::world::PATIENCE);
    let answer = session.call(procedure, Arguments::keywords(keywords), options).await.unwrap();
    Envelope::parse(&answer.list[0]).unwrap().into_value()
}

/// Presents a claim.
pub(crate) async fn enrol(
    address: SocketAddr,
    key: &KeyPair,
    secret: &str,
) -> Result<Enrolled, Fault> {
    let session = join(address, Proof::new(key, Intent::Enrol)).await.unwrap();
    let asked = Enrol { secret: secret.to_owned(), hostname: "machine".into() };
    let answer = ask(&session, uri::ENROL, json!(asked)).await?;
    Ok(serde_json::from_value(answer).unwrap())
}

/// A board that is online.
pub(crate) struct Machine {
    pub(crate) id: BoardId,
    pub(crate) key: KeyPair,
    pub(crate) session: Session,
    pub(crate) accepted: Accepted,
    pub(crate) seen: Arc<Mutex<Vec<(Request, Method)>>>,
}

impl Machine {
    /// What it was called for, in order.
    pub(crate) fn calls(&self) -> Vec<(Request, Method)> {
        self.seen.lock().unwrap().clone()
    }

    /// Drops off without a goodbye being waited for.
    pub(crate) async fn leave(self) {
        self.session.close();
        self.session.closed().await;
    }
}

/// Joins, registers and connects an enrolled board.
pub(crate) async fn come_online(
    address: SocketAddr,
    id: BoardId,
    key: &KeyPair,
    behaviour: Behaviour,
) -> Machine {
    let instance = to_hex(key.public().as_bytes());
    come_online_as(&instance, address, id, key, behaviour).await
}

/// The same, as the process of that name.
pub(crate) async fn come_online_as(
    instance: &str,
    address: SocketAddr,
    id: BoardId,
    key: &KeyPair,
    behaviour: Behaviour,
) -> Machine {
    let proof = Proof::new(key, Intent::Work).named(instance);
    let session = join(address, proof).await.unwrap();
    let seen = Arc::<Mutex<Vec<_>>>::default();
    register(&session, id, behaviour, Arc::clone(&seen)).await;
    let accepted = connection(&session, id, rpc::PROTOCOL).await.unwrap();
    Machine { id, key: key.clone(), session, accepted, seen }
}

pub(crate) async fn register(
    session: &Session,
    id: BoardId,
    behaviour: Behaviour,
    seen: Arc<Mutex<Vec<(Request, Method)>>>,
) {
    let handler = move |invocation: Invocation| {
        let (_, _, method) = uri::parse_board_procedure(&invocation.uri).unwrap();
        let method: Method = method.parse().unwrap();
        let mut list = invocation.arguments.list;
        let request: Request = serde_json::from_value(list.remove(0)).unwrap();
        seen.lock().unwrap().push((request.clone(), method));
        behaviour(request, method, list).map(|answer| Ok(Arguments::one(answer))).boxed()
    };
    let prefix = uri::board_prefix(session.id(), id);
    session.register(&prefix, Match::Prefix, Arc::new(handler)).await.unwrap();
}

pub(crate) async fn connection(
    session: &Session,
    id: BoardId,
    protocol: u32,
) -> Result<Accepted, Fault> {
    let facts = Facts { hostname: "machine".into(), processors: 4, ..Facts::default() };
    let info = Info {
        lr_version: "0.1.0".into(),
        protocol,
        capabilities: vec!["DevicePing".into()],
        facts,
        load: Load { uptime_s: 7, ..Load::default() },
        ..Info::default()
    };
    let said = Connection { uuid: id, session: session.id(), info };
    let procedure = uri::agent_procedure(AGENT, uri::CONNECTION);
    let answer = ask(session, &procedure, json!(said)).await?;
    Ok(serde_json::from_value(answer).unwrap())
}

/// Answers every call with the method's name.
pub(crate) fn obedient() -> Behaviour {
    Arc::new(|_, method, _| {
        async move { Envelope::success(json!(method.word())).to_text().into() }.boxed()
    })
}

/// Answers every call with this, whatever it is.
pub(crate) fn answering(answer: Value) -> Behaviour {
    Arc::new(move |_, _, _| std::future::ready(answer.clone()).boxed())
}

/// Never answers.
pub(crate) fn silent() -> Behaviour {
    Arc::new(|_, _, _| std::future::pending().boxed())
}

/// An enrolled board that is online.
pub(crate) async fn board(
    world: &crate::world::World,
    name: &str,
    behaviour: Behaviour,
) -> Machine {
    let secret = world.claim(name, 1).await;
    let key = KeyPair::generate();
    let enrolled = enrol(world.address, &key, &secret).await.unwrap();
    come_online(world.address, enrolled.uuid, &key, behaviour).await
}
