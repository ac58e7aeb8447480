//! The router in operation: takes connections, runs their sessions, hands out local ones, shuts down.
//!
//! Invariants: a session is in the realm exactly while [`Router::serve`] runs it, also when that future is dropped;
//! after [`Router::shutdown`] nobody gets in.
//!
//! Deliberately not here: listeners, TLS, HTTP. The caller upgrades a connection and passes it in.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant, SystemTime};

use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use websocket::{Activity, Liveness, WebSocket};

use crate::Dict;
use crate::codec::Serialiser;
use crate::ended::Ended;
use crate::establish::{self, Admitted, establish, welcome_details};
use crate::mailbox::Mailbox;
use crate::message::Message;
use crate::policy::{Identity, Policy};
use crate::pump::{Connection, Inbound};
use crate::rawsocket::RawSocket;
use crate::realm::{Realm, Way};
use crate::router::{Abilities, Bounds, Core, Disclosure, Kept, Newcomer, Violation, Waits};
use crate::session::{Link, Session, Shared};
use crate::transport::{Deliver, Receive};
use crate::uri::error;

/// How a router is set up.
#[derive(Debug, Clone)]
pub struct RouterSettings {
    /// The realms that are open from the start; local sessions join the first.
    pub realms: Vec<String>,
    /// What one session may hold.
    pub bounds: Bounds,
    /// Who is told about callers and publishers.
    pub disclosure: Disclosure,
    /// Topics whose events are kept, in every realm.
    pub history: Vec<Kept>,
    /// When silent peers are pinged and given up.
    pub liveness: websocket::Settings,
    /// Handlers of one local session that may run at a time.
    pub max_running: usize,
}

impl RouterSettings {
    /// The defaults, with one realm.
    pub fn realm(name: impl Into<String>) -> Self {
        Self {
            realms: vec![name.into()],
            bounds: Bounds::default(),
            disclosure: Disclosure::default(),
            history: Vec::new(),
            liveness: websocket::Settings::default(),
            max_running: 1024,
        }
    }
}

/// A WAMP router; cheap to clone.
pub struct Router<P> {
    inner: Arc<Inner<P>>,
}

impl<P> Clone for Router<P> {
    fn clone(&self) -> Self {
        Self { inner: Arc::clone(&self.inner) }
    }
}

struct Inner<P> {
    policy: Arc<P>,
    settings: RouterSettings,
    realms: RwLock<HashMap<String, Arc<Realm<P>>>>,
    phase: watch::Sender<Phase>,
    /// Connections being served, joined or not.
    served: watch::Sender<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd)]
enum Phase {
    Open,
    Closing,
    Cut,
}

impl<P> Inner<P> {
    fn realm(&self, name: &str) -> Option<Arc<Realm<P>>> {
        self.realms.read().unwrap_or_else(PoisonError::into_inner).get(name).cloned()
    }

    fn all(&self) -> Vec<Arc<Realm<P>>> {
        let realms = self.realms.read().unwrap_or_else(PoisonError::into_inner);
        realms.values().cloned().collect()
    }
}

fn open<P: Policy>(settings: &RouterSettings, policy: &Arc<P>) -> Arc<Realm<P>> {
    let mut seed = [0; 8];
    getrandom::fill(&mut seed).expect("the operating system provides randomness");
    let seed = u64::from_ne_bytes(seed);
    let mut core = Core::new(settings.bounds.clone(), settings.disclosure, seed);
    core.keep_histories(&settings.history, SystemTime::now());
    Realm::start(core, Arc::clone(policy))
}

impl<P: Policy> Router<P> {
    /// A router with its policy. Must be called within a tokio runtime.
    pub fn new(settings: RouterSettings, policy: P) -> Self {
        let policy = Arc::new(policy);
        let start = |name: &String| (name.clone(), open(&settings, &policy));
        let realms = settings.realms.iter().map(start).collect();
        let realms = RwLock::new(realms);
        let (phase, served) = (watch::Sender::new(Phase::Open), watch::Sender::new(0));
        Self { inner: Arc::new(Inner { policy, settings, realms, phase, served }) }
    }

    /// The policy it asks.
    pub fn policy(&self) -> &Arc<P> {
        &self.inner.policy
    }

