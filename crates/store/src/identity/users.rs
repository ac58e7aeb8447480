//! Users, with the hashes of their passwords.

use super::{MAX_LIST, check_name, found};
use crate::sql::{Reader, Row, Statement, all, one};
use crate::{Error, Tx};
use model::UserId;

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

const USER: &str = "SELECT id, name, password_hash, enabled FROM users";

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

fn read_user(row: &Row) -> Result<UserRow, Error> {
    Ok(UserRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        password_hash: row.text("password_hash")?,
        enabled: row.yes("enabled")?,
    })
}
