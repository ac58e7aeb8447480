//! Projects, users, role assignments and application credentials of the cloud's own identity service.
//!
//! Secrets come here hashed; who may do what is decided elsewhere, by the roles found here.

use crate::sql::{Reader, Row, Statement, all, first, json, one};
use crate::{Error, Tx};
use model::access::Role;
use model::{CredentialId, Invalid, ProjectId, Timestamp, UserId};

/// Most projects, users, assignments or credentials of one list; more are cut off.
pub const MAX_LIST: u32 = 10_000;
/// Longest name of a project, user or credential, in bytes.
pub const MAX_NAME: usize = 255;

/// A project (tenant).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProjectRow {
    /// Its id.
    pub id: ProjectId,
    /// Unique name.
    pub name: String,
    /// Whether one may sign in to it.
    pub enabled: bool,
}

/// A user.
#[derive(Clone, PartialEq, Eq)]
pub struct UserRow {
    /// Its id.
    pub id: UserId,
    /// Unique name.
    pub name: String,
    /// Password hash in PHC string form.
    pub password_hash: String,
    /// Whether it may sign in.
    pub enabled: bool,
}

impl std::fmt::Debug for UserRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UserRow({} {:?} enabled={})", self.id, self.name, self.enabled)
    }
}

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

/// An application credential: lets a program sign in as its user, in one project, with some of the user's roles.
#[derive(Clone, PartialEq, Eq)]
pub struct CredentialRow {
    /// Its id.
    pub id: CredentialId,
    /// Name, unique for its user.
    pub name: String,
    /// Whose.
    pub user: UserId,
    /// For which project.
    pub project: ProjectId,
    /// Hash of the secret, as text of the identity service's choice.
    pub secret_hash: String,
    /// At most these roles.
    pub roles: Vec<Role>,
    /// Until when; none for ever.
    pub expires_at: Option<Timestamp>,
    /// Since when.
    pub created_at: Timestamp,
}

impl std::fmt::Debug for CredentialRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CredentialRow({} {:?} of {})", self.id, self.name, self.user)
    }
}

fn check_name(what: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Invalid::new(format!(
            "the name of a {what} has 1 to {MAX_NAME} bytes and no control characters"
        ))
        .into());
    }
    Ok(())
}

/// Stores a new project.
///
/// # Errors
/// Another one has this id or name.
pub async fn create_project(tx: &mut Tx, project: &ProjectRow) -> Result<(), Error> {
    check_name("project", &project.name)?;
    let statement = Statement::new(
        "create a project",
        "INSERT INTO projects (id, name, enabled) VALUES ($1, $2, $3)",
    )
    .bind(&project.id)
    .bind(project.name.as_str())
    .bind(project.enabled);
    tx.execute(statement).await.map_err(|error| error.duplicate_as("project", "name"))?;
    Ok(())
}

const PROJECT: &str = "SELECT id, name, enabled FROM projects";

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

/// Changes name and enabled of a project.
///
/// # Errors
/// There is none of this id, or another one has this name.
pub async fn update_project(tx: &mut Tx, project: &ProjectRow) -> Result<(), Error> {
    check_name("project", &project.name)?;
    let statement = Statement::new(
        "update a project",
        "UPDATE projects SET name = $1, enabled = $2 WHERE id = $3",
    )
    .bind(project.name.as_str())
    .bind(project.enabled)
    .bind(&project.id);
    let rows =
        tx.execute(statement).await.map_err(|error| error.duplicate_as("project", "name"))?;
    found(rows, "project")
}

fn found(rows: u64, what: &'static str) -> Result<(), Error> {
    if rows == 0 { Err(Error::NotFound { what }) } else { Ok(()) }
}

/// Stores a new user.
///
/// # Errors
/// Another one has this id or name.
pub async fn create_user(tx: &mut Tx, user: &UserRow) -> Result<(), Error> {
    check_name("user", &user.name)?;
    let statement = Statement::new(
        "create a user",
        "INSERT INTO users (id, name, password_hash, enabled) VALUES ($1, $2, $3, $4)",
    )
    .bind(&user.id)
    .bind(user.name.as_str())
    .bind(user.password_hash.as_str())
    .bind(user.enabled);
    tx.execute(statement).await.map_err(|error| error.duplicate_as("user", "name"))?;
    Ok(())
}

const USER: &str = "SELECT id, name, password_hash, enabled FROM users";

/// The user of this id.
///
/// # Errors
/// There is none.
pub async fn get_user<'e>(from: impl Reader<'e>, id: &UserId) -> Result<UserRow, Error> {
    let statement = Statement::new("read a user", format!("{USER} WHERE id = $1")).bind(id);
    one(from, statement, "user", read_user).await
}

/// The user of this name.
///
/// # Errors
/// There is none.
pub async fn get_user_by_name<'e>(from: impl Reader<'e>, name: &str) -> Result<UserRow, Error> {
    let statement = Statement::new("read a user", format!("{USER} WHERE name = $1")).bind(name);
    one(from, statement, "user", read_user).await
}

