//! Upstream boards that nobody has replaced yet, behind a fence: a router of their own, reached by a listener of its own.
//!
//! Invariants: a legacy session calls five procedures of the cloud's agent and `stack4things.register`, registers exactly
//! `iotronic.<own session>.<bound uuid>.<Method>`, and nothing else (`gate`); it is bound to a board by a successful
//! `connection` only; what it says is believed about that board alone; nothing is ever sent to it twice. What it can do
//! to others is nothing. Deliberately not here: native boards, which share no router with these; the wstun port
//! (`ingress`); who listens (`serve`).

mod agent;
mod arguments;
mod call;
mod config;
mod connection;
mod farewell;
mod gate;
mod guests;
mod registration;
mod shell;

pub(super) use call::call;
pub(super) use farewell::say_farewell;
pub(crate) use shell::check;

use super::Boards;
use super::registry::Registry;
use crate::settings::Legacy as Settings;
use gate::Gate;
use guests::Guests;
use model::{BoardId, OperationId, ProjectId};
use rpc::{Envelope, Fault};
use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use store::Store;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::oneshot;
use wamp::RequestError;
use websocket::WebSocket;

/// Registrations of one board: upstream's 38 and room for modules of third parties.
const MAX_REGISTRATIONS: usize = 256;
/// Calls of legacy boards that are answered at one time.
const MAX_ANSWERING: usize = 1024;
/// Longest stay of a session that is bound to no board.
const STRANGER_LIFETIME: Duration = Duration::from_secs(60);

/// On what terms upstream boards are let in.
#[derive(Debug, Clone)]
pub struct Terms {
    /// Which projects may have them.
    pub settings: Settings,
    /// Where they reach the WAMP listener; written into their settings.
    pub wamp_url: String,
    /// Sessions bound to no board at one time.
    pub max_strangers: u32,
}

/// The upstream boards' side of the cloud.
pub(super) struct Legacy {
    router: wamp::Router<Gate>,
    agent: wamp::Session,
    guests: Arc<Guests>,
    awaited: Mutex<HashMap<OperationId, Awaited>>,
    terms: Terms,
}

/// Whose result is to come by `notify_result`.
struct Awaited {
    board: BoardId,
    result: oneshot::Sender<Envelope>,
}

impl Legacy {
    /// Opens their router.
    pub(super) fn new(registry: Arc<Registry>, terms: Terms, watch: websocket::Settings) -> Self {
        let guests = Arc::new(Guests::new(registry));
        let gate = Gate { guests: Arc::clone(&guests), max_strangers: terms.max_strangers };
        let router = wamp::Router::new(router_settings(watch), gate);
        let agent = router.local(super::AGENT, super::AGENT);
        Self { router, agent, guests, awaited: Mutex::default(), terms }
    }

    /// Runs a board's session to its end.
    pub(super) async fn serve<S>(
        &self,
        socket: WebSocket<S>,
        serialiser: wamp::Serialiser,
        peer: Option<SocketAddr>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let ended = self.router.serve(socket, serialiser, peer).await;
        tracing::debug!(?peer, %ended, "a legacy session ended");
    }

    /// Ends a session.
    pub(super) fn kill(&self, session: u64) -> bool {
        self.router.kill(session, wamp::uri::error::KILLED)
    }

    /// Says goodbye to all of them.
    pub(super) async fn shutdown(&self, grace: Duration) {
        self.router.shutdown(grace).await;
    }

    /// Sessions that stay and are no board.
    pub(super) fn overdue_strangers(&self) -> Vec<u64> {
        self.guests.strangers_for(STRANGER_LIFETIME)
    }

    /// Whether a project may have legacy boards, by the settings or by its own mark.
    async fn allows(&self, store: &Store, project: &ProjectId) -> Result<bool, store::Error> {
        if self.terms.settings.projects.all() {
            return Ok(true);
        }
        match store::identity::get_project(store, project).await {
            Ok(row) if self.terms.settings.projects.names(&row.name) => return Ok(true),
            Ok(_) => {}
            // A Keystone elsewhere may hold it; then it is named by its id.
            Err(store::Error::NotFound { .. }) => {
                return Ok(self.terms.settings.projects.names(&project.to_string()));
            }
            Err(error) => return Err(error),
        }
        store::upstream::allows_legacy(store, project).await
    }

    /// Where a result that comes later is put; to be called before the board is.
    fn await_result(&self, board: BoardId, id: OperationId) -> oneshot::Receiver<Envelope> {
        let (result, receiver) = oneshot::channel();
        self.awaited().insert(id, Awaited { board, result });
        receiver
    }

    /// Nobody waits for it any more.
    fn forget_result(&self, id: OperationId) {
        self.awaited().remove(&id);
    }

    /// A result came; says whether this board was asked for it.
    fn deliver_result(&self, board: BoardId, envelope: Envelope) -> bool {
        let id = envelope.req_id.as_deref().and_then(|id| id.parse::<OperationId>().ok());
        let mut awaited = self.awaited();
        let Some(id) = id.filter(|id| awaited.get(id).is_some_and(|of| of.board == board)) else {
            return false;
        };
        let Some(of) = awaited.remove(&id) else { return false };
        of.result.send(envelope).is_ok()
    }

    fn awaited(&self) -> MutexGuard<'_, HashMap<OperationId, Awaited>> {
        self.awaited.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Answers boards from now on.
pub(super) async fn answer(boards: &Boards) -> Result<(), RequestError> {
    match boards.legacy() {
        Some(legacy) => agent::register(boards, legacy).await,
        None => Ok(()),
    }
}

fn router_settings(watch: websocket::Settings) -> wamp::RouterSettings {
    let mut settings = wamp::RouterSettings::realm(rpc::REALM);
    // Upstream's agent answers no ping while it works on a call or restores its tunnels: a call in flight proves nothing.
    settings.liveness =
        websocket::Settings { active_ping: watch.idle_ping, active_dead: watch.idle_dead, ..watch };
    settings.max_running = MAX_ANSWERING;
    settings.bounds.pending_calls = super::MAX_CALLING;
    settings.bounds.pending_invocations = MAX_ANSWERING;
    settings.bounds.registrations = MAX_REGISTRATIONS;
    settings.bounds.subscriptions = 0;
    settings
}

fn refused(fault: Fault) -> Envelope {
    // Upstream's shape: without our kind.
    Envelope { kind: None, ..Envelope::fault(&fault) }
}
