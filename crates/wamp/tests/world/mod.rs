//! What the component tests share: a router on a loopback socket, clients, a policy that can be told what to refuse, and a
//! proxy that can be told to swallow everything.

// Each test binary uses its part of it; the lints' exception for tests does not reach helpers.
#![allow(dead_code, unreachable_pub, clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::indexing_slicing)]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use ed25519_dalek::SigningKey;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use wamp::auth::cryptosign;
use wamp::{
    Abort, Action, Anonymous, Arguments, Authentication, BoxFuture, Challenge, ClientSettings,
    ConnectError, Credentials, Dict, Ended, Fault, Handler, Hello, Identity, Invocation, Policy,
    Roles, Router, RouterSettings, Serialiser, Session, Verdict, Welcome,
};
use websocket::{Limits, WebSocket, handshake};

pub const REALM: &str = "s4t";
pub const DEADLINE: Duration = Duration::from_secs(60);
pub const LIMITS: Limits = Limits { max_message: 256 * 1024 };

pub async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("done before the deadline")
}

/// Asks again and again, with a pause that only spares the processor, until the deadline.
pub async fn eventually(what: &str, mut holds: impl FnMut() -> bool) {
    let waiting = async {
        while !holds() {
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
    };
    tokio::time::timeout(DEADLINE, waiting).await.unwrap_or_else(|_| panic!("never: {what}"));
}

/// Lets everyone in as anonymous, or by cryptosign if they offer it; refuses URIs below `forbidden.`.
#[derive(Default)]
pub struct Gate {
    pub log: Mutex<Vec<String>>,
}

impl Policy for Gate {
    type Pending = cryptosign::Pending;

    async fn authenticate(&self, hello: Hello) -> Result<Authentication<Self::Pending>, Abort> {
        if hello.methods.iter().any(|method| method == cryptosign::METHOD) {
            let key = cryptosign::public_key(&hello.extra)?;
            let (state, mut extra) = cryptosign::challenge(key);
            extra.insert("router_proof".into(), "a proof of the router".into());
            let method = cryptosign::METHOD.into();
            return Ok(Authentication::Challenge(Challenge { method, extra, state }));
        }
        if hello.authid.as_deref() == Some("mallory") {
            return Err(Abort::denied("mallory may not enter"));
        }
        Ok(Authentication::Welcome(Welcome {
            authid: hello.authid.unwrap_or_else(|| "anonymous".into()),
            role: "guest".into(),
            authmethod: "anonymous".into(),
            key: None,
            extra: Dict::new(),
        }))
    }

    async fn verify(
        &self,
        pending: Self::Pending,
        signature: &str,
        _extra: &Dict,
    ) -> Result<Welcome, Abort> {
        cryptosign::verify(&pending, signature)?;
        let mut extra = Dict::new();
        extra.insert("cloud".into(), "signed".into());
        Ok(Welcome {
            authid: cryptosign::to_hex(&pending.public_key),
            role: "board".into(),
            authmethod: cryptosign::METHOD.into(),
            key: Some(pending.public_key),
            extra,
        })
    }

    fn authorise(&self, session: &Identity, action: Action, uri: &str) -> Verdict {
        if uri.starts_with("forbidden") && session.role != "cloud" {
            return Verdict::Deny(format!("{action:?} of {uri} is forbidden"));
        }
        Verdict::Allow
    }

    fn joined(&self, session: &Identity) {
        self.log.lock().unwrap().push(format!("joined {}", session.authid));
    }

    fn left(&self, session: &Identity) {
        self.log.lock().unwrap().push(format!("left {}", session.authid));
    }
}

/// Signs challenges with a key.
pub struct Key(pub SigningKey);

impl Credentials for Key {
    fn methods(&self) -> Vec<String> {
        vec![cryptosign::METHOD.into()]
    }

    fn hello_extra(&mut self) -> Dict {
        cryptosign::hello_extra(&self.0.verifying_key().to_bytes())
    }

    fn answer(&mut self, method: &str, challenge: &Dict) -> Result<(String, Dict), String> {
        assert_eq!(method, cryptosign::METHOD);
        assert_eq!(challenge.get("router_proof"), Some(&"a proof of the router".into()));
        let signature =
            cryptosign::answer(&self.0, challenge).map_err(|error| error.to_string())?;
        Ok((signature, Dict::new()))
    }
}

/// A router that listens.
pub struct World {
    pub router: Router<Gate>,
    pub address: SocketAddr,
    pub ends: tokio::sync::mpsc::UnboundedReceiver<Ended>,
}

impl World {
    pub async fn start() -> Self {
        Self::with(RouterSettings::realm(REALM)).await
    }

    pub async fn with(settings: RouterSettings) -> Self {
        let router = Router::new(settings, Gate::default());
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, ends) = tokio::sync::mpsc::unbounded_channel();
        let serving = router.clone();
        tokio::spawn(async move {
            loop {
                let (io, peer) = listener.accept().await.unwrap();
                let (router, sender) = (serving.clone(), sender.clone());
                tokio::spawn(async move {
                    if let Some((socket, serialiser)) = accept(io).await {
                        let ended = router.serve(socket, serialiser, peer).await;
                        drop(sender.send(ended));
                    }
                });
            }
        });
        Self { router, address, ends }
    }

    pub async fn client(&self, serialiser: Serialiser) -> Session {
        join(self.address, serialiser, Anonymous, ClientSettings::default()).await.unwrap()
    }

    pub async fn next_end(&mut self) -> Ended {
        within(self.ends.recv()).await.unwrap()
    }
}

