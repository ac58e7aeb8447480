//! A service: a guest that runs until it is stopped, watched by one owner task.
//!
//! Invariant: the owner task alone starts and ends the process; others send it commands and read the
//! published [`Status`]. A crash is followed by restarts with growing delays, up to the policy's count.
//! Not here: remembering over a restart of the agent which services should run (the agent's).

use crate::failure::Failure;
use crate::guest::{Limits, Order};
use crate::launch::{Launch, Mode};
use crate::library::Installed;
use crate::log::LogBook;
use crate::process::{Answer, Event, Process};
use crate::runtime::Shared;
use serde::Serialize;
use serde_json::Value;
use std::future::pending;
use std::sync::Arc;
use std::time::{Duration, SystemTime};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::{Instant, sleep, sleep_until};

/// A source that does not load in this time does not start.
const READY_WITHIN: Duration = Duration::from_secs(20);
/// How long a process that closed its channel may take to end.
const ENDS_WITHIN: Duration = Duration::from_secs(1);

/// What a service is doing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(tag = "status", rename_all = "snake_case")]
pub enum Status {
    /// Not started, stopped, or ended by itself in order.
    Stopped,
    /// Its source is being loaded.
    Starting,
    /// Its process runs.
    Running {
        /// The guest's first process.
        pid: i32,
        /// When this process started.
        since: SystemTime,
        /// Restarts in a row after crashes.
        restarts: u32,
    },
    /// It crashed and will be started again.
    Restarting {
        /// Why it crashed.
        reason: Failure,
        /// Restarts in a row so far.
        restarts: u32,
    },
    /// It was given up.
    Failed {
        /// Why it ended the last time.
        reason: Failure,
        /// When.
        at: SystemTime,
    },
}

/// How a service was stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Stopped {
    /// It ended when asked to.
    InOrder,
    /// It ignored the request for the whole grace period and was killed.
    Killed,
}

/// Asks the owner task to stop its guest.
pub(crate) struct Stop {
    pub(crate) grace: Duration,
    pub(crate) reply: oneshot::Sender<Stopped>,
}

/// The owner task's end of a service.
pub(crate) struct Service {
    pub(crate) shared: Arc<Shared>,
    pub(crate) guest: Installed,
    pub(crate) order: Order,
    pub(crate) status: watch::Sender<Status>,
    pub(crate) stops: mpsc::Receiver<Stop>,
}

/// How one process of the service ended.
enum Ending {
    InOrder,
    Asked(Stop, Stopped),
    Crashed(Failure),
    /// The source did not load.
    NotLoaded(Failure),
}

impl Service {
    /// Owns the service until it ends; `first` hears whether the first start worked.
    pub(crate) async fn run(mut self, first: oneshot::Sender<Result<(), Failure>>) {
        let book = self.shared.book(&self.guest.id).await;
        let mut first = Some(first);
        let mut restarts = 0;
        let last = loop {
            let began = Instant::now();
            let ending = self.live(restarts, &mut first, &book).await;
            let reason = match ending {
                Ending::InOrder => break self.stopped(&book, "ended by itself"),
                Ending::Asked(stop, how) => {
                    let last = self.stopped(&book, "stopped");
                    self.status.send_replace(last.clone());
                    let _ = stop.reply.send(how);
                    break last;
                }
                Ending::NotLoaded(reason) if first.is_some() => {
                    book.note(&format!("did not start: {reason}"));
                    self.status.send_replace(failed(reason.clone()));
                    tell(&mut first, Err(reason.clone()));
                    break failed(reason);
                }
                Ending::NotLoaded(reason) | Ending::Crashed(reason) => reason,
            };
            book.note(&format!("crashed: {reason}"));
            if began.elapsed() >= self.shared.settings.restarts.healthy_after {
                restarts = 0;
            }
            restarts += 1;
            if restarts > self.shared.settings.restarts.max {
                book.note("given up after too many crashes");
                break failed(reason);
            }
            if let Some(stop) = self.pause(reason, restarts).await {
                let last = self.stopped(&book, "stopped");
                self.status.send_replace(last.clone());
                let _ = stop.reply.send(Stopped::InOrder);
                break last;
            }
        };
        self.status.send_replace(last);
    }

    fn stopped(&self, book: &LogBook, how: &str) -> Status {
        book.note(how);
        Status::Stopped
    }

