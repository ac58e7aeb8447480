//! The way to the cloud: name → TCP → TLS → WebSocket, and who is believed on it.
//!
//! Invariants: every step has a deadline; a session is used only after the cloud has proven the pinned key
//! (`credentials`). Not here: what is said on it.

mod address;
mod credentials;
mod join;
mod tls;

pub use address::{Address, Scheme};
pub use credentials::{Credentials, Who};
pub(crate) use join::refusal;
pub use join::{Joined, join};
pub use tls::{TlsError, Trust};

use crate::clock::BoardClock;
use base::key::PublicKey;
use model::{Invalid, Kind};
use rustls::pki_types::ServerName;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use wamp::uri::error;
use websocket::{Limits, WebSocket};

/// Time to reach one of the cloud's addresses.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// Time for name resolution, and for TLS.
const STEP_TIMEOUT: Duration = Duration::from_secs(10);
/// Addresses of one name that are tried.
const MAX_ADDRESSES: usize = 4;
/// Largest message of the control channel: source, parameters and envelope of one plugin, escaped.
pub(crate) const MAX_MESSAGE: usize = 4 << 20;

/// A byte stream to the cloud.
pub trait Stream: AsyncRead + AsyncWrite + Unpin + Send + Sync {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send + Sync> Stream for T {}

/// Why the cloud cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The address is not one.
    #[error(transparent)]
    Address(#[from] Invalid),
    /// The name has no address.
    #[error(
        "the name {host} cannot be resolved: {reason}; check the network and the claim's address"
    )]
    Resolve {
        /// The name.
        host: String,
        /// What the system said.
        reason: String,
    },
    /// Nobody answers.
    #[error("the cloud at {at} cannot be reached: {reason}")]
    Connect {
        /// Host and port.
        at: String,
        /// What the system said.
        reason: String,
    },
    /// TLS fails.
    #[error("TLS with the cloud at {at} failed: {reason}")]
    Tls {
        /// Host and port.
        at: String,
        /// What is wrong.
        reason: String,
    },
    /// TLS cannot be set up here.
    #[error(transparent)]
    TlsSetup(#[from] TlsError),
    /// No WebSocket there.
    #[error("the cloud at {at} does not open a websocket: {source}")]
    WebSocket {
        /// Host and port.
        at: String,
        /// What it did instead.
        source: websocket::handshake::HandshakeError,
    },
    /// The other end is not the cloud that this board knows.
    #[error("this is not the cloud that the claim names: {0}; the agent said nothing to it")]
    Impostor(String),
    /// The cloud ended the session before it began.
    #[error("the cloud refused this machine: {text} ({uri})")]
    Aborted {
        /// Error URI.
        uri: String,
        /// What it said.
        text: String,
    },
    /// The session ended or the cloud did not answer in time.
    #[error("the connection to the cloud broke: {0}")]
    Lost(String),
    /// The cloud answered something that makes no sense.
    #[error(
        "the cloud answered something unexpected: {0}; check that agent and cloud fit together"
    )]
    Garbage(String),
}

impl Error {
    /// What sort of failure it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Address(_) => Kind::Invalid,
            Self::Resolve { .. }
            | Self::Connect { .. }
            | Self::Tls { .. }
            | Self::WebSocket { .. }
            | Self::Lost(_) => Kind::Unreachable,
            Self::Impostor(_) => Kind::Unauthenticated,
            Self::Aborted { uri, .. } => match uri.as_str() {
                error::UNAVAILABLE | error::SYSTEM_SHUTDOWN | error::RUNTIME_ERROR => {
                    Kind::Unreachable
                }
                _ => Kind::Forbidden,
            },
            Self::TlsSetup(_) | Self::Garbage(_) => Kind::Internal,
        }
    }

    /// Whether the cloud knows this machine and does not want it, so that asking often is useless.
    #[must_use]
    pub fn is_refusal(&self) -> bool {
        use rpc::handshake::{REFUSED_KEY, UNKNOWN_KEY};
        match self {
            Self::Aborted { uri, .. } => uri == REFUSED_KEY || uri == UNKNOWN_KEY,
            _ => false,
        }
    }

    /// Whether another machine has this one's key, and somebody has to say which of them goes on.
    #[must_use]
    pub fn is_parked(&self) -> bool {
        matches!(self, Self::Aborted { uri, .. } if uri == rpc::handshake::PARKED_KEY)
    }
}

/// The cloud as this board knows it.
#[derive(Debug, Clone)]
pub struct Cloud {
    address: Address,
    /// Fingerprint of its key. It has another one after the cloud's key was changed; clones share it.
    pin: Arc<Mutex<String>>,
    /// What this life of the agent calls itself, so that the cloud knows its second connection from another machine's.
    instance: String,
    trust: Trust,
    clock: Arc<BoardClock>,
}

