//! Tokens that were ended before their time. Each is kept until it would have ended by itself, so the table stays as small as
//! what a token's life brings.

use crate::sql::{Reader, Row, Statement, few, first};
use crate::{Error, Tx};
use model::Timestamp;

/// Most rows one call of [`trim_revoked`] removes; call again for more.
const TRIM_BATCH: u32 = 5000;

/// A token that is refused, by the name it has in logs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevokedRow {
    /// The token's audit id.
    pub audit: String,
    /// When it would have ended.
    pub until: Timestamp,
}

/// Ends a token; ending it again changes nothing.
///
/// # Errors
/// The database failed.
pub async fn revoke_token(tx: &mut Tx, row: &RevokedRow) -> Result<(), Error> {
    let text = "INSERT INTO revoked_tokens (audit, until) VALUES ($1, $2) ON CONFLICT DO NOTHING";
    let statement = Statement::new("revoke a token", text).bind(row.audit.as_str()).bind(row.until);
    tx.execute(statement).await.map(|_| ())
}

/// Whether a token was ended.
///
/// # Errors
/// The database failed.
pub async fn is_revoked<'e>(from: impl Reader<'e>, audit: &str) -> Result<bool, Error> {
    let text = "SELECT audit, until FROM revoked_tokens WHERE audit = $1";
    let statement = Statement::new("look for a revoked token", text).bind(audit);
    Ok(first(from, statement, read_revoked).await?.is_some())
}

/// The ended tokens that would still be good, those that end last first.
///
/// # Errors
/// The database failed.
pub async fn list_revoked<'e>(
    from: impl Reader<'e>,
    now: Timestamp,
    limit: u32,
) -> Result<Vec<RevokedRow>, Error> {
    let text =
        "SELECT audit, until FROM revoked_tokens WHERE until > $1 ORDER BY until DESC LIMIT $2";
    let statement = Statement::new("list revoked tokens", text).bind(now).bind(limit);
    few(from, statement, read_revoked).await
}

/// Forgets tokens that have ended by themselves; gives how many.
///
/// # Errors
/// The database failed.
pub async fn trim_revoked(tx: &mut Tx, now: Timestamp) -> Result<u64, Error> {
    let text = "DELETE FROM revoked_tokens WHERE audit IN \
                (SELECT audit FROM revoked_tokens WHERE until <= $1 ORDER BY until LIMIT $2)";
    tx.execute(Statement::new("forget revoked tokens", text).bind(now).bind(TRIM_BATCH)).await
}

fn read_revoked(row: &Row) -> Result<RevokedRow, Error> {
    Ok(RevokedRow { audit: row.text("audit")?, until: row.time("until")? })
}
