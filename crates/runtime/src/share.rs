//! What guests of others may use together: those that a borrower brought, whatever each is allowed for itself.
//!
//! Not here: how it is enforced (`cgroup`), and who is a borrower (the cloud's).

use serde::{Deserialize, Serialize};

/// On whose account a guest runs.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Whose {
    /// The board's own.
    #[default]
    Own,
    /// Others', who share what is given to them.
    Lent,
}

/// What all guests of others may use at one time; absent members bound nothing.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Share {
    /// Percent of one core.
    pub cpu_percent: Option<u32>,
    /// Resident memory.
    pub memory_bytes: Option<u64>,
    /// Processes.
    pub processes: Option<u32>,
}

impl Share {
    /// The least of both.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        Self {
            cpu_percent: least(self.cpu_percent, other.cpu_percent),
            memory_bytes: least(self.memory_bytes, other.memory_bytes),
            processes: least(self.processes, other.processes),
        }
    }
}

fn least<T: Ord>(one: Option<T>, other: Option<T>) -> Option<T> {
    match (one, other) {
        (Some(one), Some(other)) => Some(one.min(other)),
        (one, other) => one.or(other),
    }
}
