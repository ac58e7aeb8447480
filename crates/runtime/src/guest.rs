//! The words for a guest: its language, its source, the limits of one run, and the order to run it.
//!
//! Invariant: an id that passed [`check_id`] is safe as a file name. Not here: where guests
//! lie on disk (`library`) and how limits are enforced (`cage`, `sandbox`).

use crate::failure::Failure;
use crate::share::Whose;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::time::Duration;

/// Longest accepted guest id in bytes; a UUID has 36.
const ID_LIMIT: usize = 64;
/// Longest accepted source in bytes.
const SOURCE_LIMIT: usize = 4 << 20;
/// Longest accepted display name in bytes.
const NAME_LIMIT: usize = 255;

/// The language a guest is written in.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// Python 3 source: upstream's `Worker(Plugin.Plugin)`, or a function `main`.
    Python,
    /// Node.js CommonJS source: `exports.main`.
    Node,
}

impl Language {
    /// The ending of source files.
    pub(crate) fn extension(self) -> &'static str {
        match self {
            Self::Python => "py",
            Self::Node => "js",
        }
    }

    /// Threads granted to each process: the kernel's counter counts threads too, and Node starts about
    /// ten before the first line of the plugin.
    pub(crate) fn threads_per_process(self) -> u32 {
        match self {
            Self::Python => 8,
            Self::Node => 16,
        }
    }
}

/// A plugin as it is handed over for installation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Guest {
    /// Names the guest on this board: letters, digits, `-` and `_`, at most 64.
    pub id: String,
    /// The name people gave it; appears in tracebacks and as upstream's `self.name`.
    pub name: String,
    /// The language of `source`.
    pub language: Language,
    /// The whole program text.
    pub source: String,
}

impl Guest {
    /// Refuses what could not be stored or run.
    pub(crate) fn check(&self) -> Result<(), Failure> {
        check_id(&self.id)?;
        if self.name.is_empty() || self.name.len() > NAME_LIMIT {
            return Err(Failure::BadGuest {
                what: format!("name must have 1 to {NAME_LIMIT} bytes, it has {}", self.name.len()),
            });
        }
        if self.source.len() > SOURCE_LIMIT {
            let size = self.source.len();
            return Err(Failure::BadGuest {
                what: format!("source must have at most {SOURCE_LIMIT} bytes, it has {size}"),
            });
        }
        Ok(())
    }
}

/// Ids become directory names, so only harmless characters pass.
pub(crate) fn check_id(id: &str) -> Result<(), Failure> {
    let harmless = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '_';
    if id.is_empty() || id.len() > ID_LIMIT || !id.chars().all(harmless) {
        return Err(Failure::BadGuest {
            what: format!("id must be 1 to {ID_LIMIT} letters, digits, '-' or '_'"),
        });
    }
    Ok(())
}

/// What one run of a guest may use. At a limit the whole process group is killed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limits {
    /// Time from the request to the result; for a service from its start. `None`: no limit.
    pub wall: Option<Duration>,
    /// CPU seconds of each process. `None`: no limit.
    pub cpu_seconds: Option<u64>,
    /// Resident memory of all processes of the guest together.
    pub memory_bytes: u64,
    /// Size of the JSON result.
    pub output_bytes: u64,
    /// Processes of the guest at one time.
    pub processes: u32,
    /// Size of each file that it writes, where that is less than the setting for all guests.
    pub file_bytes: Option<u64>,
    /// On whose account: guests of others share what is given to them.
    #[serde(default)]
    pub whose: Whose,
}

impl Limits {
    /// Defaults of a call: 30 s, 10 CPU seconds, 1 MiB result, 16 processes.
    #[must_use]
    pub fn for_call(language: Language) -> Self {
        Self {
            wall: Some(Duration::from_secs(30)),
            cpu_seconds: Some(10),
            ..Self::for_service(language)
        }
    }

    /// Defaults of a service: no time limits; 128 MiB for Python, 256 MiB for Node.
    #[must_use]
    pub fn for_service(language: Language) -> Self {
        let memory_bytes = match language {
            Language::Python => 128 << 20,
            Language::Node => 256 << 20,
        };
        Self {
            wall: None,
            cpu_seconds: None,
            memory_bytes,
            output_bytes: 1 << 20,
            processes: 16,
            file_bytes: None,
            whose: Whose::Own,
        }
    }
}

/// What a run is given.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Order {
    /// The plugin's parameters: any JSON.
    pub params: Value,
    /// What plugins may learn about the board: an object; `uuid`, `name` and `location` feed the
    /// plugin API (`getBoardID`, `getLocation`), all of it is `api.context`.
    pub context: Value,
    /// `None`: the defaults of [`Limits`] for the guest's language.
    pub limits: Option<Limits>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_that_could_leave_the_directory_are_refused() {
        for id in ["", "..", "a/b", "a\0", "ü", &"x".repeat(65)] {
            assert!(check_id(id).is_err(), "{id:?}");
        }
        assert!(check_id("0198c1b2-7c1f-7f00-8000-000000000001").is_ok());
    }
}
