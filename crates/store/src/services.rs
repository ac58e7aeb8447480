//! Services: what listens on boards, by name and local port. Where they are reachable is in `exposures`.

use crate::audit::Entry;
use crate::boards::Borrower;
use crate::delegations::{self, push_lent};
use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, all, json, one, the_one};
use crate::{Error, Page, Tx, quotas};
use model::delegation::Resource;
use model::quota::Counted;
use model::service::{Port, Protocol};
use model::{Name, ProjectId, ServiceId, Timestamp};
use serde_json::{Value, json};
use uuid::Uuid;

const WHAT: &str = "service";

/// A service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServiceRow {
    /// Its id.
    pub id: ServiceId,
    /// Its name.
    pub name: Name,
    /// Whose project.
    pub project: ProjectId,
    /// The port it listens on, on the board's loopback.
    pub port: Port,
    /// What it speaks below.
    pub protocol: Protocol,
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

/// A service to make.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewService {
    /// Its id.
    pub id: ServiceId,
    /// Its name.
    pub name: Name,
    /// Whose project.
    pub project: ProjectId,
    /// The port it listens on.
    pub port: Port,
    /// What it speaks below.
    pub protocol: Protocol,
    /// What upstream's clients keep with it.
    pub extra: Value,
}

/// What is changed; `None` leaves as it is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ServiceChange {
    /// New name.
    pub name: Option<Name>,
    /// New port; exposures keep the old one until they are enabled anew.
    pub port: Option<Port>,
    /// New keepsake of upstream's clients.
    pub extra: Option<Value>,
}

const SELECT: &str = "SELECT id, name, project, port, protocol, created_at, updated_at, revision, extra, serial \
     FROM services WHERE 1 = 1";

/// Makes a service.
///
/// # Errors
/// The name is taken in the project, or it has as many services as it may have.
pub async fn create(tx: &mut Tx, new: NewService) -> Result<ServiceRow, Error> {
    quotas::check(tx, &new.project, Counted::Services, 1).await?;
    let statement = Statement::new(
        "create a service",
        "INSERT INTO services (id, name, project, port, protocol, created_at, updated_at, revision, extra, serial) \
         VALUES ($1, $2, $3, $4, $5, $6, $6, 1, $7, (SELECT COALESCE(MAX(serial), 0) + 1 FROM services))",
    )
    .bind(new.id)
    .bind(&new.name)
    .bind(&new.project)
    .bind(new.port.number())
    .bind(protocol_word(new.protocol))
    .bind(tx.now())
    .bind(json(&new.extra)?);
    tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "name"))?;
    let row = by_id(&mut *tx, None, new.id).await?;
    tell(tx, &row, "created", "service:create").await?;
    Ok(row)
}

/// The service of this id or name.
///
/// # Errors
/// There is none in the scope, or the scope is every project and several have one of this name.
pub async fn get<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    id_or_name: &str,
) -> Result<ServiceRow, Error> {
    if let Ok(id) = Uuid::try_parse(id_or_name) {
        return by_id(from, scope, id.into()).await;
    }
    let mut statement = Statement::new("read a service", SELECT);
    statement.and_equals("name", Some(id_or_name)).and_equals("project", scope);
    statement.push(" LIMIT 2");
    the_one(from, statement, WHAT, read).await
}

/// The service of this id.
///
/// # Errors
/// There is none in the scope.
pub async fn by_id<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    id: ServiceId,
) -> Result<ServiceRow, Error> {
    let mut statement = Statement::new("read a service", SELECT);
    statement.and_equals("id", Some(id)).and_equals("project", scope);
    one(from, statement, WHAT, read).await
}

/// Which services.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// With exactly this name.
    pub name: Option<String>,
    /// Also of other projects, where this person may do this by a delegation.
    pub lent_to: Option<Borrower>,
}

/// Services in order of creation: the project's own, and lent ones.
///
/// # Errors
/// The database failed.
pub async fn list<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    filter: &Filter,
    page: Page,
) -> Result<Vec<ServiceRow>, Error> {
    let mut statement = Statement::new("list services", SELECT);
    if let Some(project) = scope {
        statement.push(" AND (project = ").push_bind(project);
        if let Some(borrower) = &filter.lent_to {
            push_lent(&mut statement, borrower, "service:", "services");
        }
        statement.push(")");
    }
    statement.and_equals("name", filter.name.as_deref());
    all(from, statement.page("id", page), read).await
}

/// Changes a service.
///
/// # Errors
/// There is none in the scope, its revision is not `expected`, or the name is taken.
pub async fn update(
    tx: &mut Tx,
    scope: Option<&ProjectId>,
    id: ServiceId,
    change: ServiceChange,
    expected: Option<i64>,
) -> Result<ServiceRow, Error> {
    let old = by_id(&mut *tx, scope, id).await?;
    if expected.is_some_and(|expected| expected != old.revision) {
        return Err(Error::Stale { what: WHAT });
    }
    let statement = Statement::new(
        "update a service",
        "UPDATE services SET name = $1, port = $2, updated_at = $3, extra = $4, revision = revision + 1 \
         WHERE id = $5 AND revision = $6",
    )
    .bind(change.name.as_ref().unwrap_or(&old.name))
    .bind(change.port.unwrap_or(old.port).number())
    .bind(tx.now())
    .bind(json(change.extra.as_ref().unwrap_or(&old.extra))?)
    .bind(id)
    .bind(old.revision);
    let rows = tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "name"))?;
    if rows == 0 {
        return Err(Error::Stale { what: WHAT });
    }
    let row = by_id(&mut *tx, None, id).await?;
    tell(tx, &row, "updated", "service:update").await?;
    Ok(row)
}

/// Removes a service.
///
/// # Errors
/// There is none in the scope, or it is exposed on boards.
pub async fn delete(tx: &mut Tx, scope: Option<&ProjectId>, id: ServiceId) -> Result<(), Error> {
    let old = by_id(&mut *tx, scope, id).await?;
    let text = "SELECT COUNT(*) AS boards FROM exposures WHERE service = $1";
    let statement = Statement::new("count exposures", text).bind(id);
    let boards = one(&mut *tx, statement, WHAT, |row| row.int("boards")).await?;
    if boards > 0 {
        return Err(Error::Conflict(format!(
            "the service is enabled on {boards} boards; disable it there first"
        )));
    }
    delegations::revoke_all_of(tx, &Resource::Service(id)).await?;
    let text = "DELETE FROM services WHERE id = $1";
    tx.execute(Statement::new("delete a service", text).bind(id)).await?;
    tell(tx, &old, "deleted", "service:delete").await
}

async fn tell(tx: &mut Tx, row: &ServiceRow, event: &str, verb: &'static str) -> Result<(), Error> {
    let body = json!({ "name": row.name, "port": row.port });
    tx.event(NewEvent::about(WHAT, event, &row.project, row.id, body.clone())).await?;
    tx.audit(Entry::new(verb, WHAT, row.id).of(&row.project).with(body)).await
}

fn protocol_word(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "tcp",
    }
}

fn read(row: &Row) -> Result<ServiceRow, Error> {
    Ok(ServiceRow {
        id: row.parse("id")?,
        name: row.parse("name")?,
        project: row.parse("project")?,
        port: row.port("port")?,
        protocol: row.word("protocol")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        revision: row.int("revision")?,
        extra: row.json("extra")?,
        serial: row.int("serial")?,
    })
}
