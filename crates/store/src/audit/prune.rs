//! Giving up the oldest rows, up to a signed head that goes on to speak for them.

use super::heads::newest_head;
use super::{BLOCK, number, size};
use crate::sql::{Statement, first, one};
use crate::{Error, Tx};
use model::Timestamp;

/// Rows that one call removes at the most.
const BATCH: i64 = 5000;

/// Removes rows that a head from before `older_than` covers, but never the last one; gives how many. Call again for more.
///
/// # Errors
/// The database failed.
pub async fn prune(tx: &mut Tx, older_than: Timestamp) -> Result<u64, Error> {
    let text = "SELECT MAX(size) AS size FROM audit_heads WHERE at < $1";
    let statement = Statement::new("read a head", text).bind(older_than);
    let covered = one(&mut *tx, statement, "head", |row| row.int_optional("size")).await?;
    let last = tx.chain().seq.saturating_sub(1);
    // Whole blocks only, so that the subtrees of what is kept can be made.
    let end = size(covered.unwrap_or(0).min(last)) / BLOCK * BLOCK;
    let text = "SELECT seq FROM audit ORDER BY seq LIMIT 1";
    let oldest = first(&mut *tx, Statement::new("read the audit", text), |row| row.int("seq"));
    let Some(oldest) = oldest.await? else { return Ok(0) };
    let batch_end = size(oldest.saturating_add(BATCH)) / BLOCK * BLOCK;
    let end = number(end.min(batch_end));
    if end < oldest || newest_head(&mut *tx).await?.is_none() {
        return Ok(0);
    }
    for text in [
        "DELETE FROM audit_personal WHERE seq <= $1",
        "DELETE FROM audit_heads WHERE size < $1",
        // Of the tree only what a proof can still need.
        "DELETE FROM audit_nodes WHERE ((number >> 1) + 1) << (level + 1) <= $1",
    ] {
        tx.execute(Statement::new("prune the audit", text).bind(end)).await?;
    }
    let text = "DELETE FROM audit WHERE seq <= $1";
    tx.execute(Statement::new("prune the audit", text).bind(end)).await
}
