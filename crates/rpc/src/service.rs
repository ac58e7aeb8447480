//! Arguments and answers of the service calls.

use model::service::{Port, Protocol};
use model::{Name, ServiceId};
use serde::{Deserialize, Serialize};

/// A service as it travels.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Service {
    /// Id: the key under which the cloud opens channels to it.
    pub uuid: ServiceId,
    /// Name.
    pub name: Name,
    /// Where it listens on the board's loopback.
    pub port: Port,
    /// What it speaks below.
    #[serde(default)]
    pub protocol: Protocol,
}

/// `ServiceEnable` and `ServiceRestore`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enable {
    /// The service.
    pub service: Service,
    /// The public port, for the board's own record.
    pub public_port: Port,
}

/// One line of what `ServicesStatus` answers (a list).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Status {
    /// Which.
    pub uuid: ServiceId,
    /// Name.
    pub name: Name,
    /// Local port.
    pub local_port: Port,
    /// Public port.
    pub public_port: Port,
    /// Connections open now.
    pub connections: u32,
}
