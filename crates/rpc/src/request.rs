//! The request object that comes first in every call: upstream's request row, plus what a native board needs to decide.

use model::{BoardId, OperationId, ProjectId, Timestamp};
use serde::{Deserialize, Serialize};

/// Who asks for what. Unknown members of other versions are ignored.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Request {
    /// The operation; a board answers a repeated id with its first answer.
    pub uuid: OperationId,
    /// The board.
    pub destination_uuid: BoardId,
    /// The project in whose name it happens.
    pub project: ProjectId,
    /// The method, as upstream's `action`.
    pub action: String,
    /// The request to many boards that this one is a part of.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main_request_uuid: Option<OperationId>,
    /// Upstream's request type; 0 is "to a board".
    #[serde(rename = "type", default)]
    pub kind: u32,
    /// Upstream's request status.
    #[serde(default = "pending")]
    pub status: String,
    /// When it was asked for.
    pub created_at: Timestamp,
    /// When it stops making sense. The journal keeps the answer at least until then.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deadline: Option<Timestamp>,
}

fn pending() -> String {
    "PENDING".to_owned()
}

impl Request {
    /// A request as the cloud makes it.
    #[must_use]
    pub fn new(
        uuid: OperationId,
        destination_uuid: BoardId,
        project: ProjectId,
        action: &str,
        created_at: Timestamp,
        deadline: Option<Timestamp>,
    ) -> Self {
        Self {
            uuid,
            destination_uuid,
            project,
            action: action.to_owned(),
            main_request_uuid: None,
            kind: 0,
            status: pending(),
            created_at,
            deadline,
        }
    }
}
