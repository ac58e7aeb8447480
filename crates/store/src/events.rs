//! The event log: what changed, in the order in which it was committed, numbered without gaps.
//!
//! Bounded by [`trim`]; a reader that fell behind what is kept sees it by [`first_seq`]. Samples never come here.

use crate::sql::{Reader, Row, Statement, all, few, one};
use crate::{Error, Store, Tx};
use model::{ProjectId, Timestamp};
use rusqlite::Connection;
use serde_json::Value;

use std::fmt::Display;

/// Most events of one read.
pub const MAX_EVENTS: u32 = 1000;
/// Most events one call of [`trim`] removes; call again for more.
pub const TRIM_BATCH: u32 = 5000;

/// An event to append.
#[derive(Debug, Clone, PartialEq)]
pub struct NewEvent {
    /// The project whose people may see it; none for those of the whole cloud.
    pub project: Option<ProjectId>,
    /// `board.online`, `operation.succeeded` …
    pub kind: String,
    /// The noun it is about: `board`, `operation` …
    pub subject_type: &'static str,
    /// Which one.
    pub subject_id: String,
    /// More about it.
    pub body: Value,
}

impl NewEvent {
    /// `<noun>.<verb>` about one thing of a project.
    pub fn about(
        noun: &'static str,
        verb: &str,
        project: &ProjectId,
        id: impl Display,
        body: Value,
    ) -> Self {
        Self {
            project: Some(project.clone()),
            kind: format!("{noun}.{verb}"),
            subject_type: noun,
            subject_id: id.to_string(),
            body,
        }
    }
}

/// A committed event.
#[derive(Debug, Clone, PartialEq)]
pub struct EventRow {
    /// Its number; the next one's is one more.
    pub seq: i64,
    /// When.
    pub at: Timestamp,
    /// Whose.
    pub project: Option<ProjectId>,
    /// `board.online` …
    pub kind: String,
    /// The noun it is about.
    pub subject_type: String,
    /// Which one.
    pub subject_id: String,
    /// More about it.
    pub body: Value,
}

/// Events after number `after`, of one project or of all, oldest first, at most `limit` (and [`MAX_EVENTS`]).
///
/// # Errors
/// The database failed.
pub async fn after(
    store: &Store,
    project: Option<&ProjectId>,
    after: i64,
    limit: u32,
) -> Result<Vec<EventRow>, Error> {
    let mut statement = Statement::new(
        "read events",
        "SELECT seq, at, project, kind, subject_type, subject_id, body FROM events WHERE seq > $1",
    )
    .bind(after);
    statement.and_equals("project", project);
    statement.push(" ORDER BY seq LIMIT ").push_bind(limit.clamp(1, MAX_EVENTS));
    few(store, statement, read).await
}

/// Events before number `before`, newest first, else as [`after`]; without a number from the newest one on.
///
/// # Errors
/// The database failed.
pub async fn before(
    store: &Store,
    project: Option<&ProjectId>,
    before: Option<i64>,
    limit: u32,
) -> Result<Vec<EventRow>, Error> {
    let mut statement = Statement::new(
        "read events",
        "SELECT seq, at, project, kind, subject_type, subject_id, body FROM events WHERE seq < $1",
    )
    .bind(before.unwrap_or(i64::MAX));
    statement.and_equals("project", project);
    statement.push(" ORDER BY seq DESC LIMIT ").push_bind(limit.clamp(1, MAX_EVENTS));
    all(store, statement, read).await
}

/// The number of the oldest event that is kept; 0 when there are none.
///
/// # Errors
/// The database failed.
pub async fn first_seq<'e>(from: impl Reader<'e>) -> Result<i64, Error> {
    let statement =
        Statement::new("read events", "SELECT COALESCE(MIN(seq), 0) AS seq FROM events");
    one(from, statement, "event", |row| row.int("seq")).await
}

/// The number of the last committed event; 0 when there was none yet.
#[must_use]
pub fn last_seq(store: &Store) -> i64 {
    *store.watch_events().borrow()
}

/// Removes the oldest events but the newest `keep` (at least one, which carries the numbering on); gives how many, at most
/// [`TRIM_BATCH`].
///
/// # Errors
/// The database failed.
pub async fn trim(tx: &mut Tx, keep: u32) -> Result<u64, Error> {
    let up_to = tx.last_seq().saturating_sub(i64::from(keep.max(1)));
    let first = first_seq(&mut *tx).await?;
    let batch_end = first.saturating_add(i64::from(TRIM_BATCH)).saturating_sub(1);
    let statement = Statement::new("trim events", "DELETE FROM events WHERE seq <= $1")
        .bind(up_to.min(batch_end));
    tx.execute(statement).await
}

/// For the writer, before there is a store.
pub(crate) fn last_committed(connection: &Connection) -> Result<i64, Error> {
    let text = "SELECT COALESCE(MAX(seq), 0) FROM events";
    connection.query_row(text, [], |row| row.get(0)).map_err(Error::sql("read events"))
}

fn read(row: &Row) -> Result<EventRow, Error> {
    Ok(EventRow {
        seq: row.int("seq")?,
        at: row.time("at")?,
        project: row.parse_optional("project")?,
        kind: row.text("kind")?,
        subject_type: row.text("subject_type")?,
        subject_id: row.text("subject_id")?,
        body: row.json("body")?,
    })
}
