//! What a session waits for and answers to: pure bookkeeping, no sending.
//!
//! Invariant: an answer reaches the one who asked before any later message of the router is looked at.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use serde_json::Value;
use tokio::sync::{mpsc, oneshot, watch};

use super::invocation::{Caller, Handler};
use super::{Event, Invocation, invocation::Interrupt};
use crate::message::{self, Message};
use crate::payload::Payload;
use crate::{CodecError, Dict};

/// What the router says to a request.
#[derive(Debug)]
pub(crate) enum Answer {
    Result(Payload),
    /// The id of what was made; 0 where nothing was.
    Done(u64),
    Error {
        uri: String,
        payload: Payload,
    },
}

type Sender = oneshot::Sender<Answer>;

/// Who waits, and what is to be done with a good answer.
pub(crate) enum Waiter {
    Call(Sender),
    Acknowledge(Sender),
    Register { sender: Sender, procedure: String, handler: Handler },
    Unregister { sender: Sender, registration: u64 },
    Subscribe { sender: Sender, subscriber: Subscriber },
}

/// The receiving end of a subscription.
pub(crate) struct Subscriber {
    pub(crate) topic: String,
    pub(crate) queue: mpsc::Sender<Event>,
    pub(crate) missed: Arc<AtomicU64>,
}

struct Registered {
    procedure: String,
    handler: Handler,
}

/// All that is open in a session.
#[derive(Default)]
pub(super) struct Requests {
    last: u64,
    waiting: HashMap<u64, Waiter>,
    registered: HashMap<u64, Registered>,
    subscribed: HashMap<u64, Vec<Subscriber>>,
    invocations: HashMap<u64, watch::Sender<bool>>,
}

/// An invocation that has a handler, ready to run.
pub(super) struct Job {
    pub(super) request: u64,
    pub(super) handler: Handler,
    pub(super) invocation: Result<Invocation, CodecError>,
}

impl Requests {
    /// Request ids count up from 1 (specification section 5.2, session scope).
    pub(super) fn next(&mut self) -> u64 {
        self.last += 1;
        self.last
    }

    pub(super) fn expect(&mut self, waiter: Waiter) -> u64 {
        let request = self.next();
        self.waiting.insert(request, waiter);
        request
    }

    pub(super) fn forget(&mut self, request: u64) -> bool {
        self.waiting.remove(&request).is_some()
    }

    pub(super) fn is_waiting(&self) -> bool {
        !self.waiting.is_empty()
    }

    /// The session is over: running handlers are told, and all else is handed out to be dropped where nothing is
    /// locked. Everyone who waits learns it by the drop of their sender.
    pub(super) fn clear(&mut self) -> Self {
        for interrupt in self.invocations.drain().map(|(_, interrupt)| interrupt) {
            interrupt.send_replace(true);
        }
        std::mem::replace(self, Self { last: self.last, ..Self::default() })
    }

    /// Hands an answer to the one who waits; without one it is dropped. Gives back a handler that has no use any more,
    /// to be dropped where nothing is locked: it may hold the last handle of a session.
    pub(super) fn answer(&mut self, request: u64, answer: Answer) -> Option<Handler> {
        let waiter = self.waiting.remove(&request)?;
        let (sender, unused) = match (waiter, &answer) {
            (Waiter::Call(sender) | Waiter::Acknowledge(sender), _) => (sender, None),
            (Waiter::Register { sender, procedure, handler }, Answer::Done(id)) => {
                self.registered.insert(*id, Registered { procedure, handler });
                (sender, None)
            }
            (Waiter::Register { sender, handler, .. }, _) => (sender, Some(handler)),
            (Waiter::Unregister { sender, registration }, Answer::Done(_)) => {
                let unused = self.registered.remove(&registration);
                (sender, unused.map(|registered| registered.handler))
            }
            (Waiter::Unregister { sender, .. }, _) => (sender, None),
            (Waiter::Subscribe { sender, subscriber }, Answer::Done(id)) => {
                self.subscribed.entry(*id).or_default().push(subscriber);
                (sender, None)
            }
            (Waiter::Subscribe { sender, .. }, _) => (sender, None),
        };
        // The one who asked may be gone.
        drop(sender.send(answer));
        unused
    }

