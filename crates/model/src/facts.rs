//! What a board says about itself: facts (seldom change) and load (changes all the time).
//!
//! All fields are optional or empty where a machine cannot tell; sizes are bounded by [`MAX_FACTS`].

use crate::board::Position;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Largest facts or load report that is accepted, in bytes of JSON.
pub const MAX_FACTS: usize = 64 * 1024;

/// Facts, sent at every connection and when they change. Unknown keys of newer agents are kept out, not refused.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Facts {
    /// Host name.
    pub hostname: String,
    /// Machine model, such as `Raspberry Pi 4 Model B Rev 1.2`.
    pub model: String,
    /// `x86_64`, `aarch64`, `armv7l` …
    pub architecture: String,
    /// Operating system and version.
    pub system: String,
    /// Kernel release.
    pub kernel: String,
    /// Processor count.
    pub processors: u32,
    /// Memory in bytes.
    pub memory_bytes: u64,
    /// Size of the agent's file system in bytes.
    pub disk_bytes: u64,
    /// The interface that leads to the cloud.
    pub link: Option<Link>,
    /// Position, where the board knows it.
    pub position: Option<Position>,
    /// Sandbox layers the machine has, for guests.
    pub sandbox: Vec<String>,
    /// Interpreters found, by language.
    pub interpreters: BTreeMap<String, String>,
    /// Names of the sensors the agent reads.
    pub sensors: Vec<String>,
}

/// A network interface.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Link {
    /// Name, such as `eth0`.
    pub interface: String,
    /// Local address.
    pub address: String,
    /// Hardware address.
    pub mac: String,
}

/// Load, sent with every report.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(default)]
pub struct Load {
    /// Seconds since the machine started.
    pub uptime_s: u64,
    /// Load average of one minute.
    pub load_1m: f64,
    /// Share of all processors in use since the last report, 0 to 1.
    pub cpu: f64,
    /// Memory in use in bytes.
    pub memory_used_bytes: u64,
    /// Bytes in use on the agent's file system.
    pub disk_used_bytes: u64,
    /// Degrees Celsius of the processor, where known.
    pub temperature_c: Option<f64>,
    /// Last values of the sensors, by name.
    pub sensors: BTreeMap<String, f64>,
    /// Memory of the agent itself in bytes.
    pub agent_memory_bytes: u64,
}
