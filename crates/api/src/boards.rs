//! Boards.

use model::board::{Parked, Position, Status};
use model::facts::{Facts, Load};
use model::label::Labels;
use model::{BoardId, FleetId, Name, ProjectId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use std::net::IpAddr;
use utoipa::{IntoParams, ToSchema};

/// Path of the collection.
pub const PATH: &str = "/v2/boards";

/// A board as it stands in lists.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Summary {
    /// Id.
    pub id: BoardId,
    /// Name, unique in its project.
    pub name: Name,
    /// Project.
    pub project: ProjectId,
    /// Who claimed it.
    pub owner: UserId,
    /// Fleet, if any.
    pub fleet: Option<FleetId>,
    /// Where it stands in its life.
    pub status: Status,
    /// Labels.
    pub labels: Labels,
    /// Position.
    pub position: Option<Position>,
    /// Version of its agent, once it was seen.
    pub agent_version: Option<String>,
    /// When it was last heard.
    pub last_seen: Option<Timestamp>,
    /// When it was claimed.
    pub created_at: Timestamp,
    /// When this record last changed.
    pub updated_at: Option<Timestamp>,
    /// Counts changes; also the ETag.
    pub revision: i64,
    /// Whether it is an upstream board, which proves its identity by nothing but its session.
    #[serde(default)]
    pub legacy: bool,
    /// Set while two machines answer with its key and nobody has decided: it cannot be called, and what is asked of it waits.
    #[serde(default)]
    pub parked: Option<Parked>,
}

/// A board with all that it says about itself.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Board {
    /// The part that stands in lists.
    #[serde(flatten)]
    pub summary: Summary,
    /// Native protocol spoken with it; 0 for upstream boards.
    pub protocol: u32,
    /// What it can do.
    pub capabilities: Vec<String>,
    /// Fingerprint of its key (SHA-256, base64url).
    pub key: Option<String>,
    /// Facts.
    pub facts: Facts,
    /// Last load report.
    pub load: Load,
    /// When that report came.
    pub load_at: Option<Timestamp>,
}

/// Which boards to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// At most so many items, 1 to 1000 (default 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Items after the board with this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// Only boards in this status.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub status: Option<Status>,
    /// Only boards of this fleet (id or name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<String>,
    /// Only boards with these labels: `kind=lamp,zone in (north|east),!broken`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// Only boards that have this plugin (id or name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Only boards on which this service is open (id or name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service: Option<String>,
    /// Only boards whose name contains this text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub text: Option<String>,
}

/// What to change; absent members stay as they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Change {
    /// New name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// All labels, replacing the old ones.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub labels: Option<Labels>,
    /// New position.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<Position>,
    /// New fleet (id or name); the empty text takes the board out of its fleet.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub fleet: Option<String>,
}

/// Which of two machines with one key goes on as the board.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Unpark {
    /// The one that connects from this address, and no other until the board has a new key; without it, whichever connects
    /// next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub from: Option<IpAddr>,
}

/// What a board is to say back.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Echo {
    /// Any text up to 64 KiB.
    pub say: String,
}

/// What a board answered to a question that changes nothing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Answer {
    /// The answer, in the shape of the question.
    #[schema(value_type = Object)]
    pub result: serde_json::Value,
}

/// How long to wait before a reboot or restart.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Delay {
    /// Seconds, 3 to 3600 (default 3).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub delay: Option<u32>,
}
