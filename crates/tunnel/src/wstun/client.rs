//! The board's side: a control socket, and a data socket with a local connection for each client.
//! Invariant: at most [`ClientSettings::max_connections`] at a time; a client whose service cannot be
//! reached is fetched and closed at once, so that nobody waits for it; connections outlive their control
//! socket and end with the [`Client`].
//! Not here: connecting again, and the way to the cloud and to the service ([`Dialer`]).

use std::future::{Future, pending};
use std::io;
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use tokio::task::JoinSet;
use tokio::time::{sleep_until, timeout};
use websocket::handshake::{HandshakeError, client};
use websocket::{CloseReason, Limits, Liveness, Message, Reader, Step, WebSocket, Writer};

use super::pump::{Start, pump};
use super::request::{Claim, control_path, is_word};
use super::{FAREWELL, FLUSH_WITHIN, MOST_CONTROL, MOST_DATA, SUBPROTOCOL};
use crate::splice::Endpoint;

/// Time to reach the cloud, or the service.
const DIAL_WITHIN: Duration = Duration::from_secs(10);
/// With so much unsent nothing more is read.
const UNSENT_MAX: usize = 16 * 1024;

/// What a client asks for: upstream's `wstun -r<port>:… ws://<host> -u <board>`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Asked {
    /// Host and port of the cloud, as in the URL.
    pub host: String,
    /// The public port.
    pub port: NonZeroU16,
    /// The board's uuid; upstream's servers so far ignore it.
    pub board: Option<String>,
}

/// Makes the connections a client needs.
pub trait Dialer: Send + Sync + 'static {
    /// A connection to the cloud, with TLS where the URL says so.
    type Cloud: AsyncRead + AsyncWrite + Unpin + Send + 'static;
    /// A connection to the service.
    type Target: Endpoint + 'static;
    /// Connects to the cloud; see [`super::tune`].
    fn cloud(&self) -> impl Future<Output = io::Result<Self::Cloud>> + Send;
    /// Connects to the service.
    fn target(&self) -> impl Future<Output = io::Result<Self::Target>> + Send;
}

/// Behaviour and bounds of a client.
#[derive(Clone, Copy, Debug)]
pub struct ClientSettings {
    /// Connections at a time; the cloud's notices beyond are ignored, and the cloud drops those clients.
    pub max_connections: usize,
    /// Silence, after one side of a connection has ended, that ends the other.
    pub linger: Duration,
    /// When a silent cloud is asked and given up; nothing here makes it active.
    pub liveness: websocket::Settings,
}

impl Default for ClientSettings {
    fn default() -> Self {
        Self {
            max_connections: 256,
            linger: Duration::from_secs(10),
            liveness: websocket::Settings::default(),
        }
    }
}

/// Why there is no control socket.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The board's name would break the request.
    #[error("the board's uuid may only hold letters, digits and dashes")]
    Board,
    /// No connection.
    #[error("cannot reach the tunnel server: {0}")]
    Dial(#[from] io::Error),
    /// No WebSocket; a refusal of the port is a status 403 with the reason as its body.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
}

/// How a control socket ended.
#[derive(Debug, thiserror::Error)]
pub enum ClientEnded {
    /// The cloud closed it; code 1013 is our way to say that the port is in use.
    #[error("closed by the tunnel server: code {code} {text:?}")]
    Closed {
        /// The close code, 1005 if there was none.
        code: u16,
        /// The cloud's words.
        text: String,
    },
    /// Nothing was heard for too long, or it takes none of our bytes.
    #[error("the tunnel server is silent")]
    Silent,
    /// It failed, or the cloud broke the rules of WebSocket.
    #[error("control socket failed: {0}")]
    Socket(#[from] websocket::Error),
}

/// The board's side of the dialect for one port.
#[derive(Debug)]
pub struct Client<D> {
    shared: Arc<Shared<D>>,
    connections: JoinSet<()>,
}

#[derive(Debug)]
struct Shared<D> {
    asked: Asked,
    dialer: D,
    settings: ClientSettings,
}

/// An open control socket.
#[derive(Debug)]
pub struct Control<S> {
    reader: Reader<ReadHalf<S>>,
    writer: Writer<WriteHalf<S>>,
    liveness: Liveness,
    unflushed_since: Option<Instant>,
}

impl<D: Dialer> Client<D> {
    /// A client without a control socket yet.
    pub fn new(asked: Asked, dialer: D, settings: ClientSettings) -> Self {
        let shared = Arc::new(Shared { asked, dialer, settings });
        Self { shared, connections: JoinSet::new() }
    }

    /// Asks the cloud for the port. The cloud may still close the socket at once because it is in use.
    pub async fn connect(&self) -> Result<Control<D::Cloud>, ClientError> {
        let Asked { host, port, board } = &self.shared.asked;
        if board.as_deref().is_some_and(|board| !is_word(board)) {
            return Err(ClientError::Board);
        }
        let path = control_path(host, *port, board.as_deref());
        let (reader, writer) = self.shared.open(&path, MOST_CONTROL).await?.split();
        let liveness = Liveness::new(self.shared.settings.liveness, Instant::now());
        Ok(Control { reader, writer, liveness, unflushed_since: None })
    }

    /// Serves the cloud's notices until the control socket ends. Connections go on beyond that, and after
    /// it [`Self::connect`] may be tried again. Dropping the future closes the control socket.
    pub async fn serve(&mut self, mut control: Control<D::Cloud>) -> ClientEnded {
        let ended = loop {
            let event = tokio::select! {
                notice = control.notice() => notice,
                () = finished(&mut self.connections) => continue,
            };
            match event {
                Ok(claim) => self.fetch(claim),
                Err(ended) => break ended,
            }
        };
        control.part(&ended).await;
        ended
    }

