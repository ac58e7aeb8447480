//! One command on its way: the row says `running` and is committed, then the board is called, then its answer is stored
//! together with what it means for other nouns.
//!
//! Invariants: nothing goes to a board before the store says so; an answer in hand is not given up while the store can be
//! asked again; dropped at any point, the row stays as it is and the same id goes out again.

use super::Boards;
use super::call::{self, Failure};
use super::outbox::Look;
use super::registry::Online;
use crate::app::settle::settle;
use model::operation::{Event, Outcome, State};
use model::{BoardId, Kind, OperationId, ProjectId};
use rpc::{Call, Fault, Request};
use serde_json::Value;
use std::time::Duration;
use store::operations::{self, OperationRow};

/// Rest of a command that could not go out or whose answer could not be stored, before it is tried again.
const REST: Duration = Duration::from_secs(1);
/// How often an answer is offered to the store; after that it is asked of the board's journal again.
const OFFERS: u32 = 30;
/// Time a board gets to confirm that it stops something.
const STOP_TIMEOUT: Duration = Duration::from_secs(10);

/// The way to a board in one of its sessions.
#[derive(Clone)]
pub(super) struct Route {
    pub(super) boards: Boards,
    pub(super) board: BoardId,
    pub(super) online: Online,
}

impl Route {
    /// Its open commands, in order.
    pub(super) async fn open(&self) -> Result<Vec<OperationRow>, store::Error> {
        operations::open_for_board(self.boards.store(), self.board).await
    }

    async fn call(&self, operation: &OperationRow) -> Result<rpc::Envelope, Failure> {
        let mut request = Request::new(
            operation.id,
            self.board,
            operation.project.clone(),
            &operation.method,
            operation.created_at,
            Some(operation.deadline),
        );
        request.main_request_uuid = operation.main;
        let arguments = match &operation.arguments {
            Value::Array(list) => list.clone(),
            other => vec![other.clone()],
        };
        let timeout = self.boards.now().until(operation.deadline);
        call::call(&self.boards, self.board, &self.online, &request, arguments, timeout).await
    }
}

/// Brings one command to the board and its answer to the store.
pub(super) async fn deliver(route: Route, id: OperationId, state: State, look: Look) {
    if state == State::Running && route.online.is_legacy() {
        // It went out before, and an upstream board has no journal to be asked.
        return conclude(&route.boards, id, Outcome::Unknown).await;
    }
    let sent = match state {
        State::Running => again(&route, id, look).await,
        _ => first(&route, id).await,
    };
    let operation = match sent {
        Ok(operation) => operation,
        // Withdrawn, expired or ended in the meantime.
        Err(store::Error::Conflict(_) | store::Error::NotFound { .. }) => return,
        Err(error) => {
            tracing::error!(%error, operation = %id, "a command could not be marked as sent, trying again");
            return rest(&route).await;
        }
    };
    match route.call(&operation).await {
        Ok(envelope) => conclude(&route.boards, id, call::outcome(envelope)).await,
        Err(Failure::Garbage(fault)) => conclude(&route.boards, id, Outcome::Failed(fault)).await,
        Err(Failure::Lost) if route.online.is_legacy() => {
            conclude(&route.boards, id, Outcome::Unknown).await;
        }
        Err(Failure::Busy) if route.online.is_legacy() => {
            let text = "the board works on too much at this moment; nothing was done, try again";
            let fault = Fault::new(Kind::Exhausted, text);
            conclude(&route.boards, id, Outcome::Failed(fault)).await;
        }
        // The row stays running: this session or the next asks again, or the deadline decides.
        Err(Failure::Busy | Failure::Lost | Failure::Late) => rest(&route).await,
    }
}

/// A while, or until the session is over.
async fn rest(route: &Route) {
    route.online.gone.until(tokio::time::sleep(REST)).await;
}

/// Says that the command is on the board from now on; this is committed before the board is called.
async fn first(route: &Route, id: OperationId) -> Result<OperationRow, store::Error> {
    let job = route.boards.store().write(move |tx| {
        Box::pin(async move {
            let now = tx.now();
            operations::advance(tx, id, &Event::Sent, now).await
        })
    });
    job.await
}

/// The store says so already; one more attempt is only counted, behind.
async fn again(route: &Route, id: OperationId, look: Look) -> Result<OperationRow, store::Error> {
    let store = route.boards.store();
    let operation = operations::get(store, None, id).await?;
    if operation.state.has_ended() {
        return Err(store::Error::Conflict("the operation has ended".into()));
    }
    if look == Look::First {
        store.write_behind(move |tx| {
            Box::pin(async move {
                let now = tx.now();
                ignore_ended(operations::advance(tx, id, &Event::Sent, now).await)
            })
        });
    }
    Ok(operation)
}

fn ignore_ended(advanced: Result<OperationRow, store::Error>) -> Result<(), store::Error> {
    match advanced {
        Ok(_) | Err(store::Error::Conflict(_)) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Stores how an operation ended; tries again while the store is in trouble.
async fn conclude(boards: &Boards, id: OperationId, outcome: Outcome) {
    for _ in 0..OFFERS {
        match end(boards, id, Event::Answered(outcome.clone()), outcome.clone()).await {
            Ok(()) => return,
            Err(error) => {
                tracing::error!(%error, operation = %id, "an answer could not be stored, trying again");
                tokio::time::sleep(REST).await;
            }
        }
    }
}

/// Ends an operation by `event` and settles what follows from `outcome`, in one transaction; one that has ended already
/// stays as it is.
pub(crate) async fn end(
    boards: &Boards,
    id: OperationId,
    event: Event,
    outcome: Outcome,
) -> Result<(), store::Error> {
    let job = boards.store().write(move |tx| {
        Box::pin(async move {
            let now = tx.now();
            let operation = operations::advance(tx, id, &event, now).await?;
            settle(tx, &operation, &outcome, now).await
        })
    });
    match job.await {
        Err(store::Error::Conflict(reason)) => {
            tracing::debug!(operation = %id, reason, "an operation had ended before");
            Ok(())
        }
        other => other,
    }
}

/// Asks the board to stop an operation, until it confirms; the operation's own answer tells what came of it.
pub(super) async fn stop(route: Route, id: OperationId, project: ProjectId) {
    if route.online.is_legacy() {
        tracing::info!(operation = %id, board = %route.board, legacy = true, "an upstream board cannot stop what it works on");
        return;
    }
    while !route.online.gone.has_begun() && !asked_to_stop(&route, id, project.clone()).await {
        rest(&route).await;
        let row = operations::get(route.boards.store(), None, id).await;
        if row.is_ok_and(|row| row.state.has_ended()) {
            return;
        }
    }
}

async fn asked_to_stop(route: &Route, id: OperationId, project: ProjectId) -> bool {
    let call = Call::OperationCancel(id);
    let now = route.boards.now();
    let request = Request::new(
        OperationId::new(),
        route.board,
        project,
        call.method().word(),
        now,
        Some(now.after(STOP_TIMEOUT)),
    );
    let arguments = call.arguments();
    let called =
        call::call(&route.boards, route.board, &route.online, &request, arguments, STOP_TIMEOUT)
            .await;
    match called.map(rpc::Envelope::into_value) {
        Ok(Ok(_)) => true,
        // It has ended at the same moment, or has not arrived yet.
        Ok(Err(Fault { kind: Kind::NotFound, .. })) => false,
        other => {
            tracing::warn!(operation = %id, board = %route.board, answer = ?other, "the board did not confirm that it stops");
            false
        }
    }
}
