//! A cloud that serves the dialect on loopback, a board that speaks it, and raw sockets for those who break it.

use std::io;
use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, Ordering};
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tunnel::wstun::{
    Allowed, Asked, Client, ClientEnded, ClientSettings, Denied, Dialer, Policy, Request,
    SUBPROTOCOL, ServeError, Served, Server, Settings,
};
use websocket::handshake::HandshakeError;
use websocket::{Limits, Message, WebSocket};

use crate::common::soon;

/// Hands over one open port and refuses any other.
pub struct OnePort(pub Arc<TcpListener>);

impl Policy for OnePort {
    async fn allow(&self, request: &Request) -> Result<Allowed, Denied> {
        if request.port.get() == self.0.local_addr().unwrap().port() {
            Ok(Allowed::Listener(Arc::clone(&self.0)))
        } else {
            Err(Denied { reason: format!("port {} is not yours", request.port) })
        }
    }
}

/// Lets the server open any port itself.
pub struct AnyPort;

impl Policy for AnyPort {
    async fn allow(&self, _: &Request) -> Result<Allowed, Denied> {
        Ok(Allowed::Bind)
    }
}

pub type Outcome = Result<Served, ServeError>;

/// A listening server.
pub struct Cloud<P = OnePort> {
    pub server: Server<P>,
    /// Where boards connect.
    pub address: SocketAddr,
    /// The public port; nobody listens there with [`AnyPort`].
    pub public: SocketAddr,
    pub outcomes: mpsc::UnboundedReceiver<Outcome>,
    _tasks: JoinSet<()>,
}

impl<P> Cloud<P> {
    pub fn port(&self) -> NonZeroU16 {
        NonZeroU16::new(self.public.port()).unwrap()
    }

    /// The next connection that ended, other than pages.
    pub async fn outcome(&mut self) -> Outcome {
        soon("an outcome", self.outcomes.recv()).await.unwrap()
    }

    pub async fn customer(&self) -> TcpStream {
        TcpStream::connect(self.public).await.unwrap()
    }
}

/// Patient, because upstream's side runs on one thread of a loaded machine.
pub fn settings() -> Settings {
    let claim_within = Duration::from_secs(30);
    Settings { bind: [127, 0, 0, 1].into(), claim_within, ..Settings::default() }
}

pub async fn cloud(settings: Settings) -> Cloud {
    let listener = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
    let public = listener.local_addr().unwrap();
    serve(settings, OnePort(listener), public, |stream| async { Ok(stream) }).await
}

/// A cloud that opens the public port on demand.
pub async fn binding_cloud() -> Cloud<AnyPort> {
    let public = free_address().await;
    serve(settings(), AnyPort, public, |stream| async { Ok(stream) }).await
}

/// An address nobody listens on. Its port lies below those that the kernel gives out by itself, so that it
/// stays free until somebody asks for it by number.
pub async fn free_address() -> SocketAddr {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    loop {
        let place = NEXT.fetch_add(1, Ordering::Relaxed).wrapping_add(std::process::id() as u16);
        let address = SocketAddr::from(([127, 0, 0, 1], 10_000 + place % 9_000));
        if TcpListener::bind(address).await.is_ok() {
            return address;
        }
    }
}

pub async fn serve<P, S, W, F>(
    settings: Settings,
    policy: P,
    public: SocketAddr,
    wrap: W,
) -> Cloud<P>
where
    P: Policy,
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send,
    W: Fn(TcpStream) -> F + Send + Sync + 'static,
    F: Future<Output = io::Result<S>> + Send,
{
    let server = Server::new(settings, policy);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, outcomes) = mpsc::unbounded_channel();
    let (serving, wrap) = (server.clone(), Arc::new(wrap));
    let mut tasks = JoinSet::new();
    tasks.spawn(async move {
        let mut sockets = JoinSet::new();
        while let Ok((stream, peer)) = listener.accept().await {
            tunnel::wstun::tune(&stream).unwrap();
            let (server, tell, wrap) = (serving.clone(), tell.clone(), Arc::clone(&wrap));
            sockets.spawn(async move {
                let Ok(stream) = wrap(stream).await else { return };
                let _ = tell.send(server.serve(stream, peer).await);
            });
        }
    });
    Cloud { server, address, public, outcomes, _tasks: tasks }
}

/// Plain TCP to both sides.
pub struct Plain {
    pub cloud: SocketAddr,
    pub target: SocketAddr,
}

impl Dialer for Plain {
    type Cloud = TcpStream;
    type Target = TcpStream;

    async fn cloud(&self) -> io::Result<TcpStream> {
        let stream = TcpStream::connect(self.cloud).await?;
        tunnel::wstun::tune(&stream)?;
        Ok(stream)
    }

    async fn target(&self) -> io::Result<TcpStream> {
        TcpStream::connect(self.target).await
    }
}

pub fn asked(cloud: SocketAddr, port: NonZeroU16) -> Asked {
    Asked { host: cloud.to_string(), port, board: Some("board-1".into()) }
}

pub fn client(cloud: SocketAddr, port: NonZeroU16, target: SocketAddr) -> Client<Plain> {
    let dialer = Plain { cloud, target };
    Client::new(asked(cloud, port), dialer, ClientSettings::default())
}

/// A board whose client runs in a task of its own.
pub struct Board(JoinSet<ClientEnded>);

impl Board {
    /// Returns when the control socket is open.
    pub async fn up<D: Dialer>(mut client: Client<D>) -> Self {
        let control = soon("the control socket", client.connect()).await.unwrap();
        let mut tasks = JoinSet::new();
        tasks.spawn(async move { client.serve(control).await });
        Self(tasks)
    }

    pub async fn ended(mut self) -> ClientEnded {
        soon("the end of the control socket", self.0.join_next()).await.unwrap().unwrap()
    }
}

/// A cloud and a board with a service behind it.
pub async fn pair(target: SocketAddr) -> (Cloud, Board) {
    let cloud = cloud(settings()).await;
    let board = Board::up(client(cloud.address, cloud.port(), target)).await;
    (cloud, board)
}

/// A WebSocket with nothing of ours behind it.
pub async fn raw(cloud: SocketAddr, path: &str) -> Result<WebSocket<TcpStream>, HandshakeError> {
    let stream = TcpStream::connect(cloud).await.unwrap();
    let host = cloud.to_string();
    let limits = Limits::default();
    let opened = websocket::handshake::client(stream, &host, path, &[SUBPROTOCOL], &[], limits);
    soon("the handshake", opened).await.map(|(socket, chosen)| {
        assert_eq!(chosen.as_deref(), Some(SUBPROTOCOL));
        socket
    })
}

pub async fn raw_control<P>(cloud: &Cloud<P>) -> WebSocket<TcpStream> {
    raw(cloud.address, &format!("/?dst=127.0.0.1:{}", cloud.public.port())).await.unwrap()
}

/// The id in the next notice.
pub async fn notice<R: tokio::io::AsyncRead + Unpin>(reader: &mut websocket::Reader<R>) -> String {
    loop {
        if let Message::Text(text) = soon("a notice", reader.next()).await.unwrap() {
            let text = String::from_utf8(text.to_vec()).unwrap();
            return text.strip_prefix("NC:").unwrap().to_owned();
        }
    }
}
