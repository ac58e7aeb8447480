//! How operations move along, and the trace each move leaves.

use super::{OperationRow, WHAT, get, open_for_board};
use crate::audit::{Entry, Origin};
use crate::events::NewEvent;
use crate::sql::{Statement, json};
use crate::{Error, Tx};
use model::audit::ActorKind;
use model::operation::{Event, Outcome, State};
use model::{BoardId, OperationId, ProjectId, Timestamp};
use serde_json::json;

/// Moves an operation along; an outcome is stored with it.
///
/// # Errors
/// There is none of this id, or the move is not legal.
pub async fn advance(
    tx: &mut Tx,
    id: OperationId,
    event: &Event,
    now: Timestamp,
) -> Result<OperationRow, Error> {
    let row = next(get(&mut *tx, None, id).await?, event, now)?;
    let statement = Statement::new(
        "move an operation",
        "UPDATE operations SET state = $1, sent_at = $2, ended_at = $3, result = $4, fault = $5, attempts = $6, \
         revision = $7 WHERE id = $8",
    )
    .bind(row.state.word())
    .bind(row.sent_at)
    .bind(row.ended_at)
    .bind(row.result.as_ref().map(json).transpose()?)
    .bind(row.fault.as_ref().map(json).transpose()?)
    .bind(row.attempts)
    .bind(row.revision)
    .bind(id);
    tx.execute(statement).await?;
    tell(tx, &row, event, now).await?;
    Ok(row)
}

/// The trace of a move that is stored.
pub(super) async fn tell(
    tx: &mut Tx,
    row: &OperationRow,
    event: &Event,
    now: Timestamp,
) -> Result<(), Error> {
    note(tx, row, now, &story(row, event)).await?;
    if row.state.has_ended() {
        tx.ended(row.id);
        tx.audit(ended(row, event)).await?;
    }
    Ok(())
}

/// The end of a command in the audit: by the board that answered, or by who withdrew it.
fn ended(row: &OperationRow, event: &Event) -> Entry {
    let mut detail = json!({ "board": row.board });
    if let Some(detail) = detail.as_object_mut() {
        if let Some(fault) = &row.fault {
            detail.insert("kind".into(), fault.kind.word().into());
        }
        if row.legacy {
            detail.insert("legacy".into(), true.into());
        }
    }
    let entry = Entry::new("operation:end", WHAT, row.id).of(&row.project).with(detail);
    let entry = entry.ending(row.state.word()).origin(Origin::LeftOut);
    match event {
        Event::Answered(_) => entry.by(ActorKind::Board, row.board),
        Event::Cancelled | Event::DeadlinePassed | Event::Sent => entry,
    }
}

/// The operation after a move.
pub(super) fn next(
    mut row: OperationRow,
    event: &Event,
    now: Timestamp,
) -> Result<OperationRow, Error> {
    row.state = row.state.next(event).map_err(|invalid| Error::Conflict(invalid.0))?;
    row.revision = row.revision.saturating_add(1);
    match event {
        Event::Sent => {
            row.sent_at = row.sent_at.or(Some(now));
            row.attempts = row.attempts.saturating_add(1);
        }
        Event::Answered(Outcome::Done(value)) => row.result = Some(value.clone()),
        Event::Answered(Outcome::Failed(fault)) => row.fault = Some(fault.clone()),
        Event::Answered(Outcome::Cancelled | Outcome::Unknown)
        | Event::Cancelled
        | Event::DeadlinePassed => {}
    }
    if row.state.has_ended() {
        row.ended_at = Some(now);
    }
    Ok(row)
}

fn story(row: &OperationRow, event: &Event) -> String {
    match event {
        Event::Sent if row.attempts > 1 => format!("sent again, attempt {}", row.attempts),
        Event::Sent => "sent".into(),
        Event::Answered(Outcome::Done(_)) => "answered".into(),
        Event::Answered(Outcome::Failed(fault)) => fault.message.clone(),
        Event::Answered(Outcome::Cancelled) => "stopped on the board".into(),
        Event::Answered(Outcome::Unknown) => "the board cannot say how it ended".into(),
        Event::Cancelled => "withdrawn before it was sent".into(),
        Event::DeadlinePassed => "the deadline passed".into(),
    }
}

