//! What waits to be sent to one peer, and the order to stop.
//!
//! Invariants: the queue holds at most its bound in bytes; one message more and the owner of the connection is told to
//! stop as [`Ended::Slow`]. Of several orders to stop, the first counts.

use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::ended::Ended;
use crate::message::Message;

/// The queue between those who send and the one task that owns the connection.
#[derive(Debug)]
pub(crate) struct Mailbox {
    inner: Mutex<Inner>,
    wake: Notify,
    bound: usize,
}

#[derive(Debug, Default)]
struct Inner {
    queue: VecDeque<Message>,
    bytes: usize,
    stop: Option<Ended>,
}

impl Mailbox {
    pub(crate) fn new(bound: usize) -> Self {
        Self { inner: Mutex::default(), wake: Notify::new(), bound }
    }

    /// Queues a message. After the order to stop messages are dropped.
    pub(crate) fn push(&self, message: Message) {
        let mut inner = self.lock();
        if inner.stop.is_some() {
            return;
        }
        inner.bytes += message.weight();
        if inner.bytes > self.bound {
            inner.stop = Some(Ended::Slow);
            inner.queue = VecDeque::new();
        } else {
            inner.queue.push_back(message);
        }
        drop(inner);
        self.wake.notify_one();
    }

    /// Tells the owner of the connection to end it; what is queued goes out first.
    pub(crate) fn stop(&self, ended: Ended) {
        self.lock().stop.get_or_insert(ended);
        self.wake.notify_one();
    }

    /// Moves messages of up to `bytes` bytes, but at least one, into `batch`; gives back the order to stop.
    pub(crate) fn take(&self, batch: &mut Vec<Message>, bytes: usize) -> Option<Ended> {
        let mut inner = self.lock();
        let mut taken = 0;
        while taken < bytes {
            let Some(message) = inner.queue.pop_front() else { break };
            taken += message.weight();
            batch.push(message);
        }
        inner.bytes = inner.bytes.saturating_sub(taken);
        if inner.queue.is_empty() { inner.stop.clone() } else { None }
    }

    /// Returns when there may be something new.
    pub(crate) async fn changed(&self) {
        self.wake.notified().await;
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
