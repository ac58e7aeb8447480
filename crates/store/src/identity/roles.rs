//! Roles: the four that are built in, and those that somebody made. What a made one allows is the settings' to say.

use super::{MAX_LIST, check_name, found};
use crate::audit::Entry;
use crate::sql::{Reader, Row, Statement, all, first};
use crate::{Error, Tx};
use model::RoleId;
use model::access::Role;
use serde_json::json;

/// A role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleRow {
    /// Its id.
    pub id: RoleId,
    /// Unique name.
    pub name: String,
    /// What it is for.
    pub description: String,
}

impl From<Role> for RoleRow {
    fn from(role: Role) -> Self {
        Self { id: role.into(), name: role.word().into(), description: String::new() }
    }
}

/// Stores a new role.
///
/// # Errors
/// Another one has this name.
pub async fn create_role(tx: &mut Tx, role: &RoleRow) -> Result<(), Error> {
    check_name("role", &role.name)?;
    let taken = Error::Duplicate { what: "role", field: "name" };
    if role.name.parse::<Role>().is_ok() {
        return Err(taken);
    }
    let text = "INSERT INTO roles (id, name, description) VALUES ($1, $2, $3)";
    let statement = Statement::new("create a role", text)
        .bind(&role.id)
        .bind(role.name.as_str())
        .bind(role.description.as_str());
    tx.execute(statement).await.map_err(|error| error.duplicate_as("role", "name"))?;
    tx.audit(told("role:create", role)).await
}

/// The role of this id.
///
/// # Errors
/// There is none.
pub async fn get_role<'e>(from: impl Reader<'e>, id: &RoleId) -> Result<RoleRow, Error> {
    if let Ok(role) = id.as_str().parse::<Role>() {
        return Ok(role.into());
    }
    let text = "SELECT id, name, description FROM roles WHERE id = $1";
    let statement = Statement::new("read a role", text).bind(id);
    first(from, statement, read_role).await?.ok_or(Error::NotFound { what: "role" })
}

/// All roles, those built in first.
///
/// # Errors
/// The database failed.
pub async fn list_roles<'e>(from: impl Reader<'e>) -> Result<Vec<RoleRow>, Error> {
    let text = "SELECT id, name, description FROM roles ORDER BY name LIMIT $1";
    let made = all(from, Statement::new("list roles", text).bind(MAX_LIST), read_role).await?;
    Ok(Role::ALL.into_iter().map(RoleRow::from).chain(made).collect())
}

/// Changes name and description of a role that somebody made.
///
/// # Errors
/// There is none of this id, or another one has this name.
pub async fn update_role(tx: &mut Tx, role: &RoleRow) -> Result<(), Error> {
    check_name("role", &role.name)?;
    if role.name.parse::<Role>().is_ok() {
        return Err(Error::Duplicate { what: "role", field: "name" });
    }
    let text = "UPDATE roles SET name = $1, description = $2 WHERE id = $3";
    let statement = Statement::new("update a role", text)
        .bind(role.name.as_str())
        .bind(role.description.as_str())
        .bind(&role.id);
    let rows = tx.execute(statement).await.map_err(|error| error.duplicate_as("role", "name"))?;
    found(rows, "role")?;
    tx.audit(told("role:update", role)).await
}

/// Removes a role that somebody made, and takes it from everybody.
///
/// # Errors
/// There is none of this id.
pub async fn delete_role(tx: &mut Tx, id: &RoleId) -> Result<(), Error> {
    let text = "DELETE FROM assignments WHERE role = $1";
    let taken = Statement::new("take a role from everybody", text).bind(id);
    let text = "DELETE FROM roles WHERE id = $1";
    let removed = Statement::new("delete a role", text).bind(id);
    found(tx.execute(removed).await?, "role")?;
    let from = tx.execute(taken).await?;
    tx.audit(Entry::new("role:delete", "role", id).with(json!({ "taken_from": from }))).await
}

fn told(verb: &'static str, role: &RoleRow) -> Entry {
    Entry::new(verb, "role", &role.id).with(json!({ "name": role.name }))
}

pub(super) fn read_role(row: &Row) -> Result<RoleRow, Error> {
    Ok(RoleRow {
        id: row.parse("id")?,
        name: row.text("name")?,
        description: row.text("description")?,
    })
}
