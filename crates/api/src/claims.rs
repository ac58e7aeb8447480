//! Claims: the right to enrol boards.

use model::contribution::Contribution;
use model::label::Labels;
use model::{BoardId, ClaimId, FleetId, Name, ProjectId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Path of the collection.
pub const PATH: &str = "/v2/claims";
/// Seconds a claim lives when nothing is said: one week.
pub const DEFAULT_LIFE_S: u64 = 7 * 24 * 3600;
/// Most boards one claim may enrol.
pub const MAX_USES: u32 = 100_000;

/// A new claim.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct New {
    /// Name of the board; for a claim of many uses, the beginning of the boards' names.
    pub name: Name,
    /// How many boards it may enrol (default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub uses: Option<u32>,
    /// Seconds until it expires (default one week).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub expires_in_s: Option<u64>,
    /// Labels that the boards get.
    #[serde(default)]
    pub labels: Labels,
    /// Fleet that the boards join (id or name).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fleet: Option<String>,
    /// What is given of the boards to others, from their first moment on.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contribution: Option<crate::contributions::New>,
}

/// A claim as it stands in lists: without its secret, of which only a hash is kept.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Claim {
    /// Id.
    pub id: ClaimId,
    /// Name.
    pub name: Name,
    /// Project.
    pub project: ProjectId,
    /// Who made it, and will own the boards.
    pub owner: UserId,
    /// How many boards it may enrol in all.
    pub uses: u32,
    /// How many more it may enrol.
    pub uses_left: u32,
    /// Labels that the boards get.
    pub labels: Labels,
    /// Fleet that the boards join.
    pub fleet: Option<FleetId>,
    /// What is given of the boards to others.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contribution: Option<Contribution>,
    /// The board whose identity another machine takes over with it.
    pub replaces: Option<BoardId>,
    /// When it expires.
    pub expires_at: Timestamp,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was withdrawn, if it was.
    pub revoked_at: Option<Timestamp>,
}

/// A claim just made: the only time its text is seen.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Made {
    /// The record.
    #[serde(flatten)]
    pub record: Claim,
    /// The text for `lightning-rod enrol --claim`. It is not stored: keep it.
    pub claim: String,
}
