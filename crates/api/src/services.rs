//! Services, and their exposures on boards.

use model::service::{ExposureState, Port, Protocol};
use model::{BoardId, Name, ProjectId, ServiceId, Timestamp};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Path of the collection.
pub const PATH: &str = "/v2/services";

/// A new service.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewService)]
pub struct New {
    /// Name, unique in its project.
    pub name: Name,
    /// Where it listens on a board's loopback.
    pub port: Port,
    /// What it speaks below (default tcp).
    #[serde(default)]
    pub protocol: Protocol,
}

/// What to change; absent members stay as they are. Exposures keep the old port until they are restored.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = ServiceChange)]
pub struct Change {
    /// New name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// New local port.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub port: Option<Port>,
}

/// A service: what may listen on boards.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Service {
    /// Id.
    pub id: ServiceId,
    /// Name.
    pub name: Name,
    /// Project.
    pub project: ProjectId,
    /// Where it listens on a board's loopback.
    pub port: Port,
    /// What it speaks below.
    pub protocol: Protocol,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
    /// Counts changes; also the ETag.
    pub revision: i64,
}

/// How to expose.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Enable {
    /// The public port wanted; absent takes a free one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub public_port: Option<Port>,
}

/// A service of a board that is reachable through the cloud.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Exposure {
    /// The board.
    pub board: BoardId,
    /// The service.
    pub service: ServiceId,
    /// Its name.
    pub name: Name,
    /// Port on the board.
    pub local_port: Port,
    /// Port on the cloud.
    pub public_port: Port,
    /// Where it stands.
    pub state: ExposureState,
    /// Why the public port is closed although it should be open, if so.
    pub problem: Option<String>,
    /// Connections open now.
    pub connections: u32,
    /// When it was enabled.
    pub created_at: Timestamp,
    /// When this record last changed.
    pub updated_at: Option<Timestamp>,
}