    /// Runs one connection from its HELLO to its end.
    pub async fn serve<S>(
        &self,
        websocket: WebSocket<S>,
        serialiser: Serialiser,
        peer: impl Into<Option<SocketAddr>>,
    ) -> Ended
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let connection = Connection::new(websocket.split(), serialiser);
        self.serve_any(connection, serialiser, peer.into()).await
    }

    /// The same for a raw socket.
    pub async fn serve_raw<S>(
        &self,
        socket: RawSocket<S>,
        peer: impl Into<Option<SocketAddr>>,
    ) -> Ended
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let serialiser = socket.serialiser();
        let connection = Connection::new(socket.split(), serialiser);
        self.serve_any(connection, serialiser, peer.into()).await
    }

    async fn serve_any<R: Receive, W: Deliver>(
        &self,
        connection: Connection<R, W>,
        serialiser: Serialiser,
        peer: Option<SocketAddr>,
    ) -> Ended {
        let _served = Served::count(&self.inner.served);
        let mut phase = self.inner.phase.subscribe();
        let whole = self.run(connection, serialiser, peer);
        tokio::select! {
            ended = whole => ended,
            () = reached(&mut phase, Phase::Cut) => Ended::Shutdown,
        }
    }

    async fn run<R: Receive, W: Deliver>(
        &self,
        mut connection: Connection<R, W>,
        serialiser: Serialiser,
        peer: Option<SocketAddr>,
    ) -> Ended {
        let inner = &*self.inner;
        let mut phase = inner.phase.subscribe();
        let has_realm = |name: &str| inner.realm(name).is_some();
        let admitted = tokio::select! {
            admitted = establish(&mut connection, &*inner.policy, has_realm, peer) => admitted,
            () = reached(&mut phase, Phase::Closing) => Err(Ended::Shutdown),
        };
        let Admitted { realm: name, welcome, abilities } = match admitted {
            Ok(admitted) => admitted,
            Err(ended) => {
                if ended == Ended::Shutdown {
                    establish::refuse(&mut connection, &ended).await;
                }
                return ended;
            }
        };
        let Some(realm) = inner.realm(&name) else {
            // It was closed while the client proved who it is.
            let ended = Ended::Killed(error::CLOSE_REALM.to_owned());
            establish::refuse(&mut connection, &ended).await;
            return ended;
        };
        let realm = &*realm;
        let waits = Waits::default();
        let newcomer = Newcomer {
            authid: welcome.authid,
            role: welcome.role,
            method: welcome.authmethod,
            key: welcome.key,
            peer,
            serialiser: Some(serialiser),
            abilities,
            waits: waits.clone(),
        };
        let mailbox = Arc::new(Mailbox::new(inner.settings.bounds.queue_bytes));
        let member = Member::join(realm, newcomer, &mailbox, |identity| {
            welcome_details(&name, identity, welcome.extra)
        });
        if *inner.phase.borrow() > Phase::Open {
            mailbox.stop(Ended::Shutdown);
        }
        if realm.is_closed() {
            mailbox.stop(Ended::Killed(error::CLOSE_REALM.to_owned()));
        }
        let side = Side { realm, id: member.identity.id, waits };
        let liveness = Liveness::new(inner.settings.liveness, Instant::now());
        let leave = |_: &Ended| drop(member);
        connection.run(&mailbox, &side, liveness, leave).await
    }

    /// A session inside this process, in the first realm. The policy is asked about its URIs like about any other's.
    pub fn local(&self, authid: &str, role: &str) -> Session {
        let name = self.inner.settings.realms.first().map_or("", String::as_str);
        self.local_in(name, authid, role).unwrap_or_else(|| {
            let link = Link::Network(Arc::new(Mailbox::new(0)));
            let shared = Shared::new(0, Dict::new(), link, 0);
            shared.finish(Ended::Closed);
            Session::new(shared)
        })
    }

    /// A session inside this process; `None` if there is no such realm. After shutdown it is closed from the start.
    pub fn local_in(&self, realm_name: &str, authid: &str, role: &str) -> Option<Session> {
        let realm = &self.inner.realm(realm_name)?;
        let newcomer = Newcomer {
            authid: authid.to_owned(),
            role: role.to_owned(),
            method: "local".to_owned(),
            key: None,
            peer: None,
            serialiser: None,
            abilities: Abilities::OURS,
            waits: Waits::default(),
        };
        let mut made = None;
        let identity = realm.join(newcomer, |identity| {
            let welcome = welcome_details(realm_name, identity, Dict::new());
            let link = Link::Local(Arc::clone(realm) as _);
            let shared = Shared::new(identity.id, welcome, link, self.inner.settings.max_running);
            let way = Way::Local(Arc::downgrade(&shared));
            made = Some(shared);
            way
        });
        if *self.inner.phase.borrow() > Phase::Open {
            realm.kill(identity.id, Ended::Shutdown);
        }
        if realm.is_closed() {
            realm.kill(identity.id, Ended::Killed(error::CLOSE_REALM.to_owned()));
        }
        made.map(Session::new)
    }

    /// Opens a realm while the router runs; gives back whether it was not open yet.
    pub fn open_realm(&self, name: impl Into<String>) -> bool {
        let mut realms = self.inner.realms.write().unwrap_or_else(PoisonError::into_inner);
        match realms.entry(name.into()) {
            Entry::Occupied(_) => false,
            Entry::Vacant(place) => {
                place.insert(open(&self.inner.settings, &self.inner.policy));
                true
            }
        }
    }

    /// Closes a realm: its sessions get their goodbye. Gives back whether there was one.
    pub fn close_realm(&self, name: &str) -> bool {
        let mut realms = self.inner.realms.write().unwrap_or_else(PoisonError::into_inner);
        let gone = realms.remove(name);
        drop(realms);
        let Some(realm) = gone else { return false };
        realm.close(&Ended::Killed(error::CLOSE_REALM.to_owned()));
        true
    }

    /// Ends a session, giving `reason` (a URI) to its peer; gives back whether there was one.
    pub fn kill(&self, session: u64, reason: &str) -> bool {
        let ended = Ended::Killed(reason.to_owned());
        self.inner.all().iter().any(|realm| realm.kill(session, ended.clone()))
    }

    /// How many sessions there are, local ones included.
    pub fn sessions(&self) -> usize {
        self.inner.all().iter().map(|realm| realm.len()).sum()
    }

    /// Lets nobody in any more, says goodbye to everyone, waits up to `grace` until they are gone, and cuts the rest.
    pub async fn shutdown(&self, grace: Duration) {
        self.inner.phase.send_replace(Phase::Closing);
        for realm in self.inner.all() {
            realm.kill_all(&Ended::Shutdown);
        }
        let mut served = self.inner.served.subscribe();
        let all_gone = served.wait_for(|count| *count == 0);
        if tokio::time::timeout(grace, all_gone).await.is_ok() {
            return;
        }
        self.inner.phase.send_replace(Phase::Cut);
        // Being cut takes no time but a turn of the scheduler.
        drop(tokio::time::timeout(grace, served.wait_for(|count| *count == 0)).await);
    }
}

