//! Operations: what was asked of boards, and what became of it. A command is a row first and a message second.
//!
//! Invariants: a state changes only by [`State::next`]; every change leaves a line of history and an event; an ended
//! operation never changes. Queries are recorded behind, ended, without history and event.

use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, all, json, one};
use crate::{Error, Page, Store, Tx};
use model::operation::{Event, Fault, Outcome, State};
use model::{BoardId, Invalid, OperationId, ProjectId, Timestamp, UserId};
use serde_json::{Value, json};
use std::fmt;
use std::str::FromStr;

const WHAT: &str = "operation";
/// Most commands that may be open for one board.
pub const MAX_OPEN: u32 = 1000;
/// Most operations of [`expired`] and of one call of [`trim`]; call again for more.
pub const BATCH: u32 = 1000;

/// Whether the board is changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Kind {
    /// It changes something: stored first, sent until answered.
    Command,
    /// It only looks: sent at once, recorded behind.
    Query,
}

impl Kind {
    /// The word used everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Command => "command",
            Self::Query => "query",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Kind {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "command" => Ok(Self::Command),
            "query" => Ok(Self::Query),
            _ => Err(Invalid::new(format!("{text:?} is not an operation kind: command query"))),
        }
    }
}

/// An operation.
#[derive(Debug, Clone, PartialEq)]
pub struct OperationRow {
    /// Its id, which the board's journal knows it by.
    pub id: OperationId,
    /// The board's project.
    pub project: ProjectId,
    /// The board.
    pub board: BoardId,
    /// Whether it changes something.
    pub kind: Kind,
    /// The procedure.
    pub method: String,
    /// Its arguments.
    pub arguments: Value,
    /// Where it stands.
    pub state: State,
    /// Whether doing it twice is doing it once.
    pub idempotent: bool,
    /// Who asked; none when the cloud itself did.
    pub created_by: Option<UserId>,
    /// Since when.
    pub created_at: Timestamp,
    /// Until when the board must have answered.
    pub deadline: Timestamp,
    /// When it first went out.
    pub sent_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// What the board answered.
    pub result: Option<Value>,
    /// Why it failed.
    pub fault: Option<Fault>,
    /// How often it went out.
    pub attempts: u32,
    /// Whether somebody wants it stopped while it is on the board.
    pub cancel_requested: bool,
    /// What it is about, such as `{"plugin": …}`.
    pub subject: Option<Value>,
    /// Grows with every change (ETag).
    pub revision: i64,
}

/// A command to store.
#[derive(Debug, Clone, PartialEq)]
pub struct NewOperation {
    /// Its id.
    pub id: OperationId,
    /// The board's project.
    pub project: ProjectId,
    /// The board.
    pub board: BoardId,
    /// The procedure.
    pub method: String,
    /// Its arguments.
    pub arguments: Value,
    /// Whether doing it twice is doing it once.
    pub idempotent: bool,
    /// Who asks; none when the cloud itself does.
    pub created_by: Option<UserId>,
    /// Until when the board must have answered.
    pub deadline: Timestamp,
    /// What it is about.
    pub subject: Option<Value>,
}

/// A query that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryRecord {
    /// Its id.
    pub id: OperationId,
    /// The board's project.
    pub project: ProjectId,
    /// The board.
    pub board: BoardId,
    /// The procedure.
    pub method: String,
    /// Its arguments.
    pub arguments: Value,
    /// Who asked.
    pub created_by: Option<UserId>,
    /// When it was sent.
    pub created_at: Timestamp,
    /// Until when the board had to answer.
    pub deadline: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// What it was about.
    pub subject: Option<Value>,
}

/// A line of an operation's history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryRow {
    /// When.
    pub at: Timestamp,
    /// The state from then on.
    pub state: State,
    /// More about it; may be empty.
    pub note: String,
}

/// Which operations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// Of this board.
    pub board: Option<BoardId>,
    /// In this state.
    pub state: Option<State>,
    /// Of this procedure.
    pub method: Option<String>,
    /// Of this kind.
    pub kind: Option<Kind>,
}

const SELECT: &str = "SELECT id, project, board, kind, method, arguments, state, idempotent, created_by, created_at, \
     deadline, sent_at, ended_at, result, fault, attempts, cancel_requested, subject, revision FROM operations WHERE 1 = 1";

