//! Boards: rows, lookup, creation and change. Lists are in `list`, what connections change in `presence`, status and key in
//! `life`, what becomes of a key that two machines have in `parking`, the age of rights in `epoch`.
//!
//! Invariants: names are unique in a project among boards that are not decommissioned; a status changes only by
//! [`model::board::Status::next`]; a key that was taken from a board is refused for good. Whatever is a user's change bumps
//! the revision; presence and load do not, because an ETag that ages by itself would make every edit fail.

mod count;
mod epoch;
mod life;
mod list;
mod parking;
mod presence;
mod transfer;

pub use count::by_status;
pub use epoch::raise_epoch;
pub(crate) use life::rebind;
pub use life::{RefusedKey, decommission, delete, refused_key, rotate, set_status};
pub use list::{Among, Borrower, Filter, list, list_light};
pub use parking::{park, unpark};
pub use presence::{
    Connection, all_offline_at_start, record_connection, record_disconnection, record_facts,
    record_load,
};
pub use transfer::transfer;

use crate::audit::Entry;
use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, all, first, json, one, the_one};
use crate::{Error, Tx, delegations, fleets, quotas};
use base::key::PublicKey;
use model::board::{Event, Parked, Position, Status};
use model::facts::{Facts, Load};
use model::label::Labels;
use model::quota::Counted;
use model::{BoardId, FleetId, Name, ProjectId, Timestamp, UserId};
use serde::Deserialize;
use serde_json::json;
use std::net::IpAddr;
use uuid::Uuid;

const WHAT: &str = "board";
/// An address that no machine comes from.
const NOWHERE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::UNSPECIFIED);

/// A board.
#[derive(Debug, Clone, PartialEq)]
pub struct BoardRow {
    /// Its id.
    pub id: BoardId,
    /// Its name.
    pub name: Name,
    /// Whose project.
    pub project: ProjectId,
    /// Who claimed it.
    pub owner: UserId,
    /// The fleet it was put into; rules may have it in others too.
    pub fleet: Option<FleetId>,
    /// Where it stands.
    pub status: Status,
    /// The key it is known by; none before enrolment and after the end.
    pub public_key: Option<PublicKey>,
    /// Labels.
    pub labels: Labels,
    /// Where it is, set by a person; what the board itself says is in the facts.
    pub position: Option<Position>,
    /// Version of its agent.
    pub agent_version: Option<String>,
    /// Protocol version of the last connection.
    pub protocol: Option<u32>,
    /// Capabilities of the last connection.
    pub capabilities: Vec<String>,
    /// What it says about itself.
    pub facts: Facts,
    /// Its last load report.
    pub load: Option<Load>,
    /// When that came.
    pub load_at: Option<Timestamp>,
    /// Its session now, when it is connected.
    pub session: Option<String>,
    /// When it was last heard of.
    pub last_seen: Option<Timestamp>,
    /// Since when it is known.
    pub created_at: Timestamp,
    /// Last change by a person.
    pub updated_at: Timestamp,
    /// Grows with every change by a person (ETag).
    pub revision: i64,
    /// Counts in order of creation; what upstream shows as `id`.
    pub serial: i64,
    /// Whether it is an upstream board, which has no key and is known by its session only.
    pub legacy: bool,
    /// Set while two machines have its key and nobody has decided.
    pub parked: Option<Parked>,
    /// The one address it may come from, after a decision, until it has a new key.
    pub admits_from: Option<IpAddr>,
    /// Rights given out in an earlier epoch are refused.
    pub rights_epoch: u32,
}

/// A board to make.
#[derive(Debug, Clone, PartialEq)]
pub struct NewBoard {
    /// Its id.
    pub id: BoardId,
    /// Its name.
    pub name: Name,
    /// Whose project.
    pub project: ProjectId,
    /// Who claimed it.
    pub owner: UserId,
    /// The fleet it goes into.
    pub fleet: Option<FleetId>,
    /// Its key, when it is enrolled at once.
    pub public_key: Option<PublicKey>,
    /// Labels.
    pub labels: Labels,
    /// Where it is.
    pub position: Option<Position>,
    /// What is known of it already.
    pub facts: Facts,
}

/// What a person changes; `None` leaves as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct BoardChange {
    /// New name.
    pub name: Option<Name>,
    /// All labels anew.
    pub labels: Option<Labels>,
    /// New position, or none any more.
    pub position: Option<Option<Position>>,
    /// New fleet, or none any more.
    pub fleet: Option<Option<FleetId>>,
}

pub(crate) const SELECT: &str = "SELECT b.id, b.name, b.project, b.owner, b.fleet, b.status, b.public_key, b.labels, \
     b.position, b.agent_version, b.protocol, b.capabilities, b.facts, b.load, b.load_at, b.session, b.last_seen, \
     b.created_at, b.updated_at, b.revision, b.serial, b.parked, b.admits_from, b.rights_epoch, \
     EXISTS (SELECT 1 FROM upstream_boards u WHERE u.board = b.id AND u.legacy = 1) AS legacy FROM boards b WHERE 1 = 1";

