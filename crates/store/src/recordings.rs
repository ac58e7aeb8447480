//! Recordings of terminals: whether there are to be any, which there are, and what each is to hash to.
//!
//! Invariants: a board's own setting wins over its project's, and without either nothing is recorded; the end of a recording
//! and the row of the audit that has its hash are one transaction. Deliberately not here: what was shown, which lies in files.

use crate::audit::Entry;
use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, all, first, one};
use crate::{Error, Page, Store, Tx, boards};
use model::{BoardId, ProjectId, Timestamp, UserId};
use serde_json::json;
use uuid::Uuid;

const WHAT: &str = "recording";
/// Most that one turn of erasing takes.
pub const BATCH: u32 = 100;
/// Most settings that are listed.
const MAX_SETTINGS: u32 = 1000;

/// A recording.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordingRow {
    /// The session's id.
    pub id: Uuid,
    /// Of which project the board was.
    pub project: ProjectId,
    /// The board.
    pub board: BoardId,
    /// Who opened the terminal.
    pub user: UserId,
    /// Since when.
    pub began_at: Timestamp,
    /// Until when; none while it goes on.
    pub ended_at: Option<Timestamp>,
    /// Size of the file.
    pub bytes: u64,
    /// Its SHA-256, once it has ended.
    pub sha256: Option<String>,
    /// Since when the file is gone.
    pub erased_at: Option<Timestamp>,
}

/// A setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SettingRow {
    /// The project.
    pub project: ProjectId,
    /// The board; none for the whole project.
    pub board: Option<BoardId>,
    /// Whether its terminals are recorded.
    pub record: bool,
}

fn subject(project: &ProjectId, board: Option<BoardId>) -> String {
    match board {
        Some(board) => format!("board:{board}"),
        None => format!("project:{project}"),
    }
}

/// Whether a terminal on this board is to be recorded.
///
/// # Errors
/// The database failed.
pub async fn wanted<'e>(
    from: impl Reader<'e>,
    project: &ProjectId,
    board: BoardId,
) -> Result<bool, Error> {
    let text =
        "SELECT record FROM recording_settings WHERE subject IN ($1, $2) ORDER BY subject LIMIT 1";
    // `board:` comes before `project:`.
    let statement = Statement::new("read a setting of recordings", text)
        .bind(subject(project, Some(board)))
        .bind(subject(project, None));
    Ok(first(from, statement, |row| row.yes("record")).await?.unwrap_or(false))
}

/// Says whether terminals of a board, or of all boards of a project, are recorded; `None` takes back what was said.
///
/// # Errors
/// The database failed.
pub async fn set(
    tx: &mut Tx,
    project: &ProjectId,
    board: Option<BoardId>,
    record: Option<bool>,
) -> Result<(), Error> {
    let subject = subject(project, board);
    let statement = match record {
        Some(record) => Statement::new(
            "store a setting of recordings",
            "INSERT INTO recording_settings (subject, project, record) VALUES ($1, $2, $3) \
             ON CONFLICT (subject) DO UPDATE SET project = $2, record = $3",
        )
        .bind(subject)
        .bind(project)
        .bind(record),
        None => Statement::new(
            "delete a setting of recordings",
            "DELETE FROM recording_settings WHERE subject = $1",
        )
        .bind(subject),
    };
    tx.execute(statement).await?;
    let (noun, id) = match board {
        Some(board) => ("board", board.to_string()),
        None => ("project", project.to_string()),
    };
    let body = json!({ "board": board });
    tx.event(NewEvent::about(WHAT, "set", project, &id, body)).await?;
    let entry = Entry::new("recording:set", noun, id).of(project);
    tx.audit(entry.with(json!({ "record": record }))).await
}

/// What was said, of one project or of all.
///
/// # Errors
/// The database failed.
pub async fn settings<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
) -> Result<Vec<SettingRow>, Error> {
    let text = "SELECT subject, project, record FROM recording_settings WHERE 1 = 1";
    let mut statement = Statement::new("list settings of recordings", text);
    statement.and_equals("project", scope);
    statement.push(" ORDER BY subject DESC LIMIT ").push_bind(MAX_SETTINGS);
    let read = |row: &Row| {
        let board = row.text("subject")?.strip_prefix("board:").map(str::parse).transpose()?;
        Ok(SettingRow { project: row.parse("project")?, board, record: row.yes("record")? })
    };
    all(from, statement, read).await
}

/// Notes that a recording begins.
///
/// # Errors
/// The database failed.
pub async fn begin(tx: &mut Tx, id: Uuid, board: BoardId, user: &UserId) -> Result<(), Error> {
    let project = boards::by_id(&mut *tx, None, board).await?.project;
    let statement = Statement::new(
        "begin a recording",
        "INSERT INTO recordings (id, project, board, user_id, began_at, bytes) VALUES ($1, $2, $3, $4, $5, 0)",
    )
    .bind(id)
    .bind(&project)
    .bind(board)
    .bind(user)
    .bind(tx.now());
    tx.execute(statement).await.map(|_| ())
}