    /// Hands an event to its subscribers. Those who dropped their end are forgotten.
    pub(super) fn event(&mut self, event: &message::Event) {
        let Some(subscribers) = self.subscribed.get_mut(&event.subscription) else { return };
        let details = &event.details;
        let arguments = match event.payload.clone().read() {
            Ok(arguments) => arguments,
            Err(error) => return tracing::warn!(%error, "an event cannot be read and is dropped"),
        };
        let publisher = Caller::from_details(details, "publisher");
        let topic = details.get("topic").and_then(Value::as_str);
        subscribers.retain(|subscriber| {
            let topic = topic.unwrap_or(&subscriber.topic).to_owned();
            let event = Event { topic, arguments: arguments.clone(), publisher: publisher.clone() };
            match subscriber.queue.try_send(event) {
                Ok(()) => true,
                Err(mpsc::error::TrySendError::Full(_)) => {
                    subscriber.missed.fetch_add(1, Ordering::Relaxed);
                    true
                }
                Err(mpsc::error::TrySendError::Closed(_)) => false,
            }
        });
    }

    /// The router takes a registration away; gives back its handler, to be dropped where nothing is locked.
    pub(super) fn lose_registration(&mut self, details: &Dict) -> Option<Handler> {
        let id = details.get("registration").and_then(Value::as_u64)?;
        self.registered.remove(&id).map(|registered| registered.handler)
    }

    /// The router takes a subscription away: its queues end.
    pub(super) fn lose_subscription(&mut self, details: &Dict) {
        if let Some(id) = details.get("subscription").and_then(Value::as_u64) {
            self.subscribed.remove(&id);
        }
    }

    /// Whether anyone still listens to a subscription; forgets those who do not.
    pub(super) fn has_subscribers(&mut self, subscription: u64) -> bool {
        let Some(subscribers) = self.subscribed.get_mut(&subscription) else { return false };
        subscribers.retain(|subscriber| !subscriber.queue.is_closed());
        let has_some = !subscribers.is_empty();
        if !has_some {
            self.subscribed.remove(&subscription);
        }
        has_some
    }

    /// Prepares an invocation; `None` if the registration is not (or no longer) ours.
    pub(super) fn invoke(
        &mut self,
        request: u64,
        registration: u64,
        details: &Dict,
        payload: Payload,
    ) -> Option<Job> {
        let registered = self.registered.get(&registration)?;
        let (sender, interrupt) = Interrupt::new();
        let uri = details.get("procedure").and_then(Value::as_str);
        let timeout = details.get("timeout").and_then(Value::as_u64).filter(|millis| *millis > 0);
        let invocation = payload.read().map(|arguments| Invocation {
            uri: uri.unwrap_or(&registered.procedure).to_owned(),
            arguments,
            caller: Caller::from_details(details, "caller"),
            timeout: timeout.map(std::time::Duration::from_millis),
            interrupt,
        });
        self.invocations.insert(request, sender);
        Some(Job { request, handler: Arc::clone(&registered.handler), invocation })
    }

    /// Asks a handler to stop; gives back whether it was still owed an answer, which from now on it is not.
    pub(super) fn interrupt(&mut self, request: u64) -> bool {
        let Some(interrupt) = self.invocations.remove(&request) else { return false };
        interrupt.send_replace(true);
        true
    }

    /// Whether an answer to the invocation is still owed; from now on it is not.
    pub(super) fn settle(&mut self, request: u64) -> bool {
        self.invocations.remove(&request).is_some()
    }
}

/// What an answering message answers, if it is one.
#[expect(
    clippy::result_large_err,
    reason = "it is no error: the message goes on to the next match"
)]
pub(super) fn answer_of(message: Message) -> Result<(u64, Answer), Message> {
    Ok(match message {
        Message::Result { request, payload, .. } => (request, Answer::Result(payload)),
        Message::Registered { request, registration } => (request, Answer::Done(registration)),
        Message::Subscribed { request, subscription } => (request, Answer::Done(subscription)),
        Message::Published { request, publication } => (request, Answer::Done(publication)),
        Message::Unregistered { request, revoked: None }
        | Message::Unsubscribed { request, revoked: None } => (request, Answer::Done(0)),
        Message::Error { request, error: uri, payload, .. } => {
            (request, Answer::Error { uri, payload })
        }
        other => return Err(other),
    })
}
