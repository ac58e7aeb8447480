//! Application credentials.

use super::{MAX_LIST, check_description, check_name, found};
use crate::audit::Entry;
use crate::sql::{Reader, Row, Statement, all, first, json, one};
use crate::{Error, Tx};
use model::access_rule::AccessRule;
use model::{CredentialId, ProjectId, RoleId, Timestamp, UserId};
use serde_json::json;

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
    pub roles: Vec<RoleId>,
    /// Until when; none for ever.
    pub expires_at: Option<Timestamp>,
    /// Since when.
    pub created_at: Timestamp,
    /// What it is for.
    pub description: String,
    /// Whether its tokens may make and delete application credentials.
    pub unrestricted: bool,
    /// The requests that its tokens may make; none for all that its roles allow.
    pub access: Option<Vec<AccessRule>>,
}

impl std::fmt::Debug for CredentialRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "CredentialRow({} {:?} of {})", self.id, self.name, self.user)
    }
}

const CREDENTIAL: &str = "SELECT id, name, user_id, project, secret_hash, roles, expires_at, created_at, \
     description, unrestricted, access FROM credentials";

/// Stores a new application credential.
///
/// # Errors
/// The user has one of this name.
pub async fn create_credential(tx: &mut Tx, credential: &CredentialRow) -> Result<(), Error> {
    check_name("application credential", &credential.name)?;
    check_description(&credential.description)?;
    let statement = Statement::new(
        "create an application credential",
        "INSERT INTO credentials (id, name, user_id, project, secret_hash, roles, expires_at, created_at, \
         description, unrestricted, access) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
    )
    .bind(credential.id)
    .bind(credential.name.as_str())
    .bind(&credential.user)
    .bind(&credential.project)
    .bind(credential.secret_hash.as_str())
    .bind(json(&credential.roles)?)
    .bind(credential.expires_at)
    .bind(credential.created_at)
    .bind(credential.description.as_str())
    .bind(credential.unrestricted)
    .bind(credential.access.as_ref().map(json).transpose()?);
    let done = tx.execute(statement).await;
    done.map_err(|error| error.duplicate_as("application credential", "name"))?;
    let CredentialRow { id, name, user, project, roles, expires_at, .. } = credential;
    let detail = json!({
        "user": user, "roles": roles, "expires_at": expires_at, "unrestricted": credential.unrestricted,
    });
    let entry = Entry::new("credential:create", "credential", id).of(project).with(detail);
    tx.audit(entry.or_by(Some(user)).personal("name", Some(user), name)).await
}

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
    const WHAT: &str = "application credential";
    let old = get_credential(&mut *tx, id).await?;
    let text = "DELETE FROM credentials WHERE user_id = $1 AND id = $2";
    let statement = Statement::new("delete an application credential", text).bind(user).bind(id);
    found(tx.execute(statement).await?, WHAT)?;
    let entry = Entry::new("credential:delete", "credential", id).of(&old.project);
    tx.audit(entry.with(json!({ "user": user })).or_by(Some(user))).await
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
        description: row.text("description")?,
        unrestricted: row.yes("unrestricted")?,
        access: row.json_optional("access")?,
    })
}
