//! The cloud itself, for those who operate it: what runs, how it is, and which settings are in force.

use model::Timestamp;
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use utoipa::ToSchema;

/// Path of the description.
pub const PATH: &str = "/v2/system";

/// How the cloud is.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct System {
    /// Version of the program.
    pub version: String,
    /// Native protocols it speaks with boards, oldest and newest.
    pub protocols: [u32; 2],
    /// When it started.
    pub started_at: Timestamp,
    /// Seconds since.
    pub uptime_s: u64,
    /// Where people and boards reach it.
    pub public_url: String,
    /// What this process does.
    pub roles: Vec<String>,
    /// Where it listens.
    pub listeners: Vec<Listener>,
    /// How what it listens on is encrypted.
    pub tls: Tls,
    /// Upstream boards.
    pub legacy: Legacy,
    /// Boards by status, decommissioned ones left out.
    pub boards: BTreeMap<String, u64>,
    /// Open operations by state.
    pub operations: BTreeMap<String, u64>,
    /// Requests since the start.
    pub requests: Requests,
    /// What stands open now.
    pub open: Open,
    /// State at rest.
    pub database: Database,
    /// The process.
    pub process: Process,
    /// Settings in force, without secrets.
    #[schema(value_type = Object)]
    pub settings: serde_json::Value,
}

/// Where it listens.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Listener {
    /// `api`, `wamp`, `wstun` or `services`.
    pub name: String,
    /// Address, and port or range of ports.
    pub address: String,
    /// Whether it speaks TLS.
    pub encrypted: bool,
}

/// Encryption.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Tls {
    /// `none`, `internal` or `certificate`.
    pub source: String,
    /// Fingerprint of the own authority, when there is one (SHA-256, base64url).
    pub authority: Option<String>,
    /// Fingerprint of the cloud's key, which boards pin (SHA-256, base64url).
    pub key: String,
}

/// Upstream boards.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Legacy {
    /// Whether they are let in.
    pub enabled: bool,
    /// Projects that may have them, or `*`.
    pub projects: Vec<String>,
}

/// Requests since the start.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Requests {
    /// By kind of outcome; `ok` are those that were done.
    pub by_kind: BTreeMap<String, u64>,
    /// Mean time of one in milliseconds, waits that were asked for included.
    pub mean_ms: f64,
}

/// What stands open now.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Open {
    /// Boards that can be called.
    pub boards_online: u64,
    /// Data links of boards.
    pub links: u64,
    /// Connections through those links.
    pub channels: u64,
    /// Public ports.
    pub public_ports: u64,
    /// Event, load and log streams.
    pub streams: u64,
}

/// State at rest.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Database {
    /// Bytes on disk, what is not yet folded in included.
    pub bytes: u64,
    /// Number of the oldest event that is kept.
    pub first_event: i64,
    /// Number of the newest one.
    pub last_event: i64,
    /// Records not written because too many waited.
    pub dropped_records: u64,
}

/// The process.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Process {
    /// Its number.
    pub pid: u32,
    /// Memory in use in bytes, where the system says so.
    pub memory_bytes: Option<u64>,
    /// Open file descriptors, where the system says so.
    pub open_files: Option<u64>,
}
