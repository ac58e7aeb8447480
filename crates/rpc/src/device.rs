//! Arguments and answers of the calls about the board itself.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

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

/// `DeviceUpgradeLR`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Upgrade {
    /// The version wanted; empty for the latest.
    #[serde(deserialize_with = "text")]
    pub version: String,
    /// Whether the agent's configuration is written anew; upstream's agents alone do it.
    #[serde(deserialize_with = "truth")]
    pub update_conf: bool,
}

/// `DevicePkgOperation`. The board decides what of it is allowed.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PackageOperation {
    /// `apt`, `apt-get`, `pip`, `pip3` or `npm`.
    #[serde(deserialize_with = "text")]
    pub manager: String,
    /// `install`, `update`, `upgrade`, `remove` or `uninstall`.
    #[serde(deserialize_with = "text")]
    pub command: String,
    /// The package.
    #[serde(deserialize_with = "text")]
    pub package: String,
    /// Options of the manager, words separated by spaces.
    #[serde(deserialize_with = "text")]
    pub options: String,
    /// The version wanted; empty for any.
    #[serde(deserialize_with = "text")]
    pub version: String,
}

/// `DeviceMountFs`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Mount {
    /// What to do with the root file system.
    pub mnt_cmd: MountCommand,
}

/// What is done with the root file system.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum MountCommand {
    /// Make it writable.
    #[serde(rename = "mount_rw")]
    ReadWrite,
    /// Make it read-only.
    #[serde(rename = "mount_ro")]
    ReadOnly,
    /// Tell what is mounted, and how.
    #[serde(rename = "mount_status")]
    Status,
}

/// `DeviceRestSubmit`: `url`, `method`, and what upstream's HTTP library takes beside them (`params`, `data`, `json`,
/// `headers`, …). The board decides what of it it understands and where it may go.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct RestSubmission(pub Map<String, Value>);

/// A text, or nothing for an empty one.
fn text<'de, D: serde::Deserializer<'de>>(from: D) -> Result<String, D::Error> {
    Ok(Option::deserialize(from)?.unwrap_or_default())
}

/// A truth as upstream's clients write it: `true`, `"true"`, or nothing.
fn truth<'de, D: serde::Deserializer<'de>>(from: D) -> Result<bool, D::Error> {
    let wrong = || serde::de::Error::custom("true or false is wanted");
    match Value::deserialize(from)? {
        Value::Null => Ok(false),
        Value::Bool(yes) => Ok(yes),
        Value::String(word) if word.is_empty() => Ok(false),
        Value::String(word) => word.to_ascii_lowercase().parse().map_err(|_| wrong()),
        _ => Err(wrong()),
    }
}

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
