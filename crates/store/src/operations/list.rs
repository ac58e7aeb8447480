//! Lists of operations: for people, for a board that connects, for deadlines; and the history of one.

use super::{BATCH, Kind, MAX_OPEN, OperationRow, SELECT_LIGHT, WHAT, read};
use crate::sql::{Reader, Row, Statement, all, few, one};
use crate::{Direction, Error, Page};
use model::operation::State;
use model::{BoardId, OperationId, ProjectId, Timestamp};

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
    /// Parts of this request to many boards.
    pub main: Option<OperationId>,
    /// Which come first.
    pub order: Direction,
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

/// Operations in the order of their creation, or against it; without arguments and results, which [`super::get`] has.
///
/// # Errors
/// The database failed.
pub async fn list<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    filter: &Filter,
    page: Page,
) -> Result<Vec<OperationRow>, Error> {
    let mut statement = Statement::new("list operations", SELECT_LIGHT);
    statement.and_equals("project", scope).and_equals("board", filter.board);
    statement.and_equals("state", filter.state.map(State::word));
    statement.and_equals("method", filter.method.as_deref());
    statement.and_equals("kind", filter.kind.map(Kind::word)).and_equals("main", filter.main);
    if filter.order == Direction::OldestFirst {
        return all(from, statement.page("id", page), read).await;
    }
    if let Some(marker) = page.marker {
        statement.push(" AND id < ").push_bind(marker);
    }
    statement.push(" ORDER BY id DESC LIMIT ").push_bind(page.rows());
    all(from, statement, read).await
}

/// How many operations are open, by state; a state that none is in is left out.
///
/// # Errors
/// The database failed.
pub async fn open_by_state<'e>(from: impl Reader<'e>) -> Result<Vec<(State, u64)>, Error> {
    let text = "SELECT state, COUNT(*) AS number FROM operations WHERE state IN ('pending', 'running') GROUP BY state";
    let read = |row: &Row| Ok((row.parse("state")?, row.number("number")?));
    all(from, Statement::new("count operations", text), read).await
}

/// Commands the board has not answered, in order; without their arguments, which [`super::get`] has.
///
/// # Errors
/// The database failed.
pub async fn open_for_board<'e>(
    from: impl Reader<'e>,
    board: BoardId,
) -> Result<Vec<OperationRow>, Error> {
    let mut statement = Statement::new("list open operations", SELECT_LIGHT);
    statement.and_equals("board", Some(board));
    statement.push(" AND state IN ('pending', 'running') ORDER BY id LIMIT ").push_bind(MAX_OPEN);
    few(from, statement, read).await
}

/// Open operations whose deadline has passed, at most [`BATCH`].
///
/// # Errors
/// The database failed.
pub async fn expired<'e>(
    from: impl Reader<'e>,
    now: Timestamp,
) -> Result<Vec<OperationRow>, Error> {
    let mut statement = Statement::new("list expired operations", SELECT_LIGHT);
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
    few(from, statement, read).await
}
