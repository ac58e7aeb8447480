//! Operations: what was asked of boards, and what became of it. A command is a row first and a message second.
//!
//! Invariants: a state changes only by [`model::operation::State::next`]; every change leaves a line of history and an
//! event; an ended operation never changes. Queries are recorded behind, ended, without history and event.

mod ending;
mod list;
mod moves;
mod query;
mod trim;

pub(crate) use ending::Endings;
pub use ending::ended;
pub use list::{
    Filter, HistoryRow, expired, history, list, next_deadline, open_by_state, open_for_board,
};
pub(crate) use moves::abandon_all;
pub use moves::{advance, remark, request_cancel};
pub use query::{QueryRecord, record_query};
pub use trim::trim;

use crate::audit::{Entry, Origin};
use crate::sql::{Reader, Row, Statement, json, one};
use crate::{Error, Tx};
use model::operation::{Event, Fault, State};
use model::{BoardId, DelegationId, Invalid, OperationId, ProjectId, Timestamp, UserId};
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
    /// The request to many boards that it is a part of.
    pub main: Option<OperationId>,
    /// The delegation by which it was asked for.
    pub delegation: Option<DelegationId>,
    /// Grows with every change (ETag).
    pub revision: i64,
    /// Whether the board is an upstream one.
    pub legacy: bool,
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
    /// The request to many boards that it is a part of.
    pub main: Option<OperationId>,
    /// The delegation by which it is asked for.
    pub delegation: Option<DelegationId>,
    /// How it begins.
    pub start: Start,
}

/// How a command begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Start {
    /// Stored; sent by a further commit.
    Pending,
    /// Stored and sent by one commit when nothing else is open for the board, else [`Start::Pending`].
    SentIfFirst,
}

const SELECT: &str = "SELECT id, project, board, kind, method, arguments, state, idempotent, created_by, created_at, \
     deadline, sent_at, ended_at, result, fault, attempts, cancel_requested, subject, revision, main, delegation, \
     EXISTS (SELECT 1 FROM upstream_boards u WHERE u.board = operations.board AND u.legacy = 1) AS legacy \
     FROM operations WHERE 1 = 1";

/// As [`SELECT`], without what may be large: a list of a thousand rows must not fill the memory.
const SELECT_LIGHT: &str = "SELECT id, project, board, kind, method, 'null' AS arguments, state, idempotent, created_by, \
     created_at, deadline, sent_at, ended_at, NULL AS result, fault, attempts, cancel_requested, subject, revision, main, delegation, \
     EXISTS (SELECT 1 FROM upstream_boards u WHERE u.board = operations.board AND u.legacy = 1) AS legacy \
     FROM operations WHERE 1 = 1";

/// Stores a command; it is answered as it was stored, without being read again.
///
/// # Errors
/// There is no such board, or it has [`MAX_OPEN`] open commands already.
pub async fn submit(tx: &mut Tx, new: NewOperation) -> Result<OperationRow, Error> {
    let before = before(tx, new.board).await?;
    let now = tx.now();
    let mut row = OperationRow {
        id: new.id,
        project: new.project,
        board: new.board,
        kind: Kind::Command,
        method: new.method,
        arguments: new.arguments,
        state: State::Pending,
        idempotent: new.idempotent,
        created_by: new.created_by,
        created_at: now,
        deadline: new.deadline,
        sent_at: None,
        ended_at: None,
        result: None,
        fault: None,
        attempts: 0,
        cancel_requested: false,
        subject: new.subject,
        main: new.main,
        delegation: new.delegation,
        revision: 1,
        legacy: before.legacy,
    };
    let at_once = new.start == Start::SentIfFirst && before.open == 0;
    if at_once {
        row = moves::next(row, &Event::Sent, now)?;
    }
    insert(tx, &row).await?;
    moves::begun(tx, &row, now).await?;
    tx.audit(begun(&row)).await?;
    if at_once {
        moves::tell(tx, &row, &Event::Sent, now).await?;
    }
    Ok(row)
}

async fn insert(tx: &mut Tx, row: &OperationRow) -> Result<(), Error> {
    let statement = Statement::new(
        "store an operation",
        "INSERT INTO operations (id, project, board, kind, method, arguments, state, idempotent, created_by, created_at, \
         deadline, sent_at, attempts, cancel_requested, subject, revision, main, delegation) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)",
    )
    .bind(row.id)
    .bind(&row.project)
    .bind(row.board)
    .bind(row.kind.word())
    .bind(row.method.as_str())
    .bind(json(&row.arguments)?)
    .bind(row.state.word())
    .bind(row.idempotent)
    .bind(row.created_by.as_ref())
    .bind(row.created_at)
    .bind(row.deadline)
    .bind(row.sent_at)
    .bind(row.attempts)
    .bind(row.cancel_requested)
    .bind(row.subject.as_ref().map(json).transpose()?)
    .bind(row.revision)
    .bind(row.main)
    .bind(row.delegation);
    let done = tx.execute(statement).await;
    done.map_err(|error| error.missing_as("board").duplicate_as(WHAT, "id")).map(|_| ())
}

/// A command in the audit: what was asked, without its arguments, which may hold secrets.
fn begun(row: &OperationRow) -> Entry {
    let mut detail = json!({ "board": row.board, "method": row.method });
    if let Some(detail) = detail.as_object_mut() {
        if let Some(subject) = &row.subject {
            detail.insert("subject".into(), subject.clone());
        }
        if let Some(main) = row.main {
            detail.insert("main".into(), main.to_string().into());
        }
        if let Some(delegation) = row.delegation {
            detail.insert("delegation".into(), delegation.to_string().into());
        }
        if row.legacy {
            detail.insert("legacy".into(), true.into());
        }
    }
    let entry = Entry::new("operation:begin", WHAT, row.id).of(&row.project).with(detail);
    entry.or_by(row.created_by.as_ref()).origin(Origin::LeftOut).ending("accepted")
}

/// What a new command finds at its board.
struct Before {
    /// Open commands.
    open: i64,
    legacy: bool,
}

/// What there is before a command; there is room for one more.
async fn before(tx: &mut Tx, board: BoardId) -> Result<Before, Error> {
    let statement = Statement::new(
        "count open operations",
        "SELECT COUNT(*) AS open, \
         EXISTS (SELECT 1 FROM upstream_boards u WHERE u.board = $1 AND u.legacy = 1) AS legacy \
         FROM operations WHERE board = $1 AND state IN ('pending', 'running')",
    )
    .bind(board);
    let read = |row: &Row| Ok(Before { open: row.int("open")?, legacy: row.yes("legacy")? });
    let before = one(&mut *tx, statement, WHAT, read).await?;
    if before.open >= i64::from(MAX_OPEN) {
        return Err(Error::Exhausted(format!(
            "the board has {} open commands, the most there may be; wait for them or cancel some",
            before.open
        )));
    }
    Ok(before)
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
        main: row.parse_optional("main")?,
        delegation: row.parse_optional("delegation")?,
        revision: row.int("revision")?,
        legacy: row.yes("legacy")?,
    })
}
