//! What the end of an operation means for other nouns, in the same transaction.

use model::Timestamp;
use model::operation::Outcome;
use store::operations::Operation;

/// Carries an operation's outcome over to what it was about.
///
/// # Errors
/// The database failed.
pub async fn settle(
    _tx: &mut store::Tx,
    _operation: &Operation,
    _outcome: &Outcome,
    _now: Timestamp,
) -> Result<(), store::Error> {
    Ok(())
}
