//! WAMP as others have it: their clients as peers of our router, and the vectors that are published for everybody.
//!
//! Invariants: the clients run unmodified, each in an environment that is kept in the cache; the router they meet is ours,
//! in this process, with one user for each way to prove who one is. Deliberately not here: what they have to do
//! (`crates/testkit/upstream/wamp_*`).

use super::environment::{material, node, python, vectors};
use std::collections::{BTreeMap, HashMap};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use wamp::auth::{cryptosign, scram, wampcra};
use wamp::{
    Directory, Disclosure, Permission, Router, RouterSettings, Serialiser, User, rawsocket,
};
use websocket::{Limits, handshake};

/// The realm of everything here.
pub const REALM: &str = "realm1";
/// Secret, password and ticket of every user.
pub const SECRET: &str = "correct horse";
/// The key of the user who signs, in hexadecimal.
pub const KEY: &str = "0303030303030303030303030303030303030303030303030303030303030303";

const LIMITS: Limits = Limits { max_message: 1024 * 1024 };
/// Longest conversation of a client.
const CONVERSATION: Duration = Duration::from_secs(120);

/// The folder of the published vectors. The first call on a machine fetches them.
#[must_use]
pub fn published_vectors() -> PathBuf {
    vectors()
}

/// A router of ours that listens on loopback.
#[derive(Debug)]
pub struct Meeting {
    websocket: SocketAddr,
    raw: SocketAddr,
    _runtime: tokio::runtime::Runtime,
}

impl Meeting {
    /// Starts one.
    ///
    /// # Panics
    /// It cannot listen.
    #[must_use]
    pub fn start() -> Self {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let bind = || runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let (listener, raw_listener) = (bind(), bind());
        let websocket = listener.local_addr().unwrap();
        let raw = raw_listener.local_addr().unwrap();
        runtime.spawn(async move {
            let router = Router::new(settings(), directory());
            let serving = router.clone();
            tokio::spawn(async move {
                while let Ok((io, peer)) = raw_listener.accept().await {
                    let router = serving.clone();
                    tokio::spawn(async move {
                        if let Ok(socket) = rawsocket::accept(io, LIMITS).await {
                            router.serve_raw(socket, peer).await;
                        }
                    });
                }
            });
            while let Ok((io, peer)) = listener.accept().await {
                tokio::spawn(serve(io, peer, router.clone()));
            }
        });
        Self { websocket, raw, _runtime: runtime }
    }

    /// Where WebSockets are taken.
    #[must_use]
    pub fn url(&self) -> String {
        format!("ws://{}/", self.websocket)
    }

    /// The address of [`Self::url`].
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.websocket
    }

    /// Where raw sockets are taken.
    #[must_use]
    pub fn raw(&self) -> SocketAddr {
        self.raw
    }
}

async fn serve(io: TcpStream, peer: SocketAddr, router: Router<Directory>) {
    let known = |request: &handshake::Request| {
        request.subprotocols.iter().find_map(|name| Serialiser::from_subprotocol(name))
    };
    let choose = |request: &handshake::Request| match known(request) {
        Some(serialiser) => Ok(Some(serialiser.subprotocol().to_owned())),
        None => Err(handshake::Refusal::Subprotocol),
    };
    if let Ok((socket, request)) = handshake::server(io, LIMITS, choose).await
        && let Some(serialiser) = known(&request)
    {
        router.serve(socket, serialiser, peer).await;
    }
}

fn settings() -> RouterSettings {
    let mut settings = RouterSettings::realm(REALM);
    settings.disclosure = Disclosure::Always;
    settings
}

fn directory() -> Directory {
    let salting = wampcra::Salting { salt: "pepper".into(), iterations: 100, length: 32 };
    let derivation = scram::Derivation::Argon2id { memory: 512, iterations: 4 };
    let key = cryptosign::from_hex(KEY).unwrap();
    let key = cryptosign::SigningKey::from_bytes(&key).verifying_key().to_bytes();
    let user = || User { role: "user".into(), ..User::default() };
    let users = [
        ("ticket", User { ticket: Some(SECRET.into()), ..user() }),
        ("wampcra", User { cra: Some((SECRET.into(), None)), ..user() }),
        (
            "salted",
            User { cra: Some((wampcra::derive(SECRET, &salting), Some(salting))), ..user() },
        ),
        ("scram", User { scram: scram::store(SECRET, derivation), ..user() }),
        ("cryptosign", User { keys: vec![key], ..user() }),
    ];
    let everything = || vec![Permission::everything()];
    let roles = ["user", "anonymous"].map(|role| (role.to_owned(), everything()));
    let users = users.map(|(name, user)| (name.to_owned(), user));
    Directory {
        anonymous: Some("anonymous".into()),
        users: HashMap::from(users),
        roles: BTreeMap::from(roles),
    }
}

/// The public half of [`KEY`], in hexadecimal.
///
/// # Panics
/// Never.
#[must_use]
pub fn public_key() -> String {
    let key = cryptosign::from_hex(KEY).unwrap();
    cryptosign::to_hex(&cryptosign::SigningKey::from_bytes(&key).verifying_key().to_bytes())
}

/// What autobahn-python says of a plan (see `wamp_autobahn.py`).
///
/// # Panics
/// It does not end well.
pub fn autobahn_python(plan: &serde_json::Value) -> String {
    let mut command = Command::new(python("crossbar").join("bin/python"));
    command.arg(material("wamp_autobahn.py")).arg(plan.to_string());
    converse(command, plan)
}

/// What a client in JavaScript says of a plan (see `wamp_clients.mjs`).
///
/// # Panics
/// It does not end well.
pub fn javascript(plan: &serde_json::Value) -> String {
    let mut command = Command::new("node");
    command.arg(material("wamp_clients.mjs")).arg(node("wamp")).arg(plan.to_string());
    converse(command, plan)
}

fn converse(mut command: Command, plan: &serde_json::Value) -> String {
    let folder = tempfile::tempdir().unwrap();
    let (out, errors) = (folder.path().join("out"), folder.path().join("errors"));
    command.stdin(Stdio::null());
    command.stdout(std::fs::File::create(&out).unwrap());
    command.stderr(std::fs::File::create(&errors).unwrap());
    let mut child = command.spawn().unwrap();
    let deadline = Instant::now() + CONVERSATION;
    let status = loop {
        match child.try_wait().unwrap() {
            Some(status) => break Some(status),
            None if Instant::now() > deadline => {
                let _ = child.kill();
                let _ = child.wait();
                break None;
            }
            None => std::thread::sleep(Duration::from_millis(20)),
        }
    };
    let said = std::fs::read_to_string(out).unwrap();
    let complaints = std::fs::read_to_string(errors).unwrap();
    let is_good = status.is_some_and(|status| status.success()) && said.ends_with("done\n");
    assert!(is_good, "{plan}: {status:?}\n{said}\n{complaints}");
    said
}
