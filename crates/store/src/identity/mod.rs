//! Projects, users, roles and who has them, application credentials and revoked tokens of the cloud's own identity service.
//!
//! Secrets come here hashed; who may do what is decided elsewhere, by the roles found here.

mod assignments;
mod credentials;
mod projects;
mod roles;
mod tokens;
mod users;

pub use assignments::{
    AssignmentFilter, AssignmentRow, assign, list_assignments, roles_of, unassign,
};
pub use credentials::{
    CredentialRow, create_credential, delete_credential, get_credential, get_credential_by_name,
    list_credentials,
};
pub use projects::{
    ProjectRow, create_project, delete_project, get_project, get_project_by_name, list_projects,
    projects_of, update_project,
};
pub use roles::{RoleRow, create_role, delete_role, get_role, list_roles, update_role};
pub use tokens::{RevokedRow, is_revoked, list_revoked, revoke_token, trim_revoked};
pub use users::{
    Profile, UserRow, create_user, delete_user, get_user, get_user_by_name, list_users, update_user,
};

use crate::Error;
use model::Invalid;

/// Most projects, users, assignments or credentials of one list; more are cut off.
pub const MAX_LIST: u32 = 10_000;
/// Longest name of a project, user or credential, in bytes.
pub const MAX_NAME: usize = 255;
/// Longest description, in bytes.
pub const MAX_DESCRIPTION: usize = 1024;

fn check_name(what: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Invalid::new(format!(
            "the name of a {what} has 1 to {MAX_NAME} bytes and no control characters"
        ))
        .into());
    }
    Ok(())
}

fn check_description(text: &str) -> Result<(), Error> {
    if text.len() > MAX_DESCRIPTION || text.contains('\0') {
        let said = format!("a description has at most {MAX_DESCRIPTION} bytes and no zero bytes");
        return Err(Invalid::new(said).into());
    }
    Ok(())
}

fn found(rows: u64, what: &'static str) -> Result<(), Error> {
    if rows == 0 { Err(Error::NotFound { what }) } else { Ok(()) }
}
