//! Fleets: named sets of boards.

use model::{FleetId, Name, ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Path of the collection.
pub const PATH: &str = "/v2/fleets";
/// Longest description, in characters.
pub const MAX_DESCRIPTION: usize = 300;

/// A new fleet.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewFleet)]
pub struct New {
    /// Name, unique in its project.
    pub name: Name,
    /// What it is for, up to 300 characters.
    #[serde(default)]
    pub description: String,
    /// Which boards of the project are in it from the moment their labels fit, besides those that are put into it:
    /// `kind=lamp,zone in (north|east),!broken`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// What to change; absent members stay as they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = FleetChange)]
pub struct Change {
    /// New name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// New description.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub description: Option<String>,
    /// New rule; the empty text takes it away.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rule: Option<String>,
}

/// A fleet.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Fleet {
    /// Id.
    pub id: FleetId,
    /// Name.
    pub name: Name,
    /// Project.
    pub project: ProjectId,
    /// What it is for.
    pub description: String,
    /// Which boards are in it besides those that were put into it.
    #[serde(default)]
    pub rule: Option<String>,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
    /// Counts changes; also the ETag.
    pub revision: i64,
}
