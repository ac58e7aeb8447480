//! What a handler gets, and how its answer goes back.
//!
//! Invariant: every invocation is answered once, also when the handler panics.

use std::fmt;
use std::pin::Pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use serde_json::Value;
use tokio::sync::watch;

use super::Shared;
use crate::message::{Message, code};
use crate::uri::error;
use crate::{Arguments, Dict, Fault};

/// A future on the heap.
pub type BoxFuture<T> = Pin<Box<dyn Future<Output = T> + Send>>;

/// Answers the calls of a registration.
pub type Handler = Arc<dyn Fn(Invocation) -> BoxFuture<Result<Arguments, Fault>> + Send + Sync>;

/// A call to be answered.
#[derive(Debug)]
pub struct Invocation {
    /// The procedure that was called; with a pattern, not the registration's.
    pub uri: String,
    /// What it was called with.
    pub arguments: Arguments,
    /// Who calls, where the router tells.
    pub caller: Option<Caller>,
    /// How long the caller waits, if it said so.
    pub timeout: Option<Duration>,
    /// Tells when the caller does not wait any more.
    pub interrupt: Interrupt,
}

/// Who called or published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// Its session.
    pub session: u64,
    /// Who it is, as the router has authenticated it.
    pub authid: Option<String>,
    /// As what it acts.
    pub role: Option<String>,
}

impl Caller {
    /// Reads what the router disclosed under `prefix` and its derivatives.
    pub(super) fn from_details(details: &Dict, prefix: &str) -> Option<Self> {
        let text = |name: String| details.get(&name).and_then(Value::as_str).map(str::to_owned);
        Some(Self {
            session: details.get(prefix)?.as_u64()?,
            authid: text(format!("{prefix}_authid")),
            role: text(format!("{prefix}_authrole")),
        })
    }
}

/// Tells a handler that nobody waits for its answer any more. The handler is not cut short: it may heed this or go on.
#[derive(Clone)]
pub struct Interrupt(watch::Receiver<bool>);

impl Interrupt {
    pub(super) fn new() -> (watch::Sender<bool>, Self) {
        let (sender, receiver) = watch::channel(false);
        (sender, Self(receiver))
    }

    /// Whether it is requested already.
    pub fn is_requested(&self) -> bool {
        *self.0.borrow()
    }

    /// Waits until it is requested; for ever if it never is.
    pub async fn requested(&mut self) {
        if self.0.wait_for(|is_requested| *is_requested).await.is_err() {
            std::future::pending::<()>().await;
        }
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interrupt({})", self.is_requested())
    }
}

/// Owes the router an answer to one invocation; pays with an error if dropped without one.
pub(super) struct Debt {
    shared: Weak<Shared>,
    request: u64,
    is_paid: bool,
}

impl Debt {
    pub(super) fn new(shared: &Arc<Shared>, request: u64) -> Self {
        Self { shared: Arc::downgrade(shared), request, is_paid: false }
    }

    pub(super) fn pay(mut self, answer: Result<Arguments, Fault>) {
        self.answer(answer);
    }

    fn answer(&mut self, answer: Result<Arguments, Fault>) {
        self.is_paid = true;
        let Some(shared) = self.shared.upgrade() else { return };
        if !shared.settle_invocation(self.request) {
            return;
        }
        let request = self.request;
        shared.send(match answer {
            Ok(arguments) => {
                Message::Yield { request, options: Dict::new(), payload: arguments.into() }
            }
            Err(fault) => Message::error(code::INVOCATION, request, fault),
        });
    }
}

impl Drop for Debt {
    fn drop(&mut self) {
        if !self.is_paid {
            let fault = Fault::new(error::RUNTIME_ERROR, "the handler ended without an answer");
            self.answer(Err(fault));
        }
    }
}
