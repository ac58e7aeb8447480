//! The cloud's side: health page, control sockets, data sockets, on any byte stream.
//! Invariant: the server has no task of its own; what a socket needs runs in its [`Server::serve`], and
//! ends with it. Beyond each bound of [`Settings`] a socket is refused or a client waits in the kernel.
//! Not here: listening and TLS, what a control socket does while it lives (`control.rs`).

use std::net::SocketAddr;
use std::num::NonZeroU16;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::timeout;
use websocket::handshake::{HandshakeError, TIMEOUT};
use websocket::{CloseReason, Limits, Message, WebSocket};

use super::control;
use super::http::{self, Head};
use super::ports::{Cut, PortGuard, Ports};
use super::pump::{Start, pump};
use super::request::{ConnectionId, Wish};
use super::terms::{Allowed, Policy, Request, ServeError, Served, Settings, Stats, Visit};
use super::waiting::{ControlId, Waiting};
use super::{FAREWELL, MOST_CONTROL, MOST_DATA};
use crate::Endpoint;

/// A client that waits.
#[derive(Debug)]
pub(super) struct Client {
    pub(super) stream: TcpStream,
    pub(super) visit: Visit,
    pub(super) cut: Arc<Cut>,
    /// Its place among those that may wait.
    pub(super) place: OwnedSemaphorePermit,
}

/// What all sockets of a server share.
#[derive(Debug)]
pub(super) struct Hall {
    pub(super) settings: Settings,
    ports: Arc<Ports>,
    waiting: Mutex<Waiting<Client>>,
    connections: Arc<Semaphore>,
    controls: Arc<Semaphore>,
    next_control: AtomicU64,
    pub(super) unclaimed: AtomicU64,
}

impl Hall {
    pub(super) fn waiting(&self) -> MutexGuard<'_, Waiting<Client>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// More than any proof of life of the present holder takes.
    fn patience(&self) -> Duration {
        self.settings.liveness.active_dead + Duration::from_secs(1)
    }
}

/// The cloud's side of the dialect. Clones are the same server.
#[derive(Debug)]
pub struct Server<P> {
    hall: Arc<Hall>,
    policy: Arc<P>,
}

impl<P> Clone for Server<P> {
    fn clone(&self) -> Self {
        Self { hall: Arc::clone(&self.hall), policy: Arc::clone(&self.policy) }
    }
}

impl<P: Policy> Server<P> {
    /// A server with nothing on it.
    pub fn new(settings: Settings, policy: P) -> Self {
        let hall = Hall {
            settings,
            ports: Arc::default(),
            waiting: Mutex::default(),
            connections: Arc::new(Semaphore::new(settings.max_connections)),
            controls: Arc::new(Semaphore::new(settings.max_controls)),
            next_control: AtomicU64::new(0),
            unclaimed: AtomicU64::new(0),
        };
        Self { hall: Arc::new(hall), policy: Arc::new(policy) }
    }

