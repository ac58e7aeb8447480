//! What waits for the writer: jobs of callers, who wait for the end, and jobs behind, which nobody waits for.
//!
//! Invariants: callers go first; at the bound a caller waits and is then refused, a job behind is refused at once. The
//! writer's thread sleeps until somebody calls; jobs behind let it sleep a little longer, for company.

use super::job::Job;
use crate::Error;
use std::collections::VecDeque;
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Callers that may wait; at the bound a further one waits up to [`PLACE_WAIT`], then is refused.
const CALLERS: usize = 1024;
/// How long a caller waits for a place.
const PLACE_WAIT: Duration = Duration::from_secs(10);
/// Writes behind that may wait; at the bound new ones are dropped and counted.
const BEHIND: usize = 8192;
/// Writes behind wait this long for company when nobody waits for an answer.
const LINGER: Duration = Duration::from_millis(50);

/// Where a job comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Source {
    Caller,
    Behind,
}

/// The two queues.
pub(crate) struct Queue {
    waiting: Mutex<Waiting>,
    bell: Condvar,
    places: Semaphore,
}

#[derive(Default)]
struct Waiting {
    callers: VecDeque<Box<dyn Job>>,
    behind: VecDeque<Box<dyn Job>>,
    is_closed: bool,
}

impl Queue {
    pub(crate) fn new() -> Self {
        let places = Semaphore::new(CALLERS);
        Self { waiting: Mutex::default(), bell: Condvar::new(), places }
    }

    /// Queues the job of somebody who waits.
    ///
    /// # Errors
    /// No place came free in time, or the queue is closed.
    pub(crate) async fn push(&self, job: Box<dyn Job>) -> Result<(), Error> {
        match timeout(PLACE_WAIT, self.places.acquire()).await {
            Ok(Ok(place)) => place.forget(),
            Ok(Err(_)) => return Err(Error::Closed),
            Err(_) => return Err(Error::Busy),
        }
        let mut waiting = self.waiting();
        if waiting.is_closed {
            return Err(Error::Closed);
        }
        waiting.callers.push_back(job);
        drop(waiting);
        self.bell.notify_one();
        Ok(())
    }

    /// Queues a job that nobody waits for.
    ///
    /// # Errors
    /// Too many wait, or the queue is closed.
    pub(crate) fn push_behind(&self, job: Box<dyn Job>) -> Result<(), Error> {
        if self.waiting().behind.len() >= BEHIND {
            return Err(Error::Busy);
        }
        self.push_last(job)
    }

    /// Queues a job behind all others; its caller is the bound.
    ///
    /// # Errors
    /// The queue is closed.
    pub(crate) fn push_last(&self, job: Box<dyn Job>) -> Result<(), Error> {
        let mut waiting = self.waiting();
        if waiting.is_closed {
            return Err(Error::Closed);
        }
        waiting.behind.push_back(job);
        // The first one starts the wait for company; the others are the company.
        let is_first = waiting.behind.len() == 1;
        drop(waiting);
        if is_first {
            self.bell.notify_one();
        }
        Ok(())
    }

    /// Takes nothing more; what waits is still given out.
    pub(crate) fn close(&self) {
        self.waiting().is_closed = true;
        self.places.close();
        self.bell.notify_one();
    }

    /// Sleeps until there is something to do; false when nothing can come any more.
    pub(super) fn wait(&self) -> bool {
        let mut waiting = self.waiting();
        let mut linger_until = None;
        loop {
            if !waiting.callers.is_empty() {
                return true;
            }
            if waiting.behind.is_empty() {
                if waiting.is_closed {
                    return false;
                }
                waiting = self.bell.wait(waiting).unwrap_or_else(PoisonError::into_inner);
                continue;
            }
            let until = *linger_until.get_or_insert_with(|| Instant::now() + LINGER);
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || waiting.is_closed {
                return true;
            }
            waiting = self.sleep(waiting, left);
        }
    }

    /// The next job: callers first, then those behind.
    pub(super) fn next(&self) -> Option<(Box<dyn Job>, Source)> {
        let mut waiting = self.waiting();
        if let Some(job) = waiting.callers.pop_front() {
            self.places.add_permits(1);
            return Some((job, Source::Caller));
        }
        waiting.behind.pop_front().map(|job| (job, Source::Behind))
    }

    /// The job of a caller who comes before `until`.
    pub(super) fn next_caller(&self, until: Instant) -> Option<Box<dyn Job>> {
        let mut waiting = self.waiting();
        loop {
            if let Some(job) = waiting.callers.pop_front() {
                self.places.add_permits(1);
                return Some(job);
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || waiting.is_closed {
                return None;
            }
            waiting = self.sleep(waiting, left);
        }
    }

    fn sleep<'a>(
        &self,
        waiting: MutexGuard<'a, Waiting>,
        longest: Duration,
    ) -> MutexGuard<'a, Waiting> {
        match self.bell.wait_timeout(waiting, longest) {
            Ok((waiting, _)) => waiting,
            Err(poisoned) => poisoned.into_inner().0,
        }
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
