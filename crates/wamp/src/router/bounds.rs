//! What one session and one realm may hold, and who is told about whom.

use std::time::Duration;

use crate::Match;

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
    /// Callees that share one registration.
    pub callees: usize,
    /// Subscriptions of one session.
    pub subscriptions: usize,
    /// Testaments of one session.
    pub testaments: usize,
    /// Bytes of one session's testaments together, roughly.
    pub testament_bytes: usize,
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
            callees: 1024,
            subscriptions: 256,
            testaments: 16,
            testament_bytes: 64 * 1024,
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
    /// Only if the caller or publisher asks for it by `disclose_me`, or the callee by `disclose_caller`.
    OnRequest,
    /// Nobody learns it; who asks for it is refused.
    Never,
}

/// A topic or pattern whose events the router keeps for those who come later.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The topic or pattern.
    pub topic: String,
    /// How it covers topics.
    pub pattern: Match,
    /// Events that are kept; then the oldest goes.
    pub events: usize,
    /// Bytes of events that are kept, roughly; then the oldest goes.
    pub bytes: usize,
    /// Age after which an event goes.
    pub age: Duration,
}

impl Kept {
    /// The last `events` events of one topic, for a day and within a megabyte.
    pub fn last(topic: impl Into<String>, events: usize) -> Self {
        Self {
            topic: topic.into(),
            pattern: Match::Exact,
            events,
            bytes: 1024 * 1024,
            age: Duration::from_secs(24 * 3600),
        }
    }
}