    /// Serves one accepted connection to its end; see [`super::tune`] for TCP. Dropping the future closes
    /// it: a control socket with its port and waiting clients, a data socket with its client.
    pub async fn serve<S>(&self, io: S, peer: SocketAddr) -> Result<Served, ServeError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        match timeout(TIMEOUT, self.enter(io, peer)).await {
            Err(_) => Err(HandshakeError::Timeout.into()),
            Ok(Err(error)) => Err(error),
            Ok(Ok(Entered::Page)) => Ok(Served::Page),
            Ok(Ok(Entered::Control { socket, listener, guard, request, permit })) => {
                let ended =
                    control::run(&self.hall, self.next_control(), socket, &listener, &guard);
                let ended = ended.await;
                drop((listener, guard, permit));
                Ok(Served::Control { request, ended })
            }
            Ok(Ok(Entered::Data { socket, client, cut, permit })) => {
                let linger = self.hall.settings.linger;
                let _carried = cut.carry();
                let moved = pump(socket, client, Start::WhenHeard, linger, cut.made()).await;
                drop(permit);
                Ok(Served::Data(moved?))
            }
        }
    }

    /// Cuts a port: its control socket is closed, its waiting clients and its connections are reset.
    pub fn cut(&self, port: NonZeroU16) {
        self.hall.ports.cut(port);
    }

    /// Connections that a port carries now; those that wait for their data socket are not among them.
    pub fn connections(&self, port: NonZeroU16) -> usize {
        self.hall.ports.connections(port)
    }

    /// Counters.
    pub fn stats(&self) -> Stats {
        let free = self.hall.connections.available_permits();
        Stats {
            controls: self.hall.ports.len(),
            waiting: self.hall.waiting().len(),
            connections: self.hall.settings.max_connections.saturating_sub(free),
            unclaimed: self.hall.unclaimed.load(Ordering::Relaxed),
        }
    }

    fn next_control(&self) -> ControlId {
        ControlId(self.hall.next_control.fetch_add(1, Ordering::Relaxed))
    }

    /// Everything up to the open WebSocket.
    async fn enter<S>(&self, mut io: S, peer: SocketAddr) -> Result<Entered<S>, ServeError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let (head, leftover) = http::read(&mut io).await?;
        let (target, accept) = match head {
            Head::Upgrade { target, accept } => (target, accept),
            Head::Page => {
                http::page(&mut io).await?;
                return Ok(Entered::Page);
            }
            Head::Refused(refusal) => {
                return refuse(&mut io, refusal.status(), refusal.to_string()).await;
            }
        };
        let upgrade = Upgrade { io, accept, leftover };
        match Wish::parse(&target) {
            Ok(Wish::Control { port, board }) => {
                self.control(upgrade, Request { port, board, peer }).await
            }
            Ok(Wish::Data(id)) => self.data(upgrade, id).await,
            Err(error) => upgrade.refuse(400, error.to_string()).await,
        }
    }

    async fn control<S>(
        &self,
        upgrade: Upgrade<S>,
        request: Request,
    ) -> Result<Entered<S>, ServeError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let Ok(permit) = Arc::clone(&self.hall.controls).try_acquire_owned() else {
            return upgrade.refuse(503, "too many control sockets; try later".into()).await;
        };
        let allowed = match self.policy.allow(&request).await {
            Ok(allowed) => allowed,
            Err(denied) => return upgrade.refuse(403, denied.reason).await,
        };
        let Some((listener, guard)) = self.open(request.port, allowed).await else {
            return upgrade.close_as_busy(request.port).await;
        };
        let socket = upgrade.switch(MOST_CONTROL).await?;
        Ok(Entered::Control { socket, listener, guard, request, permit })
    }

    /// The port, if nobody has it.
    async fn open(
        &self,
        port: NonZeroU16,
        allowed: Allowed,
    ) -> Option<(Arc<TcpListener>, PortGuard)> {
        let guard = self.hall.ports.take(port, self.hall.patience()).await?;
        let listener = match allowed {
            Allowed::Listener(listener) => listener,
            Allowed::Bind => match TcpListener::bind((self.hall.settings.bind, port.get())).await {
                Ok(listener) => Arc::new(listener),
                Err(error) => {
                    tracing::info!(%port, %error, "port asked for by a wstun client cannot be opened");
                    return None;
                }
            },
        };
        Some((listener, guard))
    }

    async fn data<S>(&self, upgrade: Upgrade<S>, id: ConnectionId) -> Result<Entered<S>, ServeError>
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let Some(client) = self.hall.waiting().claim(id, Instant::now()) else {
            return upgrade.refuse(404, "no client waits under this id".into()).await;
        };
        let Ok(permit) = Arc::clone(&self.hall.connections).try_acquire_owned() else {
            return upgrade.refuse(503, "too many data sockets; try later".into()).await;
        };
        let Client { stream, visit, cut, place } = client;
        let Some(client) = self.policy.admit(visit, stream).await else {
            return upgrade.refuse(503, "the client was turned away".into()).await;
        };
        drop(place);
        let socket = upgrade.switch(MOST_DATA).await?;
        Ok(Entered::Data { socket, client, cut, permit })
    }
}

/// A connection past its handshake.
enum Entered<S> {
    Page,
    Control {
        socket: WebSocket<S>,
        listener: Arc<TcpListener>,
        guard: PortGuard,
        request: Request,
        permit: OwnedSemaphorePermit,
    },
    Data {
        socket: WebSocket<S>,
        client: Box<dyn Endpoint>,
        cut: Arc<Cut>,
        permit: OwnedSemaphorePermit,
    },
}

/// A request for a WebSocket that is not answered yet.
struct Upgrade<S> {
    io: S,
    accept: String,
    leftover: Bytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Upgrade<S> {
    async fn switch(self, max_message: usize) -> Result<WebSocket<S>, HandshakeError> {
        http::switch(self.io, &self.accept, Limits { max_message }, self.leftover).await
    }

    async fn refuse<T>(mut self, status: u16, reason: String) -> Result<T, ServeError> {
        refuse(&mut self.io, status, reason).await
    }

    /// Upstream's clients take a refused handshake for a broken network; a closed socket they understand.
    async fn close_as_busy<T>(self, port: NonZeroU16) -> Result<T, ServeError> {
        let (_, mut writer) = self.switch(MOST_CONTROL).await?.split();
        let reason = CloseReason::new(1013, format!("port {port} is in use"));
        writer.feed(&Message::Close(Some(reason)));
        // A peer that does not take it has gone already.
        let _ = timeout(FAREWELL, writer.shutdown()).await;
        Err(ServeError::Busy { port })
    }
}

async fn refuse<S: AsyncWrite + Unpin, T>(
    io: &mut S,
    status: u16,
    reason: String,
) -> Result<T, ServeError> {
    http::refuse(io, status, &reason).await?;
    Err(ServeError::Refused { status, reason })
}
