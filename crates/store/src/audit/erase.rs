//! Erasing personal values. The chain stays valid: their salted hashes remain in it, and say nothing without the salt.

use super::Entry;
use crate::sql::Statement;
use crate::{Error, Tx};
use model::UserId;
use serde_json::json;

/// Whose values, or which.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Erase {
    /// All about this user.
    Person(UserId),
    /// This value wherever it stands: an address, a name.
    Value(String),
}

/// Erases; gives how many values went. The row that tells of it names a user by id and a value not at all.
///
/// # Errors
/// The database failed.
pub async fn erase(tx: &mut Tx, what: &Erase) -> Result<u64, Error> {
    // What is deleted is overwritten in the file, and not only given back to it.
    let careful = tx.rows(&Statement::new("erase", "PRAGMA secure_delete = ON"));
    careful?;
    let (column, value) = match what {
        Erase::Person(user) => ("person", user.to_string()),
        Erase::Value(value) => ("value", value.clone()),
    };
    let text = format!("DELETE FROM audit_personal WHERE {column} = $1");
    let erased = tx.execute(Statement::new("erase personal values", text).bind(value)).await;
    tx.rows(&Statement::new("erase", "PRAGMA secure_delete = OFF"))?;
    let erased = erased?;
    let entry = match what {
        Erase::Person(user) => Entry::new("audit:erase", "user", user),
        Erase::Value(_) => Entry::new("audit:erase", "value", ""),
    };
    tx.audit(entry.with(json!({ "erased": erased }))).await?;
    Ok(erased)
}
