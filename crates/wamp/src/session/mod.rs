//! A joined session as the application sees it: the same over a network and inside the router's process.
//!
//! Invariants: every request is answered, at the latest when the session ends; a call that is dropped or times out is
//! canceled; handlers run as tasks, bounded in number, and are not cut short by cancellation or the end of the session
//! (they may be in the middle of something), only asked to stop.
//!
//! The session ends when its last handle is dropped. A handler that holds a handle keeps it alive until [`Session::close`].

mod invocation;
mod requests;
mod shared;

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};

use crate::ended::Ended;
use crate::message::Message;
use crate::uri::error;
use crate::{Arguments, CodecError, Dict, Fault, Match};

pub use invocation::{BoxFuture, Caller, Handler, Interrupt, Invocation};
pub(crate) use requests::Answer;
use requests::Waiter;
pub(crate) use shared::{Dispatch, Link, Shared};

/// A handle to a session; cheap to clone.
#[derive(Debug, Clone)]
pub struct Session {
    shared: Arc<Shared>,
    _guard: Arc<Guard>,
}

/// Ends the session with its last handle.
#[derive(Debug)]
struct Guard(Arc<Shared>);

impl Drop for Guard {
    fn drop(&mut self) {
        self.0.close();
    }
}

/// How a call is to be made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct CallOptions {
    /// After this time the call is canceled and fails with [`CallError::Timeout`]; the callee is told the time too.
    pub timeout: Option<Duration>,
}

impl CallOptions {
    /// A call that fails after this time.
    pub fn within(timeout: Duration) -> Self {
        Self { timeout: Some(timeout) }
    }
}

/// Why a call gave no result.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum CallError {
    /// The callee or the router answered with an error.
    #[error(transparent)]
    Fault(Fault),
    /// The session ended before the answer; the callee may have done it or not.
    #[error("the session ended before the call was answered: {0}")]
    Lost(Ended),
    /// No answer in time; the callee may have done it or not.
    #[error("the call was not answered in time")]
    Timeout,
    /// The answer's arguments cannot be read.
    #[error("the answer cannot be read: {0}")]
    Unreadable(CodecError),
}

/// Why a request to the router failed.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
pub enum RequestError {
    /// The router refused.
    #[error(transparent)]
    Refused(Fault),
    /// The session ended before the answer.
    #[error("the session ended before the router answered: {0}")]
    Lost(Ended),
}

/// An event of a subscription.
#[derive(Debug, Clone, PartialEq)]
pub struct Event {
    /// The topic it was published to.
    pub topic: String,
    /// What was published.
    pub arguments: Arguments,
    /// Who published it, where the router tells.
    pub publisher: Option<Caller>,
}

/// A subscription and its queue. While the queue is full, further events are dropped and counted.
#[derive(Debug)]
pub struct Subscription {
    /// The router's id of it.
    pub id: u64,
    events: mpsc::Receiver<Event>,
    missed: Arc<std::sync::atomic::AtomicU64>,
}

impl Subscription {
    /// The next event; `None` after the session has ended.
    pub async fn next(&mut self) -> Option<Event> {
        self.events.recv().await
    }

    /// Events that were dropped because the queue was full.
    pub fn missed(&self) -> u64 {
        self.missed.load(std::sync::atomic::Ordering::Relaxed)
    }
}

impl Session {
    pub(crate) fn new(shared: Arc<Shared>) -> Self {
        Self { _guard: Arc::new(Guard(Arc::clone(&shared))), shared }
    }

    /// The session's id, given by the router.
    pub fn id(&self) -> u64 {
        self.shared.id
    }

    /// The details of the router's WELCOME, `authid`, `authrole` and `authextra` among them.
    pub fn welcome(&self) -> &Dict {
        &self.shared.welcome
    }

    /// Calls a procedure and waits for its result. Dropping the future cancels the call.
    pub async fn call(
        &self,
        procedure: &str,
        arguments: Arguments,
        options: CallOptions,
    ) -> Result<Arguments, CallError> {
        let (sender, receiver) = oneshot::channel();
        let request = self.shared.expect(Waiter::Call(sender)).map_err(CallError::Lost)?;
        let unanswered = CancelOnDrop { shared: &self.shared, request };
        let message = Message::Call {
            request,
            options: call_options(options),
            procedure: procedure.to_owned(),
            payload: arguments.into(),
        };
        self.shared.send(message);
        let answer = match options.timeout {
            None => receiver.await,
            Some(limit) => match tokio::time::timeout(limit, receiver).await {
                Ok(answer) => answer,
                Err(_) => return Err(CallError::Timeout),
            },
        };
        drop(unanswered);
        self.read_answer(answer)
    }

    fn read_answer(
        &self,
        answer: Result<Answer, oneshot::error::RecvError>,
    ) -> Result<Arguments, CallError> {
        match answer {
            Ok(Answer::Result(payload)) => payload.read().map_err(CallError::Unreadable),
            Ok(Answer::Error { uri, .. }) if uri == error::TIMEOUT => Err(CallError::Timeout),
            Ok(Answer::Error { uri, payload }) => {
                let arguments = payload.read().map_err(CallError::Unreadable)?;
                Err(CallError::Fault(Fault { uri, arguments }))
            }
            Ok(Answer::Done(_)) => Ok(Arguments::default()),
            Err(_) => Err(CallError::Lost(self.ended())),
        }
    }

