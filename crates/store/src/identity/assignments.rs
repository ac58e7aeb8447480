//! Who has which role where.

use super::roles::read_role;
use super::{MAX_LIST, RoleRow, found};
use crate::audit::Entry;
use crate::sql::{Reader, Row, Statement, all, few};
use crate::{Error, Tx};
use model::{ProjectId, RoleId, UserId};
use serde_json::json;

/// A role of a user in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentRow {
    /// Who.
    pub user: UserId,
    /// Where.
    pub project: ProjectId,
    /// As what.
    pub role: RoleId,
}

/// Gives a user a role in a project; giving it twice changes nothing.
///
/// # Errors
/// The database failed.
pub async fn assign(
    tx: &mut Tx,
    user: &UserId,
    project: &ProjectId,
    role: impl Into<RoleId>,
) -> Result<(), Error> {
    let role = role.into();
    let statement = Statement::new(
        "assign a role",
        "INSERT INTO assignments (user_id, project, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(user)
    .bind(project)
    .bind(&role);
    if tx.execute(statement).await? == 0 {
        return Ok(());
    }
    tx.audit(told("role:assign", user, project, &role)).await
}

fn told(verb: &'static str, user: &UserId, project: &ProjectId, role: &RoleId) -> Entry {
    Entry::new(verb, "user", user).of(project).with(json!({ "role": role }))
}

/// Takes a role away.
///
/// # Errors
/// The user does not have it.
pub async fn unassign(
    tx: &mut Tx,
    user: &UserId,
    project: &ProjectId,
    role: impl Into<RoleId>,
) -> Result<(), Error> {
    let role = role.into();
    let statement = Statement::new(
        "take a role away",
        "DELETE FROM assignments WHERE user_id = $1 AND project = $2 AND role = $3",
    )
    .bind(user)
    .bind(project)
    .bind(&role);
    found(tx.execute(statement).await?, "assignment")?;
    tx.audit(told("role:unassign", user, project, &role)).await
}

/// The roles of a user in a project; none when it has nothing to do with it.
///
/// # Errors
/// The database failed.
pub async fn roles_of<'e>(
    from: impl Reader<'e>,
    user: &UserId,
    project: &ProjectId,
) -> Result<Vec<RoleRow>, Error> {
    // Those built in are their own ids and have no row.
    let statement = Statement::new(
        "read roles",
        "SELECT a.role AS id, COALESCE(r.name, a.role) AS name, COALESCE(r.description, '') AS description \
         FROM assignments a LEFT JOIN roles r ON r.id = a.role \
         WHERE a.user_id = $1 AND a.project = $2 ORDER BY name",
    )
    .bind(user)
    .bind(project);
    few(from, statement, read_role).await
}

/// Whose and where of a list of assignments; what is none is everybody's and everywhere.
#[derive(Debug, Clone, Copy, Default)]
pub struct AssignmentFilter<'a> {
    /// This user's.
    pub user: Option<&'a UserId>,
    /// In this project.
    pub project: Option<&'a ProjectId>,
    /// Of this role.
    pub role: Option<&'a RoleId>,
}

/// Assignments that the filter picks.
///
/// # Errors
/// The database failed.
pub async fn list_assignments<'e>(
    from: impl Reader<'e>,
    filter: AssignmentFilter<'_>,
) -> Result<Vec<AssignmentRow>, Error> {
    let mut statement = Statement::new(
        "list assignments",
        "SELECT user_id, project, role FROM assignments WHERE 1 = 1",
    );
    statement.and_equals("user_id", filter.user);
    statement.and_equals("project", filter.project);
    statement.and_equals("role", filter.role);
    statement.push(" ORDER BY user_id, project, role LIMIT ").push_bind(MAX_LIST);
    all(from, statement, read_assignment).await
}

fn read_assignment(row: &Row) -> Result<AssignmentRow, Error> {
    Ok(AssignmentRow {
        user: row.parse("user_id")?,
        project: row.parse("project")?,
        role: row.parse("role")?,
    })
}
