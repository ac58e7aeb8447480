//! The way to the boards: their control sessions, their links, and the commands that wait for them.
//!
//! Floors inside: `policy` decides who enters the router and `clones` which of two machines with one key, `registry` knows who is there, `agent` answers machines (`enrol`,
//! `connection`), `legacy` is all that for upstream boards, `query` asks a board something at once, `outbox` and `delivery` bring stored commands, `links` holds the
//! data links. Invariant: a command goes to a board only out of the store. Deliberately not here: who may ask what (`app`),
//! HTTP (`http/wamp`, `http/tunnel` hand connections in), public ports (`ingress`).

mod agent;
mod call;
mod clones;
mod connection;
mod delivery;
mod enrol;
mod enrolling;
pub mod epochs;
pub(crate) mod legacy;
mod link;
mod links;
mod outbox;
mod policy;
mod query;
mod registry;
mod reports;
mod rotation;
mod strangers;

pub(crate) use delivery::end;
pub use legacy::Terms as LegacyTerms;
pub use links::Links;

use crate::cloud_keys::CloudKeys;
use crate::settings::Settings;
use base::clock::Clock;
use base::key::KeyPair;
use base::tasks::{Shutdown, Tasks};
use legacy::Legacy;
use model::access::Principal;
use model::facts::Load;
use model::{BoardId, Kind, Timestamp};
use policy::{Gate, Kick, Kicks};
use registry::{Online, Registry};
use reports::Reports;
use rpc::{Call, Fault};
use serde_json::Value;
use std::net::SocketAddr;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use store::Store;
use store::boards::BoardRow;
use store::load::Sample;
use strangers::Strangers;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{broadcast, mpsc};
use tunnel::Link;
use websocket::WebSocket;

/// Largest message of a control channel: a plugin's source and room around it.
pub(crate) const MAX_MESSAGE: usize = 2 * 1024 * 1024;
/// Name of the cloud's agent, first part of its procedures.
const AGENT: &str = "iotronic";
/// Calls of machines that are answered at one time; more are told to come back.
const MAX_ANSWERING: usize = 8192;
/// Calls to all boards at one time.
const MAX_CALLING: usize = 65_536;
/// Sessions that wait for being ended.
const KICKS: usize = 4096;
/// Longest stay of a machine that enrols: it asks at once and waits ten seconds for the answer.
const ENROLLING_LIFETIME: Duration = Duration::from_secs(10);
/// How often machines that enrol are looked through.
const ENROLLING_CHECK: Duration = Duration::from_secs(1);

/// Everything that is connected. Cloning is cheap.
#[derive(Clone)]
pub struct Boards(Arc<Inner>);

struct Inner {
    store: Store,
    clock: Arc<dyn Clock>,
    keys: CloudKeys,
    registry: Arc<Registry>,
    router: wamp::Router<Gate>,
    agent: wamp::Session,
    legacy: Option<Legacy>,
    links: Links,
    reports: Reports,
    /// Of the control channel.
    strangers: Arc<Strangers>,
    /// Of the links.
    link_strangers: Strangers,
    kicks: Kicks,
    tasks: Tasks,
    report_every_s: u32,
    watch: websocket::Settings,
}

/// Begins the line in a command's history by which an upstream board put its end off.
pub(crate) const GOES_ON: &str = "goes on: ";

impl Boards {
    /// Opens the router, and upstream boards' one when there are `legacy` terms, and answers machines from now on. To be called inside a runtime, after
    /// [`store::boards::all_offline_at_start`].
    ///
    /// # Errors
    /// The router refuses the agent's procedures.
    pub async fn start(
        store: Store,
        clock: Arc<dyn Clock>,
        keys: CloudKeys,
        settings: &Settings,
        legacy: Option<LegacyTerms>,
    ) -> Result<Self, Fault> {
        let registry = Arc::<Registry>::default();
        let (kicks, kicked) = mpsc::channel(KICKS);
        let strangers = Arc::<Strangers>::default();
        let links = Links::default();
        let gate = Gate {
            store: store.clone(),
            clock: Arc::clone(&clock),
            keys: keys.clone(),
            registry: Arc::clone(&registry),
            kicks: kicks.clone(),
            max_enrolling: settings.limits.enrolling,
            max_enrolling_per_address: settings.limits.enrolling_per_address,
            strangers: Arc::clone(&strangers),
            links: links.clone(),
            agent: OnceLock::new(),
        };
        let watch = settings.liveness.watch();
        let router = wamp::Router::new(router_settings(watch), gate);
        let agent = router.local(AGENT, AGENT);
        let _ = router.policy().agent.set(agent.clone());
        let legacy = legacy.map(|terms| Legacy::new(Arc::clone(&registry), terms, watch));
        let boards = Self(Arc::new(Inner {
            legacy,
            store,
            clock,
            keys,
            registry,
            router,
            agent,
            links,
            reports: Reports::default(),
            strangers,
            link_strangers: Strangers::default(),
            kicks,
            tasks: Tasks::new(Shutdown::new()),
            report_every_s: settings.liveness.report_every_s,
            watch,
        }));
        let unregistered = |error| {
            Fault::new(
                Kind::Internal,
                format!("the agent's procedures cannot be registered: {error}"),
            )
        };
        agent::register(&boards).await.map_err(unregistered)?;
        legacy::answer(&boards).await.map_err(unregistered)?;
        boards.keep(kicked);
        Ok(boards)
    }

