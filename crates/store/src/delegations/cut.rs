//! How delegations end: taken back by somebody, or because their thing goes elsewhere or who holds them is gone. Whatever rests
//! on them goes along.
//!
//! Invariant: whatever ends here makes void, in the same transaction, what the boards concerned would honour without their
//! cloud; whoever watches for it is told which boards those are, after the commit.

use super::{WHAT, get, tell};
use crate::audit::Entry;
use crate::sql::{Statement, all};
use crate::{Error, Tx};
use model::delegation::Resource;
use model::{BoardId, DelegationId, FleetId, UserId};
use serde_json::json;

/// Which delegations end.
struct Cut {
    /// Picks the ids of those at the root.
    roots: &'static str,
    /// A condition on what is below them (`d`).
    only: &'static str,
    /// What both mean by `$1`, `$2` …
    values: Vec<String>,
    /// Who takes them back; none when nobody does.
    by: Option<UserId>,
}

impl Cut {
    /// Ends them; how many.
    async fn make(self, tx: &mut Tx) -> Result<u64, Error> {
        let mut raising = self.ending("raise epochs");
        raising.push(
            " UPDATE boards SET rights_epoch = rights_epoch + 1 WHERE id IN (\
                 SELECT thing FROM ending WHERE noun = 'board' \
                 UNION SELECT m.board FROM ending e JOIN fleet_members m ON m.fleet = e.thing WHERE e.noun = 'fleet' \
                 UNION SELECT b.id FROM ending e JOIN boards b ON b.project = e.thing WHERE e.noun = 'project') \
             RETURNING id, rights_epoch",
        );
        void(tx, raising).await?;
        let now = tx.now();
        let mut revoking = self.ending("revoke delegations");
        revoking.push(" UPDATE delegations SET revoked_at = ").push_bind(now);
        revoking.push(", revoked_by = ").push_bind(self.by.as_ref());
        revoking.push(" WHERE id IN (SELECT id FROM ending)");
        let ended = tx.execute(revoking).await?;
        tx.rights_changed();
        Ok(ended)
    }

    fn ending(&self, doing: &'static str) -> Statement {
        let mut statement = Statement::new(doing, "WITH RECURSIVE below (id) AS (");
        statement.push(self.roots).push(
            " UNION SELECT d.id FROM delegations d JOIN below b ON d.parent = b.id), \
             ending (id, noun, thing) AS (SELECT d.id, SUBSTR(d.resource, 1, INSTR(d.resource, ':') - 1), \
             SUBSTR(d.resource, INSTR(d.resource, ':') + 1) \
             FROM delegations d JOIN below b ON b.id = d.id WHERE d.revoked_at IS NULL",
        );
        statement.push(self.only).push(")");
        self.values.iter().fold(statement, |statement, value| statement.bind(value.as_str()))
    }
}

/// Runs a statement that raises epochs and gives boards with their new ones.
async fn void(tx: &mut Tx, raising: Statement) -> Result<(), Error> {
    let epochs =
        all(&mut *tx, raising, |row| Ok((row.parse("id")?, row.number("rights_epoch")?))).await?;
    tx.voided(epochs);
    Ok(())
}

/// Takes a delegation back, and all that rest on it; how many ended, none if it had ended before.
///
/// # Errors
/// There is none of this id.
pub async fn revoke(tx: &mut Tx, id: DelegationId, by: &UserId) -> Result<u64, Error> {
    let row = get(&mut *tx, id).await?;
    let (roots, values) = ("SELECT $1", vec![id.to_string()]);
    let ended = Cut { roots, only: "", values, by: Some(by.clone()) }.make(tx).await?;
    if ended > 0 {
        tell(tx, &row, "revoked").await?;
        let entry = Entry::new("delegation:delete", WHAT, id).of(&row.project);
        tx.audit(entry.or_by(Some(by)).with(json!({ "ended": ended }))).await?;
    }
    Ok(ended)
}

/// Takes back every delegation of a thing that is given up or goes into other hands, and all that rest on them.
///
/// # Errors
/// The database failed.
pub(crate) async fn revoke_all_of(tx: &mut Tx, resource: &Resource) -> Result<u64, Error> {
    let roots = "SELECT id FROM delegations WHERE resource = $1 \
                 UNION SELECT id FROM delegations WHERE resource LIKE $2";
    let values = vec![resource.to_string(), parts_of(resource)];
    let ended = Cut { roots, only: "", values, by: None }.make(tx).await?;
    tell_cut(tx, "resource", resource, ended).await
}

