//! Plugins: code that can be injected. The source is read on its own, because it is large and seldom wanted.

use crate::audit::Entry;
use crate::boards::Borrower;
use crate::delegations::{self, push_lent};
use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, all, json, one, the_one};
use crate::{Error, Page, Tx, quotas};
use model::delegation::Resource;
use model::plugin::{Language, MAX_SOURCE, Mode, Visibility};
use model::quota::Counted;
use model::{Invalid, Name, PluginId, ProjectId, Timestamp, UserId};
use serde_json::{Value, json};
use uuid::Uuid;

const WHAT: &str = "plugin";

/// A plugin, without its source.
#[derive(Debug, Clone, PartialEq)]
pub struct PluginRow {
    /// Its id.
    pub id: PluginId,
    /// Its name.
    pub name: Name,
    /// Whose project.
    pub project: ProjectId,
    /// Who made it.
    pub owner: UserId,
    /// Who may use it.
    pub visibility: Visibility,
    /// What its source is written in.
    pub language: Language,
    /// How it runs.
    pub mode: Mode,
    /// Default parameters.
    pub parameters: Value,
    /// Limits of its runs.
    pub limits: Value,
    /// Since when.
    pub created_at: Timestamp,
    /// Last change.
    pub updated_at: Timestamp,
    /// Grows with every change (ETag); boards are told which one they have.
    pub revision: i64,
    /// What upstream's clients keep with it.
    pub extra: Value,
    /// Counts in order of creation; what upstream shows as `id`.
    pub serial: i64,
}

/// A plugin to make.
#[derive(Debug, Clone, PartialEq)]
pub struct NewPlugin {
    /// Its id.
    pub id: PluginId,
    /// Its name.
    pub name: Name,
    /// Whose project.
    pub project: ProjectId,
    /// Who makes it.
    pub owner: UserId,
    /// Who may use it.
    pub visibility: Visibility,
    /// What its source is written in.
    pub language: Language,
    /// How it runs.
    pub mode: Mode,
    /// Its source.
    pub source: String,
    /// Default parameters.
    pub parameters: Value,
    /// Limits of its runs.
    pub limits: Value,
    /// What upstream's clients keep with it.
    pub extra: Value,
}

/// What is changed; `None` leaves as it is.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct PluginChange {
    /// New name.
    pub name: Option<Name>,
    /// New visibility.
    pub visibility: Option<Visibility>,
    /// New source.
    pub source: Option<String>,
    /// New default parameters.
    pub parameters: Option<Value>,
    /// New limits.
    pub limits: Option<Value>,
    /// New keepsake of upstream's clients.
    pub extra: Option<Value>,
}

/// Which plugins.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Filter {
    /// In this language.
    pub language: Option<Language>,
    /// Of this visibility.
    pub visibility: Option<Visibility>,
    /// With exactly this name.
    pub name: Option<String>,
    /// Also of other projects, where this person may do this by a delegation.
    pub lent_to: Option<Borrower>,
}

const SELECT: &str = "SELECT id, name, project, owner, visibility, language, mode, parameters, limits, created_at, \
     updated_at, revision, extra, serial FROM plugins WHERE 1 = 1";

/// Makes a plugin.
///
/// # Errors
/// The name is taken in the project, the source is too long, or the project has as many plugins, or as many bytes of them, as
/// it may have.
pub async fn create(tx: &mut Tx, new: NewPlugin) -> Result<PluginRow, Error> {
    check_source(&new.source)?;
    let (parameters, extra) = (json(&new.parameters)?, json(&new.extra)?);
    let bytes = size([&new.source, &parameters, &extra]);
    quotas::check(tx, &new.project, Counted::Plugins, 1).await?;
    quotas::check(tx, &new.project, Counted::PluginBytes, bytes.unsigned_abs()).await?;
    let statement = Statement::new(
        "create a plugin",
        "INSERT INTO plugins (id, name, project, owner, visibility, language, mode, source, parameters, limits, created_at, \
         updated_at, revision, extra, bytes, serial) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $11, 1, $12, $13, \
         (SELECT COALESCE(MAX(serial), 0) + 1 FROM plugins))",
    )
    .bind(new.id)
    .bind(&new.name)
    .bind(&new.project)
    .bind(&new.owner)
    .bind(new.visibility.word())
    .bind(new.language.word())
    .bind(new.mode.word())
    .bind(new.source)
    .bind(parameters)
    .bind(json(&new.limits)?)
    .bind(tx.now())
    .bind(extra)
    .bind(bytes);
    tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "name"))?;
    let row = by_id(&mut *tx, None, new.id).await?;
    tell(tx, &row, "created", "plugin:create").await?;
    Ok(row)
}