    /// The standing tasks.
    fn keep(&self, kicked: mpsc::Receiver<Kick>) {
        let stop = self.tasks().shutdown().clone();
        let departures = connection::keep_departures(self.clone());
        let kicks = keep_kicks(self.clone(), kicked);
        let enrolling = keep_enrolling(self.clone());
        let all = async { tokio::join!(departures, kicks, enrolling) };
        self.tasks().spawn("boards", async move {
            stop.until(all).await;
        });
    }

    /// Asks a board something that changes nothing: sent at once, recorded behind.
    ///
    /// # Errors
    /// The board is not connected, answers with a fault, answers garbage, or does not answer within `timeout`.
    pub async fn query(
        &self,
        board: &BoardRow,
        principal: &Principal,
        call: Call,
        timeout: Duration,
    ) -> Result<Value, Fault> {
        query::query(self, board, principal, call, timeout).await
    }

    /// Whether the board can be called now.
    #[must_use]
    pub fn is_online(&self, id: BoardId) -> bool {
        self.0.registry.online(id).is_some()
    }

    /// Whether the board has a session, callable or not yet.
    #[must_use]
    pub fn is_connected(&self, id: BoardId) -> bool {
        self.0.registry.session(id).is_some()
    }

    /// The native protocol spoken with it now; none while it is away.
    #[must_use]
    pub fn protocol(&self, id: BoardId) -> Option<u32> {
        self.0.registry.online(id).map(|online| online.protocol())
    }

    /// The load reports of a board from now on.
    #[must_use]
    pub fn follow_load(&self, id: BoardId) -> broadcast::Receiver<Sample> {
        self.0.reports.follow(id)
    }

    /// A board has reported how it is.
    fn load_came(&self, id: BoardId, load: Load) {
        self.0.reports.came(self.store(), id, load, self.now());
    }

    /// How many boards can be called now.
    #[must_use]
    pub fn online(&self) -> usize {
        self.0.registry.count_online()
    }

    /// Ends its control session and its link.
    pub async fn disconnect(&self, id: BoardId, reason: &str) {
        if let Some(session) = self.0.registry.session(id) {
            self.kick(session, reason.to_owned());
        }
        if let Some(link) = self.0.links.take(id) {
            let away = tunnel::GoAway::new(tunnel::GoAwayCode::Shutdown, reason);
            link.leave(away, Duration::ZERO).await;
        }
    }

    /// Makes all rights void that were given out for a board until now, and tells the board at once where it is connected;
    /// one that is away hears of it when it comes back. To be called after each revocation that concerns the board.
    ///
    /// # Errors
    /// There is no such board, or the store failed.
    pub async fn push_epoch(&self, id: BoardId) -> Result<u32, Fault> {
        let job = self
            .store()
            .write(move |tx| Box::pin(async move { store::boards::raise_epoch(tx, id).await }));
        let epoch = job.await.map_err(fault)?;
        epochs::tell(self, id, epoch);
        Ok(epoch)
    }

    /// Whether the board is online and keeps a journal: what is said to be sent to it may arrive later, or a second time.
    pub(crate) fn journals(&self, id: BoardId) -> bool {
        self.0.registry.online(id).is_some_and(|online| !online.is_legacy())
    }

    /// Doorbell, after a commit: there are commands for this board in the store.
    pub fn ring(&self, id: BoardId) {
        self.0.registry.ring(id);
    }

    /// Every doorbell: makes up for one that was lost.
    pub fn ring_all(&self) {
        self.0.registry.ring_all();
    }

    /// The data links.
    #[must_use]
    pub fn links(&self) -> &Links {
        &self.0.links
    }

    /// A board's data link; waited for up to `patience` when the board is online and its link on the way.
    ///
    /// # Errors
    /// The board is away, or brings no link.
    pub async fn link(&self, id: BoardId, patience: Duration) -> Result<Link, Fault> {
        if let Some(link) = self.0.links.get(id) {
            return Ok(link);
        }
        if !self.is_online(id) {
            return Err(Fault::new(Kind::Unreachable, "the board is not connected"));
        }
        let late = || Fault::new(Kind::Unreachable, "the board is connected and has no link yet");
        self.0.links.wait(id, patience).await.ok_or_else(late)
    }

    /// Runs a machine's control session to its end.
    pub(crate) async fn serve<S>(
        &self,
        socket: WebSocket<S>,
        serialiser: wamp::Serialiser,
        peer: Option<SocketAddr>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let ended = self.0.router.serve(socket, serialiser, peer).await;
        tracing::debug!(?peer, %ended, "a control session ended");
    }

