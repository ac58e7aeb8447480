//! Names of things by their ids, many at a time: what a list shows beside an id.

use crate::Error;
use crate::sql::{Reader, Row, Statement, all};
use std::collections::HashMap;

/// Nouns whose names are looked up.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Noun {
    /// Plugins.
    Plugin,
    /// Services.
    Service,
    /// Boards.
    Board,
    /// Fleets.
    Fleet,
    /// Users.
    User,
    /// Projects.
    Project,
}

/// The names of those that exist among `ids`, at most one page of them.
///
/// # Errors
/// The database failed.
pub async fn of<'e>(
    from: impl Reader<'e>,
    noun: Noun,
    ids: &[&str],
) -> Result<HashMap<String, String>, Error> {
    if ids.is_empty() {
        return Ok(HashMap::new());
    }
    let text = match noun {
        Noun::Plugin => "SELECT id, name FROM plugins WHERE id IN (",
        Noun::Service => "SELECT id, name FROM services WHERE id IN (",
        Noun::Board => "SELECT id, name FROM boards WHERE id IN (",
        Noun::Fleet => "SELECT id, name FROM fleets WHERE id IN (",
        Noun::User => "SELECT id, name FROM users WHERE id IN (",
        Noun::Project => "SELECT id, name FROM projects WHERE id IN (",
    };
    let mut statement = Statement::new("read names", text);
    let most = crate::page::MAX_LIMIT as usize;
    for (index, id) in ids.iter().take(most).enumerate() {
        statement.push(if index == 0 { "" } else { ", " }).push_bind(*id);
    }
    statement.push(")");
    let read = |row: &Row| Ok((row.text("id")?, row.text("name")?));
    Ok(all(from, statement, read).await?.into_iter().collect())
}
