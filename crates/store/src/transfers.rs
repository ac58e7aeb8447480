//! Transfers: boards that one project offers to another.
//!
//! Invariant: a board is offered to one project at a time, by the project that has it. Deliberately not here: what becomes of
//! a board that changes hands (`boards::transfer`).

use crate::audit::Entry;
use crate::boards::{self, BoardRow};
use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, all, one};
use crate::{Error, Page, Tx};
use model::{BoardId, Name, ProjectId, Timestamp, TransferId, UserId};
use serde_json::json;

const WHAT: &str = "transfer";

/// An offer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TransferRow {
    /// Its id.
    pub id: TransferId,
    /// The board.
    pub board: BoardId,
    /// Its name.
    pub board_name: Name,
    /// The project that has it.
    pub giver: ProjectId,
    /// The project that may take it.
    pub receiver: ProjectId,
    /// Who offered it.
    pub offered_by: UserId,
    /// When.
    pub offered_at: Timestamp,
    /// Until when it can be taken.
    pub expires_at: Timestamp,
}

/// A board that went to another project.
#[derive(Debug, Clone, PartialEq)]
pub struct Done {
    /// As it is there.
    pub board: BoardRow,
    /// The project that had it.
    pub giver: ProjectId,
    /// Who took it, or gave it where nobody else had to.
    pub by: UserId,
    /// When.
    pub at: Timestamp,
}

/// Gives a board away, if its project still has it.
///
/// # Errors
/// That project has it not, or it cannot be given (`boards::transfer`).
pub async fn give(
    tx: &mut Tx,
    board: BoardId,
    (giver, receiver): (&ProjectId, &ProjectId),
    by: &UserId,
) -> Result<Done, Error> {
    boards::by_id(&mut *tx, Some(giver), board).await?;
    let board = boards::transfer(tx, board, receiver, by).await?;
    Ok(Done { board, giver: giver.clone(), by: by.clone(), at: tx.now() })
}

const SELECT: &str = "SELECT t.id, t.board, b.name AS board_name, t.giver, t.receiver, t.offered_by, t.offered_at, t.expires_at \
     FROM transfers t JOIN boards b ON b.id = t.board WHERE b.project = t.giver";

/// Offers a board; an earlier offer of it is gone.
///
/// # Errors
/// There is no such board in the giving project.
pub async fn offer(
    tx: &mut Tx,
    board: BoardId,
    (giver, receiver): (&ProjectId, &ProjectId),
    by: &UserId,
    expires_at: Timestamp,
) -> Result<TransferRow, Error> {
    let text = "DELETE FROM transfers WHERE board = $1";
    tx.execute(Statement::new("forget an offer", text).bind(board)).await?;
    let id = TransferId::new();
    let statement = Statement::new(
        "store an offer",
        "INSERT INTO transfers (id, board, giver, receiver, offered_by, offered_at, expires_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7)",
    )
    .bind(id)
    .bind(board)
    .bind(giver)
    .bind(receiver)
    .bind(by)
    .bind(tx.now())
    .bind(expires_at);
    tx.execute(statement).await.map_err(|error| error.missing_as("board"))?;
    let row = get(&mut *tx, id).await?;
    tell(tx, &row, "offered", "transfer:offer").await?;
    Ok(row)
}

/// The offer of this id, expired or not.
///
/// # Errors
/// There is none.
pub async fn get<'e>(from: impl Reader<'e>, id: TransferId) -> Result<TransferRow, Error> {
    let mut statement = Statement::new("read an offer", SELECT);
    statement.and_equals("t.id", Some(id));
    one(from, statement, WHAT, read).await
}

/// Offers to a project and by it, or all, that can be taken at this moment.
///
/// # Errors
/// The database failed.
pub async fn list<'e>(
    from: impl Reader<'e>,
    project: Option<&ProjectId>,
    now: Timestamp,
    page: Page,
) -> Result<Vec<TransferRow>, Error> {
    let mut statement = Statement::new("list offers", SELECT);
    statement.push(" AND t.expires_at > ").push_bind(now);
    if let Some(project) = project {
        statement.push(" AND (t.giver = ").push_bind(project);
        statement.push(" OR t.receiver = ").push_bind(project).push(")");
    }
    all(from, statement.page("t.id", page), read).await
}

/// Withdraws or declines an offer.
///
/// # Errors
/// There is none of this id.
pub async fn delete(tx: &mut Tx, id: TransferId) -> Result<(), Error> {
    let row = get(&mut *tx, id).await?;
    let text = "DELETE FROM transfers WHERE id = $1";
    tx.execute(Statement::new("forget an offer", text).bind(id)).await?;
    tell(tx, &row, "withdrawn", "transfer:delete").await
}

/// Both sides hear of it.
async fn tell(
    tx: &mut Tx,
    row: &TransferRow,
    event: &str,
    verb: &'static str,
) -> Result<(), Error> {
    let body = json!({
        "board": row.board, "name": row.board_name, "from": row.giver, "to": row.receiver,
    });
    for project in [&row.giver, &row.receiver] {
        tx.event(NewEvent::about(WHAT, event, project, row.id, body.clone())).await?;
        tx.audit(Entry::new(verb, "board", row.board).of(project).with(body.clone())).await?;
    }
    Ok(())
}

fn read(row: &Row) -> Result<TransferRow, Error> {
    Ok(TransferRow {
        id: row.parse("id")?,
        board: row.parse("board")?,
        board_name: row.parse("board_name")?,
        giver: row.parse("giver")?,
        receiver: row.parse("receiver")?,
        offered_by: row.parse("offered_by")?,
        offered_at: row.time("offered_at")?,
        expires_at: row.time("expires_at")?,
    })
}
