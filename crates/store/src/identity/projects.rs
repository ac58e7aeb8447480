//! Projects (tenants).

use super::{MAX_LIST, check_description, check_name, found};
use crate::audit::Entry;
use crate::sql::{Reader, Row, Statement, all, one};
use crate::{Error, Tx, quotas};
use model::{Invalid, ProjectId, UserId};
use serde_json::json;

/// A project (tenant).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRow {
    /// Its id.
    pub id: ProjectId,
    /// Unique name.
    pub name: String,
    /// Whether one may sign in to it.
    pub enabled: bool,
    /// Whether its boards may be upstream ones; settings may allow it too.
    pub allow_legacy: bool,
    /// What it is for.
    pub description: String,
}

impl ProjectRow {
    /// A project that one may sign in to.
    #[must_use]
    pub fn new(id: ProjectId, name: impl Into<String>) -> Self {
        let (name, description) = (name.into(), String::new());
        Self { id, name, enabled: true, allow_legacy: false, description }
    }

    fn check(&self) -> Result<(), Error> {
        if self.id.is_nowhere() {
            return Err(Invalid::new("no project has this id; choose another").into());
        }
        check_name("project", &self.name)?;
        check_description(&self.description)
    }
}

const PROJECT: &str = "SELECT id, name, enabled, allow_legacy, description FROM projects";

/// Stores a new project.
///
/// # Errors
/// Another one has this id or name.
pub async fn create_project(tx: &mut Tx, project: &ProjectRow) -> Result<(), Error> {
    project.check()?;
    let statement = Statement::new(
        "create a project",
        "INSERT INTO projects (id, name, enabled, allow_legacy, description) VALUES ($1, $2, $3, $4, $5)",
    )
    .bind(&project.id)
    .bind(project.name.as_str())
    .bind(project.enabled)
    .bind(project.allow_legacy)
    .bind(project.description.as_str());
    tx.execute(statement).await.map_err(|error| error.duplicate_as("project", "name"))?;
    tx.audit(told("project:create", project)).await
}

fn told(verb: &'static str, project: &ProjectRow) -> Entry {
    let ProjectRow { id, name, enabled, allow_legacy, .. } = project;
    let detail = json!({ "name": name, "enabled": enabled, "allow_legacy": allow_legacy });
    Entry::new(verb, "project", id).of(id).with(detail)
}

/// The project of this id.
///
/// # Errors
/// There is none.
pub async fn get_project<'e>(from: impl Reader<'e>, id: &ProjectId) -> Result<ProjectRow, Error> {
    let statement = Statement::new("read a project", format!("{PROJECT} WHERE id = $1")).bind(id);
    one(from, statement, "project", read_project).await
}

/// The project of this name.
///
/// # Errors
/// There is none.
pub async fn get_project_by_name<'e>(
    from: impl Reader<'e>,
    name: &str,
) -> Result<ProjectRow, Error> {
    let statement =
        Statement::new("read a project", format!("{PROJECT} WHERE name = $1")).bind(name);
    one(from, statement, "project", read_project).await
}

/// All projects by name.
///
/// # Errors
/// The database failed.
pub async fn list_projects<'e>(from: impl Reader<'e>) -> Result<Vec<ProjectRow>, Error> {
    let text = format!("{PROJECT} ORDER BY name LIMIT $1");
    all(from, Statement::new("list projects", text).bind(MAX_LIST), read_project).await
}

/// The projects in which a user has a role, by name.
///
/// # Errors
/// The database failed.
pub async fn projects_of<'e>(
    from: impl Reader<'e>,
    user: &UserId,
) -> Result<Vec<ProjectRow>, Error> {
    let text = format!(
        "{PROJECT} WHERE id IN (SELECT project FROM assignments WHERE user_id = $1) ORDER BY name LIMIT $2"
    );
    let statement = Statement::new("list projects", text).bind(user).bind(MAX_LIST);
    all(from, statement, read_project).await
}

/// Changes everything of a project but its id.
///
/// # Errors
/// There is none of this id, or another one has this name.
pub async fn update_project(tx: &mut Tx, project: &ProjectRow) -> Result<(), Error> {
    project.check()?;
    let statement = Statement::new(
        "update a project",
        "UPDATE projects SET name = $1, enabled = $2, allow_legacy = $3, description = $4 WHERE id = $5",
    )
    .bind(project.name.as_str())
    .bind(project.enabled)
    .bind(project.allow_legacy)
    .bind(project.description.as_str())
    .bind(&project.id);
    let rows =
        tx.execute(statement).await.map_err(|error| error.duplicate_as("project", "name"))?;
    found(rows, "project")?;
    tx.audit(told("project:update", project)).await
}

/// What a project may still hold when somebody wants to delete it, and how to ask.
const HELD: [(&str, &str); 4] = [
    ("boards", "SELECT id FROM boards WHERE project = $1 AND status <> 'decommissioned' LIMIT 1"),
    ("plugins", "SELECT id FROM plugins WHERE project = $1 LIMIT 1"),
    ("services", "SELECT id FROM services WHERE project = $1 LIMIT 1"),
    ("fleets", "SELECT id FROM fleets WHERE project = $1 LIMIT 1"),
];

/// Removes a project that holds nothing any more, with its roles and the application credentials for it.
///
/// # Errors
/// There is none of this id, or something is left in it.
pub async fn delete_project(tx: &mut Tx, id: &ProjectId) -> Result<(), Error> {
    for (what, text) in HELD {
        let statement = Statement::new("look into a project", text).bind(id);
        if !tx.rows(&statement)?.is_empty() {
            let said = format!("the project still has {what}; remove them or disable the project");
            return Err(Error::Conflict(said));
        }
    }
    let removed = Statement::new("delete a project", "DELETE FROM projects WHERE id = $1").bind(id);
    found(tx.execute(removed).await?, "project")?;
    for (doing, text) in [
        ("take a project's roles", "DELETE FROM assignments WHERE project = $1"),
        ("delete a project's credentials", "DELETE FROM credentials WHERE project = $1"),
        ("delete a project's claims", "DELETE FROM claims WHERE project = $1"),
    ] {
        tx.execute(Statement::new(doing, text).bind(id)).await?;
    }
    quotas::forget(tx, id).await?;
    tx.audit(Entry::new("project:delete", "project", id).of(id)).await
}

fn read_project(row: &Row) -> Result<ProjectRow, Error> {
    Ok(ProjectRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        enabled: row.yes("enabled")?,
        allow_legacy: row.yes("allow_legacy")?,
        description: row.text("description")?,
    })
}