async fn reached(phase: &mut watch::Receiver<Phase>, wanted: Phase) {
    if phase.wait_for(|phase| *phase >= wanted).await.is_err() {
        std::future::pending::<()>().await;
    }
}

/// Counts a connection while it is served.
struct Served<'a>(&'a watch::Sender<usize>);

impl<'a> Served<'a> {
    fn count(served: &'a watch::Sender<usize>) -> Self {
        served.send_modify(|count| *count += 1);
        Self(served)
    }
}

impl Drop for Served<'_> {
    fn drop(&mut self) {
        self.0.send_modify(|count| *count -= 1);
    }
}

/// A network session's place in its realm; it leaves when this is dropped.
struct Member<'a, P: Policy> {
    realm: &'a Realm<P>,
    identity: Arc<Identity>,
}

impl<'a, P: Policy> Member<'a, P> {
    fn join(
        realm: &'a Realm<P>,
        newcomer: Newcomer,
        mailbox: &Arc<Mailbox>,
        details: impl FnOnce(&Identity) -> Dict,
    ) -> Self {
        let identity = realm.join(newcomer, |identity| {
            let (session, details) = (identity.id, details(identity));
            mailbox.push(Message::Welcome { session, details });
            Way::Network(Arc::clone(mailbox))
        });
        realm.policy().joined(&identity);
        Self { realm, identity }
    }
}

impl<P: Policy> Drop for Member<'_, P> {
    fn drop(&mut self) {
        self.realm.remove(self.identity.id);
        self.realm.policy().left(&self.identity);
    }
}

/// The router as the pump of a connection sees it.
struct Side<'a, P> {
    realm: &'a Realm<P>,
    id: u64,
    waits: Waits,
}

impl<P: Policy> Inbound for Side<'_, P> {
    fn receive(&self, message: Message) -> Result<(), &'static str> {
        self.realm.handle(self.id, message).map_err(|Violation(what)| what)
    }

    fn activity(&self) -> Activity {
        if self.waits.any() { Activity::Active } else { Activity::Idle }
    }
}
