//! A realm in operation: the pure core behind a lock, and the ways to its sessions.
//!
//! Invariants: what one message causes is queued for its receivers before the next message is looked at, so every
//! receiver sees one order; under the lock nothing waits and nothing is encoded. A queue that overflows ends its session,
//! never its sender.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::{Instant, SystemTime};

use tokio::sync::Notify;

use crate::ended::Ended;
use crate::mailbox::Mailbox;
use crate::message::Message;
use crate::policy::{Identity, Policy};
use crate::router::{Core, Newcomer, Turn, Violation};
use crate::session::{Dispatch, Shared};

pub(crate) struct Realm<P> {
    policy: Arc<P>,
    state: Mutex<State>,
    timer: Arc<Notify>,
    is_closed: AtomicBool,
}

struct State {
    core: Core,
    ways: HashMap<u64, Way>,
    out: Vec<(u64, Message)>,
    kills: Vec<(u64, Ended)>,
}

/// How to reach a session.
pub(crate) enum Way {
    Network(Arc<Mailbox>),
    Local(Weak<Shared>),
}

impl<P: Policy> Realm<P> {
    /// Starts the task that watches the deadlines of calls; it ends with the realm.
    pub(crate) fn start(core: Core, policy: Arc<P>) -> Arc<Self> {
        let timer = Arc::new(Notify::new());
        let state =
            Mutex::new(State { core, ways: HashMap::new(), out: Vec::new(), kills: Vec::new() });
        let realm = Arc::new(Self {
            policy,
            state,
            timer: Arc::clone(&timer),
            is_closed: AtomicBool::new(false),
        });
        tokio::spawn(watch_deadlines(Arc::downgrade(&realm), timer));
        realm
    }

    pub(crate) fn policy(&self) -> &P {
        &self.policy
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Lets the core act once and delivers what it says.
    fn act<T>(&self, state: &mut State, step: impl FnOnce(&mut Core, &mut Turn<'_>) -> T) -> T {
        let State { core, ways, out, kills } = state;
        let before = core.next_deadline();
        let (now, wall) = (Instant::now(), SystemTime::now());
        let mut turn = Turn { now, wall, policy: &*self.policy, out, kills };
        let result = step(core, &mut turn);
        for (to, message) in out.drain(..) {
            deliver(ways.get(&to), message);
        }
        if core.next_deadline().is_some_and(|next| before.is_none_or(|before| next < before)) {
            self.timer.notify_one();
        }
        result
    }

    /// Lets a session in; `way` is made once its identity is known and before anything is sent to it.
    pub(crate) fn join(
        &self,
        newcomer: Newcomer,
        way: impl FnOnce(&Identity) -> Way,
    ) -> Arc<Identity> {
        let mut state = self.lock();
        let identity = self.act(&mut state, |core, turn| core.join(newcomer, turn));
        let way = way(&identity);
        state.ways.insert(identity.id, way);
        identity
    }

    pub(crate) fn remove(&self, id: u64) {
        let mut state = self.lock();
        let way = state.ways.remove(&id);
        self.act(&mut state, |core, turn| core.leave(id, turn));
        drop(state);
        drop(way);
    }

    pub(crate) fn handle(&self, from: u64, message: Message) -> Result<(), Violation> {
        let mut state = self.lock();
        let handled = self.act(&mut state, |core, turn| core.handle(from, message, turn));
        let kills = std::mem::take(&mut state.kills);
        drop(state);
        for (id, ended) in kills {
            self.kill(id, ended);
        }
        handled
    }

    fn expire(&self) -> Option<Instant> {
        let mut state = self.lock();
        self.act(&mut state, |core, turn| core.expire(turn));
        state.core.next_deadline()
    }

    pub(crate) fn len(&self) -> usize {
        self.lock().core.len()
    }

    /// Ends a session; gives back whether there was one.
    pub(crate) fn kill(&self, id: u64, ended: Ended) -> bool {
        let local = match self.lock().ways.get(&id) {
            None => return false,
            Some(Way::Network(mailbox)) => {
                mailbox.stop(ended);
                return true;
            }
            Some(Way::Local(shared)) => shared.upgrade(),
        };
        self.remove(id);
        if let Some(shared) = local {
            shared.finish(ended);
        }
        true
    }

    /// Lets nobody stay; who joins at this moment finds out by [`Self::is_closed`].
    pub(crate) fn close(&self, ended: &Ended) {
        self.is_closed.store(true, Ordering::SeqCst);
        self.kill_all(ended);
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.is_closed.load(Ordering::SeqCst)
    }

    pub(crate) fn kill_all(&self, ended: &Ended) {
        let all: Vec<u64> = self.lock().core.sessions().collect();
        for id in all {
            self.kill(id, ended.clone());
        }
    }
}

fn deliver(way: Option<&Way>, message: Message) {
    match way {
        // The session has left meanwhile.
        None => {}
        Some(Way::Network(mailbox)) => mailbox.push(message),
        Some(Way::Local(shared)) => {
            if let Some(Err(what)) = shared.upgrade().map(|shared| shared.take(message)) {
                tracing::error!(what, "the router sent a message a session does not know");
            }
        }
    }
}

impl<P: Policy> Dispatch for Realm<P> {
    fn dispatch(&self, from: u64, message: Message) -> Result<(), &'static str> {
        self.handle(from, message).map_err(|Violation(what)| what)
    }

    fn leave(&self, id: u64) {
        self.remove(id);
    }
}

impl<P> Drop for Realm<P> {
    fn drop(&mut self) {
        self.timer.notify_one();
    }
}

async fn watch_deadlines<P: Policy>(realm: Weak<Realm<P>>, timer: Arc<Notify>) {
    loop {
        let Some(next) = realm.upgrade().map(|realm| realm.expire()) else { return };
        match next {
            None => timer.notified().await,
            Some(at) => tokio::select! {
                () = tokio::time::sleep_until(at.into()) => {}
                () = timer.notified() => {}
            },
        }
    }
}
