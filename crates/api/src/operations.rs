//! Operations: what was asked of boards, and what became of it.

use crate::page::Direction;
use model::operation::{Fault, State};
use model::{BoardId, OperationId, ProjectId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

/// Path of the collection.
pub const PATH: &str = "/v2/operations";
/// Longest `wait`, in seconds.
pub const MAX_WAIT_S: u32 = 60;
/// Seconds a command waits for its board when nothing is said: one day.
pub const DEFAULT_DEADLINE_S: u64 = 24 * 3600;
/// Longest deadline, in seconds: 30 days.
pub const MAX_DEADLINE_S: u64 = 30 * 24 * 3600;

/// Query parameters of every request that gives a command.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Commanding {
    /// Seconds to wait for the end before answering, up to 60 (default 0): 200 when it has ended, 202 when it goes on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<u32>,
    /// Seconds after which the command is not given any more (default one day).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<u64>,
}

/// Query parameter of a look at one operation.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Waiting {
    /// Seconds to wait for the end before answering, up to 60 (default 0).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait: Option<u32>,
}

/// Which operations to list.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// At most so many items, 1 to 1000 (default 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// Items after the operation with this id, in the order that is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
    /// Only operations of this board (id or name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub board: Option<String>,
    /// Only operations in this state.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub state: Option<State>,
    /// Only operations of this method, such as `PluginCall`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Only parts of this request to many boards (id).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub main: Option<String>,
    /// `asc` for the oldest first (default), `desc` for the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub order: Option<Direction>,
}

/// What an operation is about.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Subject {
    /// `plugin` or `service`.
    pub noun: String,
    /// Its id.
    pub id: String,
    /// Its name, while it exists; left out of answers to commands.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
}

/// Whether it changes something on the board.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Sort {
    /// It does: it is stored before it is sent.
    Command,
    /// It does not: it is sent at once and recorded afterwards.
    Query,
}

/// One operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Operation {
    /// Id.
    pub id: OperationId,
    /// Project.
    pub project: ProjectId,
    /// Board.
    pub board: BoardId,
    /// Whether it changes something.
    pub sort: Sort,
    /// What was asked, such as `PluginCall`.
    pub method: String,
    /// What it is about, if about more than the board itself.
    #[serde(default)]
    pub subject: Option<Subject>,
    /// Where it stands.
    pub state: State,
    /// Who asked.
    pub created_by: UserId,
    /// When.
    pub created_at: Timestamp,
    /// Until when it makes sense.
    pub deadline: Option<Timestamp>,
    /// When it was first sent.
    pub sent_at: Option<Timestamp>,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
    /// How often it was sent.
    pub attempts: u32,
    /// Whether somebody asked the board to stop it.
    pub cancel_requested: bool,
    /// The board's value, once it succeeded; left out of lists, where it could be large.
    #[schema(value_type = Option<Object>)]
    pub result: Option<Value>,
    /// Why it failed, once it did.
    pub fault: Option<Fault>,
    /// The request to many boards that it is a part of.
    #[serde(default)]
    pub main: Option<OperationId>,
    /// Whether the board is an upstream one, to which nothing is ever sent twice.
    #[serde(default)]
    pub legacy: bool,
}

/// One step of an operation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Step {
    /// When.
    pub at: Timestamp,
    /// Where it stood from then on.
    pub state: State,
    /// Why, where that is not plain.
    pub note: String,
}

/// An operation with its history.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Detail {
    /// The operation.
    #[serde(flatten)]
    pub operation: Operation,
    /// Its steps, oldest first.
    pub history: Vec<Step>,
}
