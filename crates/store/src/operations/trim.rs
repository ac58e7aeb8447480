//! Retention: what ended is kept for a time and up to a count.

use super::BATCH;
use crate::sql::Statement;
use crate::{Error, Tx};
use model::Timestamp;

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
