//! Delegations: rows and how they are made. Which reach somebody is in `reach` (and, in
//! memory, in `index`), their end in `cut`.
//!
//! Invariants: a row below another stays within it (`model::delegation`, asked in the same transaction); revoking takes
//! everything below along; two exclusive ones of one thing overlap only when one rests on the other; a row is never changed
//! but by being revoked, and never removed before its project is.

mod cut;
mod index;
mod links;
mod reach;
mod touched;

#[cfg(test)]
mod agreement;

pub use cut::revoke;
pub(crate) use cut::{revoke_all_of, revoke_held_by, revoke_left, revoke_strays, void_members};
pub(crate) use index::Index;
pub(crate) use reach::push_lent;
pub use reach::{Reaching, chain, has_any, reaching, reaching_board, target};

use crate::audit::Entry;
use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, all, few, json, one};
use crate::{Error, Page, Tx};
use model::delegation::{Delegation, Hold, MAX_DEPTH, Resource, Target, Window};
use model::{DelegationId, Invalid, ProjectId, Timestamp, UserId};
use serde_json::{Value, json};

const WHAT: &str = "delegation";
/// Most delegations of one thing to one person that are looked at, with those that they rest on.
const MAX_REACHING: u32 = 400;
/// Most live delegations that one person may give.
pub const MAX_GIVEN: u32 = 10_000;

/// A delegation as it is kept.
#[derive(Debug, Clone, PartialEq)]
pub struct DelegationRow {
    /// What it says.
    pub delegation: Delegation,
    /// The project of its thing.
    pub project: ProjectId,
    /// Since when.
    pub created_at: Timestamp,
    /// When it was taken back.
    pub revoked_at: Option<Timestamp>,
    /// By whom.
    pub revoked_by: Option<UserId>,
}

/// Which delegations.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// To this person, or by this person.
    pub party: Option<UserId>,
    /// Of this thing.
    pub resource: Option<Resource>,
    /// Not revoked and not over at this moment.
    pub live_at: Option<Timestamp>,
}

const COLUMNS: &str = "id, parent, project, resource, delegator, delegated, rights, starts_at, ends_at, depth, hold, \
     created_at, revoked_at, revoked_by";
const SELECT: &str = "SELECT id, parent, project, resource, delegator, delegated, rights, starts_at, ends_at, depth, hold, \
     created_at, revoked_at, revoked_by FROM delegations WHERE 1 = 1";

/// Stores a delegation of `target`; one below another stays within it.
///
/// # Errors
/// It widens its parent, the thing is booked at that time, or its delegator has given too many.
pub async fn create(tx: &mut Tx, new: Delegation, target: &Target) -> Result<DelegationRow, Error> {
    if new.depth > MAX_DEPTH {
        return Err(Invalid::new(format!("depth {} is not 0 to {MAX_DEPTH}", new.depth)).into());
    }
    if let Some(parent) = new.parent {
        let parent = get(&mut *tx, parent).await?;
        new.is_part_of(&parent.delegation, target)?;
    }
    check_room(tx, &new).await?;
    if new.hold == Hold::Exclusive {
        check_free(tx, &new).await?;
    }
    let statement = Statement::new(
        "store a delegation",
        "INSERT INTO delegations (id, parent, project, resource, delegator, delegated, rights, starts_at, ends_at, depth, \
         hold, created_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)",
    )
    .bind(new.id)
    .bind(new.parent)
    .bind(&target.project)
    .bind(new.resource.to_string())
    .bind(&new.delegator)
    .bind(&new.delegated)
    .bind(json(&new.rights)?)
    .bind(new.window.from())
    .bind(new.window.until())
    .bind(u32::from(new.depth))
    .bind(new.hold.word())
    .bind(tx.now());
    tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "id"))?;
    let row = get(&mut *tx, new.id).await?;
    tell(tx, &row, "created").await?;
    let entry = Entry::new("delegation:create", WHAT, row.delegation.id).of(&row.project);
    let entry = entry.or_by(Some(&row.delegation.delegator)).with(said(&row.delegation));
    tx.audit(entry).await?;
    Ok(row)
}

fn said(delegation: &Delegation) -> Value {
    json!({
        "parent": delegation.parent,
        "resource": delegation.resource.to_string(),
        "delegated": delegation.delegated,
        "rights": delegation.rights,
        "from": delegation.window.from(),
        "until": delegation.window.until(),
        "depth": delegation.depth,
        "hold": delegation.hold,
    })
}

