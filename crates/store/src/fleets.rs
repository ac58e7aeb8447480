//! Fleets: named sets of boards.
//!
//! A board is in the fleet it was put into (a column of the board), and in every fleet of its project whose rule fits its
//! labels. Who is in is never stored but said by the view `fleet_members`, so that it is true at every moment.

use crate::audit::Entry;
use crate::delegations;
use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, all, few, json, one, the_one};
use crate::{Error, Page, Tx};
use model::delegation::Resource;
use model::label::{Selector, Term};
use model::{BoardId, FleetId, Invalid, Name, ProjectId, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

const WHAT: &str = "fleet";
/// Longest description, in bytes.
pub const MAX_DESCRIPTION: usize = 4096;

/// A fleet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FleetRow {
    /// Its id.
    pub id: FleetId,
    /// Its name.
    pub name: Name,
    /// Whose project.
    pub project: ProjectId,
    /// What it is for.
    pub description: String,
    /// Which boards are in it besides those that were put into it.
    pub rule: Option<Selector>,
    /// Since when.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Grows with every change (ETag).
    pub revision: i64,
    /// What upstream's clients keep with it.
    pub extra: Value,
    /// Counts in order of creation; what upstream shows as `id`.
    pub serial: i64,
}

/// A fleet to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewFleet {
    /// Its id.
    pub id: FleetId,
    /// Its name.
    pub name: Name,
    /// Whose project.
    pub project: ProjectId,
    /// What it is for.
    pub description: String,
    /// Which boards are in it besides those that are put into it.
    pub rule: Option<Selector>,
    /// What upstream's clients keep with it.
    pub extra: Value,
}

/// What is changed; `None` leaves as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct FleetChange {
    /// New name.
    pub name: Option<Name>,
    /// New description.
    pub description: Option<String>,
    /// New rule, or none any more.
    pub rule: Option<Option<Selector>>,
    /// New keepsake of upstream's clients.
    pub extra: Option<Value>,
}

const SELECT: &str = "SELECT id, name, project, description, rule, created_at, updated_at, revision, extra, serial \
     FROM fleets WHERE 1 = 1";

/// Makes a fleet.
///
/// # Errors
/// The name is taken in the project, or the description is too long.
pub async fn create(tx: &mut Tx, new: NewFleet) -> Result<FleetRow, Error> {
    check(&new.description)?;
    let statement = Statement::new(
        "create a fleet",
        "INSERT INTO fleets (id, name, project, description, created_at, updated_at, revision, extra, rule, serial) \
         VALUES ($1, $2, $3, $4, $5, $5, 1, $6, $7, (SELECT COALESCE(MAX(serial), 0) + 1 FROM fleets))",
    )
    .bind(new.id)
    .bind(&new.name)
    .bind(&new.project)
    .bind(new.description)
    .bind(tx.now())
    .bind(json(&new.extra)?)
    .bind(new.rule.as_ref().map(ToString::to_string));
    tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "name"))?;
    write_terms(tx, new.id, new.rule.as_ref()).await?;
    let row = by_id(&mut *tx, None, new.id).await?;
    tell(tx, &row, "created").await?;
    Ok(row)
}

async fn write_terms(tx: &mut Tx, id: FleetId, rule: Option<&Selector>) -> Result<(), Error> {
    let text = "DELETE FROM fleet_terms WHERE fleet = $1";
    tx.execute(Statement::new("write a rule", text).bind(id)).await?;
    let terms = rule.map(Selector::terms).unwrap_or_default();
    for (place, term) in terms.iter().enumerate() {
        let (key, words, is_wanted) = match term {
            Term::In(key, values) => (key, Some(between_bars(values)), true),
            Term::NotIn(key, values) => (key, Some(between_bars(values)), false),
            Term::Present(key) => (key, None, true),
            Term::Absent(key) => (key, None, false),
        };
        let text = "INSERT INTO fleet_terms (fleet, place, key, words, wanted) VALUES ($1, $2, $3, $4, $5)";
        let statement = Statement::new("write a rule", text).bind(id).bind(place as i64);
        tx.execute(statement.bind(key.as_str()).bind(words).bind(is_wanted)).await?;
    }
    Ok(())
}

/// Values hold no bar, so that each of them is found between two.
fn between_bars(values: &[String]) -> String {
    format!("|{}|", values.join("|"))
}

fn check(description: &str) -> Result<(), Invalid> {
    if description.len() > MAX_DESCRIPTION {
        return Err(Invalid::new(format!(
            "a description has at most {MAX_DESCRIPTION} bytes, this one has {}",
            description.len()
        )));
    }
    Ok(())
}