/// The board of this id, or of this name (decommissioned ones by id only).
///
/// # Errors
/// There is none in the scope, or the scope is every project and several have one of this name.
pub async fn get<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    id_or_name: &str,
) -> Result<BoardRow, Error> {
    if let Ok(id) = Uuid::try_parse(id_or_name) {
        return by_id(from, scope, id.into()).await;
    }
    let mut statement = Statement::new("read a board", SELECT);
    statement.and_equals("b.name", Some(id_or_name)).and_equals("b.project", scope);
    statement.push(" AND b.status <> 'decommissioned' LIMIT 2");
    the_one(from, statement, WHAT, read).await
}

/// The board of this id.
///
/// # Errors
/// There is none in the scope.
pub async fn by_id<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    id: BoardId,
) -> Result<BoardRow, Error> {
    let mut statement = Statement::new("read a board", SELECT);
    statement.and_equals("b.id", Some(id)).and_equals("b.project", scope);
    one(from, statement, WHAT, read).await
}

/// Whose a board is and where it stands, for who has its row and is not sure of these any more.
///
/// # Errors
/// There is none.
pub async fn standing<'e>(
    from: impl Reader<'e>,
    id: BoardId,
) -> Result<(ProjectId, Status), Error> {
    let text = "SELECT project, status FROM boards WHERE id = $1";
    let statement = Statement::new("read where a board stands", text).bind(id);
    one(from, statement, WHAT, |row| Ok((row.parse("project")?, row.parse("status")?))).await
}

/// The board of this key.
///
/// # Errors
/// The database failed.
pub async fn by_key<'e>(
    from: impl Reader<'e>,
    public_key: &PublicKey,
) -> Result<Option<BoardRow>, Error> {
    let mut statement = Statement::new("read a board", SELECT);
    statement.and_equals("b.public_key", Some(public_key));
    first(from, statement, read).await
}

/// Makes a board: registered without a key, offline with one.
///
/// # Errors
/// The name or the key is taken, there is no such fleet in the project, or it has as many boards as it may have.
pub async fn create(tx: &mut Tx, new: NewBoard) -> Result<BoardRow, Error> {
    check_fleet(tx, &new.project, new.fleet).await?;
    if let Some(key) = &new.public_key
        && by_key(&mut *tx, key).await?.is_some()
    {
        return Err(Error::Duplicate { what: WHAT, field: "key" });
    }
    quotas::check(tx, &new.project, Counted::Boards, 1).await?;
    let now = tx.now();
    let status = match new.public_key {
        Some(_) => Status::Registered.next(Event::Enrolled)?,
        None => Status::Registered,
    };
    let statement = Statement::new(
        "create a board",
        "INSERT INTO boards (id, name, project, owner, fleet, status, public_key, labels, position, capabilities, facts, \
         created_at, updated_at, revision, serial) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, '[]', $10, $11, $11, 1, \
         (SELECT COALESCE(MAX(serial), 0) + 1 FROM boards))",
    )
    .bind(new.id)
    .bind(&new.name)
    .bind(&new.project)
    .bind(&new.owner)
    .bind(new.fleet)
    .bind(status.word())
    .bind(new.public_key.as_ref())
    .bind(json(&new.labels)?)
    .bind(new.position.as_ref().map(json).transpose()?)
    .bind(json(&new.facts)?)
    .bind(now);
    tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "name"))?;
    write_labels(tx, new.id, &new.labels).await?;
    let row = by_id(&mut *tx, None, new.id).await?;
    tell(tx, &row, "created").await?;
    // One with a key is told by the claim that it came by.
    if row.public_key.is_none() {
        let entry = Entry::new("board:create", WHAT, row.id).of(&row.project);
        tx.audit(entry.with(json!({ "name": row.name })).or_by(Some(&row.owner))).await?;
    }
    Ok(row)
}

