//! Names for Keystone's ids, and where things go whose project the database does not tell.
//!
//! Invariant: without a map every id is its own name. Deliberately not here: passwords and roles; an imported user cannot
//! sign in until an administrator gives it both.

use super::Error;
use model::{ProjectId, UserId};
use serde::Deserialize;
use std::collections::HashMap;
use std::io::Read as _;
use std::path::Path;

/// Largest map, in bytes.
const MAX_MAP: u64 = 16 * 1024 * 1024;

/// The map of names.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub(super) struct People {
    /// Names of projects by id.
    projects: HashMap<String, String>,
    /// Names of users by id.
    users: HashMap<String, String>,
    /// The project into which a user's plugins go, by the user's id; upstream's plugins have an owner only.
    homes: HashMap<String, ProjectId>,
    /// The project of what has none.
    default_project: Option<ProjectId>,
    /// The owner of what has none.
    default_owner: Option<UserId>,
}

impl People {
    /// Reads the map.
    pub(super) fn load(path: Option<&Path>) -> Result<Self, Error> {
        let Some(path) = path else { return Ok(Self::default()) };
        let unreadable = |source| Error::Read { what: path.display().to_string(), source };
        let file = std::fs::File::open(path).map_err(unreadable)?;
        let mut text = String::new();
        file.take(MAX_MAP).read_to_string(&mut text).map_err(unreadable)?;
        serde_json::from_str(&text)
            .map_err(|error| Error::Map { path: path.to_owned(), why: error.to_string() })
    }

    pub(super) fn project_name(&self, id: &ProjectId) -> String {
        self.projects.get(id.as_str()).cloned().unwrap_or_else(|| id.to_string())
    }

    pub(super) fn user_name(&self, id: &UserId) -> String {
        self.users.get(id.as_str()).cloned().unwrap_or_else(|| id.to_string())
    }

    pub(super) fn home(&self, owner: &UserId) -> Option<&ProjectId> {
        self.homes.get(owner.as_str())
    }

    /// The project a row names, or the default one.
    pub(super) fn project(&self, text: Option<String>) -> Result<ProjectId, String> {
        match text.filter(|text| !text.is_empty()) {
            Some(text) => ProjectId::try_from(text).map_err(|invalid| invalid.0),
            None => self.default_project.clone().ok_or_else(|| {
                "it has no project; give default_project in the project map".to_owned()
            }),
        }
    }

    /// The owner a row names, or the default one.
    pub(super) fn owner(&self, text: Option<String>) -> Result<UserId, String> {
        match text.filter(|text| !text.is_empty()) {
            Some(text) => UserId::try_from(text).map_err(|invalid| invalid.0),
            None => self
                .default_owner
                .clone()
                .ok_or_else(|| "it has no owner; give default_owner in the project map".to_owned()),
        }
    }
}
