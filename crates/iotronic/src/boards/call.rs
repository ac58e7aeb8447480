//! One call to one board: request object first, WampMessage back.
//!
//! Invariant: whatever a board answers, and however its channel ends, becomes one [`Failure`] or one envelope.

use super::registry::{Dialect, Online};
use super::{Boards, legacy};
use model::{BoardId, Kind};
use rpc::envelope::{End, FaultKind, Verdict};
use rpc::{Envelope, Fault, Request, uri};
use serde_json::Value;
use std::time::Duration;
use wamp::uri::error;
use wamp::{Arguments, CallError, CallOptions};

/// Why there is no envelope.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Failure {
    /// The channel ended before the answer.
    Lost,
    /// No answer in time.
    Late,
    /// The board works on too much already; it has not begun this.
    Busy,
    /// The answer is none.
    Garbage(Fault),
}

/// Calls what the request names on the board, in its dialect.
pub(super) async fn call(
    boards: &Boards,
    board: BoardId,
    online: &Online,
    request: &Request,
    arguments: Vec<Value>,
    timeout: Duration,
) -> Result<Envelope, Failure> {
    if let Dialect::Upstream(lead) = online.dialect {
        return legacy::call(boards, (online, lead), request, arguments, timeout).await;
    }
    let procedure = uri::board_procedure(online.session, board, &request.action);
    let request = serde_json::to_value(request)
        .map_err(|error| Failure::Garbage(Fault::new(Kind::Internal, error.to_string())))?;
    let mut list = Vec::with_capacity(arguments.len() + 1);
    list.push(request);
    list.extend(arguments);
    let options = CallOptions::within(timeout);
    let called = boards.agent().call(&procedure, Arguments::list(list), options).await;
    match called {
        Ok(answer) => read(&answer),
        Err(error) => Err(failure(error)),
    }
}

fn read(answer: &Arguments) -> Result<Envelope, Failure> {
    let envelope =
        Envelope::parse(answer.list.first().unwrap_or(&Value::Null)).map_err(Failure::Garbage)?;
    if envelope.result == Verdict::Running {
        return Err(Failure::Garbage(Fault::new(
            Kind::Internal,
            "the board answered RUNNING, which native boards do not do; update its agent",
        )));
    }
    Ok(envelope)
}

pub(super) fn failure(failed: CallError) -> Failure {
    match failed {
        CallError::Lost(_) => Failure::Lost,
        CallError::Timeout => Failure::Late,
        CallError::Unreadable(error) => Failure::Garbage(Fault::new(
            Kind::Internal,
            format!("the board's answer cannot be read: {error}; update its agent"),
        )),
        CallError::Fault(fault) => match fault.uri.as_str() {
            // What the router says when the board's session or registration is gone.
            error::CANCELED | error::NO_SUCH_PROCEDURE => Failure::Lost,
            error::TIMEOUT => Failure::Late,
            error::UNAVAILABLE => Failure::Busy,
            _ => Failure::Garbage(Fault::new(
                Kind::Internal,
                format!("the board failed outside its protocol: {fault}; look at its log"),
            )),
        },
    }
}

/// What an envelope means for the operation that it ends.
pub(super) fn outcome(envelope: Envelope) -> model::operation::Outcome {
    use model::operation::Outcome;
    match envelope.kind {
        Some(FaultKind::End(End::Cancelled)) => Outcome::Cancelled,
        Some(FaultKind::End(End::Unknown)) => Outcome::Unknown,
        Some(FaultKind::Kind(_)) | None => match envelope.into_value() {
            Ok(value) => Outcome::Done(value),
            Err(fault) => Outcome::Failed(fault),
        },
    }
}