async fn accept(io: TcpStream) -> Option<(WebSocket<TcpStream>, Serialiser)> {
    io.set_nodelay(true).unwrap();
    let choose = |request: &handshake::Request| {
        let offers = &request.subprotocols;
        let known = offers.iter().find(|name| Serialiser::from_subprotocol(name).is_some());
        known.cloned().map(Some).ok_or(handshake::Refusal::Subprotocol)
    };
    let (socket, request) = handshake::server(io, LIMITS, choose).await.ok()?;
    let serialiser =
        request.subprotocols.iter().find_map(|name| Serialiser::from_subprotocol(name));
    Some((socket, serialiser?))
}

/// A WebSocket to the router, past its handshake.
pub async fn open(address: SocketAddr, serialiser: Serialiser) -> WebSocket<TcpStream> {
    let io = TcpStream::connect(address).await.unwrap();
    io.set_nodelay(true).unwrap();
    let offer = [serialiser.subprotocol()];
    let (socket, chosen) =
        within(handshake::client(io, "localhost", "/", &offer, &[], LIMITS)).await.unwrap();
    assert_eq!(chosen.as_deref(), Some(serialiser.subprotocol()));
    socket
}

pub async fn join(
    address: SocketAddr,
    serialiser: Serialiser,
    credentials: impl Credentials,
    settings: ClientSettings,
) -> Result<Session, ConnectError> {
    let socket = open(address, serialiser).await;
    let joined = wamp::connect(socket, serialiser, REALM, Roles::default(), credentials, settings);
    within(joined).await
}

/// A handler out of an async function.
pub fn handler<F>(answer: impl Fn(Invocation) -> F + Send + Sync + 'static) -> Handler
where
    F: Future<Output = Result<Arguments, Fault>> + Send + 'static,
{
    Arc::new(move |invocation| -> BoxFuture<_> { Box::pin(answer(invocation)) })
}

/// Answers with what it was called with.
pub fn echo() -> Handler {
    handler(|invocation| async move { Ok(invocation.arguments) })
}

/// Never answers.
pub fn silence() -> Handler {
    handler(|_| std::future::pending())
}

/// A proxy in front of `target` that forwards until it is told to swallow everything, in both directions, without
/// closing anything: what a dead link looks like.
pub struct Link {
    pub address: SocketAddr,
    swallows: Arc<AtomicBool>,
}

impl Link {
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let swallows = Arc::new(AtomicBool::new(false));
        let flag = Arc::clone(&swallows);
        tokio::spawn(async move {
            let mut pumps = tokio::task::JoinSet::new();
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let far = TcpStream::connect(target).await.unwrap();
                let (near_read, near_write) = near.into_split();
                let (far_read, far_write) = far.into_split();
                pumps.spawn(forward(near_read, far_write, Arc::clone(&flag)));
                pumps.spawn(forward(far_read, near_write, Arc::clone(&flag)));
            }
        });
        Self { address, swallows }
    }

    pub fn swallow(&self) {
        self.swallows.store(true, Ordering::SeqCst);
    }
}

async fn forward(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    swallows: Arc<AtomicBool>,
) {
    let mut buffer = vec![0; 4096];
    while let Ok(read) = from.read(&mut buffer).await {
        match (swallows.load(Ordering::SeqCst), read) {
            // A dead link does not pass on the end of the stream either.
            (true, 0) => std::future::pending::<()>().await,
            (true, _) => {}
            (false, 0) => return,
            (false, _) => {
                if to.write_all(&buffer[..read]).await.is_err() {
                    return;
                }
            }
        }
    }
}
