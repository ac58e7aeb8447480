//! The age of the rights that were given out for a board: a number that only grows.
//!
//! Invariant: after a commit of [`raise_epoch`] no right of an earlier epoch is given out.

use super::{WHAT, by_id};
use crate::audit::Entry;
use crate::sql::Statement;
use crate::{Error, Tx};
use model::BoardId;
use serde_json::json;

/// Makes all rights that were given out for a board until now void; gives the epoch that counts from now on.
///
/// # Errors
/// There is none of this id.
pub async fn raise_epoch(tx: &mut Tx, id: BoardId) -> Result<u32, Error> {
    let text = "UPDATE boards SET rights_epoch = rights_epoch + 1 WHERE id = $1";
    if tx.execute(Statement::new("raise a board's epoch", text).bind(id)).await? == 0 {
        return Err(Error::NotFound { what: WHAT });
    }
    let row = by_id(&mut *tx, None, id).await?;
    let entry = Entry::new("board:raise_epoch", WHAT, id).of(&row.project);
    tx.audit(entry.with(json!({ "epoch": row.rights_epoch }))).await?;
    Ok(row.rights_epoch)
}
