//! Contributions: what is given of each board to others.
//!
//! Invariant: a board has one or none; what it says was valid when it was stored.

use crate::audit::Entry;
use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, all, first, json};
use crate::{Error, Tx, boards};
use model::contribution::Contribution;
use model::{BoardId, Timestamp, UserId};
use serde_json::json;
use std::collections::HashMap;

/// Most offered boards that are looked at together.
pub const MAX_OFFERED: u32 = 20_000;

/// What is given of a board.
#[derive(Debug, Clone, PartialEq)]
pub struct ContributionRow {
    /// The board.
    pub board: BoardId,
    /// What it says.
    pub said: Contribution,
    /// Who said so last, and gives what is booked.
    pub by: UserId,
    /// When.
    pub updated_at: Timestamp,
}

/// What is given of a board, if anything is said about it.
///
/// # Errors
/// The database failed.
pub async fn of<'e>(
    from: impl Reader<'e>,
    board: BoardId,
) -> Result<Option<ContributionRow>, Error> {
    let text = "SELECT board, said, giver, updated_at FROM contributions WHERE board = $1";
    first(from, Statement::new("read a contribution", text).bind(board), read).await
}

/// What is said of each board that is offered, for [`MAX_OFFERED`] of them.
///
/// # Errors
/// The database failed.
pub async fn offered<'e>(
    from: impl Reader<'e>,
) -> Result<HashMap<BoardId, ContributionRow>, Error> {
    let text = "SELECT board, said, giver, updated_at FROM contributions WHERE offered = 1 ORDER BY board LIMIT $1";
    let statement = Statement::new("list what is offered", text).bind(MAX_OFFERED);
    let rows = all(from, statement, read).await?;
    Ok(rows.into_iter().map(|row| (row.board, row)).collect())
}

/// Says what is given of a board.
///
/// # Errors
/// There is no such board.
pub async fn put(
    tx: &mut Tx,
    board: BoardId,
    said: &Contribution,
    by: &UserId,
) -> Result<ContributionRow, Error> {
    let statement = Statement::new(
        "store a contribution",
        "INSERT INTO contributions (board, said, giver, offered, in_hours, updated_at) VALUES ($1, $2, $3, $4, $5, $6) \
         ON CONFLICT (board) DO UPDATE SET said = $2, giver = $3, offered = $4, in_hours = $5, updated_at = $6",
    )
    .bind(board)
    .bind(json(said)?)
    .bind(by)
    .bind(said.offer.is_some())
    .bind(said.hours.is_some())
    .bind(tx.now());
    tx.execute(statement).await.map_err(|error| error.missing_as("board"))?;
    tx.rights_changed();
    tell(tx, board, "updated").await?;
    let row = of(&mut *tx, board).await?.ok_or(Error::NotFound { what: "contribution" })?;
    let project = boards::by_id(&mut *tx, None, board).await?.project;
    let detail = json!({ "said": row.said });
    let entry = Entry::new("contribution:put", "board", board).of(&project).with(detail);
    tx.audit(entry.or_by(Some(by))).await?;
    Ok(row)
}

/// Says nothing any more: delegations are bound by themselves alone, and nobody books.
///
/// # Errors
/// Nothing was said.
pub async fn delete(tx: &mut Tx, board: BoardId) -> Result<(), Error> {
    let text = "DELETE FROM contributions WHERE board = $1";
    let statement = Statement::new("delete a contribution", text).bind(board);
    if tx.execute(statement).await? == 0 {
        return Err(Error::NotFound { what: "contribution" });
    }
    tell(tx, board, "deleted").await?;
    let project = boards::by_id(&mut *tx, None, board).await?.project;
    tx.audit(Entry::new("contribution:delete", "board", board).of(&project)).await
}

async fn tell(tx: &mut Tx, board: BoardId, verb: &str) -> Result<(), Error> {
    let row = boards::by_id(&mut *tx, None, board).await?;
    let body = json!({ "board": board, "name": row.name });
    tx.event(NewEvent::about("contribution", verb, &row.project, board, body)).await.map(|_| ())
}

fn read(row: &Row) -> Result<ContributionRow, Error> {
    Ok(ContributionRow {
        board: row.parse("board")?,
        said: row.json("said")?,
        by: row.parse("giver")?,
        updated_at: row.time("updated_at")?,
    })
}