/// Changes what a person may change.
///
/// # Errors
/// There is none in the scope, it is decommissioned, its revision is not `expected`, the name is taken, or there is no such
/// fleet in the project.
pub async fn update(
    tx: &mut Tx,
    scope: Option<&ProjectId>,
    id: BoardId,
    change: BoardChange,
    expected: Option<i64>,
) -> Result<BoardRow, Error> {
    let old = by_id(&mut *tx, scope, id).await?;
    fresh(old.revision, expected)?;
    if old.status == Status::Decommissioned {
        return Err(Error::Conflict("the board is decommissioned; claim a new one".into()));
    }
    let fleet = change.fleet.unwrap_or(old.fleet);
    check_fleet(tx, &old.project, fleet).await?;
    let before = fleets::of_board(&mut *tx, id).await?;
    let labels = change.labels.as_ref().unwrap_or(&old.labels);
    let position = change.position.unwrap_or(old.position);
    let statement = Statement::new(
        "update a board",
        "UPDATE boards SET name = $1, labels = $2, position = $3, fleet = $4, updated_at = $5, revision = revision + 1 \
         WHERE id = $6 AND revision = $7",
    )
    .bind(change.name.as_ref().unwrap_or(&old.name))
    .bind(json(labels)?)
    .bind(position.as_ref().map(json).transpose()?)
    .bind(fleet)
    .bind(tx.now())
    .bind(id)
    .bind(old.revision);
    let rows = tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "name"))?;
    if rows == 0 {
        return Err(Error::Stale { what: WHAT });
    }
    if change.labels.is_some() {
        write_labels(tx, id, labels).await?;
    }
    let after = fleets::of_board(&mut *tx, id).await?;
    for left in before.into_iter().filter(|fleet| !after.contains(fleet)) {
        delegations::revoke_left(tx, id, left).await?;
    }
    let row = by_id(&mut *tx, None, id).await?;
    tell(tx, &row, "updated").await?;
    // Both decide in which fleets it is, and so what delegations reach it.
    if row.fleet != old.fleet || row.labels != old.labels {
        let entry = Entry::new("board:update", WHAT, id).of(&row.project);
        tx.audit(entry.with(json!({ "fleet": row.fleet, "labels": row.labels }))).await?;
    }
    Ok(row)
}

async fn write_labels(tx: &mut Tx, id: BoardId, labels: &Labels) -> Result<(), Error> {
    let text = "DELETE FROM board_labels WHERE board = $1";
    tx.execute(Statement::new("write labels", text).bind(id)).await?;
    if labels.is_empty() {
        return Ok(());
    }
    let mut statement =
        Statement::new("write labels", "INSERT INTO board_labels (board, key, value) VALUES ");
    for (index, (key, value)) in labels.iter().enumerate() {
        statement.push(if index == 0 { "(" } else { ", (" }).push_bind(id);
        statement.push(", ").push_bind(key).push(", ").push_bind(value).push(")");
    }
    tx.execute(statement).await.map(|_| ())
}

pub(crate) async fn check_fleet(
    tx: &mut Tx,
    project: &ProjectId,
    fleet: Option<FleetId>,
) -> Result<(), Error> {
    let Some(fleet) = fleet else { return Ok(()) };
    let text = "SELECT id FROM fleets WHERE id = $1 AND project = $2";
    let statement = Statement::new("read a fleet", text).bind(fleet).bind(project);
    let found: Vec<FleetId> = all(&mut *tx, statement, |row| row.parse("id")).await?;
    if found.is_empty() { Err(Error::NotFound { what: "fleet" }) } else { Ok(()) }
}

fn fresh(revision: i64, expected: Option<i64>) -> Result<(), Error> {
    match expected {
        Some(expected) if expected != revision => Err(Error::Stale { what: WHAT }),
        _ => Ok(()),
    }
}

async fn tell(tx: &mut Tx, row: &BoardRow, verb: &str) -> Result<(), Error> {
    let body = if row.legacy {
        json!({ "name": row.name, "status": row.status, "fleet": row.fleet, "legacy": true })
    } else {
        json!({ "name": row.name, "status": row.status, "fleet": row.fleet })
    };
    tx.event(NewEvent::about(WHAT, verb, &row.project, row.id, body)).await.map(|_| ())
}

pub(crate) fn read(row: &Row) -> Result<BoardRow, Error> {
    Ok(BoardRow {
        capabilities: row.json("capabilities")?,
        facts: row.json("facts")?,
        load: row.json_optional("load")?,
        ..read_light(row)?
    })
}

/// The one fact that lists show.
#[derive(Deserialize)]
struct Place {
    #[serde(default)]
    position: Option<Position>,
}

/// A row without load and capabilities, and with no other fact than the position.
fn read_light(row: &Row) -> Result<BoardRow, Error> {
    Ok(BoardRow {
        id: row.parse("id")?,
        name: row.parse("name")?,
        project: row.parse("project")?,
        owner: row.parse("owner")?,
        fleet: row.parse_optional("fleet")?,
        status: row.parse("status")?,
        public_key: row.key_optional("public_key")?,
        labels: row.json("labels")?,
        position: row.json_optional("position")?,
        agent_version: row.text_optional("agent_version")?,
        protocol: row.number_optional("protocol")?,
        capabilities: Vec::new(),
        facts: Facts { position: row.json::<Place>("facts")?.position, ..Facts::default() },
        load: None,
        load_at: row.time_optional("load_at")?,
        session: row.text_optional("session")?,
        last_seen: row.time_optional("last_seen")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        revision: row.int("revision")?,
        serial: row.int("serial")?,
        legacy: row.yes("legacy")?,
        parked: row.json_optional("parked")?,
        // Only this crate writes it; a text that is no address lets nobody in.
        admits_from: row.text_optional("admits_from")?.map(|text| text.parse().unwrap_or(NOWHERE)),
        rights_epoch: row.number("rights_epoch")?,
    })
}
