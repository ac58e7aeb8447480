//! Recordings of terminals: which there are, and whose terminals are recorded.

use model::{BoardId, ProjectId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Recordings.
pub const PATH: &str = "/v2/recordings";
/// Whose terminals are recorded.
pub const SETTINGS: &str = "/v2/recording-settings";

/// A recording.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Recording {
    /// Id of the session; rows of the audit have it too.
    pub id: String,
    /// Of which project the board was.
    pub project: ProjectId,
    /// The board.
    pub board: BoardId,
    /// Its name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board_name: Option<String>,
    /// Who opened the terminal.
    pub user: UserId,
    /// That person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_name: Option<String>,
    /// Since when.
    pub began_at: Timestamp,
    /// Until when; none while it goes on.
    pub ended_at: Option<Timestamp>,
    /// Size of what was recorded.
    pub bytes: u64,
    /// Its SHA-256, as it stands in the audit; none while it goes on.
    pub sha256: Option<String>,
    /// Since when it is erased.
    pub erased_at: Option<Timestamp>,
}

/// Which recordings.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// Of this board, by name or id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// At most so many items, 1 to 1000 (default 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Items after the one with this id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

/// Whether terminals are recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = RecordingWish)]
pub enum Wish {
    /// They are.
    On,
    /// They are not.
    Off,
    /// What was said is taken back: for a board the project's setting counts, for a project nothing is recorded.
    Default,
}

/// A setting to make.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewRecordingSetting)]
pub struct NewSetting {
    /// Of this board, by name or id; left out, of the project that one is signed in to.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// What is wanted.
    pub record: Wish,
}

/// A setting that was made.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = RecordingSetting)]
pub struct Setting {
    /// The project.
    pub project: ProjectId,
    /// The board; none for the whole project.
    pub board: Option<BoardId>,
    /// Whether its terminals are recorded.
    pub record: bool,
}
