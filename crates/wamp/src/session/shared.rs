//! The state that all handles of a session share, and the way out of it.
//!
//! Invariant: the lock is never held while something is sent, because inside the router's process sending runs the
//! router, which may come straight back.

use std::fmt;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::watch;
use websocket::Activity;

use super::invocation::Debt;
use super::requests::{Job, Requests, Waiter, answer_of};
use crate::ended::Ended;
use crate::mailbox::Mailbox;
use crate::message::{Message, code};
use crate::pump::Inbound;
use crate::uri::error;
use crate::{Dict, Fault};

/// Where messages go.
pub(crate) enum Link {
    /// To the task that owns the connection.
    Network(Arc<Mailbox>),
    /// Straight into the router.
    Local(Arc<dyn Dispatch>),
}

/// The router as a local session sees it.
pub(crate) trait Dispatch: Send + Sync {
    /// Takes one message of the session.
    fn dispatch(&self, from: u64, message: Message) -> Result<(), &'static str>;
    /// Takes the session out.
    fn leave(&self, id: u64);
}

pub(crate) struct Shared {
    pub(crate) id: u64,
    pub(crate) welcome: Dict,
    link: Link,
    requests: Mutex<Requests>,
    ended: watch::Sender<Option<Ended>>,
    running: AtomicUsize,
    max_running: usize,
}

impl fmt::Debug for Shared {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Session").field("id", &self.id).finish_non_exhaustive()
    }
}

impl Shared {
    /// `max_running` handlers may run at a time; further calls are answered `wamp.error.unavailable`.
    pub(crate) fn new(id: u64, welcome: Dict, link: Link, max_running: usize) -> Arc<Self> {
        Arc::new(Self {
            id,
            welcome,
            link,
            requests: Mutex::default(),
            ended: watch::Sender::new(None),
            running: AtomicUsize::new(0),
            max_running,
        })
    }

    fn lock(&self) -> MutexGuard<'_, Requests> {
        self.requests.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Files a waiter under a fresh request id.
    pub(super) fn expect(&self, waiter: Waiter) -> Result<u64, Ended> {
        let mut requests = self.lock();
        // Looked at under the lock, so that no waiter is filed after `finish` has cleared them.
        match self.ended() {
            Some(ended) => Err(ended),
            None => Ok(requests.expect(waiter)),
        }
    }

    pub(super) fn next_request(&self) -> Result<u64, Ended> {
        match self.ended() {
            Some(ended) => Err(ended),
            None => Ok(self.lock().next()),
        }
    }

    pub(super) fn forget(&self, request: u64) -> bool {
        self.lock().forget(request)
    }

    pub(super) fn has_subscribers(&self, subscription: u64) -> bool {
        self.lock().has_subscribers(subscription)
    }

    pub(super) fn settle_invocation(&self, request: u64) -> bool {
        self.lock().settle(request)
    }

    pub(super) fn send(&self, message: Message) {
        match &self.link {
            Link::Network(mailbox) => mailbox.push(message),
            Link::Local(router) => {
                if let Err(what) = router.dispatch(self.id, message) {
                    tracing::error!(session = self.id, what, "a local session broke the protocol");
                }
            }
        }
    }

    pub(super) fn close(&self) {
        match &self.link {
            Link::Network(mailbox) => mailbox.stop(Ended::Closed),
            Link::Local(router) => {
                router.leave(self.id);
                self.finish(Ended::Closed);
            }
        }
    }

    /// The session is over.
    pub(crate) fn finish(&self, ended: Ended) {
        let mut requests = self.lock();
        self.ended.send_if_modified(|slot| {
            let is_first = slot.is_none();
            slot.get_or_insert(ended);
            is_first
        });
        let left_over = requests.clear();
        drop(requests);
        drop(left_over);
    }

    pub(super) fn ended(&self) -> Option<Ended> {
        self.ended.borrow().clone()
    }

    pub(super) async fn closed(&self) -> Ended {
        let mut ended = self.ended.subscribe();
        let found = ended.wait_for(Option::is_some).await.ok().and_then(|ended| ended.clone());
        found.unwrap_or(Ended::Closed)
    }

    /// Takes one message of the router. Sends nothing itself, see the invariant above.
    pub(crate) fn take(self: &Arc<Self>, message: Message) -> Result<(), &'static str> {
        let message = match answer_of(message) {
            Ok((request, answer)) => {
                let unused = self.lock().answer(request, answer);
                if let Some(handler) = unused {
                    tokio::spawn(async move { drop(handler) });
                }
                return Ok(());
            }
            Err(message) => message,
        };
        match message {
            Message::Event(event) => self.lock().event(&event),
            Message::Unregistered { revoked: Some(details), .. } => {
                let unused = self.lock().lose_registration(&details);
                if let Some(handler) = unused {
                    tokio::spawn(async move { drop(handler) });
                }
            }
            Message::Unsubscribed { revoked: Some(details), .. } => {
                self.lock().lose_subscription(&details);
            }
            Message::Invocation { request, registration, details, payload } => {
                let job = self.lock().invoke(request, registration, &details, payload);
                self.start(request, job);
            }
            Message::Interrupt { request, .. } => self.interrupt(request),
            _ => return Err("a router does not send this message in a session"),
        }
        Ok(())
    }

    fn start(self: &Arc<Self>, request: u64, job: Option<Job>) {
        let Some(job) = job else {
            let fault = Fault::new(error::NO_SUCH_REGISTRATION, "the registration is gone");
            return self.send_later(Message::error(code::INVOCATION, request, fault));
        };
        let debt = Debt::new(self, job.request);
        let Some(place) = Place::take(self) else {
            let fault = Fault::new(error::UNAVAILABLE, "too many calls are being worked on");
            tokio::spawn(async move { debt.pay(Err(fault)) });
            return;
        };
        match job.invocation {
            Ok(invocation) => {
                tokio::spawn(async move {
                    let _place = place;
                    let answer = (job.handler)(invocation).await;
                    debt.pay(answer);
                });
            }
            Err(cause) => {
                let text = format!("the arguments cannot be read: {cause}");
                let fault = Fault::new(error::INVALID_ARGUMENT, text);
                tokio::spawn(async move { debt.pay(Err(fault)) });
            }
        }
    }

    fn interrupt(self: &Arc<Self>, request: u64) {
        if self.lock().interrupt(request) {
            let fault = Fault::new(error::CANCELED, "the call was canceled");
            self.send_later(Message::error(code::INVOCATION, request, fault));
        }
    }

    fn send_later(self: &Arc<Self>, message: Message) {
        match &self.link {
            Link::Network(mailbox) => mailbox.push(message),
            Link::Local(_) => {
                let shared = Arc::clone(self);
                tokio::spawn(async move { shared.send(message) });
            }
        }
    }
}

impl Inbound for Arc<Shared> {
    fn receive(&self, message: Message) -> Result<(), &'static str> {
        self.take(message)
    }

    fn activity(&self) -> Activity {
        if self.lock().is_waiting() { Activity::Active } else { Activity::Idle }
    }
}

/// One of the places for running handlers.
struct Place(Arc<Shared>);

impl Place {
    fn take(shared: &Arc<Shared>) -> Option<Self> {
        let has_place = shared.running.fetch_add(1, Ordering::Relaxed) < shared.max_running;
        let place = Self(Arc::clone(shared));
        has_place.then_some(place)
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.running.fetch_sub(1, Ordering::Relaxed);
    }
}