    /// Waits before a restart; a stop ends the wait.
    async fn pause(&mut self, reason: Failure, restarts: u32) -> Option<Stop> {
        self.status.send_replace(Status::Restarting { reason, restarts });
        let delay = self.shared.settings.restarts.delay(restarts);
        tokio::select! {
            stop = self.stops.recv() => stop,
            () = sleep(delay) => None,
        }
    }

    /// The life of one process.
    async fn live(
        &mut self,
        restarts: u32,
        first: &mut Option<oneshot::Sender<Result<(), Failure>>>,
        book: &LogBook,
    ) -> Ending {
        let limits =
            self.order.limits.clone().unwrap_or_else(|| Limits::for_service(self.guest.language));
        let Order { params, context, .. } = &self.order;
        let guest = &self.guest;
        let launch = Launch { guest, mode: Mode::Service, params, context, limits: &limits };
        let mut process = match Process::spawn(&self.shared, &launch).await {
            Ok(process) => process,
            Err(failure) => return Ending::NotLoaded(failure),
        };
        let ready_by = Instant::now() + READY_WITHIN;
        let loaded = tokio::select! {
            loaded = load(&mut process) => loaded,
            () = sleep_until(ready_by) => Err(Some(Failure::Timeout { after: READY_WITHIN })),
            stop = self.stops.recv() => return asked(process, stop).await,
        };
        if let Err(failure) = loaded {
            let patience = if failure.is_some() { Duration::ZERO } else { ENDS_WITHIN };
            let outcome = process.finish(failure.map(Err), patience).await;
            return Ending::NotLoaded(outcome.err().unwrap_or(Failure::NoResult));
        }
        let pid = process.pid();
        self.status.send_replace(Status::Running { pid, since: SystemTime::now(), restarts });
        book.note("started");
        tell(first, Ok(()));
        self.watch(process, limits.wall).await
    }

    async fn watch(&mut self, mut process: Process, wall: Option<Duration>) -> Ending {
        let began = Instant::now();
        let too_long = async {
            match wall {
                Some(wall) => sleep_until(began + wall).await,
                None => pending().await,
            }
        };
        let outcome = tokio::select! {
            outcome = outcome(&mut process) => outcome,
            () = too_long => Some(Err(Failure::Timeout { after: wall.unwrap_or_default() })),
            stop = self.stops.recv() => return asked(process, stop).await,
        };
        match process.finish(outcome, ENDS_WITHIN).await {
            // A guest that ends with code 0, with or without a value, ended in order.
            Ok(_) | Err(Failure::NoResult) => Ending::InOrder,
            Err(failure) => Ending::Crashed(failure),
        }
    }
}

/// Waits until the source is loaded; the error is the reason, if the guest gave one.
async fn load(process: &mut Process) -> Result<(), Option<Failure>> {
    match process.event().await {
        Event::Answer(Answer::Ready) => Ok(()),
        Event::Answer(answer) => Err(answer.outcome().and_then(Result::err)),
        Event::Over(failure) => Err(Some(failure)),
        Event::Ended => Err(None),
    }
}

async fn outcome(process: &mut Process) -> Option<Result<Value, Failure>> {
    loop {
        match process.event().await {
            Event::Answer(answer) => match answer.outcome() {
                Some(Ok(_)) | None => {}
                Some(Err(failure)) => return Some(Err(failure)),
            },
            Event::Ended => return None,
            Event::Over(failure) => return Some(Err(failure)),
        }
    }
}

/// Ends the process as asked. A runtime that was dropped asks without a grace period.
async fn asked(mut process: Process, stop: Option<Stop>) -> Ending {
    let Some(stop) = stop else {
        let _ = process.finish(None, Duration::ZERO).await;
        return Ending::InOrder;
    };
    process.terminate();
    let deadline = Instant::now() + stop.grace;
    let how = tokio::select! {
        _ = outcome(&mut process) => Stopped::InOrder,
        () = sleep_until(deadline) => Stopped::Killed,
    };
    let _ = process.finish(None, Duration::ZERO).await;
    Ending::Asked(stop, how)
}

fn tell(first: &mut Option<oneshot::Sender<Result<(), Failure>>>, what: Result<(), Failure>) {
    if let Some(first) = first.take() {
        // Whoever started it may have gone; the status says the same.
        let _ = first.send(what);
    }
}

fn failed(reason: Failure) -> Status {
    Status::Failed { reason, at: SystemTime::now() }
}