/// Stores a command, pending.
///
/// # Errors
/// There is no such board, or it has [`MAX_OPEN`] open commands already.
pub async fn submit(tx: &mut Tx, new: NewOperation) -> Result<OperationRow, Error> {
    check_room(tx, new.board).await?;
    let now = tx.now();
    let statement = Statement::new(
        "store an operation",
        "INSERT INTO operations (id, project, board, kind, method, arguments, state, idempotent, created_by, created_at, \
         deadline, attempts, cancel_requested, subject, revision) \
         VALUES ($1, $2, $3, 'command', $4, $5, 'pending', $6, $7, $8, $9, 0, 0, $10, 1)",
    )
    .bind(new.id)
    .bind(&new.project)
    .bind(new.board)
    .bind(new.method.as_str())
    .bind(json(&new.arguments)?)
    .bind(new.idempotent)
    .bind(new.created_by.as_ref())
    .bind(now)
    .bind(new.deadline)
    .bind(new.subject.as_ref().map(json).transpose()?);
    let done = tx.execute(statement).await;
    done.map_err(|error| error.missing_as("board").duplicate_as(WHAT, "id"))?;
    let row = get(&mut *tx, None, new.id).await?;
    note(tx, &row, now, "").await?;
    Ok(row)
}

async fn check_room(tx: &mut Tx, board: BoardId) -> Result<(), Error> {
    let statement = Statement::new(
        "count open operations",
        "SELECT COUNT(*) AS open FROM operations WHERE board = $1 AND state IN ('pending', 'running')",
    )
    .bind(board);
    let open = one(&mut *tx, statement, WHAT, |row| row.int("open")).await?;
    if open >= i64::from(MAX_OPEN) {
        return Err(Error::Exhausted(format!(
            "the board has {open} open commands, the most there may be; wait for them or cancel some"
        )));
    }
    Ok(())
}

/// The operation of this id.
///
/// # Errors
/// There is none in the scope.
pub async fn get<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    id: OperationId,
) -> Result<OperationRow, Error> {
    let mut statement = Statement::new("read an operation", SELECT);
    statement.and_equals("id", Some(id)).and_equals("project", scope);
    one(from, statement, WHAT, read).await
}

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
    let old = get(&mut *tx, None, id).await?;
    let state = old.state.next(event).map_err(|invalid| Error::Conflict(invalid.0))?;
    let row = moved(old, state, event, now);
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
    note(tx, &row, now, &story(&row, event)).await?;
    Ok(row)
}

fn moved(mut row: OperationRow, state: State, event: &Event, now: Timestamp) -> OperationRow {
    row.state = state;
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
    if state.has_ended() {
        row.ended_at = Some(now);
    }
    row
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

/// A line of history and an event.
async fn note(tx: &mut Tx, row: &OperationRow, at: Timestamp, text: &str) -> Result<(), Error> {
    let statement = Statement::new(
        "write history",
        "INSERT INTO operation_history (operation, step, at, state, note) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(row.id)
    .bind(row.revision)
    .bind(at)
    .bind(row.state.word())
    .bind(text);
    tx.execute(statement).await?;
    let body = json!({ "board": row.board, "method": row.method, "subject": row.subject });
    let event = NewEvent::about(WHAT, row.state.word(), &row.project, row.id, body);
    tx.event(event).await.map(|_| ())
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
    Ok(row)
}

/// Commands the board has not answered, in order.
///
/// # Errors
/// The database failed.
pub async fn open_for_board<'e>(
    from: impl Reader<'e>,
    board: BoardId,
) -> Result<Vec<OperationRow>, Error> {
    let mut statement = Statement::new("list open operations", SELECT);
    statement.and_equals("board", Some(board));
    statement.push(" AND state IN ('pending', 'running') ORDER BY id LIMIT ").push_bind(MAX_OPEN);
    all(from, statement, read).await
}

/// Open operations whose deadline has passed, at most [`BATCH`].
///
/// # Errors
/// The database failed.
pub async fn expired<'e>(
    from: impl Reader<'e>,
    now: Timestamp,
) -> Result<Vec<OperationRow>, Error> {
    let mut statement = Statement::new("list expired operations", SELECT);
    statement.push(" AND state IN ('pending', 'running') AND deadline <= ").push_bind(now);
    statement.push(" ORDER BY deadline LIMIT ").push_bind(BATCH);
    all(from, statement, read).await
}

/// The earliest deadline of an open operation: when to look for [`expired`] ones next.
///
/// # Errors
/// The database failed.
pub async fn next_deadline<'e>(from: impl Reader<'e>) -> Result<Option<Timestamp>, Error> {
    let statement = Statement::new(
        "read the next deadline",
        "SELECT MIN(deadline) AS deadline FROM operations WHERE state IN ('pending', 'running')",
    );
    one(from, statement, WHAT, |row| row.time_optional("deadline")).await
}

