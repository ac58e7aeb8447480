//! Delegations: rows, chains and their end.
//!
//! Invariants: a row below another stays within it (`model::delegation`, asked in the same transaction); revoking takes
//! everything below along; two exclusive ones of one thing overlap only when one rests on the other; a row is never changed
//! but by being revoked, and never removed before its project is.

use crate::audit::Entry;
use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, all, few, json, one};
use crate::{Error, Page, Tx};
use model::contribution::Contribution;
use model::delegation::{Delegation, Hold, MAX_DEPTH, Resource, Target, Window};
use model::{BoardId, DelegationId, FleetId, Invalid, ProjectId, Timestamp, UserId};
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

/// A delegation and those it rests on, up to the first of its chain.
///
/// # Errors
/// The database failed.
pub async fn chain<'e>(from: impl Reader<'e>, id: DelegationId) -> Result<Vec<Delegation>, Error> {
    let text = "WITH RECURSIVE above (id, parent, step) AS (\
             SELECT id, parent, 0 FROM delegations WHERE id = $1 \
             UNION ALL SELECT d.id, d.parent, a.step + 1 FROM delegations d JOIN above a ON d.id = a.parent \
             WHERE a.step < $2) \
         SELECT d.id, d.parent, d.project, resource, delegator, delegated, rights, starts_at, ends_at, depth, hold, \
         created_at, revoked_at, revoked_by FROM above a JOIN delegations d ON d.id = a.id ORDER BY a.step";
    let statement = Statement::new("read a chain", text).bind(id).bind(u32::from(MAX_DEPTH) + 1);
    let rows = few(from, statement, read).await?;
    Ok(rows.into_iter().map(|row| row.delegation).collect())
}

/// Live delegations to a person that reach a thing (of itself, of its fleets, of its project), each with all that it rests on.
///
/// # Errors
/// The database failed.
pub async fn reaching<'e>(
    from: impl Reader<'e>,
    to: &UserId,
    target: &Target,
    now: Timestamp,
) -> Result<Vec<Vec<Delegation>>, Error> {
    let mut statement = Statement::new(
        "read delegations",
        "WITH RECURSIVE above (leaf, id, parent, step) AS (\
         SELECT id, id, parent, 0 FROM delegations WHERE revoked_at IS NULL",
    );
    statement.and_equals("delegated", Some(to));
    statement.push(" AND ends_at > ").push_bind(now);
    statement.push(" AND resource IN (").push_bind(target.resource.to_string());
    statement.push(", ").push_bind(Resource::Project(target.project.clone()).to_string());
    for fleet in &target.fleets {
        statement.push(", ").push_bind(Resource::Fleet(*fleet).to_string());
    }
    statement.push(
        ") UNION ALL SELECT a.leaf, d.id, d.parent, a.step + 1 FROM above a JOIN delegations d ON d.id = a.parent \
         WHERE a.step < ",
    );
    statement.push_bind(u32::from(MAX_DEPTH) + 1);
    statement.push(
        ") SELECT d.id, d.parent, d.project, resource, delegator, delegated, rights, starts_at, ends_at, depth, hold, \
         created_at, revoked_at, revoked_by FROM above a JOIN delegations d ON d.id = a.id ORDER BY a.leaf, a.step LIMIT ",
    );
    statement.push_bind(MAX_REACHING);
    let rows = few(from, statement, read).await?;
    let mut chains: Vec<Vec<Delegation>> = Vec::new();
    for link in rows.into_iter().map(|row| row.delegation) {
        match chains.last_mut() {
            Some(chain) if chain.last().is_some_and(|low| low.parent == Some(link.id)) => {
                chain.push(link);
            }
            _ => chains.push(vec![link]),
        }
    }
    Ok(chains)
}

/// A board as delegations see it: the fleets that it is in, and the hours in which it is lent.
///
/// # Errors
/// The database failed.
pub async fn target<'e>(
    from: impl Reader<'e>,
    board: BoardId,
    project: ProjectId,
) -> Result<Target, Error> {
    let text = "SELECT (SELECT GROUP_CONCAT(fleet) FROM fleet_members WHERE board = $1) AS fleets, \
         (SELECT said FROM contributions WHERE board = $1 AND in_hours = 1) AS said";
    let statement = Statement::new("read how a board is lent", text).bind(board);
    let read =
        |row: &Row| Ok((row.text_optional("fleets")?, row.json_optional::<Contribution>("said")?));
    let (fleets, said) = one(from, statement, "board", read).await?;
    let fleets = fleets.as_deref().unwrap_or_default().split(',').filter(|id| !id.is_empty());
    let fleets = fleets.map(str::parse).collect::<Result<Vec<FleetId>, _>>()?;
    Ok(Target::board(board, fleets, project).within(said.and_then(|said| said.hours)))
}

/// Whether anything is delegated to a person at this moment or will be.
///
/// # Errors
/// The database failed.
pub async fn has_any<'e>(
    from: impl Reader<'e>,
    to: &UserId,
    now: Timestamp,
) -> Result<bool, Error> {
    let text = "SELECT EXISTS (SELECT 1 FROM delegations WHERE delegated = $1 AND revoked_at IS NULL AND ends_at > $2) AS any";
    let statement = Statement::new("look for delegations", text).bind(to).bind(now);
    one(from, statement, WHAT, |row| row.yes("any")).await
}

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
             UNION SELECT d.id FROM delegations d JOIN under u ON d.parent = u.id) \
         UPDATE delegations SET revoked_at = $2 WHERE revoked_at IS NULL AND id IN (SELECT id FROM under)";
    let statement = Statement::new("revoke delegations", text);
    tx.rights_changed();
    let ended = tx.execute(statement.bind(resource.to_string()).bind(tx.now())).await?;
    tell_cut(tx, resource, ended).await
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
         WHERE revoked_at IS NULL AND resource = $3 AND id IN (SELECT id FROM under)";
    let statement = Statement::new("revoke delegations", text)
        .bind(Resource::Fleet(fleet).to_string())
        .bind(tx.now())
        .bind(Resource::Board(board).to_string());
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
         WHERE revoked_at IS NULL AND resource LIKE 'board:%' AND id IN (SELECT id FROM under) \
         AND SUBSTR(resource, 7) NOT IN (SELECT board FROM fleet_members WHERE fleet = $3)";
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
