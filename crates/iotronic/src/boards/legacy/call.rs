//! One call to an upstream board: upstream's request row first, upstream's arguments, and a result that may come later.
//!
//! Invariant: it goes out once. RUNNING is followed by the result that the board notifies, or by nothing before the deadline.

use super::arguments::{ask, understand};
use super::config::bare;
use super::{Legacy, agent};
use crate::boards::call::{Failure, failure};
use crate::boards::registry::{Lead, Online};
use crate::boards::{AGENT, Boards, GOES_ON};
use model::{BoardId, Kind, OperationId, ProjectId, Timestamp};
use rpc::envelope::Verdict;
use rpc::{Envelope, Fault, Method, Request, uri};
use serde_json::{Value, json};
use std::time::Duration;
use tokio::time::Instant;
use wamp::uri::error;
use wamp::{Arguments, CallError, CallOptions};

/// Longest word of a board about what goes on, in characters; the rest is dropped.
const MAX_WORD: usize = 500;

/// Calls what `request` names, with the arguments a native board would be sent.
pub(in crate::boards) async fn call(
    boards: &Boards,
    (online, lead): (&Online, Lead),
    request: &Request,
    arguments: Vec<Value>,
    timeout: Duration,
) -> Result<Envelope, Failure> {
    let legacy = boards.legacy().ok_or_else(|| Failure::Garbage(agent::closed()))?;
    let board = request.destination_uuid;
    let end = Instant::now() + timeout;
    let subject = arguments.first().cloned();
    let mut asked =
        ask(boards.store(), &request.action, arguments).await.map_err(Failure::Garbage)?;
    if lead == Lead::Request {
        asked.insert(0, row(request));
    }
    let result = legacy.await_result(board, request.uuid);
    let _expected = Expected { legacy, id: request.uuid };
    let procedure = uri::board_procedure(online.session, board, &request.action);
    let called =
        legacy.agent.call(&procedure, Arguments::list(asked), CallOptions::within(timeout));
    let answer = called.await.map_err(|error| refused(error, online, &request.action))?;
    let answer = answer.list.first().cloned().unwrap_or_default();
    let mut envelope = Envelope::parse(&answer).map_err(Failure::Garbage)?;
    if envelope.result == Verdict::Running {
        note_that_it_goes_on(boards, request.uuid, &envelope.message);
        envelope = notified(online, end, result).await?;
    }
    Ok(understand(&request.action, subject.as_ref(), envelope))
}

/// Into the history of the command; a question has none.
fn note_that_it_goes_on(boards: &Boards, id: OperationId, said: &Value) {
    let said = said.as_str().map_or_else(|| said.to_string(), str::to_owned);
    let text = format!("{GOES_ON}{}", said.chars().take(MAX_WORD).collect::<String>());
    boards.store().write_behind(move |tx| {
        Box::pin(async move {
            match store::operations::remark(tx, id, &text).await {
                Err(store::Error::NotFound { .. }) => Ok(()),
                other => other,
            }
        })
    });
}

/// The result that comes later.
async fn notified(
    online: &Online,
    end: Instant,
    result: tokio::sync::oneshot::Receiver<Envelope>,
) -> Result<Envelope, Failure> {
    let waited = online.gone.until(tokio::time::timeout_at(end, result)).await;
    match waited {
        Some(Ok(Ok(envelope))) => Ok(envelope),
        Some(Err(_)) => Err(Failure::Late),
        Some(Ok(Err(_))) | None => Err(Failure::Lost),
    }
}

/// Somebody waits for a result as long as this lives.
struct Expected<'a> {
    legacy: &'a Legacy,
    id: OperationId,
}

impl Drop for Expected<'_> {
    fn drop(&mut self) {
        self.legacy.forget_result(self.id);
    }
}

fn refused(error: CallError, online: &Online, method: &str) -> Failure {
    match error {
        CallError::Fault(fault) if fault.uri == error::NO_SUCH_PROCEDURE => {
            Failure::Garbage(if online.gone.has_begun() {
                Fault::new(Kind::Unreachable, "it left before it could be told; nothing was done")
            } else {
                Fault::new(Kind::Conflict, format!("its agent has no {method}; update the agent"))
            })
        }
        CallError::Fault(fault) if fault.uri == error::UNAVAILABLE => Failure::Busy,
        other => failure(other),
    }
}

/// Upstream's row of a request, as boards get it.
fn row(request: &Request) -> Value {
    json!({
        // Upstream counts; boards look at nothing but that it is a number.
        "id": request.created_at.micros(),
        "uuid": request.uuid,
        "destination_uuid": request.destination_uuid,
        "main_request_uuid": main_request(request),
        "pending_requests": 0,
        "status": request.status,
        "project": request.project,
        "type": request.kind,
        "action": request.action,
        "created_at": bare(request.created_at),
        "updated_at": null,
    })
}

/// The larger request, unless the board would never say how its part ended: upstream's agents answer an injection that has
/// one with RUNNING and then fail to notify.
fn main_request(request: &Request) -> Option<OperationId> {
    let is_told_at_once = request.action == Method::PluginInject.word();
    request.main_request_uuid.filter(|_| !is_told_at_once)
}

/// Whether a session of a board answers; one that has no procedures yet is given the benefit of the doubt, because it is
/// ended soon if it stays like that.
pub(super) async fn lives(legacy: &Legacy, board: BoardId, session: u64, within: Duration) -> bool {
    let answer = bare_call(legacy, board, session, "DevicePing", within).await;
    match answer {
        Ok(_) => true,
        Err(CallError::Fault(fault)) => {
            !matches!(fault.uri.as_str(), error::CANCELED | error::TIMEOUT)
        }
        Err(CallError::Timeout | CallError::Lost(_)) => false,
        Err(CallError::Unreadable(_)) => true,
    }
}

/// A call outside of operations, by name.
pub(super) async fn bare_call(
    legacy: &Legacy,
    board: BoardId,
    session: u64,
    method: &str,
    within: Duration,
) -> Result<Arguments, CallError> {
    let nobody: ProjectId = AGENT.parse().expect("a valid project id");
    let now = Timestamp::from_micros(base::clock::Clock::unix_micros(&base::clock::SystemClock));
    let request = Request::new(OperationId::new(), board, nobody, method, now, None);
    let procedure = uri::board_procedure(session, board, method);
    let arguments = Arguments::list(vec![row(&request), json!({})]);
    legacy.agent.call(&procedure, arguments, CallOptions::within(within)).await
}
