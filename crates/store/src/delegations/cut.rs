//! How delegations end: taken back by somebody, or because their thing goes elsewhere. Whatever rests on them goes along.

use super::{WHAT, get, tell};
use crate::audit::Entry;
use crate::sql::{Statement, all};
use crate::{Error, Tx};
use model::delegation::Resource;
use model::{BoardId, DelegationId, FleetId, UserId};
use serde_json::json;

/// Takes a delegation back, and all that rest on it.
///
/// # Errors
/// There is none of this id.
pub async fn revoke(tx: &mut Tx, id: DelegationId, by: &UserId) -> Result<Revoked, Error> {
    let row = get(&mut *tx, id).await?;
    let epochs = raise_epochs(tx, id).await?;
    let text = "WITH RECURSIVE below (id) AS (\
             SELECT $1 UNION SELECT d.id FROM delegations d JOIN below b ON d.parent = b.id) \
         UPDATE delegations SET revoked_at = $2, revoked_by = $3 \
         WHERE revoked_at IS NULL AND id IN (SELECT id FROM below)";
    let statement = Statement::new("revoke delegations", text).bind(id).bind(tx.now()).bind(by);
    let ended = tx.execute(statement).await?;
    if ended > 0 {
        tx.rights_changed();
        tell(tx, &row, "revoked").await?;
        let entry = Entry::new("delegation:delete", WHAT, id).of(&row.project);
        tx.audit(entry.or_by(Some(by)).with(json!({ "ended": ended }))).await?;
    }
    Ok(Revoked { ended, epochs })
}

/// What boards honour without their cloud may rest on a delegation that ends now, or on one below it.
async fn raise_epochs(tx: &mut Tx, id: DelegationId) -> Result<Vec<(BoardId, u32)>, Error> {
    let text = "WITH RECURSIVE below (id) AS (\
             SELECT $1 UNION SELECT d.id FROM delegations d JOIN below b ON d.parent = b.id), \
         ending (noun, id) AS (SELECT SUBSTR(d.resource, 1, INSTR(d.resource, ':') - 1), \
             SUBSTR(d.resource, INSTR(d.resource, ':') + 1) \
             FROM delegations d JOIN below b ON b.id = d.id WHERE d.revoked_at IS NULL) \
         UPDATE boards SET rights_epoch = rights_epoch + 1 WHERE id IN (\
             SELECT id FROM ending WHERE noun = 'board' \
             UNION SELECT m.board FROM ending e JOIN fleet_members m ON m.fleet = e.id WHERE e.noun = 'fleet' \
             UNION SELECT b.id FROM ending e JOIN boards b ON b.project = e.id WHERE e.noun = 'project') \
         RETURNING id, rights_epoch";
    let statement = Statement::new("raise epochs", text).bind(id);
    all(&mut *tx, statement, |row| Ok((row.parse("id")?, row.number("rights_epoch")?))).await
}

/// What a revocation did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Revoked {
    /// How many delegations it ended: it and those that rested on it; none if it had ended before.
    pub ended: u64,
    /// The boards that it concerns, with the epoch from which on they honour rights.
    pub epochs: Vec<(BoardId, u32)>,
}

/// Takes back every delegation of a thing that is given up or goes into other hands, and all that rest on them.
///
/// # Errors
/// The database failed.
pub(crate) async fn revoke_all_of(tx: &mut Tx, resource: &Resource) -> Result<u64, Error> {
    let text = "WITH RECURSIVE under (id) AS (\
             SELECT id FROM delegations WHERE resource = $1 \
             UNION SELECT id FROM delegations WHERE resource LIKE $3 \
             UNION SELECT d.id FROM delegations d JOIN under u ON d.parent = u.id) \
         UPDATE delegations SET revoked_at = $2 WHERE revoked_at IS NULL AND id IN (SELECT id FROM under)";
    let statement = Statement::new("revoke delegations", text);
    let statement = statement.bind(resource.to_string()).bind(tx.now()).bind(parts_of(resource));
    tx.rights_changed();
    let ended = tx.execute(statement).await?;
    tell_cut(tx, resource, ended).await
}

/// A pattern for what is given of it on one board, or of its parts.
fn parts_of(resource: &Resource) -> String {
    match resource {
        Resource::Board(board) => format!("%@{board}"),
        other => format!("{other}@%"),
    }
}

/// Takes back what rests on the fleet that a board leaves.
///
/// # Errors
/// The database failed.
pub(crate) async fn revoke_left(tx: &mut Tx, board: BoardId, fleet: FleetId) -> Result<u64, Error> {
    let text = "WITH RECURSIVE under (id) AS (\
             SELECT id FROM delegations WHERE resource = $1 \
             UNION SELECT d.id FROM delegations d JOIN under u ON d.parent = u.id) \
         UPDATE delegations SET revoked_at = $2 \
         WHERE revoked_at IS NULL AND (resource = $3 OR resource LIKE $4) AND id IN (SELECT id FROM under)";
    let board_itself = Resource::Board(board);
    let statement = Statement::new("revoke delegations", text)
        .bind(Resource::Fleet(fleet).to_string())
        .bind(tx.now())
        .bind(board_itself.to_string())
        .bind(parts_of(&board_itself));
    tx.rights_changed();
    let ended = tx.execute(statement).await?;
    tell_cut(tx, &Resource::Board(board), ended).await
}

/// Takes back what rests on a fleet about boards that are not in it any more, because its rule changed.
///
/// # Errors
/// The database failed.
pub(crate) async fn revoke_strays(tx: &mut Tx, fleet: FleetId) -> Result<u64, Error> {
    let text = "WITH RECURSIVE under (id) AS (\
             SELECT id FROM delegations WHERE resource = $1 \
             UNION SELECT d.id FROM delegations d JOIN under u ON d.parent = u.id) \
         UPDATE delegations SET revoked_at = $2 \
         WHERE revoked_at IS NULL AND id IN (SELECT id FROM under) \
         AND (resource LIKE 'board:%' OR resource LIKE '%@%') \
         AND SUBSTR(resource, CASE INSTR(resource, '@') WHEN 0 THEN 7 ELSE INSTR(resource, '@') + 1 END) \
             NOT IN (SELECT board FROM fleet_members WHERE fleet = $3)";
    let statement = Statement::new("revoke delegations", text)
        .bind(Resource::Fleet(fleet).to_string())
        .bind(tx.now())
        .bind(fleet);
    tx.rights_changed();
    let ended = tx.execute(statement).await?;
    tell_cut(tx, &Resource::Fleet(fleet), ended).await
}

/// Delegations ended because their thing went elsewhere; gives how many.
async fn tell_cut(tx: &mut Tx, resource: &Resource, ended: u64) -> Result<u64, Error> {
    if ended > 0 {
        let entry = Entry::new("delegation:cut", "resource", resource);
        tx.audit(entry.with(json!({ "ended": ended }))).await?;
    }
    Ok(ended)
}