/// What a plugin takes, in bytes.
fn size(parts: [&str; 3]) -> i64 {
    i64::try_from(parts.iter().map(|part| part.len()).sum::<usize>()).unwrap_or(i64::MAX)
}

fn check_source(source: &str) -> Result<(), Invalid> {
    if source.len() > MAX_SOURCE {
        return Err(Invalid::new(format!(
            "the source has {} bytes, more than the {MAX_SOURCE} allowed",
            source.len()
        )));
    }
    Ok(())
}

/// The plugin of this id or name: the project's own, or by id a public one of another project.
///
/// # Errors
/// There is none in the scope, or the scope is every project and several have one of this name.
pub async fn get<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    id_or_name: &str,
) -> Result<PluginRow, Error> {
    if let Ok(id) = Uuid::try_parse(id_or_name) {
        return by_id(from, scope, id.into()).await;
    }
    let mut statement = Statement::new("read a plugin", SELECT);
    statement.and_equals("name", Some(id_or_name)).and_equals("project", scope);
    statement.push(" LIMIT 2");
    the_one(from, statement, WHAT, read).await
}

/// The plugin of this id: the project's own or a public one.
///
/// # Errors
/// There is none in the scope.
pub async fn by_id<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    id: PluginId,
) -> Result<PluginRow, Error> {
    let mut statement = Statement::new("read a plugin", SELECT);
    statement.and_equals("id", Some(id));
    push_visible(&mut statement, scope);
    one(from, statement, WHAT, read).await
}

fn push_visible(statement: &mut Statement, scope: Option<&ProjectId>) {
    if let Some(project) = scope {
        statement.push(" AND (project = ").push_bind(project).push(" OR visibility = 'public')");
    }
}

fn push_listed(statement: &mut Statement, scope: Option<&ProjectId>, lent_to: Option<&Borrower>) {
    let Some(project) = scope else { return };
    statement.push(" AND (project = ").push_bind(project).push(" OR visibility = 'public'");
    if let Some(borrower) = lent_to {
        push_lent(statement, borrower, "plugin:", "plugins");
    }
    statement.push(")");
}

/// The source of a plugin, with the revision it belongs to.
///
/// # Errors
/// There is none of this id.
pub async fn source<'e>(from: impl Reader<'e>, id: PluginId) -> Result<(String, i64), Error> {
    let text = "SELECT source, revision FROM plugins WHERE id = $1";
    let statement = Statement::new("read a plugin's source", text).bind(id);
    one(from, statement, WHAT, |row| Ok((row.text("source")?, row.int("revision")?))).await
}

/// Plugins in order of creation: the project's own, public ones of others, and lent ones.
///
/// # Errors
/// The database failed.
pub async fn list<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    filter: &Filter,
    page: Page,
) -> Result<Vec<PluginRow>, Error> {
    let mut statement = Statement::new("list plugins", SELECT);
    push_listed(&mut statement, scope, filter.lent_to.as_ref());
    statement.and_equals("name", filter.name.as_deref());
    statement.and_equals("language", filter.language.map(Language::word));
    statement.and_equals("visibility", filter.visibility.map(Visibility::word));
    all(from, statement.page("id", page), read).await
}

