//! The router's pure core: dealer and broker of one realm. Messages in, messages out; no socket, no clock, no tasks.
//!
//! Invariants: every call is answered exactly once, whatever becomes of caller, callee and deadline; what a session
//! holds (registrations, subscriptions, calls) is bounded and goes with it; no URI is touched without a verdict.
//!
//! Deliberately not here: authentication, and everything that happens before a session has joined.

mod broker;
mod dealer;
mod ids;
mod meta;
mod patterns;
mod peer;
mod registrations;

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use crate::message::Message;
use crate::policy::{Action, Identity, Policy, Verdict};
use crate::uri::error;
use crate::{Dict, Fault};

use ids::Ids;
use patterns::Patterns;
use peer::Peer;
pub(crate) use peer::{Interrupts, Newcomer, Waits};

/// What one session may hold and send. At a bound the request is answered with `wamp.error.unavailable`, except for the
/// queue, whose session is ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Bounds {
    /// Longest URI in bytes.
    pub uri_length: usize,
    /// Calls of one session that wait for their answer.
    pub pending_calls: usize,
    /// Invocations that one callee has not answered.
    pub pending_invocations: usize,
    /// Registrations of one session.
    pub registrations: usize,
    /// Subscriptions of one session.
    pub subscriptions: usize,
    /// Bytes that wait for a session to read them, roughly.
    pub queue_bytes: usize,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            uri_length: 256,
            pending_calls: 1024,
            pending_invocations: 1024,
            registrations: 512,
            subscriptions: 256,
            queue_bytes: 4 * 1024 * 1024,
        }
    }
}

/// Who is told about callers and publishers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Disclosure {
    /// Callees and subscribers always learn who called and published.
    #[default]
    Always,
    /// Only if the caller or publisher asks for it by `disclose_me`.
    OnRequest,
}

/// The verdicts of a policy, without its types.
pub(crate) trait Authorise {
    fn verdict(&self, session: &Identity, action: Action, uri: &str) -> Verdict;
}

impl<P: Policy> Authorise for P {
    fn verdict(&self, session: &Identity, action: Action, uri: &str) -> Verdict {
        self.authorise(session, action, uri)
    }
}

/// One input's surroundings: the time, the policy, and where the output goes.
pub(crate) struct Turn<'a> {
    pub(crate) now: Instant,
    pub(crate) policy: &'a dyn Authorise,
    pub(crate) out: &'a mut Vec<(u64, Message)>,
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
    subscriptions: HashMap<u64, broker::Subscription>,
    topics: Patterns,
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
            deadlines: BTreeSet::new(),
        }
    }

    /// How many sessions there are.
    pub(crate) fn len(&self) -> usize {
        self.peers.len()
    }

    /// Lets a session in and gives it its id.
    pub(crate) fn join(&mut self, newcomer: Newcomer, turn: &mut Turn<'_>) -> Identity {
        let peers = &self.peers;
        let id = self.ids.next(|id| peers.contains_key(&id));
        let peer = Peer::new(id, newcomer);
        let identity = peer.identity.clone();
        self.peers.insert(id, peer);
        self.announce_join(&identity, turn);
        identity
    }

    /// Takes a session out with all it holds. A second time does nothing.
    pub(crate) fn leave(&mut self, id: u64, turn: &mut Turn<'_>) {
        let Some(peer) = self.peers.remove(&id) else { return };
        self.drop_calls(&peer, turn);
        self.drop_registrations(&peer, turn);
        self.drop_subscriptions(&peer);
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
            Message::Error {
                of: crate::message::code::INVOCATION,
                request,
                error,
                payload,
                ..
            } => {
                self.invocation_failed(from, request, error, payload, turn)?;
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

/// Options that pass from a request to what it causes: the scheme of an end-to-end payload.
fn pass_through(options: &Dict, details: &mut Dict) {
    let passing = options.iter().filter(|(key, _)| key.starts_with("ppt_"));
    details.extend(passing.map(|(key, value)| (key.clone(), value.clone())));
}

fn flag(options: &Dict, name: &str) -> Option<bool> {
    options.get(name).and_then(serde_json::Value::as_bool)
}

/// Writes who did it into `details`, under `prefix` and its derivatives.
fn disclose(identity: &Identity, prefix: &str, details: &mut Dict) {
    details.insert(prefix.to_owned(), identity.id.into());
    details.insert(format!("{prefix}_authid"), identity.authid.as_str().into());
    details.insert(format!("{prefix}_authrole"), identity.role.as_str().into());
}

#[cfg(test)]
#[path = "tests.rs"]
mod tests;
