//! What rests on delegations, and which of it has lost its ground.
//!
//! Invariant: whatever somebody did by a delegation names it; what the project's own people do names none, and takes over
//! what a borrower did before. Ending what has lapsed is the cloud's.

use crate::sql::{Reader, Row, Statement, all, one};
use crate::{Error, Tx};
use model::contribution::Contribution;
use model::{BoardId, DelegationId, OperationId, PluginId, ServiceId, Timestamp};

/// Most lapsed things of one look; look again for more.
pub const BATCH: u32 = 1000;

/// `lent` is what was delegated: the board, or the plugin that somebody put on a board of their own.
const RESTING: &str = "WITH resting AS (\
         SELECT 'operation' AS noun, board, id AS thing, delegation, 'board' AS lent FROM operations \
         WHERE delegation IS NOT NULL AND state IN ('pending', 'running') AND cancel_requested = 0 \
         UNION ALL SELECT 'exposure', board, service, delegation, 'board' FROM exposures \
         WHERE delegation IS NOT NULL AND state <> 'disabling' \
         UNION ALL SELECT 'injection', board, plugin, delegation, 'board' FROM injections \
         WHERE delegation IS NOT NULL AND state <> 'removing' \
         UNION ALL SELECT 'run', board, plugin, run_delegation, 'board' FROM injections \
         WHERE run_delegation IS NOT NULL AND state <> 'removing' AND run_state <> 'stopped' \
         UNION ALL SELECT 'injection', board, plugin, plugin_delegation, 'plugin' FROM injections \
         WHERE plugin_delegation IS NOT NULL AND state <> 'removing' \
         UNION ALL SELECT 'operation', o.board, o.id, i.plugin_delegation, 'plugin' FROM injections i \
         JOIN operations o ON o.board = i.board AND o.subject = '{\"plugin\":\"' || i.plugin || '\"}' \
         WHERE i.plugin_delegation IS NOT NULL AND o.state IN ('pending', 'running') AND o.cancel_requested = 0 \
         AND o.method NOT IN ('PluginRemove', 'PluginStop')) ";

/// Something that rested on a delegation that is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Lapsed {
    /// An open operation.
    Operation(BoardId, OperationId),
    /// A service that is enabled on a board.
    Exposure(BoardId, ServiceId),
    /// A plugin that was put on a board.
    Injection(BoardId, PluginId),
    /// A plugin that was started.
    Run(BoardId, PluginId),
}

/// Notes on what an exposure rests.
///
/// # Errors
/// The database failed.
pub async fn exposure_rests_on(
    tx: &mut Tx,
    (board, service): (BoardId, ServiceId),
    delegation: Option<DelegationId>,
) -> Result<(), Error> {
    let text = "UPDATE exposures SET delegation = $1 WHERE board = $2 AND service = $3";
    let statement = Statement::new("note on what an exposure rests", text);
    tx.execute(statement.bind(delegation).bind(board).bind(service)).await.map(|_| ())
}

/// Notes on what an injection rests.
///
/// # Errors
/// The database failed.
pub async fn injection_rests_on(
    tx: &mut Tx,
    (board, plugin): (BoardId, PluginId),
    delegation: Option<DelegationId>,
) -> Result<(), Error> {
    let text = "UPDATE injections SET delegation = $1 WHERE board = $2 AND plugin = $3";
    let statement = Statement::new("note on what an injection rests", text);
    tx.execute(statement.bind(delegation).bind(board).bind(plugin)).await.map(|_| ())
}

/// Notes by which delegation somebody had the plugin that an injection brought.
///
/// # Errors
/// The database failed.
pub async fn plugin_rests_on(
    tx: &mut Tx,
    (board, plugin): (BoardId, PluginId),
    delegation: Option<DelegationId>,
) -> Result<(), Error> {
    let text = "UPDATE injections SET plugin_delegation = $1 WHERE board = $2 AND plugin = $3";
    let statement = Statement::new("note on what a plugin on a board rests", text);
    tx.execute(statement.bind(delegation).bind(board).bind(plugin)).await.map(|_| ())
}

/// Notes on what it rests that a plugin runs.
///
/// # Errors
/// The database failed.
pub async fn run_rests_on(
    tx: &mut Tx,
    (board, plugin): (BoardId, PluginId),
    delegation: Option<DelegationId>,
) -> Result<(), Error> {
    let text = "UPDATE injections SET run_delegation = $1 WHERE board = $2 AND plugin = $3";
    let statement = Statement::new("note on what a run rests", text);
    tx.execute(statement.bind(delegation).bind(board).bind(plugin)).await.map(|_| ())
}

/// What rests on a delegation that is revoked or over at this moment, or of a fleet that the board has left, and has not been
/// told to end.
///
/// # Errors
/// The database failed.
pub async fn lapsed<'e>(from: impl Reader<'e>, now: Timestamp) -> Result<Vec<Lapsed>, Error> {
    let mut statement = Statement::new("look for what has lapsed", RESTING);
    statement.push(
        "SELECT noun, r.board, thing FROM resting r JOIN delegations d ON d.id = r.delegation \
         WHERE d.revoked_at IS NOT NULL OR (d.resource LIKE 'fleet:%' AND NOT EXISTS (\
             SELECT 1 FROM fleet_members m WHERE m.board = r.board AND 'fleet:' || m.fleet = d.resource)) \
         OR d.ends_at <= ",
    );
    statement.push_bind(now).push(" LIMIT ").push_bind(BATCH);
    all(from, statement, read).await
}

/// When the next of the delegations ends that are not over.
///
/// # Errors
/// The database failed.
pub async fn next_end<'e>(
    from: impl Reader<'e>,
    now: Timestamp,
) -> Result<Option<Timestamp>, Error> {
    let text =
        "SELECT MIN(ends_at) AS next FROM delegations WHERE revoked_at IS NULL AND ends_at > $1";
    let statement = Statement::new("look for the next end", text).bind(now);
    one(from, statement, "delegation", |row| row.time_optional("next")).await
}

/// What rests on delegations of boards that are lent in their hours only, with what is said of those.
///
/// # Errors
/// The database failed.
pub async fn in_hours<'e>(from: impl Reader<'e>) -> Result<Vec<(Lapsed, Contribution)>, Error> {
    let mut statement = Statement::new("look for what rests on hours", RESTING);
    statement.push(
        "SELECT noun, r.board, thing, c.said FROM resting r JOIN contributions c ON c.board = r.board \
         WHERE c.in_hours = 1 AND r.lent = 'board' LIMIT ",
    );
    statement.push_bind(BATCH);
    all(from, statement, |row| Ok((read(row)?, row.json("said")?))).await
}

fn read(row: &Row) -> Result<Lapsed, Error> {
    let board = row.parse("board")?;
    match row.text("noun")?.as_str() {
        "operation" => Ok(Lapsed::Operation(board, row.parse("thing")?)),
        "exposure" => Ok(Lapsed::Exposure(board, row.parse("thing")?)),
        "injection" => Ok(Lapsed::Injection(board, row.parse("thing")?)),
        _ => Ok(Lapsed::Run(board, row.parse("thing")?)),
    }
}
