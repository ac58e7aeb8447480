//! What the agent tells the launcher: one JSON argument.
//!
//! Invariant: complete; the launcher reads nothing else and decides nothing. Parameters of the plugin
//! are not in it, because arguments are visible to every process of the machine.

use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// The hidden first argument that turns the agent's binary into the launcher.
pub(crate) const GUEST_EXEC: &str = "guest-exec";

/// One confined start of an interpreter.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct LaunchSpec {
    /// The agent; if it is gone before the death signal is armed, the launcher ends.
    pub(crate) parent: i32,
    /// Files to write `0` to, which moves the writer into the control group.
    pub(crate) cgroup_procs: Vec<PathBuf>,
    /// Working directory.
    pub(crate) dir: PathBuf,
    /// Absolute path of the interpreter.
    pub(crate) program: PathBuf,
    pub(crate) args: Vec<String>,
    /// The whole environment.
    pub(crate) env: Vec<(String, String)>,
    pub(crate) rlimits: Rlimits,
}

/// Limits of each single process; `None` leaves the inherited one.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Rlimits {
    pub(crate) cpu_seconds: Option<u64>,
    pub(crate) address_space: Option<u64>,
    pub(crate) tasks_of_user: Option<u64>,
    pub(crate) open_files: u64,
    pub(crate) file_bytes: u64,
}
