//! What a board's connections change: session, facts, load, online and offline.
//!
//! Invariant: the end of an old session never takes a board offline that has a newer one.

use super::{BoardRow, WHAT, by_id, set_status};
use crate::sql::{Statement, all, json};
use crate::{Error, Store, Tx};
use model::board::{Event, Status};
use model::facts::{Facts, Load};
use model::{BoardId, Timestamp};

/// What a board says when it connects.
#[derive(Debug, Clone, PartialEq)]
pub struct Connection {
    /// Its session.
    pub session: String,
    /// Version of its agent.
    pub agent_version: String,
    /// Protocol version agreed on.
    pub protocol: u32,
    /// Capabilities.
    pub capabilities: Vec<String>,
    /// Facts.
    pub facts: Facts,
}

/// Stores what a board said when it connected. It is not online by that: that is [`set_status`], once it can be called.
///
/// # Errors
/// There is none of this id, or it is decommissioned.
pub async fn record_connection(
    tx: &mut Tx,
    id: BoardId,
    connection: Connection,
) -> Result<BoardRow, Error> {
    let statement = Statement::new(
        "record a connection",
        "UPDATE boards SET session = $1, agent_version = $2, protocol = $3, capabilities = $4, facts = $5, last_seen = $6 \
         WHERE id = $7 AND status <> 'decommissioned'",
    )
    .bind(connection.session)
    .bind(connection.agent_version)
    .bind(connection.protocol)
    .bind(json(&connection.capabilities)?)
    .bind(json(&connection.facts)?)
    .bind(tx.now())
    .bind(id);
    if tx.execute(statement).await? == 0 {
        return Err(Error::NotFound { what: WHAT });
    }
    by_id(&mut *tx, None, id).await
}

/// Takes a board offline when `session` is the one it has; gives its status then, and nothing when a newer session is there.
///
/// # Errors
/// There is none of this id.
pub async fn record_disconnection(
    tx: &mut Tx,
    id: BoardId,
    session: &str,
) -> Result<Option<Status>, Error> {
    let board = by_id(&mut *tx, None, id).await?;
    if board.session.as_deref() != Some(session) {
        return Ok(None);
    }
    let statement = Statement::new(
        "record a disconnection",
        "UPDATE boards SET session = NULL, last_seen = $1 WHERE id = $2",
    )
    .bind(tx.now())
    .bind(id);
    tx.execute(statement).await?;
    set_status(tx, id, Event::WentOffline).await.map(Some)
}

/// Stores changed facts of a board.
///
/// # Errors
/// There is none of this id.
pub async fn record_facts(tx: &mut Tx, id: BoardId, facts: &Facts) -> Result<(), Error> {
    let statement = Statement::new(
        "record facts",
        "UPDATE boards SET facts = $1, last_seen = $2 WHERE id = $3",
    )
    .bind(json(facts)?)
    .bind(tx.now())
    .bind(id);
    if tx.execute(statement).await? == 0 { Err(Error::NotFound { what: WHAT }) } else { Ok(()) }
}

/// Stores a load report, behind: the next one makes up for a lost one.
pub fn record_load(store: &Store, id: BoardId, load: Load, at: Timestamp) {
    let load = match json(&load) {
        Ok(load) => load,
        Err(error) => return tracing::warn!(%error, board = %id, "a load report cannot be stored"),
    };
    let statement = Statement::new(
        "record load",
        "UPDATE boards SET load = $1, load_at = $2, last_seen = $2 WHERE id = $3",
    );
    store.record(statement.bind(load).bind(at).bind(id));
}

/// After a restart of the cloud nobody is connected; gives how many boards were online.
///
/// # Errors
/// The database failed.
pub async fn all_offline_at_start(tx: &mut Tx) -> Result<u64, Error> {
    let text = "SELECT id FROM boards WHERE status = 'online'";
    let online = all(&mut *tx, Statement::new("list boards", text), |row| row.parse("id")).await?;
    let text = "UPDATE boards SET session = NULL WHERE session IS NOT NULL";
    tx.execute(Statement::new("clear sessions", text)).await?;
    let count = u64::try_from(online.len()).unwrap_or(u64::MAX);
    for id in online {
        set_status(tx, id, Event::WentOffline).await?;
    }
    Ok(count)
}
