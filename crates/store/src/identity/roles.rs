//! Who has which role where.

use super::{MAX_LIST, found};
use crate::sql::{Reader, Row, Statement, all, few};
use crate::{Error, Tx};
use model::access::Role;
use model::{ProjectId, UserId};

/// A role of a user in a project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct AssignmentRow {
    /// Who.
    pub user: UserId,
    /// Where.
    pub project: ProjectId,
    /// As what.
    pub role: Role,
}

/// Gives a user a role in a project; giving it twice changes nothing.
///
/// # Errors
/// The database failed.
pub async fn assign(
    tx: &mut Tx,
    user: &UserId,
    project: &ProjectId,
    role: Role,
) -> Result<(), Error> {
    let statement = Statement::new(
        "assign a role",
        "INSERT INTO assignments (user_id, project, role) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
    )
    .bind(user)
    .bind(project)
    .bind(role.word());
    tx.execute(statement).await.map(|_| ())
}

/// Takes a role away.
///
/// # Errors
/// The user does not have it.
pub async fn unassign(
    tx: &mut Tx,
    user: &UserId,
    project: &ProjectId,
    role: Role,
) -> Result<(), Error> {
    let statement = Statement::new(
        "take a role away",
        "DELETE FROM assignments WHERE user_id = $1 AND project = $2 AND role = $3",
    )
    .bind(user)
    .bind(project)
    .bind(role.word());
    found(tx.execute(statement).await?, "assignment")
}

/// The roles of a user in a project; none when it has nothing to do with it.
///
/// # Errors
/// The database failed.
pub async fn roles_of<'e>(
    from: impl Reader<'e>,
    user: &UserId,
    project: &ProjectId,
) -> Result<Vec<Role>, Error> {
    let statement = Statement::new(
        "read roles",
        "SELECT role FROM assignments WHERE user_id = $1 AND project = $2 ORDER BY role",
    )
    .bind(user)
    .bind(project);
    few(from, statement, |row| row.parse("role")).await
}

/// Assignments of one user, or of all.
///
/// # Errors
/// The database failed.
pub async fn list_assignments<'e>(
    from: impl Reader<'e>,
    user: Option<&UserId>,
) -> Result<Vec<AssignmentRow>, Error> {
    let mut statement = Statement::new(
        "list assignments",
        "SELECT user_id, project, role FROM assignments WHERE 1 = 1",
    );
    statement.and_equals("user_id", user);
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
