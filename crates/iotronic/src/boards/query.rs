//! A question to a board: sent at once, never repeated, recorded behind.
//!
//! Invariant: whatever happens, the asker gets an answer or a fault that names the board, within the timeout.

use super::Boards;
use super::call::{self, Failure};
use model::access::Principal;
use model::operation::Outcome;
use model::{Kind, OperationId, Timestamp};
use rpc::{Call, Fault, Method, Request};
use serde_json::{Value, json};
use std::time::Duration;
use store::boards::BoardRow;
use store::operations::{QueryRecord, record_query};

/// Longest arguments or result that a record keeps; of longer ones it keeps the length.
const MAX_RECORDED: usize = 4096;

pub(super) async fn query(
    boards: &Boards,
    board: &BoardRow,
    principal: &Principal,
    call: Call,
    timeout: Duration,
) -> Result<Value, Fault> {
    let online = boards.registry().online(board.id).ok_or_else(|| away(board))?;
    let created_at = boards.now();
    let request = Request::new(
        OperationId::new(),
        board.id,
        board.project.clone(),
        call.method().word(),
        created_at,
        Some(created_at.after(timeout)),
    );
    let method = call.method();
    let arguments = call.arguments();
    let recorded = short(Value::Array(arguments.clone()));
    let called = call::call(boards, board.id, &online, &request, arguments, timeout).await;
    let answer = match called {
        Ok(envelope) => envelope.into_value(),
        Err(failure) => Err(fault(board, failure, timeout)),
    };
    let outcome = match &answer {
        // Keys of channels are for nobody's eyes.
        Ok(_) if matches!(method, Method::TerminalOpen | Method::ForwardOpen) => {
            Outcome::Done(Value::Null)
        }
        Ok(value) => Outcome::Done(short(value.clone())),
        Err(fault) => Outcome::Failed(fault.clone()),
    };
    let record = QueryRecord {
        id: request.uuid,
        project: request.project,
        board: board.id,
        method: request.action,
        arguments: recorded,
        created_by: Some(principal.user.clone()),
        created_at,
        deadline: created_at.after(timeout),
        ended_at: boards.now(),
        outcome,
        subject: None,
    };
    record_query(boards.store(), record);
    answer
}

fn short(value: Value) -> Value {
    let length = value.to_string().len();
    if length <= MAX_RECORDED { value } else { json!({ "omitted_bytes": length }) }
}

fn away(board: &BoardRow) -> Fault {
    let seen = board.last_seen.map_or_else(
        || "it was never seen".to_owned(),
        |seen: Timestamp| format!("it was last seen at {seen}"),
    );
    Fault::new(Kind::Unreachable, format!("board {} is not connected; {seen}", board.name))
}

fn fault(board: &BoardRow, failure: Failure, timeout: Duration) -> Fault {
    let name = &board.name;
    match failure {
        Failure::Lost => Fault::new(
            Kind::Unreachable,
            format!("board {name} lost its connection before it answered"),
        ),
        Failure::Late => Fault::new(
            Kind::Timeout,
            format!("board {name} did not answer within {} s", timeout.as_secs_f32()),
        ),
        Failure::Busy => Fault::new(
            Kind::Exhausted,
            format!("board {name} works on too much at this moment; try again"),
        ),
        Failure::Garbage(fault) => {
            Fault::new(fault.kind, format!("board {name}: {}", fault.message))
        }
    }
}
