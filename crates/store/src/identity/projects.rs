//! Projects (tenants).

use super::{MAX_LIST, check_name, found};
use crate::sql::{Reader, Row, Statement, all, one};
use crate::{Error, Tx};
use model::{ProjectId, UserId};

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
}

const PROJECT: &str = "SELECT id, name, enabled, allow_legacy FROM projects";

/// Stores a new project.
///
/// # Errors
/// Another one has this id or name.
pub async fn create_project(tx: &mut Tx, project: &ProjectRow) -> Result<(), Error> {
    check_name("project", &project.name)?;
    let statement = Statement::new(
        "create a project",
        "INSERT INTO projects (id, name, enabled, allow_legacy) VALUES ($1, $2, $3, $4)",
    )
    .bind(&project.id)
    .bind(project.name.as_str())
    .bind(project.enabled)
    .bind(project.allow_legacy);
    tx.execute(statement).await.map_err(|error| error.duplicate_as("project", "name"))?;
    Ok(())
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

/// Changes name and permissions of a project.
///
/// # Errors
/// There is none of this id, or another one has this name.
pub async fn update_project(tx: &mut Tx, project: &ProjectRow) -> Result<(), Error> {
    check_name("project", &project.name)?;
    let statement = Statement::new(
        "update a project",
        "UPDATE projects SET name = $1, enabled = $2, allow_legacy = $3 WHERE id = $4",
    )
    .bind(project.name.as_str())
    .bind(project.enabled)
    .bind(project.allow_legacy)
    .bind(&project.id);
    let rows =
        tx.execute(statement).await.map_err(|error| error.duplicate_as("project", "name"))?;
    found(rows, "project")
}

fn read_project(row: &Row) -> Result<ProjectRow, Error> {
    Ok(ProjectRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        enabled: row.yes("enabled")?,
        allow_legacy: row.yes("allow_legacy")?,
    })
}
