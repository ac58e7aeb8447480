//! How many boards there are.

use crate::Error;
use crate::sql::{Reader, Row, Statement, all};
use model::board::Status;

/// How many boards are in each status; a status that none is in is left out.
///
/// # Errors
/// The database failed.
pub async fn by_status<'e>(from: impl Reader<'e>) -> Result<Vec<(Status, u64)>, Error> {
    let text = "SELECT status, COUNT(*) AS number FROM boards GROUP BY status ORDER BY status";
    let read = |row: &Row| Ok((row.parse("status")?, row.number("number")?));
    all(from, Statement::new("count boards", text), read).await
}
