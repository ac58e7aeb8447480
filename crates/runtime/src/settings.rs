//! What the agent decides about running guests.
//!
//! Invariant: every field has a default that is right for a small board. Not here: limits of single
//! runs (`guest::Limits`).

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::time::Duration;

/// Settings of a [`crate::Runtime`].
#[derive(Debug, Clone)]
pub struct Settings {
    /// Where guests, their logs and the runners lie; made with mode 0700 when missing.
    pub dir: PathBuf,
    /// The binary whose `main` calls [`crate::launcher::run_if_asked`]; the agent's own.
    pub launcher: PathBuf,
    /// Python interpreter: a path, or a name looked up in PATH.
    pub python: String,
    /// Node.js interpreter: a path, or a name looked up in PATH.
    pub node: String,
    /// Variables added to every guest's environment; only names starting with `S4T_` are passed.
    pub environment: BTreeMap<String, String>,
    /// Calls that run at one time; more wait, until their wall time ends.
    pub max_concurrent_calls: usize,
    /// Calls that may wait; more are refused as busy.
    pub max_waiting_calls: usize,
    /// Services that run at one time; starting more is refused.
    pub max_services: usize,
    /// Largest file a guest may write.
    pub file_bytes: u64,
    /// Open files of each guest process.
    pub open_files: u64,
    /// What happens when a service crashes.
    pub restarts: RestartPolicy,
    /// How group-wide limits are enforced.
    pub confinement: Confinement,
}

impl Settings {
    /// Defaults with the two paths that have none.
    pub fn new(dir: impl Into<PathBuf>, launcher: impl Into<PathBuf>) -> Self {
        Self {
            dir: dir.into(),
            launcher: launcher.into(),
            python: "python3".to_owned(),
            node: "node".to_owned(),
            environment: BTreeMap::new(),
            max_concurrent_calls: 4,
            max_waiting_calls: 64,
            max_services: 64,
            file_bytes: 64 << 20,
            open_files: 256,
            restarts: RestartPolicy::default(),
            confinement: Confinement::Detect,
        }
    }
}

/// When and how often a crashed service is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RestartPolicy {
    /// Restarts in a row before the service counts as failed.
    pub max: u32,
    /// Wait before the first restart; doubles with each further one.
    pub first_delay: Duration,
    /// The wait never grows beyond this.
    pub longest_delay: Duration,
    /// A run that lasted this long starts the count again.
    pub healthy_after: Duration,
}

impl RestartPolicy {
    /// The wait before restart number `restart` (from 1).
    pub(crate) fn delay(&self, restart: u32) -> Duration {
        let doublings = restart.saturating_sub(1).min(16);
        self.first_delay.saturating_mul(1 << doublings).min(self.longest_delay)
    }
}

impl Default for RestartPolicy {
    fn default() -> Self {
        Self {
            max: 5,
            first_delay: Duration::from_secs(1),
            longest_delay: Duration::from_secs(60),
            healthy_after: Duration::from_secs(60),
        }
    }
}

/// How limits over a whole process group are enforced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Confinement {
    /// Control groups where this process may make them, else sampling.
    Detect,
    /// Sampling only, as on boards without writable control groups.
    Sampling,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn restart_delays_double_up_to_the_longest() {
        let policy = RestartPolicy::default();
        let seconds: Vec<u64> = [1, 2, 3, 7, 40].map(|n| policy.delay(n).as_secs()).to_vec();
        assert_eq!(seconds, [1, 2, 4, 60, 60]);
    }
}
