//! Arguments and answers of the calls about the board itself.

use serde::{Deserialize, Serialize};

/// `DeviceEcho`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Echo {
    /// What comes back.
    pub say: String,
}

/// `DeviceReboot` and `DeviceRestartLR`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Delay {
    /// Seconds to wait before it happens; at least 3, upstream's rule, so that the answer gets out first.
    pub delay: u32,
}

impl Default for Delay {
    fn default() -> Self {
        Self { delay: 3 }
    }
}

/// Shortest delay.
pub const MIN_DELAY_S: u32 = 3;
/// Longest delay.
pub const MAX_DELAY_S: u32 = 3600;

/// One network interface, as `DeviceNetConfig` answers it (a list).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Interface {
    /// Name.
    pub name: String,
    /// Hardware address.
    pub mac: String,
    /// `up` or `down`.
    pub state: String,
    /// Largest packet.
    pub mtu: u32,
    /// Addresses with prefix length.
    pub addresses: Vec<String>,
}
