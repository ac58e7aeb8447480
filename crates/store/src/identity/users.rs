//! Users, with the hashes of their passwords.

use super::{MAX_LIST, check_description, check_name, found};
use crate::audit::Entry;
use crate::sql::{Reader, Row, Statement, all, json, one};
use crate::{Error, Tx, delegations};
use model::{ProjectId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::json;

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
    /// What Keystone's clients know of it besides.
    pub profile: Profile,
    /// Tokens made before this moment are refused.
    pub tokens_since: Timestamp,
}

/// What Keystone's clients know of a user besides its name.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Profile {
    /// Who it is.
    pub description: String,
    /// Where it gets mail.
    pub email: Option<String>,
    /// The project it signs in to when it names none.
    pub default_project: Option<ProjectId>,
}

impl UserRow {
    /// A user that may sign in.
    #[must_use]
    pub fn new(id: UserId, name: impl Into<String>, password_hash: impl Into<String>) -> Self {
        Self {
            id,
            name: name.into(),
            password_hash: password_hash.into(),
            enabled: true,
            profile: Profile::default(),
            tokens_since: Timestamp::default(),
        }
    }

    fn check(&self) -> Result<(), Error> {
        check_name("user", &self.name)?;
        check_description(&self.profile.description)?;
        check_description(self.profile.email.as_deref().unwrap_or_default())
    }
}

impl std::fmt::Debug for UserRow {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "UserRow({} {:?} enabled={})", self.id, self.name, self.enabled)
    }
}

const USER: &str = "SELECT id, name, password_hash, enabled, about, tokens_since FROM users";

/// Stores a new user.
///
/// # Errors
/// Another one has this id or name.
pub async fn create_user(tx: &mut Tx, user: &UserRow) -> Result<(), Error> {
    user.check()?;
    let statement = Statement::new(
        "create a user",
        "INSERT INTO users (id, name, password_hash, enabled, about, tokens_since) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(&user.id)
    .bind(user.name.as_str())
    .bind(user.password_hash.as_str())
    .bind(user.enabled)
    .bind(json(&user.profile)?)
    .bind(user.tokens_since);
    tx.execute(statement).await.map_err(|error| error.duplicate_as("user", "name"))?;
    let entry =
        Entry::new("user:create", "user", &user.id).with(json!({ "enabled": user.enabled }));
    tx.audit(entry.personal("name", Some(&user.id), &user.name)).await
}

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

/// Changes everything of a user but its id.
///
/// # Errors
/// There is none of this id, or another one has this name.
pub async fn update_user(tx: &mut Tx, user: &UserRow) -> Result<(), Error> {
    user.check()?;
    let old = get_user(&mut *tx, &user.id).await?;
    let statement = Statement::new(
        "update a user",
        "UPDATE users SET name = $1, password_hash = $2, enabled = $3, about = $4, tokens_since = $5 WHERE id = $6",
    )
    .bind(user.name.as_str())
    .bind(user.password_hash.as_str())
    .bind(user.enabled)
    .bind(json(&user.profile)?)
    .bind(user.tokens_since)
    .bind(&user.id);
    let rows = tx.execute(statement).await.map_err(|error| error.duplicate_as("user", "name"))?;
    found(rows, "user")?;
    tx.audit(changed(&old, user)).await
}

/// What an update changed, without what it was and is.
fn changed(old: &UserRow, new: &UserRow) -> Entry {
    let renamed = old.name != new.name;
    let has_new_password = old.password_hash != new.password_hash;
    let detail =
        json!({ "enabled": new.enabled, "renamed": renamed, "new_password": has_new_password });
    let entry = Entry::new("user:update", "user", &new.id).with(detail);
    if renamed { entry.personal("name", Some(&new.id), &new.name) } else { entry }
}

/// Removes a user with its roles and its application credentials.
///
/// # Errors
/// There is none of this id.
pub async fn delete_user(tx: &mut Tx, id: &UserId) -> Result<(), Error> {
    let removed = Statement::new("delete a user", "DELETE FROM users WHERE id = $1").bind(id);
    found(tx.execute(removed).await?, "user")?;
    for (doing, text) in [
        ("take a user's roles", "DELETE FROM assignments WHERE user_id = $1"),
        ("delete a user's credentials", "DELETE FROM credentials WHERE user_id = $1"),
    ] {
        tx.execute(Statement::new(doing, text).bind(id)).await?;
    }
    delegations::revoke_held_by(tx, id).await?;
    tx.audit(Entry::new("user:delete", "user", id)).await
}

fn read_user(row: &Row) -> Result<UserRow, Error> {
    Ok(UserRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        password_hash: row.text("password_hash")?,
        enabled: row.yes("enabled")?,
        profile: row.json("about")?,
        tokens_since: row.time("tokens_since")?,
    })
}