/// All users by name.
///
/// # Errors
/// The database failed.
pub async fn list_users<'e>(from: impl Reader<'e>) -> Result<Vec<UserRow>, Error> {
    let text = format!("{USER} ORDER BY name LIMIT $1");
    all(from, Statement::new("list users", text).bind(MAX_LIST), read_user).await
}

/// Changes name, password hash and enabled of a user.
///
/// # Errors
/// There is none of this id, or another one has this name.
pub async fn update_user(tx: &mut Tx, user: &UserRow) -> Result<(), Error> {
    check_name("user", &user.name)?;
    let statement = Statement::new(
        "update a user",
        "UPDATE users SET name = $1, password_hash = $2, enabled = $3 WHERE id = $4",
    )
    .bind(user.name.as_str())
    .bind(user.password_hash.as_str())
    .bind(user.enabled)
    .bind(&user.id);
    let rows = tx.execute(statement).await.map_err(|error| error.duplicate_as("user", "name"))?;
    found(rows, "user")
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
    all(from, statement, |row| row.parse("role")).await
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

/// Stores a new application credential.
///
/// # Errors
/// The user has one of this name.
pub async fn create_credential(tx: &mut Tx, credential: &CredentialRow) -> Result<(), Error> {
    check_name("application credential", &credential.name)?;
    let statement = Statement::new(
        "create an application credential",
        "INSERT INTO credentials (id, name, user_id, project, secret_hash, roles, expires_at, created_at) \
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8)",
    )
    .bind(credential.id)
    .bind(credential.name.as_str())
    .bind(&credential.user)
    .bind(&credential.project)
    .bind(credential.secret_hash.as_str())
    .bind(json(&credential.roles)?)
    .bind(credential.expires_at)
    .bind(credential.created_at);
    let done = tx.execute(statement).await;
    done.map_err(|error| error.duplicate_as("application credential", "name"))?;
    Ok(())
}

const CREDENTIAL: &str = "SELECT id, name, user_id, project, secret_hash, roles, expires_at, created_at FROM credentials";

/// The application credential of this id, expired or not.
///
/// # Errors
/// There is none.
pub async fn get_credential<'e>(
    from: impl Reader<'e>,
    id: CredentialId,
) -> Result<CredentialRow, Error> {
    let text = format!("{CREDENTIAL} WHERE id = $1");
    let statement = Statement::new("read an application credential", text).bind(id);
    one(from, statement, "application credential", read_credential).await
}

/// A user's application credential of this name (Keystone signs in by either).
///
/// # Errors
/// The database failed.
pub async fn get_credential_by_name<'e>(
    from: impl Reader<'e>,
    user: &UserId,
    name: &str,
) -> Result<Option<CredentialRow>, Error> {
    let text = format!("{CREDENTIAL} WHERE user_id = $1 AND name = $2");
    let statement = Statement::new("read an application credential", text).bind(user).bind(name);
    first(from, statement, read_credential).await
}

/// A user's application credentials, oldest first.
///
/// # Errors
/// The database failed.
pub async fn list_credentials<'e>(
    from: impl Reader<'e>,
    user: &UserId,
) -> Result<Vec<CredentialRow>, Error> {
    let text = format!("{CREDENTIAL} WHERE user_id = $1 ORDER BY id LIMIT $2");
    let statement = Statement::new("list application credentials", text).bind(user).bind(MAX_LIST);
    all(from, statement, read_credential).await
}

/// Removes a user's application credential.
///
/// # Errors
/// The user has none of this id.
pub async fn delete_credential(tx: &mut Tx, user: &UserId, id: CredentialId) -> Result<(), Error> {
    let text = "DELETE FROM credentials WHERE user_id = $1 AND id = $2";
    let statement = Statement::new("delete an application credential", text).bind(user).bind(id);
    found(tx.execute(statement).await?, "application credential")
}

fn read_project(row: &Row) -> Result<ProjectRow, Error> {
    Ok(ProjectRow { id: row.parse("id")?, name: row.text("name")?, enabled: row.yes("enabled")? })
}

fn read_user(row: &Row) -> Result<UserRow, Error> {
    Ok(UserRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        password_hash: row.text("password_hash")?,
        enabled: row.yes("enabled")?,
    })
}

fn read_assignment(row: &Row) -> Result<AssignmentRow, Error> {
    Ok(AssignmentRow {
        user: row.parse("user_id")?,
        project: row.parse("project")?,
        role: row.parse("role")?,
    })
}

fn read_credential(row: &Row) -> Result<CredentialRow, Error> {
    Ok(CredentialRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        user: row.parse("user_id")?,
        project: row.parse("project")?,
        secret_hash: row.text("secret_hash")?,
        roles: row.json("roles")?,
        expires_at: row.time_optional("expires_at")?,
        created_at: row.time("created_at")?,
    })
}
