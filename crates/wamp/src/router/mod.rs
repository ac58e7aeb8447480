//! The router's pure core: dealer and broker of one realm. Messages in, messages out; no socket, no clock, no tasks.
//!
//! Invariants: every call is answered exactly once, whatever becomes of caller, callee and deadline; what a session
//! holds (registrations, subscriptions, calls) is bounded and goes with it; no URI is touched without a verdict.
//!
//! Deliberately not here: authentication, and everything that happens before a session has joined.

mod abilities;
mod audience;
mod bounds;
mod broker;
mod cancel;
mod dealer;
mod disclosure;
mod history;
mod ids;
mod meta;
mod patterns;
mod peer;
mod registrations;
mod sharing;
mod subscriptions;
mod testaments;

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Instant, SystemTime};

use crate::Fault;
use crate::ended::Ended;
use crate::message::{Message, code};
use crate::policy::{Action, Identity, Policy, Verdict};
use crate::uri::error;

pub(crate) use abilities::Abilities;
pub use bounds::{Bounds, Disclosure, Kept};
use ids::Ids;
use patterns::Patterns;
use peer::Peer;
pub(crate) use peer::{Newcomer, Waits};

/// The verdicts of a policy, without its types.
pub(crate) trait Authorise {
    fn verdict(&self, session: &Identity, action: Action, uri: &str) -> Verdict;
    fn disclosure(&self, session: &Identity, action: Action, uri: &str) -> Option<Disclosure>;
}

impl<P: Policy> Authorise for P {
    fn verdict(&self, session: &Identity, action: Action, uri: &str) -> Verdict {
        self.authorise(session, action, uri)
    }

    fn disclosure(&self, session: &Identity, action: Action, uri: &str) -> Option<Disclosure> {
        self.disclose(session, action, uri)
    }
}

/// One input's surroundings: the time, the policy, and where the output goes.
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    /// The time of the calendar, for what tells when it was made.
    pub(crate) wall: SystemTime,
    pub(crate) policy: &'a dyn Authorise,
    pub(crate) out: &'a mut Vec<(u64, Message)>,
    /// Sessions that the core has let go and whose connections are to be ended.
    pub(crate) kills: &'a mut Vec<(u64, Ended)>,
}

impl Turn<'_> {
    fn send(&mut self, to: u64, message: Message) {
        self.out.push((to, message));
    }

    fn allow(&self, session: &Identity, action: Action, uri: &str) -> Result<(), Fault> {
        match self.policy.verdict(session, action, uri) {
            Verdict::Allow => Ok(()),
            Verdict::Deny(why) => Err(Fault::new(error::NOT_AUTHORISED, why)),
        }
    }
}

/// A message that a client must not send, or not now. The session is to be ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub(crate) struct Violation(pub(crate) &'static str);

/// One realm.
#[derive(Debug)]
pub(crate) struct Core {
    bounds: Bounds,
    disclosure: Disclosure,
    ids: Ids,
    peers: HashMap<u64, Peer>,
    registrations: HashMap<u64, registrations::Registration>,
    procedures: Patterns,
    subscriptions: HashMap<u64, subscriptions::Subscription>,
    topics: Patterns,
    /// What is kept, by subscription.
    histories: HashMap<u64, history::History>,
    /// Deadline, caller and request of the calls that have one.
    deadlines: BTreeSet<(Instant, u64, u64)>,
}

impl Core {
    pub(crate) fn new(bounds: Bounds, disclosure: Disclosure, seed: u64) -> Self {
        Self {
            bounds,
            disclosure,
            ids: Ids::new(seed),
            peers: HashMap::new(),
            registrations: HashMap::new(),
            procedures: Patterns::new(),
            subscriptions: HashMap::new(),
            topics: Patterns::new(),
            histories: HashMap::new(),
            deadlines: BTreeSet::new(),
        }
    }

    /// Keeps the events of topics from now on.
    pub(crate) fn keep_histories(&mut self, kept: &[Kept], now: SystemTime) {
        kept.iter().for_each(|kept| self.keep_history(kept, now));
    }

    /// How many sessions there are.
    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Lets a session in and gives it its id.
    pub(crate) fn join(&mut self, newcomer: Newcomer, turn: &mut Turn<'_>) -> Arc<Identity> {
        let peers = &self.peers;
        let id = self.ids.next(|id| peers.contains_key(&id));
        let peer = Peer::new(id, newcomer);
        let identity = Arc::clone(&peer.identity);
        self.peers.insert(id, peer);
        self.announce_join(&identity, turn);
        identity
    }

    /// Takes a session out with all it holds. A second time does nothing.
    pub(crate) fn leave(&mut self, id: u64, turn: &mut Turn<'_>) {
        let Some(mut peer) = self.peers.remove(&id) else { return };
        self.drop_calls(&peer, turn);
        self.drop_registrations(&peer, turn);
        self.drop_subscriptions(&peer, turn);
        self.publish_testaments(&mut peer, turn);
        self.announce_leave(&peer.identity, turn);
    }

    /// Takes one message of a session that has joined.
    pub(crate) fn handle(
        &mut self,
        from: u64,
        message: Message,
        turn: &mut Turn<'_>,
    ) -> Result<(), Violation> {
        if !self.peers.contains_key(&from) {
            return Ok(());
        }
        match message {
            Message::Call { request, options, procedure, payload } => {
                self.call(from, dealer::Call { request, options, procedure, payload }, turn)?;
            }
            Message::Yield { request, options, payload } => {
                self.yielded(from, request, &options, payload, turn)?;
            }
            Message::Error { of: code::INVOCATION, request, details, error, payload } => {
                let failed = dealer::Failed { invocation: request, details, error, payload };
                self.invocation_failed(from, failed, turn)?;
            }
            Message::Cancel { request, options } => self.cancel(from, request, &options, turn),
            Message::Register { request, options, procedure } => {
                self.register(from, request, &options, procedure, turn);
            }
            Message::Unregister { request, registration } => {
                self.unregister(from, request, registration, turn);
            }
            Message::Publish { request, options, topic, payload } => {
                let publish = broker::Publish { request, options, topic, payload };
                self.publish(from, publish, turn);
            }
            Message::Subscribe { request, options, topic } => {
                self.subscribe(from, request, &options, topic, turn);
            }
            Message::Unsubscribe { request, subscription } => {
                self.unsubscribe(from, request, subscription, turn);
            }
            // Nothing is asked of a subscriber that acknowledges.
            Message::EventReceived { .. } => {}
            _ => return Err(Violation("a client does not send this message in a session")),
        }
        Ok(())
    }

    /// When [`Self::expire`] has to be called next.
    pub(crate) fn next_deadline(&self) -> Option<Instant> {
        self.deadlines.first().map(|(at, ..)| *at)
    }

    /// The sessions that are in.
    pub(crate) fn sessions(&self) -> impl Iterator<Item = u64> {
        self.peers.keys().copied()
    }
}

#[cfg(test)]
mod tests;