/// Withdraws a pending operation; of a running one it notes that somebody wants it stopped (the board must be asked).
///
/// # Errors
/// There is none in the scope, or it has ended.
pub async fn request_cancel(
    tx: &mut Tx,
    scope: Option<&ProjectId>,
    id: OperationId,
    now: Timestamp,
) -> Result<OperationRow, Error> {
    let old = get(&mut *tx, scope, id).await?;
    if old.state != State::Running {
        return advance(tx, id, &Event::Cancelled, now).await;
    }
    if old.cancel_requested {
        return Ok(old);
    }
    let row =
        OperationRow { cancel_requested: true, revision: old.revision.saturating_add(1), ..old };
    let text = "UPDATE operations SET cancel_requested = 1, revision = $1 WHERE id = $2";
    let statement = Statement::new("request a cancel", text).bind(row.revision).bind(id);
    tx.execute(statement).await?;
    note(tx, &row, now, "asked to stop").await?;
    let entry = Entry::new("operation:cancel", WHAT, id).of(&row.project).ending("asked");
    tx.audit(entry.with(json!({ "board": row.board }))).await?;
    Ok(row)
}

/// Adds a line to the history of an operation that the board is working on; to any other nothing.
///
/// # Errors
/// There is none of this id.
pub async fn remark(tx: &mut Tx, id: OperationId, text: &str) -> Result<(), Error> {
    let old = get(&mut *tx, None, id).await?;
    if old.state != State::Running {
        return Ok(());
    }
    let row = OperationRow { revision: old.revision.saturating_add(1), ..old };
    let statement =
        Statement::new("note an operation", "UPDATE operations SET revision = $1 WHERE id = $2")
            .bind(row.revision)
            .bind(id);
    tx.execute(statement).await?;
    let now = tx.now();
    note(tx, &row, now, text).await
}

/// Ends what is open for a board that is given up: pending ones are withdrawn, running ones stay undecided.
pub(crate) async fn abandon_all(tx: &mut Tx, board: BoardId) -> Result<(), Error> {
    let now = tx.now();
    for row in open_for_board(&mut *tx, board).await? {
        let event = match row.state {
            State::Pending => Event::Cancelled,
            _ => Event::Answered(Outcome::Unknown),
        };
        advance(tx, row.id, &event, now).await?;
    }
    Ok(())
}

/// The trace of an operation's beginning, whatever it has come to by the same commit.
pub(super) async fn begun(tx: &mut Tx, row: &OperationRow, at: Timestamp) -> Result<(), Error> {
    step(tx, row, (1, State::Pending), at, "").await
}

/// The trace of where an operation stands.
pub(super) async fn note(
    tx: &mut Tx,
    row: &OperationRow,
    at: Timestamp,
    text: &str,
) -> Result<(), Error> {
    step(tx, row, (row.revision, row.state), at, text).await
}

/// A line of history and an event.
async fn step(
    tx: &mut Tx,
    row: &OperationRow,
    (revision, state): (i64, State),
    at: Timestamp,
    text: &str,
) -> Result<(), Error> {
    let statement = Statement::new(
        "write history",
        "INSERT INTO operation_history (operation, step, at, state, note) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(row.id)
    .bind(revision)
    .bind(at)
    .bind(state.word())
    .bind(text);
    tx.execute(statement).await?;
    let body = if row.legacy {
        json!({ "board": row.board, "method": row.method, "subject": row.subject, "legacy": true })
    } else {
        json!({ "board": row.board, "method": row.method, "subject": row.subject })
    };
    let event = NewEvent::about(WHAT, state.word(), &row.project, row.id, body);
    tx.event(event).await.map(|_| ())
}
