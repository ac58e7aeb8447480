//! Projects, users, role assignments and application credentials of the cloud's own identity service.
//!
//! Secrets come here hashed; who may do what is decided elsewhere, by the roles found here.

mod credentials;
mod projects;
mod roles;
mod users;

pub use credentials::{
    CredentialRow, create_credential, delete_credential, get_credential, get_credential_by_name,
    list_credentials,
};
pub use projects::{
    ProjectRow, create_project, get_project, get_project_by_name, list_projects, projects_of,
    update_project,
};
pub use roles::{AssignmentRow, assign, list_assignments, roles_of, unassign};
pub use users::{UserRow, create_user, get_user, get_user_by_name, list_users, update_user};

use crate::Error;
use model::Invalid;

/// Most projects, users, assignments or credentials of one list; more are cut off.
pub const MAX_LIST: u32 = 10_000;
/// Longest name of a project, user or credential, in bytes.
pub const MAX_NAME: usize = 255;

fn check_name(what: &str, name: &str) -> Result<(), Error> {
    if name.is_empty() || name.len() > MAX_NAME || name.chars().any(char::is_control) {
        return Err(Invalid::new(format!(
            "the name of a {what} has 1 to {MAX_NAME} bytes and no control characters"
        ))
        .into());
    }
    Ok(())
}

fn found(rows: u64, what: &'static str) -> Result<(), Error> {
    if rows == 0 { Err(Error::NotFound { what }) } else { Ok(()) }
}
