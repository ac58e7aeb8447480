//! The event log: everything that changed, in one order.
//!
//! `GET /v2/events` answers Server-Sent Events when `Accept: text/event-stream` is asked for, resumable by `Last-Event-ID`,
//! and a page of JSON otherwise. Event ids are the numbers of the log.

use crate::page::Direction;
use model::{ProjectId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Path of the log.
pub const PATH: &str = "/v2/events";

/// One event.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Event {
    /// Its number; later events have larger ones.
    pub seq: i64,
    /// When it was committed.
    pub at: Timestamp,
    /// Project.
    pub project: ProjectId,
    /// What happened: `board.online`, `operation.succeeded` …
    pub kind: String,
    /// The noun it happened to: `board`, `operation` …
    pub subject_type: String,
    /// Id of what it happened to.
    pub subject_id: String,
    /// More, by kind.
    #[schema(value_type = Object)]
    pub body: Value,
}

/// From where to read.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Reading {
    /// Events with a larger number; absent starts at the oldest kept one (JSON) or at the next one (stream).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<i64>,
    /// `asc` for the oldest first (default), `desc` for the newest (JSON only; not together with `after`).
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub order: Option<Direction>,
    /// Events with a smaller number, when the newest come first: `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<i64>,
    /// At most so many, 1 to 1000 (default 100; JSON only).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}