/// Changes a plugin of the scope's own. Boards keep the source they have until they are injected again.
///
/// # Errors
/// There is none in the scope, its revision is not `expected`, the name is taken, the source is too long, or the plugin grows
/// beyond what the project may have.
pub async fn update(
    tx: &mut Tx,
    scope: Option<&ProjectId>,
    id: PluginId,
    change: PluginChange,
    expected: Option<i64>,
) -> Result<PluginRow, Error> {
    let old = own(tx, scope, id).await?;
    if expected.is_some_and(|expected| expected != old.revision) {
        return Err(Error::Stale { what: WHAT });
    }
    change.source.as_deref().map_or(Ok(()), check_source)?;
    let parameters = json(change.parameters.as_ref().unwrap_or(&old.parameters))?;
    let extra = json(change.extra.as_ref().unwrap_or(&old.extra))?;
    let bytes = fitting(tx, &old, change.source.as_deref(), [&parameters, &extra]).await?;
    let statement = Statement::new(
        "update a plugin",
        "UPDATE plugins SET name = $1, visibility = $2, source = COALESCE($3, source), parameters = $4, limits = $5, \
         updated_at = $6, extra = $7, bytes = $8, revision = revision + 1 WHERE id = $9 AND revision = $10",
    )
    .bind(change.name.as_ref().unwrap_or(&old.name))
    .bind(change.visibility.unwrap_or(old.visibility).word())
    .bind(change.source)
    .bind(parameters)
    .bind(json(change.limits.as_ref().unwrap_or(&old.limits))?)
    .bind(tx.now())
    .bind(extra)
    .bind(bytes)
    .bind(id)
    .bind(old.revision);
    let rows = tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "name"))?;
    if rows == 0 {
        return Err(Error::Stale { what: WHAT });
    }
    let row = by_id(&mut *tx, None, id).await?;
    tell(tx, &row, "updated", "plugin:update").await?;
    Ok(row)
}

/// What a changed plugin will take; refused when it grows and the project may not have so much.
async fn fitting(
    tx: &mut Tx,
    old: &PluginRow,
    source: Option<&str>,
    [parameters, extra]: [&str; 2],
) -> Result<i64, Error> {
    let text = "SELECT bytes, LENGTH(CAST(source AS BLOB)) AS source FROM plugins WHERE id = $1";
    let statement = Statement::new("read a plugin's size", text).bind(old.id);
    let read = |row: &Row| Ok((row.int("bytes")?, row.int("source")?));
    let (before, kept) = one(&mut *tx, statement, WHAT, read).await?;
    let after = match source {
        Some(source) => size([source, parameters, extra]),
        None => size(["", parameters, extra]).saturating_add(kept),
    };
    let grown = u64::try_from(after.saturating_sub(before)).unwrap_or(0);
    quotas::check(tx, &old.project, Counted::PluginBytes, grown).await?;
    Ok(after)
}

/// Removes a plugin of the scope's own.
///
/// # Errors
/// There is none in the scope, or boards have it.
pub async fn delete(tx: &mut Tx, scope: Option<&ProjectId>, id: PluginId) -> Result<(), Error> {
    let old = own(tx, scope, id).await?;
    let text = "SELECT COUNT(*) AS boards FROM injections WHERE plugin = $1";
    let statement = Statement::new("count injections", text).bind(id);
    let boards = one(&mut *tx, statement, WHAT, |row| row.int("boards")).await?;
    if boards > 0 {
        return Err(Error::Conflict(format!(
            "the plugin is on {boards} boards; remove it from them first"
        )));
    }
    delegations::revoke_all_of(tx, &Resource::Plugin(id)).await?;
    let text = "DELETE FROM plugins WHERE id = $1";
    tx.execute(Statement::new("delete a plugin", text).bind(id)).await?;
    tell(tx, &old, "deleted", "plugin:delete").await
}

/// What may be changed in the scope: a public plugin of another project may not.
async fn own(tx: &mut Tx, scope: Option<&ProjectId>, id: PluginId) -> Result<PluginRow, Error> {
    let mut statement = Statement::new("read a plugin", SELECT);
    statement.and_equals("id", Some(id)).and_equals("project", scope);
    one(&mut *tx, statement, WHAT, read).await
}

async fn tell(tx: &mut Tx, row: &PluginRow, event: &str, verb: &'static str) -> Result<(), Error> {
    let body = json!({ "name": row.name, "revision": row.revision });
    tx.event(NewEvent::about(WHAT, event, &row.project, row.id, body.clone())).await?;
    tx.audit(Entry::new(verb, WHAT, row.id).of(&row.project).with(body)).await
}

fn read(row: &Row) -> Result<PluginRow, Error> {
    Ok(PluginRow {
        id: row.parse("id")?,
        name: row.parse("name")?,
        project: row.parse("project")?,
        owner: row.parse("owner")?,
        visibility: row.parse("visibility")?,
        language: row.parse("language")?,
        mode: row.parse("mode")?,
        parameters: row.json("parameters")?,
        limits: row.json("limits")?,
        created_at: row.time("created_at")?,
        updated_at: row.time("updated_at")?,
        revision: row.int("revision")?,
        extra: row.json("extra")?,
        serial: row.int("serial")?,
    })
}