/// The fleet of this id or name.
///
/// # Errors
/// There is none in the scope, or the scope is every project and several have one of this name.
pub async fn get<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    id_or_name: &str,
) -> Result<FleetRow, Error> {
    if let Ok(id) = Uuid::try_parse(id_or_name) {
        return by_id(from, scope, id.into()).await;
    }
    let mut statement = Statement::new("read a fleet", SELECT);
    statement.and_equals("name", Some(id_or_name)).and_equals("project", scope);
    statement.push(" LIMIT 2");
    the_one(from, statement, WHAT, read).await
}

/// The fleet of this id.
///
/// # Errors
/// There is none in the scope.
pub async fn by_id<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    id: FleetId,
) -> Result<FleetRow, Error> {
    let mut statement = Statement::new("read a fleet", SELECT);
    statement.and_equals("id", Some(id)).and_equals("project", scope);
    one(from, statement, WHAT, read).await
}

/// Fleets in order of creation.
///
/// # Errors
/// The database failed.
pub async fn list<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    page: Page,
) -> Result<Vec<FleetRow>, Error> {
    let mut statement = Statement::new("list fleets", SELECT);
    statement.and_equals("project", scope);
    all(from, statement.page("id", page), read).await
}

/// The fleets that a board is in.
///
/// # Errors
/// The database failed.
pub async fn of_board<'e>(from: impl Reader<'e>, board: BoardId) -> Result<Vec<FleetId>, Error> {
    let text = "SELECT fleet FROM fleet_members WHERE board = $1 ORDER BY fleet";
    let statement = Statement::new("read the fleets of a board", text).bind(board);
    few(from, statement, |row| row.parse("fleet")).await
}

/// Changes a fleet.
///
/// # Errors
/// There is none in the scope, its revision is not `expected`, the name is taken, or the description is too long.
pub async fn update(
    tx: &mut Tx,
    scope: Option<&ProjectId>,
    id: FleetId,
    change: FleetChange,
    expected: Option<i64>,
) -> Result<FleetRow, Error> {
    let old = by_id(&mut *tx, scope, id).await?;
    if expected.is_some_and(|expected| expected != old.revision) {
        return Err(Error::Stale { what: WHAT });
    }
    let description = change.description.unwrap_or(old.description);
    let has_new_rule = change.rule.as_ref().is_some_and(|rule| *rule != old.rule);
    let rule = change.rule.unwrap_or(old.rule);
    check(&description)?;
    let statement = Statement::new(
        "update a fleet",
        "UPDATE fleets SET name = $1, description = $2, updated_at = $3, extra = $4, rule = $5, \
         revision = revision + 1 WHERE id = $6 AND revision = $7",
    )
    .bind(change.name.as_ref().unwrap_or(&old.name))
    .bind(description)
    .bind(tx.now())
    .bind(json(change.extra.as_ref().unwrap_or(&old.extra))?)
    .bind(rule.as_ref().map(ToString::to_string))
    .bind(id)
    .bind(old.revision);
    let rows = tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "name"))?;
    if rows == 0 {
        return Err(Error::Stale { what: WHAT });
    }
    if has_new_rule {
        delegations::void_members(tx, id).await?;
        write_terms(tx, id, rule.as_ref()).await?;
        delegations::revoke_strays(tx, id).await?;
    }
    let row = by_id(&mut *tx, None, id).await?;
    tell(tx, &row, "updated").await?;
    if has_new_rule {
        // It decides which boards are lent with the fleet.
        let rule = row.rule.as_ref().map(ToString::to_string);
        let entry = Entry::new("fleet:update", WHAT, id).of(&row.project);
        tx.audit(entry.with(json!({ "rule": rule }))).await?;
    }
    Ok(row)
}

/// Removes a fleet; its boards stay, in no fleet.
///
/// # Errors
/// There is none in the scope.
pub async fn delete(tx: &mut Tx, scope: Option<&ProjectId>, id: FleetId) -> Result<(), Error> {
    let old = by_id(&mut *tx, scope, id).await?;
    delegations::revoke_all_of(tx, &Resource::Fleet(id)).await?;
    let text = "DELETE FROM fleets WHERE id = $1";
    tx.execute(Statement::new("delete a fleet", text).bind(id)).await?;
    tell(tx, &old, "deleted").await
}

async fn tell(tx: &mut Tx, row: &FleetRow, verb: &str) -> Result<(), Error> {
    let body = json!({ "name": row.name });
    tx.event(NewEvent::about(WHAT, verb, &row.project, row.id, body)).await.map(|_| ())
}

fn read(row: &Row) -> Result<FleetRow, Error> {
    Ok(FleetRow {
        id: row.parse("id")?,
        name: row.parse("name")?,
        project: row.parse("project")?,
        description: row.text("description")?,
        rule: row.parse_optional("rule")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        revision: row.int("revision")?,
        extra: row.json("extra")?,
        serial: row.int("serial")?,
    })
}
