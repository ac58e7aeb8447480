//! Main requests: one thing asked of many boards at once. What became of it is what became of its operations.
//!
//! Invariant: nothing about its progress is stored here; it is counted from the operations that name it, so the two cannot
//! disagree. Deliberately not here: the operations themselves (`operations`).

use crate::sql::{Reader, Row, Statement, all, one};
use crate::{Error, Page, Tx};
use model::{FleetId, OperationId, ProjectId, Timestamp, UserId};

const WHAT: &str = "request";

/// A main request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RequestRow {
    /// Its id, among those of operations.
    pub id: OperationId,
    /// Whose.
    pub project: ProjectId,
    /// The fleet that was asked, if it was one.
    pub fleet: Option<FleetId>,
    /// What was asked: the method of its operations.
    pub action: String,
    /// Who asked; none when the cloud itself did.
    pub created_by: Option<UserId>,
    /// When.
    pub created_at: Timestamp,
    /// How many of its operations have not ended.
    pub pending: u32,
    /// When the last of them that has ended did.
    pub ended_at: Option<Timestamp>,
}

/// A main request to store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewRequest {
    /// Its id.
    pub id: OperationId,
    /// Whose.
    pub project: ProjectId,
    /// The fleet that is asked, if it is one.
    pub fleet: Option<FleetId>,
    /// What is asked.
    pub action: String,
    /// Who asks.
    pub created_by: Option<UserId>,
}

const SELECT: &str = "SELECT id, project, fleet, action, created_by, created_at, \
     (SELECT COUNT(*) FROM operations o WHERE o.main = main_requests.id AND o.ended_at IS NULL) AS pending, \
     (SELECT MAX(o.ended_at) FROM operations o WHERE o.main = main_requests.id) AS ended_at \
     FROM main_requests WHERE 1 = 1";

/// Stores a main request; its operations come in the same transaction.
///
/// # Errors
/// The database failed.
pub async fn create(tx: &mut Tx, new: &NewRequest) -> Result<(), Error> {
    let statement = Statement::new(
        "store a request",
        "INSERT INTO main_requests (id, project, fleet, action, created_by, created_at) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(new.id)
    .bind(&new.project)
    .bind(new.fleet)
    .bind(new.action.as_str())
    .bind(new.created_by.as_ref())
    .bind(tx.now());
    tx.execute(statement).await.map(|_| ())
}

/// The main request of this id.
///
/// # Errors
/// There is none in the scope.
pub async fn get<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    id: OperationId,
) -> Result<RequestRow, Error> {
    let mut statement = Statement::new("read a request", SELECT);
    statement.and_equals("id", Some(id)).and_equals("project", scope);
    one(from, statement, WHAT, read).await
}

/// Main requests in order of creation.
///
/// # Errors
/// The database failed.
pub async fn list<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    page: Page,
) -> Result<Vec<RequestRow>, Error> {
    let mut statement = Statement::new("list requests", SELECT);
    statement.and_equals("project", scope);
    all(from, statement.page("id", page), read).await
}

/// Removes main requests older than this that have no operations left. Gives how many.
///
/// # Errors
/// The database failed.
pub async fn trim(tx: &mut Tx, older_than: Timestamp) -> Result<u64, Error> {
    let statement = Statement::new(
        "trim requests",
        "DELETE FROM main_requests WHERE created_at < $1 \
         AND NOT EXISTS (SELECT 1 FROM operations o WHERE o.main = main_requests.id)",
    )
    .bind(older_than);
    tx.execute(statement).await
}

fn read(row: &Row) -> Result<RequestRow, Error> {
    Ok(RequestRow {
        id: row.parse("id")?,
        project: row.parse("project")?,
        fleet: row.parse_optional("fleet")?,
        action: row.text("action")?,
        created_by: row.parse_optional("created_by")?,
        created_at: row.time("created_at")?,
        pending: row.number("pending")?,
        ended_at: row.time_optional("ended_at")?,
    })
}
