//! Rights that a board honours without its cloud: who may do something with a board takes a part of that along, for minutes.

use model::{BoardId, PluginId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Seconds a right is good when nothing is said, and at the most.
pub const MAX_LIFE_S: u32 = 300;

/// What is wanted of a board.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = NewRight)]
pub struct New {
    /// What may be done: `status`, `logs`, `call`.
    pub acts: Vec<String>,
    /// The one plugin with which it may be done (id or name); without it, each of the board's.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub plugin: Option<String>,
    /// Seconds until it is over, 1 to 300 (default 300).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub life_s: Option<u32>,
    /// How often it may be passed on narrowed, 0 to 8 (default 0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub depth: Option<u8>,
}

/// A right that was given out. It is not kept: who has its text has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = Right)]
pub struct Right {
    /// The text, for `Authorization: Bearer` on the board's local page.
    pub right: String,
    /// The board.
    pub board: BoardId,
    /// What may be done.
    pub acts: Vec<String>,
    /// With which plugin; none for all of them.
    pub plugin: Option<PluginId>,
    /// The moment when it is over.
    pub until: Timestamp,
    /// How often it may be passed on.
    pub depth: u8,
}