/// Operations in order of creation.
///
/// # Errors
/// The database failed.
pub async fn list<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    filter: &Filter,
    page: Page,
) -> Result<Vec<OperationRow>, Error> {
    let mut statement = Statement::new("list operations", SELECT);
    statement.and_equals("project", scope).and_equals("board", filter.board);
    statement.and_equals("state", filter.state.map(State::word));
    statement.and_equals("method", filter.method.as_deref());
    statement.and_equals("kind", filter.kind.map(Kind::word));
    all(from, statement.page("id", page), read).await
}

/// What became of an operation, oldest line first.
///
/// # Errors
/// The database failed.
pub async fn history<'e>(from: impl Reader<'e>, id: OperationId) -> Result<Vec<HistoryRow>, Error> {
    let statement = Statement::new(
        "read history",
        "SELECT at, state, note FROM operation_history WHERE operation = $1 ORDER BY step LIMIT $2",
    )
    .bind(id)
    .bind(BATCH);
    let read = |row: &Row| {
        Ok(HistoryRow { at: row.time("at")?, state: row.parse("state")?, note: row.text("note")? })
    };
    all(from, statement, read).await
}

/// Records a query that has ended, behind.
pub fn record_query(store: &Store, record: QueryRecord) {
    store.write_behind(move |tx| {
        Box::pin(async move { tx.execute(insert_query(&record)?).await.map(|_| ()) })
    });
}

fn insert_query(record: &QueryRecord) -> Result<Statement, Error> {
    let (result, fault) = match &record.outcome {
        Outcome::Done(value) => (Some(json(value)?), None),
        Outcome::Failed(fault) => (None, Some(json(fault)?)),
        Outcome::Cancelled | Outcome::Unknown => (None, None),
    };
    let statement = Statement::new(
        "record a query",
        "INSERT INTO operations (id, project, board, kind, method, arguments, state, idempotent, created_by, created_at, \
         deadline, sent_at, ended_at, result, fault, attempts, cancel_requested, subject, revision) \
         VALUES ($1, $2, $3, 'query', $4, $5, $6, 1, $7, $8, $9, $8, $10, $11, $12, 1, 0, $13, 1)",
    )
    .bind(record.id)
    .bind(&record.project)
    .bind(record.board)
    .bind(record.method.as_str())
    .bind(json(&record.arguments)?)
    .bind(record.outcome.state().word())
    .bind(record.created_by.as_ref())
    .bind(record.created_at)
    .bind(record.deadline)
    .bind(record.ended_at)
    .bind(result)
    .bind(fault)
    .bind(record.subject.as_ref().map(json).transpose()?);
    Ok(statement)
}

/// Removes ended operations: those that ended before `older_than`, and beyond the newest `keep` ones; at most [`BATCH`] at
/// a time. Gives how many.
///
/// # Errors
/// The database failed.
pub async fn trim(tx: &mut Tx, older_than: Timestamp, keep: u32) -> Result<u64, Error> {
    let statement = Statement::new(
        "trim operations",
        "DELETE FROM operations WHERE id IN (SELECT id FROM operations WHERE ended_at IS NOT NULL AND (ended_at < $1 OR \
         ended_at <= (SELECT ended_at FROM operations WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT 1 OFFSET $2)) \
         ORDER BY ended_at LIMIT $3)",
    )
    .bind(older_than)
    .bind(keep)
    .bind(BATCH);
    tx.execute(statement).await
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

fn read(row: &Row) -> Result<OperationRow, Error> {
    Ok(OperationRow {
        id: row.parse("id")?,
        project: row.parse("project")?,
        board: row.parse("board")?,
        kind: row.parse("kind")?,
        method: row.text("method")?,
        arguments: row.json("arguments")?,
        state: row.parse("state")?,
        idempotent: row.yes("idempotent")?,
        created_by: row.parse_optional("created_by")?,
        created_at: row.time("created_at")?,
        deadline: row.time("deadline")?,
        sent_at: row.time_optional("sent_at")?,
        ended_at: row.time_optional("ended_at")?,
        result: row.json_optional("result")?,
        fault: row.json_optional("fault")?,
        attempts: row.number("attempts")?,
        cancel_requested: row.yes("cancel_requested")?,
        subject: row.json_optional("subject")?,
        revision: row.int("revision")?,
    })
}