/// Takes back what a user holds who is gone, and all that rest on it. What they gave for a project stays the project's.
///
/// # Errors
/// The database failed.
pub(crate) async fn revoke_held_by(tx: &mut Tx, user: &UserId) -> Result<u64, Error> {
    let roots = "SELECT id FROM delegations WHERE delegated = $1 AND revoked_at IS NULL";
    let values = vec![user.to_string()];
    let ended = Cut { roots, only: "", values, by: None }.make(tx).await?;
    tell_cut(tx, "user", user, ended).await
}

/// A pattern for what is given of it on one board, or of its parts.
fn parts_of(resource: &Resource) -> String {
    match resource {
        Resource::Board(board) => format!("%@{board}"),
        other => format!("{other}@%"),
    }
}

/// Takes back what rests on the fleet that a board leaves, and voids what the board would honour by the fleet itself.
///
/// # Errors
/// The database failed.
pub(crate) async fn revoke_left(tx: &mut Tx, board: BoardId, fleet: FleetId) -> Result<u64, Error> {
    let (this, fleet) = (Resource::Board(board), Resource::Fleet(fleet));
    let roots = "SELECT id FROM delegations WHERE resource = $1";
    let only = " AND (d.resource = $2 OR d.resource LIKE $3)";
    let values = vec![fleet.to_string(), this.to_string(), parts_of(&this)];
    let ended = Cut { roots, only, values, by: None }.make(tx).await?;
    let text = "UPDATE boards SET rights_epoch = rights_epoch + 1 WHERE id = $1 AND EXISTS (\
                SELECT 1 FROM delegations WHERE resource = $2 AND revoked_at IS NULL) RETURNING id, rights_epoch";
    void(tx, Statement::new("raise an epoch", text).bind(board).bind(fleet.to_string())).await?;
    tell_cut(tx, "resource", &this, ended).await
}

/// Voids what the boards of a lent fleet would honour, before a new rule decides which boards are in it.
///
/// # Errors
/// The database failed.
pub(crate) async fn void_members(tx: &mut Tx, fleet: FleetId) -> Result<(), Error> {
    let text = "UPDATE boards SET rights_epoch = rights_epoch + 1 \
                WHERE id IN (SELECT board FROM fleet_members WHERE fleet = $1) AND EXISTS (\
                SELECT 1 FROM delegations WHERE resource = $2 AND revoked_at IS NULL) RETURNING id, rights_epoch";
    let thing = Resource::Fleet(fleet).to_string();
    void(tx, Statement::new("raise epochs", text).bind(fleet).bind(thing)).await
}

/// Takes back what rests on a fleet about boards that are not in it any more, because its rule changed.
///
/// # Errors
/// The database failed.
pub(crate) async fn revoke_strays(tx: &mut Tx, fleet: FleetId) -> Result<u64, Error> {
    let thing = Resource::Fleet(fleet);
    let roots = "SELECT id FROM delegations WHERE resource = $1";
    let only = " AND (d.resource LIKE 'board:%' OR d.resource LIKE '%@%') \
         AND SUBSTR(d.resource, CASE INSTR(d.resource, '@') WHEN 0 THEN 7 ELSE INSTR(d.resource, '@') + 1 END) \
             NOT IN (SELECT board FROM fleet_members WHERE fleet = $2)";
    let values = vec![thing.to_string(), fleet.to_string()];
    let ended = Cut { roots, only, values, by: None }.make(tx).await?;
    tell_cut(tx, "resource", &thing, ended).await
}

/// Delegations ended because their thing went elsewhere, or their holder; gives how many.
async fn tell_cut(
    tx: &mut Tx,
    what: &'static str,
    thing: impl ToString,
    ended: u64,
) -> Result<u64, Error> {
    if ended > 0 {
        let entry = Entry::new("delegation:cut", what, thing.to_string());
        tx.audit(entry.with(json!({ "ended": ended }))).await?;
    }
    Ok(ended)
}
