//! A call: one process, one JSON result.
//!
//! Invariant: a call ends by its wall time, waiting for its turn included, and leaves no process behind.
//! Not here: guests that go on running (`service`).

use crate::cancel::Cancel;
use crate::failure::Failure;
use crate::guest::{Limits, Order};
use crate::launch::{Launch, Mode};
use crate::library::Installed;
use crate::process::{Answer, Event, Process};
use crate::runtime::Shared;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};

/// How long a guest may go on after it gave its result, to tidy up.
const AFTER_RESULT: Duration = Duration::from_secs(1);
/// Stands for "no wall limit".
const FOREVER: Duration = Duration::from_secs(365 * 24 * 3600);

/// Runs the call in a task of its own, so that a caller that goes away cancels it cleanly.
pub(crate) async fn call(
    shared: Arc<Shared>,
    guest: Installed,
    order: Order,
    cancel: Cancel,
) -> Result<Value, Failure> {
    let (reply, answer) = oneshot::channel();
    tokio::spawn(async move {
        let mut reply = reply;
        let outcome = turn(&shared, &guest, &order, &cancel, &mut reply).await;
        // Nobody may be waiting any more; the process is gone either way.
        let _ = reply.send(outcome);
    });
    answer.await.unwrap_or(Err(Failure::ShuttingDown))
}

/// Waits for a free place, then runs.
async fn turn(
    shared: &Shared,
    guest: &Installed,
    order: &Order,
    cancel: &Cancel,
    reply: &mut oneshot::Sender<Result<Value, Failure>>,
) -> Result<Value, Failure> {
    let limits = order.limits.clone().unwrap_or_else(|| Limits::for_call(guest.language));
    let wall = limits.wall.unwrap_or(FOREVER);
    let deadline = Instant::now() + wall.min(FOREVER);
    let withdrawn = async {
        tokio::select! {
            () = cancel.cancelled() => Failure::Cancelled,
            () = reply.closed() => Failure::Cancelled,
            () = shared.closed() => Failure::ShuttingDown,
        }
    };
    tokio::pin!(withdrawn);
    let place = tokio::select! {
        place = timeout_at(deadline, shared.places.enter()) => {
            place.map_err(|_| Failure::Timeout { after: wall })??
        }
        failure = &mut withdrawn => return Err(failure),
    };
    let Order { params, context, .. } = order;
    let launch = Launch { guest, mode: Mode::Call, params, context, limits: &limits };
    let mut process = Process::spawn(shared, &launch).await?;
    let (outcome, patience) = tokio::select! {
        outcome = result(&mut process) => outcome,
        () = sleep_until(deadline) => (Some(Err(Failure::Timeout { after: wall })), Duration::ZERO),
        failure = &mut withdrawn => (Some(Err(failure)), Duration::ZERO),
    };
    let outcome = process.finish(outcome, patience).await;
    drop(place);
    outcome
}

/// The outcome, if the guest says one, and how long it may go on to end in order.
async fn result(process: &mut Process) -> (Option<Result<Value, Failure>>, Duration) {
    loop {
        let answer = match process.event().await {
            Event::Answer(answer) => answer,
            Event::Ended => return (None, AFTER_RESULT),
            Event::Over(failure) => return (Some(Err(failure)), Duration::ZERO),
        };
        if let Some(outcome) = answer.outcome() {
            return (Some(outcome), AFTER_RESULT);
        }
    }
}

impl Answer {
    /// The end that this answer means, if it means one.
    pub(crate) fn outcome(self) -> Option<Result<Value, Failure>> {
        Some(match self {
            Self::Ready => return None,
            Self::Ok(value) => Ok(value),
            Self::Raised { kind, message, traceback } => {
                Err(Failure::Raised { kind, message, traceback })
            }
            Self::NotJson(reason) => Err(Failure::NotJson { reason }),
            Self::NoResult => Err(Failure::NoResult),
            Self::Launch(reason) => Err(Failure::launch(reason)),
        })
    }
}