/// Notes that it has ended, and what it hashes to; a second end changes nothing.
///
/// # Errors
/// The database failed.
pub async fn end(tx: &mut Tx, id: Uuid, bytes: u64, sha256: &str) -> Result<(), Error> {
    let statement = Statement::new(
        "end a recording",
        "UPDATE recordings SET ended_at = $1, bytes = $2, sha256 = $3 WHERE id = $4 AND ended_at IS NULL",
    )
    .bind(tx.now())
    .bind(i64::try_from(bytes).unwrap_or(i64::MAX))
    .bind(sha256)
    .bind(id);
    tx.execute(statement).await.map(|_| ())
}

const SELECT: &str = "SELECT id, project, board, user_id, began_at, ended_at, bytes, sha256, erased_at FROM recordings WHERE 1 = 1";

/// Recordings in the order of their begin, of one project or of all, of one board or of all.
///
/// # Errors
/// The database failed.
pub async fn list<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    board: Option<BoardId>,
    page: Page,
) -> Result<Vec<RecordingRow>, Error> {
    let mut statement = Statement::new("list recordings", SELECT);
    statement.and_equals("project", scope).and_equals("board", board);
    all(from, statement.page("id", page), read).await
}

/// The recording of this id.
///
/// # Errors
/// There is none in the scope.
pub async fn get<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    id: Uuid,
) -> Result<RecordingRow, Error> {
    let mut statement = Statement::new("read a recording", SELECT);
    statement.and_equals("id", Some(id)).and_equals("project", scope);
    one(from, statement, WHAT, read).await
}

/// Notes that the file of one is to go; it is removed after this is committed.
///
/// # Errors
/// There is none in the scope, or it goes on.
pub async fn erase(tx: &mut Tx, scope: Option<&ProjectId>, id: Uuid) -> Result<(), Error> {
    let row = get(&mut *tx, scope, id).await?;
    if row.ended_at.is_none() {
        return Err(Error::Conflict("the terminal is open; end it first".into()));
    }
    if row.erased_at.is_some() {
        return Ok(());
    }
    let text = "UPDATE recordings SET erased_at = $1 WHERE id = $2";
    tx.execute(Statement::new("erase a recording", text).bind(tx.now()).bind(id)).await?;
    let body = json!({ "board": row.board });
    tx.event(NewEvent::about(WHAT, "erased", &row.project, id, body)).await?;
    let entry = Entry::new("recording:erase", WHAT, id).of(&row.project);
    tx.audit(entry.with(json!({ "sha256": row.sha256 }))).await
}

/// Recordings that have no end: of sessions that go on, or in which the cloud died.
///
/// # Errors
/// The database failed.
pub async fn unended(store: &Store) -> Result<Vec<RecordingRow>, Error> {
    let mut statement = Statement::new("list recordings", SELECT);
    statement.push(" AND ended_at IS NULL ORDER BY id LIMIT ").push_bind(MAX_SETTINGS);
    all(store, statement, read).await
}

/// Those whose files are to go, the oldest first: begun before that moment, or more than so many bytes together with all that
/// came after them.
///
/// # Errors
/// The database failed.
pub async fn over(store: &Store, before: Timestamp, bytes: u64) -> Result<Vec<Uuid>, Error> {
    let mut statement = Statement::new(
        "list recordings that go",
        "SELECT id FROM (SELECT id, began_at, SUM(bytes) OVER (ORDER BY id DESC) AS together FROM recordings \
         WHERE erased_at IS NULL AND ended_at IS NOT NULL) AS kept WHERE began_at < ",
    );
    statement.push_bind(before).push(" OR together > ");
    statement.push_bind(i64::try_from(bytes).unwrap_or(i64::MAX));
    statement.push(" ORDER BY id LIMIT ").push_bind(BATCH);
    all(store, statement, |row| uuid(row, "id")).await
}

fn uuid(row: &Row, column: &'static str) -> Result<Uuid, Error> {
    let text = row.text(column)?;
    let wrong = |error: uuid::Error| Error::Unreadable { column, reason: error.to_string() };
    Uuid::try_parse(&text).map_err(wrong)
}

fn read(row: &Row) -> Result<RecordingRow, Error> {
    Ok(RecordingRow {
        id: uuid(row, "id")?,
        project: row.parse("project")?,
        board: row.parse("board")?,
        user: row.parse("user_id")?,
        began_at: row.time("began_at")?,
        ended_at: row.time_optional("ended_at")?,
        bytes: row.number("bytes")?,
        sha256: row.text_optional("sha256")?,
        erased_at: row.time_optional("erased_at")?,
    })
}
