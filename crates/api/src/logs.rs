//! Log lines of boards and plugins.
//!
//! With `follow=true` the answer is a stream of Server-Sent Events, one [`Line`] each, that goes on until the client leaves.

use model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// From where to read.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Reading {
    /// Lines with a larger number than this.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<u64>,
    /// At most so many lines, 1 to 1000 (default 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Go on with new lines.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub follow: Option<bool>,
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = LogLines)]
pub struct Lines {
    /// The lines, oldest first.
    pub lines: Vec<Line>,
    /// Where to go on: `after` of the next read.
    pub next: u64,
    /// How many lines before the first one here are not kept any more.
    pub dropped: u64,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = LogLine)]
pub struct Line {
    /// Its number, counted from 1.
    pub seq: u64,
    /// When it was written, by the board's clock.
    pub time: Timestamp,
    /// `stdout` or `stderr` of a plugin; the level for the agent's own log.
    pub stream: String,
    /// The text.
    pub text: String,
}
