//! A link as others hold it: open channels, watch it, end it.
//! Invariant: a handle never keeps a link alive; when the link has ended every channel is reset and
//! every call says so.
//! Not here: the task that moves the bytes (`driver.rs`), making the connection.

use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;

use crate::channel::Channel;
use crate::driver::Driver;
use crate::frame::ServiceKey;
use crate::handshake::Authenticated;
use crate::machine::{ChannelError, Limits, Machine, Memory, OpenError, Stats, Violation};
use crate::reason::{GoAway, GoAwayCode, Refusal, RefusalCode};
use crate::shared::Shared;
use crate::splice::Endpoint;

/// An acceptor that has not connected within this time is given up, and the channel refused.
pub const ACCEPT_DEADLINE: Duration = Duration::from_secs(10);

/// Bytes that may wait unsent in the kernel. Without this bound it keeps megabytes on a slow line, and
/// a keystroke waits seconds behind them.
const UNSENT_IN_KERNEL: u32 = 128 * 1024;

/// Sets a connection up to carry a link, before TLS and WebSocket are put on it.
pub fn tune(connection: &TcpStream) -> io::Result<()> {
    connection.set_nodelay(true)?;
    #[cfg(target_os = "linux")]
    socket2::SockRef::from(connection).set_tcp_notsent_lowat(UNSENT_IN_KERNEL)?;
    Ok(())
}

/// How a link behaves.
#[derive(Clone, Copy, Debug, Default)]
pub struct Settings {
    /// Bounds of channels and memory.
    pub limits: Limits,
    /// When a silent peer is asked and given up; active means that a channel is open.
    pub liveness: websocket::Settings,
}

/// Decides what a service key leads to, from a table of its own.
pub trait Acceptor: Send + Sync + 'static {
    /// The connection behind a service.
    type Target: Endpoint + 'static;
    /// Connects to the service, or says why not. Cut off after [`ACCEPT_DEADLINE`].
    fn accept(
        &self,
        service_key: &[u8],
    ) -> impl Future<Output = Result<Self::Target, Refusal>> + Send;
}

/// For the side that only opens: turns every channel down.
#[derive(Clone, Copy, Debug)]
pub struct NotAccepting;

impl Acceptor for NotAccepting {
    type Target = TcpStream;

    async fn accept(&self, _: &[u8]) -> Result<TcpStream, Refusal> {
        Err(Refusal::new(RefusalCode::NotAccepting, ""))
    }
}

/// How a link ended.
#[derive(Debug, thiserror::Error)]
pub enum Ended {
    /// We ended it.
    #[error("ended by this side: {0}")]
    Here(GoAway),
    /// The peer ended it and said why.
    #[error("ended by the peer: {0}")]
    There(GoAway),
    /// The peer closed the connection without a word.
    #[error("the peer closed the link")]
    Closed,
    /// Nothing was heard from the peer for too long.
    #[error("the peer is silent; the link is dead")]
    Silent,
    /// The peer broke the rules of the link.
    #[error("the peer broke the link's protocol: {0}")]
    Violation(#[from] Violation),
    /// The connection failed, or the peer broke the rules of WebSocket.
    #[error("the link's connection failed: {0}")]
    Connection(#[from] websocket::Error),
    /// The task that drove the link was dropped.
    #[error("the link's task was dropped")]
    Dropped,
}

/// Why a channel did not come to be.
#[derive(Clone, Debug, thiserror::Error)]
pub enum LinkError {
    /// The peer turned it down.
    #[error("channel refused: {0}")]
    Refused(Refusal),
    /// The link takes no channel now.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The link has ended, or the channel was cut before it was answered.
    #[error("link lost: {0}")]
    Lost(String),
}

/// A standing link. Clones are the same link.
#[derive(Clone, Debug)]
pub struct Link {
    shared: Arc<Shared>,
}

impl Link {
    /// Puts a link on an authenticated connection. Nothing moves until [`Driver::run`] is awaited by
    /// the task that owns the link. To be called inside a runtime.
    pub fn new<S, A>(
        connection: Authenticated<S>,
        acceptor: A,
        settings: Settings,
    ) -> (Self, Driver<S, A>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
        A: Acceptor,
    {
        let machine = Machine::new(connection.side, settings.limits);
        let shared = Arc::new(Shared::new(machine));
        let driver = Driver::new(Arc::clone(&shared), connection, acceptor, settings.liveness);
        (Self { shared }, driver)
    }

    /// Opens a channel and waits for the peer's answer.
    pub async fn open(&self, service_key: ServiceKey) -> Result<Channel, LinkError> {
        let channel = self.open_eagerly(service_key)?;
        match channel.answered().await {
            Ok(()) => Ok(channel),
            Err(ChannelError::Refused(refusal)) => Err(LinkError::Refused(refusal)),
            Err(error) => Err(LinkError::Lost(error.to_string())),
        }
    }

    /// Opens a channel that can be written to at once, without a round trip: the first words of a client
    /// travel right behind the question. If the peer refuses, reading and writing say so.
    pub fn open_eagerly(&self, service_key: ServiceKey) -> Result<Channel, LinkError> {
        if let Some(ended) = self.ended() {
            return Err(LinkError::Lost(ended.to_string()));
        }
        let id = self.shared.call(|state| state.machine.open(service_key))?;
        Ok(Channel::new(Arc::clone(&self.shared), id))
    }

    /// Counters since the start, and what is open now.
    pub fn stats(&self) -> Stats {
        self.shared.drive(|state| state.machine.stats())
    }

    /// What the link holds in memory now.
    pub fn memory(&self) -> Memory {
        self.shared.drive(|state| state.machine.memory())
    }

    /// How the link ended, if it has.
    pub fn ended(&self) -> Option<Arc<Ended>> {
        self.shared.ended.borrow().clone()
    }

    /// Waits until the link has ended; how.
    pub async fn closed(&self) -> Arc<Ended> {
        let mut ended = self.shared.ended.subscribe();
        match ended.wait_for(Option::is_some).await.as_deref() {
            Ok(Some(ended)) => Arc::clone(ended),
            // The sender lives as long as this handle.
            Ok(None) | Err(_) => Arc::new(Ended::Dropped),
        }
    }

    /// Tells the peer, lets channels finish for up to `grace`, then cuts. Returns when the link has ended.
    pub async fn shutdown(&self, grace: Duration) -> Arc<Ended> {
        self.leave(GoAway::new(GoAwayCode::Shutdown, ""), grace).await
    }

    /// Like [`Self::shutdown`], with another reason.
    pub async fn leave(&self, away: GoAway, grace: Duration) -> Arc<Ended> {
        self.shared.call(|state| {
            let deadline = Instant::now() + grace;
            if state.leaving.is_none() {
                state.machine.go_away(away.clone());
            }
            state.leaving.get_or_insert((away, deadline)).1 = deadline;
        });
        self.closed().await
    }
}
