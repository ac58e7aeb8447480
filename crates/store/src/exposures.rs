//! Exposures: a service of a board, reachable at a public port of the cloud.
//!
//! Invariant: a public port belongs to at most one exposure; it is taken when the exposure is made and freed when it is
//! removed, not when the board is away.

use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, all, first, one};
use crate::{Error, Tx};
use base::secret::random;
use model::service::{ExposureState, Port, Protocol};
use model::{BoardId, Invalid, Name, ProjectId, ServiceId, Timestamp};
use serde_json::json;
use std::collections::HashSet;
use std::ops::RangeInclusive;

const WHAT: &str = "exposure";
/// Most exposures of one list: there are no more ports.
pub const MAX_LIST: u32 = 65_535;

/// A service of a board that is, or is to be, reachable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExposureRow {
    /// The board.
    pub board: BoardId,
    /// Its name.
    pub board_name: Name,
    /// Its project.
    pub project: ProjectId,
    /// The service.
    pub service: ServiceId,
    /// Its name.
    pub service_name: Name,
    /// The cloud's port.
    pub public_port: Option<u16>,
    /// Where it stands.
    pub state: ExposureState,
    /// The service's port when it was enabled.
    pub local_port: Port,
    /// What it speaks below.
    pub protocol: Protocol,
    /// Since when.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Grows with every change (ETag).
    pub revision: i64,
    /// Whether the board is an upstream one, which brings a tunnel of its own.
    pub legacy: bool,
}

const SELECT: &str = "SELECT e.board, b.name AS board_name, b.project, e.service, s.name AS service_name, e.public_port, \
     e.state, e.local_port, s.protocol, e.created_at, e.updated_at, e.revision, \
     EXISTS (SELECT 1 FROM upstream_boards u WHERE u.board = b.id AND u.legacy = 1) AS legacy FROM exposures e \
     JOIN boards b ON b.id = e.board JOIN services s ON s.id = e.service WHERE 1 = 1";

/// Makes an exposure, `enabling`, with a public port of its own: the wanted one, or a free one of `ports`.
///
/// # Errors
/// There is no such board or service; it is exposed already; the wanted port is out of range or taken; none is free.
pub async fn reserve(
    tx: &mut Tx,
    board: BoardId,
    service: ServiceId,
    ports: RangeInclusive<u16>,
    wanted: Option<u16>,
) -> Result<u16, Error> {
    match get(&mut *tx, board, service).await {
        Ok(_) => return Err(Error::Duplicate { what: WHAT, field: "service" }),
        Err(Error::NotFound { .. }) => {}
        Err(error) => return Err(error),
    }
    let taken = taken(&mut *tx, &ports).await?;
    let port = match wanted {
        Some(port) => check_wanted(port, &ports, &taken)?,
        None => pick(&ports, &taken)?,
    };
    let statement = Statement::new(
        "reserve a port",
        "INSERT INTO exposures (board, service, public_port, state, local_port, created_at, updated_at, revision) \
         SELECT $1, id, $3, 'enabling', port, $4, $4, 1 FROM services WHERE id = $2",
    )
    .bind(board)
    .bind(service)
    .bind(port)
    .bind(tx.now());
    let done = tx.execute(statement).await;
    let rows = done.map_err(|e| e.missing_as("board").duplicate_as(WHAT, "public port"))?;
    if rows == 0 {
        return Err(Error::NotFound { what: "service" });
    }
    let row = get(&mut *tx, board, service).await?;
    tell(tx, &row, row.state.word()).await?;
    Ok(port)
}

/// The ports that no exposure has, in the order in which they are best tried.
///
/// # Errors
/// The database failed.
pub async fn free_ports<'e>(
    from: impl Reader<'e>,
    ports: &RangeInclusive<u16>,
) -> Result<Vec<u16>, Error> {
    let taken = taken(from, ports).await?;
    Ok(in_turn(ports).filter(|port| !taken.contains(port)).collect())
}

async fn taken<'e>(
    from: impl Reader<'e>,
    ports: &RangeInclusive<u16>,
) -> Result<HashSet<u16>, Error> {
    let text = "SELECT public_port FROM exposures WHERE public_port BETWEEN $1 AND $2";
    let statement =
        Statement::new("read taken ports", text).bind(*ports.start()).bind(*ports.end());
    Ok(all(from, statement, |row| row.number("public_port")).await?.into_iter().collect())
}

fn check_wanted(
    port: u16,
    ports: &RangeInclusive<u16>,
    taken: &HashSet<u16>,
) -> Result<u16, Error> {
    if !ports.contains(&port) {
        let (first, last) = (ports.start(), ports.end());
        return Err(Invalid::new(format!("port {port} is not one of {first}-{last}")).into());
    }
    if taken.contains(&port) {
        return Err(Error::Duplicate { what: WHAT, field: "public port" });
    }
    Ok(port)
}

fn pick(ports: &RangeInclusive<u16>, taken: &HashSet<u16>) -> Result<u16, Error> {
    let (first, last) = (ports.start(), ports.end());
    in_turn(ports).find(|port| !taken.contains(port)).ok_or_else(|| {
        Error::Exhausted(format!(
            "all public ports {first}-{last} are taken; disable a service or widen services.ports"
        ))
    })
}

