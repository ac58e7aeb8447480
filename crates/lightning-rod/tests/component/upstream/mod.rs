//! The agent as a board of an upstream cloud: a router that lets anybody in, a cloud by script, upstream's files.

mod files;
mod handshake;
mod page;
mod procedures;
pub(crate) mod rest;
pub(crate) mod script;
mod services;
mod tls;
mod words;

use crate::rod::{Rod, Running, settings};
use lightning_rod::Settings;
use script::{CODE, Script};
use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use wamp::{
    Abort, Action, Authentication, Dict, Hello, Identity, Policy, Router, RouterSettings,
    Serialiser, Verdict, Welcome,
};
use websocket::Limits;

/// Anybody may do anything, as upstream's router lets them.
struct Anybody;

impl Policy for Anybody {
    type Pending = ();

    async fn authenticate(&self, hello: Hello) -> Result<Authentication<()>, Abort> {
        assert!(hello.authid.is_none(), "an upstream board is nobody in particular");
        Ok(Authentication::Welcome(Welcome {
            authid: "anonymous".into(),
            role: "anonymous".into(),
            authmethod: "anonymous".into(),
            key: None,
            extra: Dict::new(),
        }))
    }

    async fn verify(&self, (): (), _: &str, _: &Dict) -> Result<Welcome, Abort> {
        Err(Abort::denied("nobody was challenged"))
    }

    fn authorise(&self, _: &Identity, _: Action, _: &str) -> Verdict {
        Verdict::Allow
    }
}

/// A router on a loopback socket.
pub(crate) struct Crossroads {
    pub(crate) address: SocketAddr,
    router: Router<Anybody>,
    listening: JoinHandle<()>,
}

impl Crossroads {
    async fn open() -> Self {
        Self::open_at(crate::ports::free_address()).await
    }

    async fn open_at(address: SocketAddr) -> Self {
        let listener = crate::eventually("the port is free", async || {
            TcpListener::bind(address).await.map_err(|error| error.to_string())
        })
        .await;
        let address = listener.local_addr().unwrap();
        let router = Router::new(RouterSettings::realm("s4t"), Anybody);
        let serving = router.clone();
        let listening = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, peer)) = listener.accept().await {
                let router = serving.clone();
                connections.spawn(async move {
                    let choose = |request: &websocket::handshake::Request| {
                        assert_eq!(request.path, "/");
                        Ok(request.subprotocols.first().cloned())
                    };
                    let limits = Limits { max_message: 4 << 20 };
                    let opened = websocket::handshake::server(stream, limits, choose).await;
                    let Ok((socket, _)) = opened else { return };
                    router.serve(socket, Serialiser::Json, peer).await;
                });
            }
        });
        Self { address, router, listening }
    }

    /// Ends everything at once.
    async fn crash(self) -> SocketAddr {
        self.listening.abort();
        let _ = self.listening.await;
        self.router.shutdown(Duration::ZERO).await;
        self.address
    }
}

/// A router and a cloud on it.
pub(crate) async fn cloud() -> (Crossroads, Script) {
    let crossroads = Crossroads::open().await;
    let script = Script::join(&crossroads.address.to_string()).await;
    (crossroads, script)
}

/// Settings that allow the router.
fn anonymous() -> Settings {
    let mut settings = settings();
    settings.upstream.allow_anonymous = true;
    settings
}

/// A home with upstream's `settings.json` for a first registration.
pub(crate) fn with_code(script: &Script, code: &str) -> Rod {
    let rod = Rod::new();
    let value = json!({"iotronic": {
        "board": {"code": code},
        "wamp": {"registration-agent": {"url": script.url, "realm": "s4t"}}
    }});
    std::fs::write(file(&rod, "settings.json"), value.to_string()).unwrap();
    rod
}

/// A board that is online; its session.
async fn online(script: &Script, settings: Settings) -> (Rod, Running, u64) {
    let rod = with_code(script, CODE);
    let running = rod.run_with(settings);
    let session = script.online(1).await;
    (rod, running, session)
}

fn file(rod: &Rod, name: &str) -> PathBuf {
    rod.dir.path().join(name)
}

fn read(rod: &Rod, name: &str) -> Value {
    serde_json::from_slice(&std::fs::read(file(rod, name)).unwrap()).unwrap()
}

/// A plugin as upstream's conductor sends it.
pub(crate) fn plugin(uuid: &str, source: &str, callable: bool) -> Value {
    json!({
        "uuid": uuid, "name": "plugin", "code": rpc::pickle::emit(source), "callable": callable,
        "public": false, "owner": "o", "parameters": {}, "extra": {}, "id": 3,
        "created_at": "2026-01-01T10:00:00", "updated_at": null,
    })
}
