//! Actions of boards in upstream's words: one name and its parameters, for one board or a whole fleet.

use model::{BoardId, OperationId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// What boards are to do.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Action {
    /// `DevicePing`, `DeviceEcho`, `DeviceNetConfig`, `DeviceReboot`, `DeviceRestartLR`, `DeviceUpgradeLR`,
    /// `DevicePkgOperation`, `DeviceMountFs`, `DeviceRestSubmit` or `DeviceFactoryReset`.
    pub action: String,
    /// A JSON object; which members it has depends on the action.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub parameters: Value,
}

/// What a fleet was asked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Asked {
    /// The request that all parts belong to; `/v2/operations?main=` lists them.
    pub main: OperationId,
    /// One part for each board.
    pub parts: Vec<Part>,
}

/// One board's part.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = AskedPart)]
pub struct Part {
    /// The board.
    pub board: BoardId,
    /// Its operation.
    pub operation: OperationId,
}