/// From a random start, so that a port just freed is not the next one's: clients of the old service may still knock.
fn in_turn(ports: &RangeInclusive<u16>) -> impl Iterator<Item = u16> + use<> {
    let count = ports.clone().count().max(1);
    let offset = usize::from(u16::from_le_bytes(random())) % count;
    ports.clone().cycle().skip(offset).take(count)
}

/// The exposure of a service on a board.
///
/// # Errors
/// It is not exposed there.
pub async fn get<'e>(
    from: impl Reader<'e>,
    board: BoardId,
    service: ServiceId,
) -> Result<ExposureRow, Error> {
    let mut statement = Statement::new("read an exposure", SELECT);
    statement.and_equals("e.board", Some(board)).and_equals("e.service", Some(service));
    one(from, statement, WHAT, read).await
}

/// What is exposed at a public port.
///
/// # Errors
/// The database failed.
pub async fn by_public_port<'e>(
    from: impl Reader<'e>,
    port: u16,
) -> Result<Option<ExposureRow>, Error> {
    let mut statement = Statement::new("read an exposure", SELECT);
    statement.and_equals("e.public_port", Some(port));
    first(from, statement, read).await
}

/// What is exposed of a board.
///
/// # Errors
/// The database failed.
pub async fn list_for_board<'e>(
    from: impl Reader<'e>,
    board: BoardId,
) -> Result<Vec<ExposureRow>, Error> {
    let mut statement = Statement::new("list exposures", SELECT);
    statement.and_equals("e.board", Some(board));
    list(from, statement).await
}

/// Where a service is exposed.
///
/// # Errors
/// The database failed.
pub async fn list_for_service<'e>(
    from: impl Reader<'e>,
    service: ServiceId,
) -> Result<Vec<ExposureRow>, Error> {
    let mut statement = Statement::new("list exposures", SELECT);
    statement.and_equals("e.service", Some(service));
    list(from, statement).await
}

/// Everything that is to be reachable: what the cloud listens for when it starts. Those being disabled are not among it.
///
/// # Errors
/// The database failed.
pub async fn list_enabled_all<'e>(from: impl Reader<'e>) -> Result<Vec<ExposureRow>, Error> {
    let mut statement = Statement::new("list exposures", SELECT);
    statement.push(" AND e.state <> 'disabling'");
    list(from, statement).await
}

async fn list<'e>(
    from: impl Reader<'e>,
    mut statement: Statement,
) -> Result<Vec<ExposureRow>, Error> {
    statement.push(" ORDER BY e.board, e.service LIMIT ").push_bind(MAX_LIST);
    all(from, statement, read).await
}

/// Sets where an exposure stands.
///
/// # Errors
/// It is not exposed there.
pub async fn set_state(
    tx: &mut Tx,
    board: BoardId,
    service: ServiceId,
    state: ExposureState,
) -> Result<ExposureRow, Error> {
    let old = get(&mut *tx, board, service).await?;
    if old.state == state {
        return Ok(old);
    }
    let statement = Statement::new(
        "update an exposure",
        "UPDATE exposures SET state = $1, updated_at = $2, revision = revision + 1 WHERE board = $3 AND service = $4",
    )
    .bind(state.word())
    .bind(tx.now())
    .bind(board)
    .bind(service);
    tx.execute(statement).await?;
    let row = get(&mut *tx, board, service).await?;
    tell(tx, &row, state.word()).await?;
    Ok(row)
}

/// Removes an exposure and frees its port.
///
/// # Errors
/// It is not exposed there.
pub async fn delete(tx: &mut Tx, board: BoardId, service: ServiceId) -> Result<(), Error> {
    let old = get(&mut *tx, board, service).await?;
    let text = "DELETE FROM exposures WHERE board = $1 AND service = $2";
    tx.execute(Statement::new("delete an exposure", text).bind(board).bind(service)).await?;
    tell(tx, &old, "disabled").await
}

async fn tell(tx: &mut Tx, row: &ExposureRow, verb: &str) -> Result<(), Error> {
    let mut body = json!({
        "board": row.board, "board_name": row.board_name, "service": row.service,
        "service_name": row.service_name, "public_port": row.public_port,
    });
    if let (true, Some(members)) = (row.legacy, body.as_object_mut()) {
        members.insert("legacy".to_owned(), true.into());
    }
    let subject = format!("{}/{}", row.board, row.service);
    tx.event(NewEvent::about(WHAT, verb, &row.project, subject, body)).await.map(|_| ())
}

fn read(row: &Row) -> Result<ExposureRow, Error> {
    Ok(ExposureRow {
        board: row.parse("board")?,
        board_name: row.parse("board_name")?,
        project: row.parse("project")?,
        service: row.parse("service")?,
        service_name: row.parse("service_name")?,
        public_port: row.number_optional("public_port")?,
        state: row.parse("state")?,
        local_port: row.port("local_port")?,
        protocol: row.word("protocol")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        revision: row.int("revision")?,
        legacy: row.yes("legacy")?,
    })
}
