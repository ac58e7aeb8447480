//! What the router knows of one session.

use std::collections::{HashMap, HashSet};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use crate::codec::Serialiser;
use crate::policy::Identity;

/// How many answers the router waits for from one session; shared with whoever watches its connection.
#[derive(Debug, Clone, Default)]
pub(crate) struct Waits(Arc<AtomicUsize>);

impl Waits {
    /// Whether anything is waited for.
    pub(crate) fn any(&self) -> bool {
        self.0.load(Ordering::Relaxed) > 0
    }

    fn set(&self, count: usize) {
        self.0.store(count, Ordering::Relaxed);
    }
}

/// Who wants to join, and how to reach it.
#[derive(Debug)]
pub(crate) struct Newcomer {
    pub(crate) authid: String,
    pub(crate) role: String,
    pub(crate) method: String,
    pub(crate) key: Option<[u8; 32]>,
    pub(crate) peer: Option<SocketAddr>,
    /// `None` for a session in this process, which takes payloads as they are.
    pub(crate) serialiser: Option<Serialiser>,
    /// Whether it understands INTERRUPT.
    pub(crate) interrupts: Interrupts,
    pub(crate) waits: Waits,
}

/// Whether a callee announced `call_canceling`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Interrupts {
    Understood,
    Ignored,
}

/// A call that waits for its callee; kept with the callee.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) caller: u64,
    pub(super) call: u64,
    pub(super) deadline: Option<Instant>,
    pub(super) wants_progress: bool,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) identity: Identity,
    pub(super) serialiser: Option<Serialiser>,
    pub(super) interrupts: Interrupts,
    pub(super) registrations: HashSet<u64>,
    pub(super) subscriptions: HashSet<u64>,
    /// Its own calls: request to callee and invocation.
    pub(super) calls: HashMap<u64, (u64, u64)>,
    invocations: HashMap<u64, Pending>,
    last_invocation: u64,
    waits: Waits,
}

impl Peer {
    pub(super) fn new(id: u64, newcomer: Newcomer) -> Self {
        let Newcomer { authid, role, method, key, peer, serialiser, interrupts, waits } = newcomer;
        Self {
            identity: Identity { id, authid, role, method, key, peer },
            serialiser,
            interrupts,
            registrations: HashSet::new(),
            subscriptions: HashSet::new(),
            calls: HashMap::new(),
            invocations: HashMap::new(),
            last_invocation: 0,
            waits,
        }
    }

    pub(super) fn id(&self) -> u64 {
        self.identity.id
    }

    /// Files a call under a fresh invocation id.
    pub(super) fn expect(&mut self, pending: Pending) -> u64 {
        self.last_invocation += 1;
        self.invocations.insert(self.last_invocation, pending);
        self.waits.set(self.invocations.len());
        self.last_invocation
    }

    /// Takes a call out: it is answered, or given up.
    pub(super) fn settle(&mut self, invocation: u64) -> Option<Pending> {
        let pending = self.invocations.remove(&invocation);
        self.waits.set(self.invocations.len());
        pending
    }

    pub(super) fn invocation(&self, invocation: u64) -> Option<&Pending> {
        self.invocations.get(&invocation)
    }

    pub(super) fn invocations(&self) -> impl Iterator<Item = &Pending> {
        self.invocations.values()
    }

    pub(super) fn waiting(&self) -> usize {
        self.invocations.len()
    }

    /// Whether the invocation was ever sent; an answer to one that was given up since is no violation.
    pub(super) fn has_seen(&self, invocation: u64) -> bool {
        (1..=self.last_invocation).contains(&invocation)
    }
}
