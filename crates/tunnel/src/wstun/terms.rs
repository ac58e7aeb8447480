//! What a server is told, what it asks, and what it tells.
//! Invariant: a policy decides with what the request says and where it comes from; nothing else is known.
//! Not here: anything that happens.

use std::future::Future;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::num::NonZeroU16;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use websocket::handshake::HandshakeError;

use super::control::ControlEnded;
use super::pump::{Moved, PumpError};
use crate::Endpoint;

/// Behaviour and bounds of a server.
#[derive(Clone, Copy, Debug)]
pub struct Settings {
    /// Address on which ports are opened that the policy does not hand over.
    pub bind: IpAddr,
    /// Control sockets at a time; more are refused with 503.
    pub max_controls: usize,
    /// Clients of one control socket that wait for their data socket; more wait in the kernel's queue.
    pub max_waiting: usize,
    /// Data sockets at a time; more are refused with 503, and their clients dropped.
    pub max_connections: usize,
    /// A client whose data socket has not come after this time is dropped.
    pub claim_within: Duration,
    /// Silence, after one side of a connection has ended, that ends the other.
    pub linger: Duration,
    /// When a silent control socket is asked and given up; active means that another one wants its port.
    pub liveness: websocket::Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind: IpAddr::V4(Ipv4Addr::UNSPECIFIED),
            max_controls: 4096,
            max_waiting: 64,
            max_connections: 16 * 1024,
            claim_within: Duration::from_secs(10),
            linger: Duration::from_secs(10),
            liveness: websocket::Settings::default(),
        }
    }
}

/// What a control socket asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Request {
    /// The public port.
    pub port: NonZeroU16,
    /// The board that asks, if it says so; nothing proves it.
    pub board: Option<String>,
    /// Where the request comes from.
    pub peer: SocketAddr,
}

/// A client of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Visit {
    /// The public port.
    pub port: NonZeroU16,
    /// Where the client comes from.
    pub from: SocketAddr,
}

/// Permission, and how the port is opened.
#[derive(Clone, Debug)]
pub enum Allowed {
    /// The server binds it on [`Settings::bind`] for as long as the control socket lives.
    Bind,
    /// It is open already; the caller may keep it open when the control socket is gone.
    Listener(Arc<TcpListener>),
}

/// A refusal in words for whoever asks.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{reason}")]
pub struct Denied {
    /// What is wrong and how to mend it.
    pub reason: String,
}

/// Says who may have which port.
pub trait Policy: Send + Sync + 'static {
    /// Asked once for each control socket, within the deadline of its handshake.
    fn allow(&self, request: &Request) -> impl Future<Output = Result<Allowed, Denied>> + Send;

    /// Asked once for each client of a port, when its data socket has come: the client as it is to be carried, or none to turn
    /// it away. What is given is dropped when the connection is over.
    fn admit(
        &self,
        visit: Visit,
        client: TcpStream,
    ) -> impl Future<Output = Option<Box<dyn Endpoint>>> + Send {
        let _ = visit;
        async move { Some(Box::new(client) as Box<dyn Endpoint>) }
    }
}

/// What a connection was, now that it has ended in order.
#[derive(Debug)]
pub enum Served {
    /// It saw the health page.
    Page,
    /// A control socket.
    Control {
        /// What it asked for.
        request: Request,
        /// How it ended.
        ended: ControlEnded,
    },
    /// A data socket.
    Data(Moved),
}

/// Why a connection came to nothing.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    /// No HTTP request, or a peer that left.
    #[error(transparent)]
    Handshake(#[from] HandshakeError),
    /// A request that was answered with an error.
    #[error("answered {status}: {reason}")]
    Refused {
        /// The HTTP status.
        status: u16,
        /// The words sent with it.
        reason: String,
    },
    /// The port is in use; the control socket was closed with code 1013.
    #[error("port {port} is in use")]
    Busy {
        /// The port.
        port: NonZeroU16,
    },
    /// A data socket that did not end in order.
    #[error(transparent)]
    Data(#[from] PumpError),
}

/// Counters and what there is now.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Stats {
    /// Control sockets.
    pub controls: usize,
    /// Clients that wait for their data socket.
    pub waiting: usize,
    /// Data sockets.
    pub connections: usize,
    /// Clients dropped because no data socket came in time, since the start.
    pub unclaimed: u64,
}