    /// Connections that are open or being opened.
    pub fn connections(&mut self) -> usize {
        while self.connections.try_join_next().is_some() {}
        self.connections.len()
    }

    /// Waits for the connections for up to `grace`, then cuts them.
    pub async fn finish(mut self, grace: Duration) {
        let all = async { while self.connections.join_next().await.is_some() {} };
        if timeout(grace, all).await.is_err() {
            self.connections.shutdown().await;
        }
    }

    fn fetch(&mut self, claim: Claim) {
        let most = self.shared.settings.max_connections;
        if self.connections() >= most {
            tracing::warn!(port = %self.shared.asked.port, most, "too many tunnel connections; one is not served");
            return;
        }
        self.connections.spawn(Arc::clone(&self.shared).carry(claim));
    }
}

async fn finished(connections: &mut JoinSet<()>) {
    if connections.join_next().await.is_none() {
        pending().await
    }
}

impl<D: Dialer> Shared<D> {
    async fn open(
        &self,
        path: &str,
        max_message: usize,
    ) -> Result<WebSocket<D::Cloud>, ClientError> {
        let io = in_time(self.dialer.cloud()).await?;
        let limits = Limits { max_message };
        Ok(client(io, &self.asked.host, path, &[SUBPROTOCOL], &[], limits).await?.0)
    }

    /// One client, from notice to end.
    async fn carry(self: Arc<Self>, claim: Claim) {
        let path = claim.path();
        let (socket, target) =
            tokio::join!(self.open(&path, MOST_DATA), in_time(self.dialer.target()));
        let port = self.asked.port;
        match (socket, target) {
            (Ok(socket), Ok(target)) => {
                let linger = self.settings.linger;
                match pump(socket, target, Start::Now, linger, pending()).await {
                    Ok(moved) => tracing::debug!(%port, ?moved, "tunnel connection ended"),
                    Err(error) => tracing::debug!(%port, %error, "tunnel connection cut"),
                }
            }
            (Ok(socket), Err(error)) => {
                tracing::warn!(%port, %error, "the tunnelled service cannot be reached");
                turn_away(socket).await;
            }
            (Err(error), _) => tracing::warn!(%port, %error, "a tunnel connection was not opened"),
        }
    }
}

async fn in_time<T>(dial: impl Future<Output = io::Result<T>>) -> io::Result<T> {
    let late = || io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
    timeout(DIAL_WITHIN, dial).await.map_err(|_| late())?
}

async fn turn_away<S: AsyncRead + AsyncWrite + Unpin + Send>(socket: WebSocket<S>) {
    let (_, mut writer) = socket.split();
    writer.feed(&Message::Close(Some(CloseReason::new(1011, "service unreachable"))));
    // A peer that does not take it has gone already.
    let _ = timeout(FAREWELL, writer.shutdown()).await;
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Control<S> {
    /// The next client. Cancel safe.
    async fn notice(&mut self) -> Result<Claim, ClientEnded> {
        loop {
            let wake = self.pass_time(Instant::now())?;
            let has_room = self.writer.pending() < UNSENT_MAX;
            tokio::select! {
                message = self.reader.next(), if has_room => {
                    self.liveness.on_receive(Instant::now());
                    if let Some(claim) = self.take(message?)? {
                        return Ok(claim);
                    }
                }
                flushed = self.writer.flush(), if self.unflushed_since.is_some() => {
                    flushed?;
                    self.unflushed_since = None;
                }
                () = sleep_until(wake.into()) => {}
            }
        }
    }

    fn pass_time(&mut self, now: Instant) -> Result<Instant, ClientEnded> {
        let stuck = self.unflushed_since.map(|since| since + FLUSH_WITHIN);
        if stuck.is_some_and(|at| at <= now) {
            return Err(ClientEnded::Silent);
        }
        let alive = loop {
            match self.liveness.poll(now) {
                Step::Wait(at) => break at,
                Step::Ping => self.feed(&Message::Ping(bytes::Bytes::new())),
                Step::Dead => return Err(ClientEnded::Silent),
            }
        };
        Ok(stuck.map_or(alive, |stuck| stuck.min(alive)))
    }

    fn take(&mut self, message: Message) -> Result<Option<Claim>, ClientEnded> {
        match message {
            Message::Text(text) => return Ok(Claim::from_notice(&text)),
            Message::Ping(body) => self.feed(&Message::Pong(body)),
            Message::Close(None) => {
                return Err(ClientEnded::Closed { code: 1005, text: String::new() });
            }
            Message::Close(Some(CloseReason { code, text })) => {
                return Err(ClientEnded::Closed { code, text });
            }
            Message::Pong(_) | Message::Binary(_) => {}
        }
        Ok(None)
    }

    fn feed(&mut self, message: &Message) {
        self.writer.feed(message);
        self.unflushed_since.get_or_insert_with(Instant::now);
    }

    async fn part(&mut self, ended: &ClientEnded) {
        let code = match ended {
            ClientEnded::Closed { .. } => Some(1000),
            ClientEnded::Silent => None,
            ClientEnded::Socket(error) => error.close_code(),
        };
        let Some(code) = code else { return };
        self.writer.feed(&Message::Close(Some(CloseReason::new(code, ""))));
        // A peer that does not take it has gone already.
        let _ = timeout(FAREWELL, self.writer.shutdown()).await;
    }
}
