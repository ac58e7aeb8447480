//! What the router asks the world: who may enter, and who may do what.
//!
//! Invariant: no URI is called, registered, published or subscribed without a verdict. Deliberately not here: any
//! knowledge of what the URIs mean.

use std::net::SocketAddr;

use crate::uri::error;
use crate::{Dict, Disclosure, Match};

/// Who a session is; fixed when it joins.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// The session's id.
    pub id: u64,
    /// Who it is.
    pub authid: String,
    /// As what it acts.
    pub role: String,
    /// How it proved who it is.
    pub method: String,
    /// The public key that it proved, where that is how.
    pub key: Option<[u8; 32]>,
    /// Where it comes from; none for a session of this process.
    pub peer: Option<SocketAddr>,
}

/// What a client says when it knocks.
#[derive(Debug, Clone)]
pub struct Hello {
    /// The realm it wants to join; it exists.
    pub realm: String,
    /// Who it says it is.
    pub authid: Option<String>,
    /// The authentication methods it can do, in its order of preference; none means anonymous.
    pub methods: Vec<String>,
    /// `authextra` as sent.
    pub extra: Dict,
    /// The library it runs, as it says.
    pub agent: Option<String>,
    /// Where it comes from.
    pub peer: Option<SocketAddr>,
}

/// The answer to a hello.
#[derive(Debug)]
pub enum Authentication<Pending> {
    /// It may enter.
    Welcome(Welcome),
    /// It has to prove who it is first.
    Challenge(Challenge<Pending>),
}

/// What a client has to answer.
#[derive(Debug)]
pub struct Challenge<Pending> {
    /// The authentication method.
    pub method: String,
    /// Passed to the client as it is.
    pub extra: Dict,
    /// Given back to [`Policy::verify`].
    pub state: Pending,
}

/// What an accepted client is.
#[derive(Debug, Clone, Default)]
pub struct Welcome {
    /// Who it is.
    pub authid: String,
    /// As what it acts.
    pub role: String,
    /// How it proved who it is.
    pub authmethod: String,
    /// The public key that it proved, where that is how.
    pub key: Option<[u8; 32]>,
    /// Passed to the client as `authextra`.
    pub extra: Dict,
}

/// A refusal.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{reason}: {message}")]
pub struct Abort {
    /// A reason URI.
    pub reason: String,
    /// For people.
    pub message: String,
}

impl Abort {
    /// A refusal with its two parts.
    pub fn new(reason: impl Into<String>, message: impl Into<String>) -> Self {
        Self { reason: reason.into(), message: message.into() }
    }

    /// The client may not enter.
    pub fn denied(message: impl Into<String>) -> Self {
        Self::new(error::AUTHENTICATION_DENIED, message)
    }

    /// The client's proof is wrong.
    pub fn failed(message: impl Into<String>) -> Self {
        Self::new(error::AUTHENTICATION_FAILED, message)
    }
}

/// What a session wants to do with a URI.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Call the procedure.
    Call,
    /// Answer calls of the procedure or pattern.
    Register(Match),
    /// Publish to the topic.
    Publish,
    /// Receive events of the topic or pattern.
    Subscribe(Match),
}

/// What the policy says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Verdict {
    /// Yes.
    Allow,
    /// No, and why; the text goes to the session.
    Deny(String),
}

/// Decides for a router.
pub trait Policy: Send + Sync + 'static {
    /// What it has to remember between challenge and answer.
    type Pending: Send;

    /// Who knocks, and may they enter? Bounded in time by the router.
    fn authenticate(
        &self,
        hello: Hello,
    ) -> impl Future<Output = Result<Authentication<Self::Pending>, Abort>> + Send;

    /// Is the answer to a challenge right?
    fn verify(
        &self,
        pending: Self::Pending,
        signature: &str,
        extra: &Dict,
    ) -> impl Future<Output = Result<Welcome, Abort>> + Send;

    /// May the session do this? Asked with the router locked, so it must be fast and must not call the router.
    fn authorise(&self, session: &Identity, action: Action, uri: &str) -> Verdict;

    /// Whether callees and subscribers learn of this session, where that differs from the router's own rule.
    fn disclose(&self, _session: &Identity, _action: Action, _uri: &str) -> Option<Disclosure> {
        None
    }

    /// A network session has joined; nothing of it has been handled yet.
    fn joined(&self, _session: &Identity) {}

    /// A network session has left; nothing of it will be handled any more.
    fn left(&self, _session: &Identity) {}
}
