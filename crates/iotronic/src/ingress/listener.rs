//! One public port: accepts, finds the board's link, opens a channel, moves bytes.
//!
//! Invariants: connections are bounded, for the service and for all; further ones are reset at once, so that a client sees
//! it. When the listener is cut, all its connections are.

use super::session::{Place, Session};
use crate::boards::Boards;
use base::tasks::Shutdown;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use tunnel::{Accounted, ServiceKey, splice};

/// Longest wait for a link that is on its way.
const LINK_PATIENCE: Duration = Duration::from_secs(5);
/// Rest after the system could not accept (usually: no more file descriptors).
const REST: Duration = Duration::from_millis(100);

/// Bounds of connections.
#[derive(Clone)]
pub(super) struct Terms {
    /// Places left for connections of all services.
    pub(super) all: Arc<Semaphore>,
    /// Most connections of one service.
    pub(super) per_service: u32,
}

/// A public port that is open.
pub(super) struct Listener {
    port: u16,
    open: Arc<AtomicU32>,
    task: JoinHandle<()>,
}

impl Listener {
    pub(super) fn start(
        boards: Boards,
        place: Place,
        bound: TcpListener,
        terms: Terms,
        shutdown: Shutdown,
    ) -> Self {
        let open = Arc::<AtomicU32>::default();
        let port = place.port;
        let door = Door { boards, place, terms, open: Arc::clone(&open) };
        let task = tokio::spawn(door.keep(bound, shutdown));
        Self { port, open, task }
    }

    pub(super) fn port(&self) -> u16 {
        self.port
    }

    pub(super) fn connections(&self) -> u32 {
        self.open.load(Ordering::Relaxed)
    }

    /// Ends it and its connections; the port is free when the task has ended.
    pub(super) fn cut(self) -> (u16, JoinHandle<()>) {
        self.task.abort();
        (self.port, self.task)
    }
}

struct Door {
    boards: Boards,
    place: Place,
    terms: Terms,
    open: Arc<AtomicU32>,
}

impl Door {
    async fn keep(self, bound: TcpListener, shutdown: Shutdown) {
        let mut connections = JoinSet::new();
        let accepting = async {
            loop {
                while connections.try_join_next().is_some() {}
                match bound.accept().await {
                    Ok((client, from)) => self.let_in(client, from, &mut connections),
                    Err(error) => {
                        tracing::warn!(%error, "a connection to a service could not be accepted");
                        tokio::time::sleep(REST).await;
                    }
                }
            }
        };
        shutdown.until(accepting).await.unwrap_or(());
        drop(bound);
        while connections.join_next().await.is_some() {}
    }

    fn let_in(&self, client: TcpStream, from: SocketAddr, connections: &mut JoinSet<()>) {
        let place = Arc::clone(&self.terms.all).try_acquire_owned();
        let counted = Counted::enter(&self.open);
        let Ok(place) = place else {
            tracing::warn!("limits.service_connections is reached; a connection was turned away");
            return turn_away(&client);
        };
        if self.open.load(Ordering::Relaxed) > self.terms.per_service {
            tracing::warn!(board = %self.place.board, service = %self.place.service, "limits.connections_per_service is reached; a connection was turned away");
            return turn_away(&client);
        }
        let session = Session::begin(self.boards.store(), &self.place, from.ip());
        let session = match session {
            Ok(session) => session,
            Err(error) => {
                tracing::warn!(%error, "a connection cannot be written into the audit and was turned away");
                return turn_away(&client);
            }
        };
        let (boards, at) = (self.boards.clone(), self.place.clone());
        connections.spawn(async move {
            let _held = (place, counted);
            forward(boards, at, session, client).await;
        });
    }
}

async fn forward(boards: Boards, at: Place, mut session: Session, client: TcpStream) {
    let Place { board, service, .. } = at;
    let link = match boards.link(board, LINK_PATIENCE).await {
        Ok(link) => link,
        Err(fault) => {
            tracing::debug!(%board, %service, %fault, "a connection was turned away");
            session.ends("refused");
            return turn_away(&client);
        }
    };
    // The service's id as text: what the board has in its table.
    let Ok(key) = ServiceKey::new(service.to_string()) else { return turn_away(&client) };
    match link.open_eagerly(key) {
        Ok(channel) => {
            let client = Accounted::new(client, session.count());
            match splice(channel, client).await {
                Ok(_) => session.ends("done"),
                Err(error) => {
                    session.ends("reset");
                    tracing::debug!(%board, %service, %error, "a forwarded connection was reset");
                }
            }
        }
        Err(error) => {
            tracing::debug!(%board, %service, %error, "a connection was turned away");
            session.ends("refused");
            turn_away(&client);
        }
    }
}

/// Makes the coming drop a reset, which a client tells from an orderly end.
fn turn_away(client: &TcpStream) {
    // Fails only on a connection that is already gone.
    let _ = client.set_zero_linger();
}

/// Counts a connection while it lives.
struct Counted(Arc<AtomicU32>);

impl Counted {
    fn enter(open: &Arc<AtomicU32>) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(Arc::clone(open))
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}