    /// Answers calls of `procedure` by `handler` from now on; gives back the registration's id.
    pub async fn register(
        &self,
        procedure: &str,
        pattern: Match,
        handler: Handler,
    ) -> Result<u64, RequestError> {
        let procedure = procedure.to_owned();
        let waiter = |sender| Waiter::Register { sender, procedure: procedure.clone(), handler };
        self.request(waiter, |request| Message::Register {
            request,
            options: pattern.into_options(),
            procedure: procedure.clone(),
        })
        .await
    }

    /// Takes a registration back.
    pub async fn unregister(&self, registration: u64) -> Result<(), RequestError> {
        let waiter = |sender| Waiter::Unregister { sender, registration };
        self.request(waiter, |request| Message::Unregister { request, registration }).await?;
        Ok(())
    }

    /// Receives the events of `topic` in a queue of `capacity` events.
    pub async fn subscribe(
        &self,
        topic: &str,
        pattern: Match,
        capacity: usize,
    ) -> Result<Subscription, RequestError> {
        let (queue, events) = mpsc::channel(capacity.max(1));
        let missed = Arc::default();
        let subscriber =
            requests::Subscriber { topic: topic.to_owned(), queue, missed: Arc::clone(&missed) };
        let waiter = |sender| Waiter::Subscribe { sender, subscriber };
        let message = |request| Message::Subscribe {
            request,
            options: pattern.into_options(),
            topic: topic.to_owned(),
        };
        let id = self.request(waiter, message).await?;
        Ok(Subscription { id, events, missed })
    }

    /// Gives a subscription up. Dropping it only stops the queue: the router goes on sending.
    pub async fn unsubscribe(&self, subscription: Subscription) -> Result<(), RequestError> {
        let id = subscription.id;
        drop(subscription);
        if self.shared.has_subscribers(id) {
            return Ok(());
        }
        let message = |request| Message::Unsubscribe { request, subscription: id };
        self.request(Waiter::Acknowledge, message).await?;
        Ok(())
    }

    /// Publishes without waiting for an answer; nobody learns if the router refuses.
    pub fn publish(&self, topic: &str, arguments: Arguments) -> Result<(), Ended> {
        let request = self.shared.next_request()?;
        let (options, payload) = (Dict::new(), arguments.into());
        self.shared.send(Message::Publish { request, options, topic: topic.to_owned(), payload });
        Ok(())
    }

    /// Publishes with options of the specification (section 8.1.3 and the advanced profile), such as `exclude_me`.
    pub fn publish_with(
        &self,
        topic: &str,
        arguments: Arguments,
        options: Dict,
    ) -> Result<(), Ended> {
        let request = self.shared.next_request()?;
        let payload = arguments.into();
        self.shared.send(Message::Publish { request, options, topic: topic.to_owned(), payload });
        Ok(())
    }

    /// Publishes and waits until the router has accepted it; gives back the publication's id.
    pub async fn publish_acknowledged(
        &self,
        topic: &str,
        arguments: Arguments,
    ) -> Result<u64, RequestError> {
        let payload = arguments.into();
        let mut options = Dict::new();
        options.insert("acknowledge".into(), true.into());
        let message =
            |request| Message::Publish { request, options, topic: topic.to_owned(), payload };
        self.request(Waiter::Acknowledge, message).await
    }

    async fn request(
        &self,
        waiter: impl FnOnce(oneshot::Sender<Answer>) -> Waiter,
        message: impl FnOnce(u64) -> Message,
    ) -> Result<u64, RequestError> {
        let (sender, receiver) = oneshot::channel();
        let request = self.shared.expect(waiter(sender)).map_err(RequestError::Lost)?;
        self.shared.send(message(request));
        match receiver.await {
            Ok(Answer::Done(id)) => Ok(id),
            Ok(Answer::Error { uri, payload }) => {
                let arguments = payload.read().unwrap_or_default();
                Err(RequestError::Refused(Fault { uri, arguments }))
            }
            Ok(Answer::Result(_)) | Err(_) => Err(RequestError::Lost(self.ended())),
        }
    }

    fn ended(&self) -> Ended {
        self.shared.ended().unwrap_or_else(|| Ended::Lost("the answer was dropped".into()))
    }

    /// Waits for the end of the session.
    pub async fn closed(&self) -> Ended {
        self.shared.closed().await
    }

    /// Whether the session has ended.
    pub fn is_closed(&self) -> bool {
        self.shared.ended().is_some()
    }

    /// Ends the session: what was sent before goes out, then the goodbye. [`Self::closed`] tells when it is done.
    pub fn close(&self) {
        self.shared.close();
    }
}

/// Cancels a call whose caller does not wait any more.
struct CancelOnDrop<'a> {
    shared: &'a Shared,
    request: u64,
}

impl Drop for CancelOnDrop<'_> {
    fn drop(&mut self) {
        if self.shared.forget(self.request) {
            let mut options = Dict::new();
            options.insert("mode".into(), "killnowait".into());
            self.shared.send(Message::Cancel { request: self.request, options });
        }
    }
}

fn call_options(options: CallOptions) -> Dict {
    let mut dict = Dict::new();
    if let Some(timeout) = options.timeout {
        let milliseconds = u64::try_from(timeout.as_millis()).unwrap_or(u64::MAX).max(1);
        dict.insert("timeout".into(), milliseconds.into());
    }
    dict
}