    /// Runs an upstream board's control session to its end; without legacy terms nobody gets in.
    pub(crate) async fn serve_legacy<S>(
        &self,
        socket: WebSocket<S>,
        serialiser: wamp::Serialiser,
        peer: Option<SocketAddr>,
    ) where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        if let Some(legacy) = self.legacy() {
            legacy.serve(socket, serialiser, peer).await;
        }
    }

    /// Tells an upstream board that is connected to forget what it knows, because it is given up.
    pub(crate) async fn say_farewell(&self, id: BoardId) {
        let online = self.0.registry.online(id).filter(Online::is_legacy);
        if let (Some(legacy), Some(online)) = (self.legacy(), online) {
            legacy::say_farewell(legacy, id, online.session).await;
        }
    }

    fn legacy(&self) -> Option<&Legacy> {
        self.0.legacy.as_ref()
    }

    /// The watch over a link.
    fn watch(&self) -> websocket::Settings {
        self.0.watch
    }

    fn link_strangers(&self) -> &Strangers {
        &self.0.link_strangers
    }

    /// The cloud's identity.
    fn key(&self) -> &KeyPair {
        self.0.keys.current()
    }

    pub(crate) fn store(&self) -> &Store {
        &self.0.store
    }

    fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.clock.unix_micros())
    }

    /// Says goodbye to all boards, lets what runs end for up to `grace`, cuts, and leaves the store saying who is away.
    pub async fn shutdown(&self, grace: Duration) {
        let links = self.0.links.take_all();
        let links = links.iter().map(|link| link.shutdown(grace));
        let links = futures_util::future::join_all(links);
        let legacy = async {
            if let Some(legacy) = self.legacy() {
                legacy.shutdown(grace).await;
            }
        };
        tokio::join!(links, self.0.router.shutdown(grace), legacy);
        self.0.tasks.clone().finish(grace).await;
        let departed = self.0.registry.departed_now();
        if let Err(error) = connection::store_departures(self, departed).await {
            // The next start does it.
            tracing::warn!(%error, "departures could not be stored");
        }
    }

    fn kick(&self, session: u64, reason: String) {
        if self.0.kicks.try_send(Kick { session, reason }).is_err() {
            tracing::error!(session, "too many sessions to end at once");
        }
    }

    fn registry(&self) -> &Registry {
        &self.0.registry
    }

    fn registry_shared(&self) -> Arc<Registry> {
        Arc::clone(&self.0.registry)
    }

    fn agent(&self) -> &wamp::Session {
        &self.0.agent
    }

    fn tasks(&self) -> &Tasks {
        &self.0.tasks
    }

    fn report_every_s(&self) -> u32 {
        self.0.report_every_s
    }
}

fn router_settings(watch: websocket::Settings) -> wamp::RouterSettings {
    let mut settings = wamp::RouterSettings::realm(rpc::REALM);
    settings.liveness = watch;
    settings.max_running = MAX_ANSWERING;
    settings.bounds.pending_calls = MAX_CALLING;
    settings.bounds.pending_invocations = MAX_ANSWERING;
    // A board registers one prefix and subscribes to nothing; the agent a handful of procedures.
    settings.bounds.registrations = 16;
    settings.bounds.subscriptions = 0;
    settings
}

async fn keep_kicks(boards: Boards, mut kicked: mpsc::Receiver<Kick>) {
    while let Some(Kick { session, reason }) = kicked.recv().await {
        tracing::info!(session, reason, "ending a session");
        if !boards.0.router.kill(session, wamp::uri::error::KILLED)
            && let Some(legacy) = boards.legacy()
        {
            legacy.kill(session);
        }
    }
}

/// Ends the sessions of machines that came to enrol and stay, and tells of strangers that were turned away.
async fn keep_enrolling(boards: Boards) {
    let mut check = tokio::time::interval(ENROLLING_CHECK);
    loop {
        check.tick().await;
        let now = std::time::Instant::now();
        if let Some(count) = boards.0.strangers.overdue(now) {
            tracing::warn!(count, "refused unknown keys");
        }
        if let Some(count) = boards.0.link_strangers.overdue(now) {
            tracing::warn!(count, "refused links");
        }
        for session in boards.registry().enrolling_for(ENROLLING_LIFETIME) {
            boards
                .kick(session, "a machine that enrols stays no longer than ten seconds".to_owned());
        }
        for session in boards.legacy().map(Legacy::overdue_strangers).unwrap_or_default() {
            boards.kick(
                session,
                "a machine that is no board stays no longer than a minute".to_owned(),
            );
        }
    }
}

/// What the store's refusal means to whoever asked.
pub(crate) fn fault(error: store::Error) -> Fault {
    if error.kind() == Kind::Internal {
        tracing::error!(%error, "the store failed");
        return Fault::new(Kind::Internal, "the cloud could not store this; try again");
    }
    Fault::new(error.kind(), error.to_string())
}
