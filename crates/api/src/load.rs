//! How boards were in the last hours.
//!
//! `GET /v2/boards/{board}/load` answers what is kept, and Server-Sent Events when `Accept: text/event-stream` is asked for:
//! one frame named `load` for each report as it comes, which are not numbered and cannot be resumed.

use model::Timestamp;
use model::facts::Load;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Hours shown when nothing is said.
pub const DEFAULT_HOURS: u32 = 6;
/// Hours that are kept.
pub const MAX_HOURS: u32 = 24;

/// How far to look back.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Reading {
    /// Hours, 1 to 24 (default 6; JSON only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hours: Option<u32>,
}

/// One report.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = LoadSample)]
pub struct Sample {
    /// When it came.
    pub at: Timestamp,
    /// What it said.
    #[serde(flatten)]
    pub load: Load,
}
