//! What the router knows of one session.

use std::collections::{HashMap, HashSet, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use super::abilities::Abilities;
use super::testaments::Testament;
use crate::codec::Serialiser;
use crate::policy::Identity;

/// Calls that ended before their last piece came, remembered so that late pieces are known for what they are.
const ENDED_EARLY: usize = 64;

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
    pub(crate) abilities: Abilities,
    pub(crate) waits: Waits,
}

/// A call that waits for its callee; kept with the callee.
#[derive(Debug)]
pub(super) struct Pending {
    pub(super) caller: u64,
    pub(super) call: u64,
    pub(super) deadline: Option<Instant>,
    pub(super) wants_progress: bool,
}

/// The same call; kept with the caller.
#[derive(Debug, Clone, Copy)]
pub(super) struct Ongoing {
    pub(super) callee: u64,
    pub(super) invocation: u64,
    pub(super) registration: u64,
    pub(super) input: Input,
}

/// Whether all of a call's arguments have come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Input {
    Whole,
    MoreToCome,
}

#[derive(Debug)]
pub(super) struct Peer {
    pub(super) identity: Arc<Identity>,
    pub(super) serialiser: Option<Serialiser>,
    pub(super) abilities: Abilities,
    pub(super) registrations: HashSet<u64>,
    pub(super) subscriptions: HashSet<u64>,
    /// Its own calls by request.
    pub(super) calls: HashMap<u64, Ongoing>,
    pub(super) testaments: Vec<Testament>,
    ended_early: VecDeque<u64>,
    invocations: HashMap<u64, Pending>,
    last_invocation: u64,
    waits: Waits,
}

impl Peer {
    pub(super) fn new(id: u64, newcomer: Newcomer) -> Self {
        let Newcomer { authid, role, method, key, peer, serialiser, abilities, waits } = newcomer;
        Self {
            identity: Arc::new(Identity { id, authid, role, method, key, peer }),
            serialiser,
            abilities,
            registrations: HashSet::new(),
            subscriptions: HashSet::new(),
            calls: HashMap::new(),
            testaments: Vec::new(),
            ended_early: VecDeque::new(),
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

    /// Takes one of its own calls out.
    pub(super) fn close_call(&mut self, request: u64) {
        let ended = self.calls.remove(&request);
        if ended.is_some_and(|call| call.input == Input::MoreToCome) {
            if self.ended_early.len() == ENDED_EARLY {
                self.ended_early.pop_front();
            }
            self.ended_early.push_back(request);
        }
    }

    /// Whether a call is a late piece of one that has ended. The last piece makes the id free again.
    pub(super) fn is_late_piece(&mut self, request: u64, input: Input) -> bool {
        let Some(at) = self.ended_early.iter().position(|ended| *ended == request) else {
            return false;
        };
        if input == Input::Whole {
            self.ended_early.remove(at);
        }
        true
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