async fn check_room(tx: &mut Tx, new: &Delegation) -> Result<(), Error> {
    let text = "SELECT COUNT(*) AS given FROM delegations WHERE delegator = $1 AND revoked_at IS NULL AND ends_at > $2";
    let statement = Statement::new("count delegations", text).bind(&new.delegator).bind(tx.now());
    let given = one(&mut *tx, statement, WHAT, |row| row.int("given")).await?;
    if given >= i64::from(MAX_GIVEN) {
        return Err(Error::Exhausted(format!(
            "{given} delegations of this person are live, the most there may be; revoke some"
        )));
    }
    Ok(())
}

/// A booking rests on those above it, and on no other.
async fn check_free(tx: &mut Tx, new: &Delegation) -> Result<(), Error> {
    let mut statement = Statement::new("look for bookings", SELECT);
    statement.and_equals("resource", Some(new.resource.to_string()));
    statement.and_equals("hold", Some(Hold::Exclusive.word()));
    statement.push(" AND revoked_at IS NULL AND starts_at < ").push_bind(new.window.until());
    statement.push(" AND ends_at > ").push_bind(new.window.from());
    statement.push(" ORDER BY starts_at LIMIT ").push_bind(MAX_REACHING);
    let others = few(&mut *tx, statement, read).await?;
    let above = match new.parent {
        Some(parent) => chain(&mut *tx, parent).await?,
        None => Vec::new(),
    };
    let taken = others.iter().find(|other| above.iter().all(|link| link.id != other.delegation.id));
    match taken {
        Some(other) => Err(Error::Conflict(format!(
            "{} is booked from {} to {}; choose another time or thing",
            new.resource,
            other.delegation.window.from(),
            other.delegation.window.until()
        ))),
        None => Ok(()),
    }
}

/// The delegation of this id.
///
/// # Errors
/// There is none.
pub async fn get<'e>(from: impl Reader<'e>, id: DelegationId) -> Result<DelegationRow, Error> {
    let mut statement = Statement::new("read a delegation", SELECT);
    statement.and_equals("id", Some(id));
    one(from, statement, WHAT, read).await
}

/// Delegations in order of creation: those of a project's things, or all.
///
/// # Errors
/// The database failed.
pub async fn list<'e>(
    from: impl Reader<'e>,
    project: Option<&ProjectId>,
    filter: &Filter,
    page: Page,
) -> Result<Vec<DelegationRow>, Error> {
    let mut statement = Statement::new("list delegations", SELECT);
    statement.and_equals("project", project);
    if let Some(party) = &filter.party {
        statement.push(" AND (delegated = ").push_bind(party);
        statement.push(" OR delegator = ").push_bind(party).push(")");
    }
    statement.and_equals("resource", filter.resource.as_ref().map(ToString::to_string));
    if let Some(now) = filter.live_at {
        statement.push(" AND revoked_at IS NULL AND ends_at > ").push_bind(now);
    }
    all(from, statement.page("id", page), read).await
}

async fn tell(tx: &mut Tx, row: &DelegationRow, verb: &str) -> Result<(), Error> {
    let said = &row.delegation;
    let body = json!({
        "resource": said.resource.to_string(),
        "delegator": said.delegator,
        "delegated": said.delegated,
        "until": said.window.until(),
    });
    tx.event(NewEvent::about(WHAT, verb, &row.project, said.id, body)).await.map(|_| ())
}

fn read(row: &Row) -> Result<DelegationRow, Error> {
    let revoked_at = row.time_optional("revoked_at")?;
    Ok(DelegationRow {
        delegation: Delegation {
            id: row.parse("id")?,
            parent: row.parse_optional("parent")?,
            resource: row.parse("resource")?,
            delegator: row.parse("delegator")?,
            delegated: row.parse("delegated")?,
            rights: row.json("rights")?,
            window: Window::new(row.time("starts_at")?, row.time("ends_at")?)?,
            depth: row.number("depth")?,
            hold: row.parse("hold")?,
            revoked: revoked_at.is_some(),
        },
        project: row.parse("project")?,
        created_at: row.time("created_at")?,
        revoked_at,
        revoked_by: row.parse_optional("revoked_by")?,
    })
}
