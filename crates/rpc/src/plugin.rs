//! Arguments and answers of the plugin calls.

use model::plugin::{Language, Mode, OnBoot, RunState};
use model::{Name, PluginId, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// A plugin as it travels. Upstream's `callable` and `public` travel along for old agents.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plugin {
    /// Id.
    pub uuid: PluginId,
    /// Name.
    pub name: Name,
    /// Source text.
    pub code: String,
    /// Upstream's word for "synchronous".
    pub callable: bool,
    /// Language of the source.
    #[serde(default = "python")]
    pub language: Language,
    /// Revision of the source; an agent that has it already answers at once.
    #[serde(default)]
    pub revision: i64,
    /// Default parameters.
    #[serde(default)]
    pub parameters: Value,
    /// Limits; absent members take the board's defaults.
    #[serde(default)]
    pub limits: Limits,
}

fn python() -> Language {
    Language::Python
}

impl Plugin {
    /// How it runs.
    #[must_use]
    pub fn mode(&self) -> Mode {
        if self.callable { Mode::Sync } else { Mode::Async }
    }
}

/// What a plugin may use. Every member is a cap; absent means "the board's default".
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Limits {
    /// Seconds one synchronous call may take.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wall_s: Option<u32>,
    /// Seconds of processor time.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_s: Option<u32>,
    /// Memory of all its processes in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Size of one result in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub output_bytes: Option<u64>,
    /// Size of each file that it writes, in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub file_bytes: Option<u64>,
    /// Number of processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
    /// Of a plugin that a borrower brought: what those of all borrowers may use together.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub together: Option<Together>,
}

/// What the plugins of all borrowers on a board may use at one time; absent members bound nothing. Of several words the strictest counts.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Together {
    /// Percent of one core.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cpu_percent: Option<u32>,
    /// Memory in bytes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub memory_bytes: Option<u64>,
    /// Number of processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
}

/// `PluginInject`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Inject {
    /// The plugin.
    pub plugin: Plugin,
    /// What happens when the board starts.
    pub on_boot: OnBoot,
}

/// `PluginCall`, `PluginStart` and `PluginReboot`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Run {
    /// Which.
    pub plugin: PluginId,
    /// Parameters; null takes the plugin's default ones.
    #[serde(default)]
    pub parameters: Value,
}

/// `PluginStop`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Stop {
    /// Which.
    pub plugin: PluginId,
    /// Seconds it gets to end by itself.
    #[serde(default)]
    pub delay: u32,
}

/// What `PluginStatus` answers.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Status {
    /// Which.
    pub plugin: PluginId,
    /// What it is doing.
    pub state: RunState,
    /// Process id, while running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pid: Option<u32>,
    /// Since when, while running.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// How often it was restarted since it was started.
    #[serde(default)]
    pub restarts: u32,
    /// Why it failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}