/// An open WebSocket and what is known about its way.
pub struct Opened {
    /// The socket.
    pub socket: WebSocket<Box<dyn Stream>>,
    /// The subprotocol the cloud chose.
    pub subprotocol: Option<String>,
    /// The board's own address on the way.
    pub local: Option<IpAddr>,
}

impl Cloud {
    /// A cloud at `url`.
    ///
    /// # Errors
    /// The URL is malformed.
    pub fn new(url: &str, pin: &str, trust: Trust, clock: Arc<BoardClock>) -> Result<Self, Error> {
        let instance = base::secret::random_text::<16>();
        Ok(Self {
            address: url.parse()?,
            pin: Arc::new(Mutex::new(pin.to_owned())),
            instance,
            trust,
            clock,
        })
    }

    /// Fingerprint of the key that it must prove, or lead to its own from.
    #[must_use]
    pub fn pin(&self) -> String {
        self.pin.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// It has another key, to which a signed chain led.
    pub(crate) fn repin(&self, key: &PublicKey) {
        *self.pin.lock().unwrap_or_else(PoisonError::into_inner) = key.fingerprint();
    }

    /// Opens a WebSocket at `path` below the cloud's address.
    ///
    /// # Errors
    /// A step failed or took too long.
    pub async fn open(
        &self,
        path: &str,
        subprotocols: &[&str],
        limits: Limits,
    ) -> Result<Opened, Error> {
        let (stream, local) = self.stream(|_| Ok(())).await?;
        let (host, path) = (self.address.authority(), format!("{}{path}", self.address.prefix));
        let opened =
            websocket::handshake::client(stream, &host, &path, subprotocols, &[], limits).await;
        let (socket, subprotocol) =
            opened.map_err(|source| Error::WebSocket { at: self.at(), source })?;
        Ok(Opened { socket, subprotocol, local })
    }

    /// A byte stream to the address, and the board's own address on it. `tune` sees the connection before TLS does.
    ///
    /// # Errors
    /// A step failed or took too long.
    pub(crate) async fn stream(
        &self,
        tune: fn(&TcpStream) -> std::io::Result<()>,
    ) -> Result<(Box<dyn Stream>, Option<IpAddr>), Error> {
        let tcp = self.connect().await?;
        tune(&tcp).map_err(|error| Error::Connect { at: self.at(), reason: error.to_string() })?;
        let local = tcp.local_addr().ok().map(|address| address.ip());
        let stream: Box<dyn Stream> = match self.address.scheme {
            Scheme::Plain => Box::new(tcp),
            Scheme::Tls => self.wrap(tcp).await?,
        };
        Ok((stream, local))
    }

    async fn connect(&self) -> Result<TcpStream, Error> {
        let host = self.address.host.clone();
        let unresolved = |reason: String| Error::Resolve { host: host.clone(), reason };
        let lookup = tokio::net::lookup_host((host.as_str(), self.address.port));
        let addresses = tokio::time::timeout(STEP_TIMEOUT, lookup)
            .await
            .map_err(|_| unresolved("no answer in time".into()))?
            .map_err(|error| unresolved(error.to_string()))?;
        let mut reason = "the name has no address".to_owned();
        for address in addresses.take(MAX_ADDRESSES) {
            match tokio::time::timeout(CONNECT_TIMEOUT, TcpStream::connect(address)).await {
                Ok(Ok(stream)) => {
                    let _ = stream.set_nodelay(true);
                    return Ok(stream);
                }
                Ok(Err(error)) => reason = error.to_string(),
                Err(_) => reason = "no answer in time".into(),
            }
        }
        Err(Error::Connect { at: self.at(), reason })
    }

    async fn wrap(&self, tcp: TcpStream) -> Result<Box<dyn Stream>, Error> {
        let wrong = |reason: String| Error::Tls { at: self.at(), reason };
        let config = tls::config(&self.trust, &self.clock)?;
        let name = ServerName::try_from(self.address.host.clone())
            .map_err(|error| wrong(error.to_string()))?;
        let connecting = tokio_rustls::TlsConnector::from(config).connect(name, tcp);
        let stream = tokio::time::timeout(STEP_TIMEOUT, connecting)
            .await
            .map_err(|_| wrong("no answer in time".into()))?
            .map_err(|error| wrong(error.to_string()))?;
        Ok(Box::new(stream))
    }

    fn at(&self) -> String {
        format!("{}:{}", self.address.host, self.address.port)
    }
}
