//! Plugins, and their injections into boards.

use model::plugin::{InjectionState, Language, Mode, OnBoot, RunState, Visibility};
use model::{BoardId, Name, OperationId, PluginId, ProjectId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// Path of the collection.
pub const PATH: &str = "/v2/plugins";

/// Caps on what a plugin may use; absent members take the board's defaults.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PluginLimits)]
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
    /// Number of processes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub processes: Option<u32>,
}

/// A new plugin.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPlugin)]
pub struct New {
    /// Name, unique in its project.
    pub name: Name,
    /// Language of the source.
    pub language: Language,
    /// How it runs.
    pub mode: Mode,
    /// Source text, up to 256 KiB.
    pub source: String,
    /// Who may use it (default private).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// Parameters of a call or start that names none; a JSON object.
    #[serde(default)]
    #[schema(value_type = Object)]
    pub parameters: Value,
    /// Caps.
    #[serde(default)]
    pub limits: Limits,
}

/// What to change; absent members stay as they are.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = PluginChange)]
pub struct Change {
    /// New name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<Name>,
    /// New source. Boards keep the old one until it is injected again.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub source: Option<String>,
    /// Who may use it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub visibility: Option<Visibility>,
    /// New default parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub parameters: Option<Value>,
    /// New caps.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limits: Option<Limits>,
}

/// A plugin as it stands in lists: without its source.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PluginSummary)]
pub struct Summary {
    /// Id.
    pub id: PluginId,
    /// Name.
    pub name: Name,
    /// Project.
    pub project: ProjectId,
    /// Who made it.
    pub owner: UserId,
    /// Language of the source.
    pub language: Language,
    /// How it runs.
    pub mode: Mode,
    /// Who may use it.
    pub visibility: Visibility,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Option<Timestamp>,
    /// Counts changes; also the ETag.
    pub revision: i64,
}

/// A plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Plugin {
    /// The part that stands in lists.
    #[serde(flatten)]
    pub summary: Summary,
    /// Source text.
    pub source: String,
    /// Default parameters.
    #[schema(value_type = Object)]
    pub parameters: Value,
    /// Caps.
    pub limits: Limits,
}

/// How to inject into one board.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Inject {
    /// What happens when the board starts (default wait).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_boot: Option<OnBoot>,
}

/// Injection into many boards at once: path `/v2/injections`.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct InjectMany {
    /// Which plugin (id or name).
    pub plugin: String,
    /// Into the boards this selector picks.
    pub selector: String,
    /// What happens when the boards start (default wait).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub on_boot: Option<OnBoot>,
}

/// One board's part of an injection into many.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Injecting {
    /// The board.
    pub board: BoardId,
    /// Its operation.
    pub operation: OperationId,
    /// The request that all parts belong to; `/v2/operations?main=` lists them.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub main: Option<OperationId>,
}

/// A plugin on a board.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Injection {
    /// The board.
    pub board: BoardId,
    /// The plugin.
    pub plugin: PluginId,
    /// Its name.
    pub name: Name,
    /// How it runs.
    pub mode: Mode,
    /// What happens when the board starts.
    pub on_boot: OnBoot,
    /// Whether the board has it.
    pub state: InjectionState,
    /// Why the last attempt failed.
    pub last_error: Option<String>,
    /// Revision of the source that the board has; older than the plugin's own means "inject again".
    pub injected_revision: Option<i64>,
    /// When it was first injected.
    pub created_at: Timestamp,
    /// When this record last changed.
    pub updated_at: Option<Timestamp>,
}

/// Parameters of a call, start or restart.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = RunPlugin)]
pub struct Run {
    /// Parameters; absent takes the plugin's own.
    #[schema(value_type = Object)]
    pub parameters: Value,
}

/// How to stop.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = StopPlugin)]
pub struct Stop {
    /// Seconds it gets to end by itself (default 2).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub grace_s: Option<u32>,
}

/// What a plugin is doing on a board now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
#[schema(as = PluginStatus)]
pub struct Status {
    /// The plugin.
    pub plugin: PluginId,
    /// What it is doing.
    pub state: RunState,
    /// Process id, while running.
    #[serde(default)]
    pub pid: Option<u32>,
    /// Since when, while running.
    #[serde(default)]
    pub since: Option<Timestamp>,
    /// How often it was restarted since it was started.
    #[serde(default)]
    pub restarts: u32,
    /// Why it failed.
    #[serde(default)]
    pub reason: Option<String>,
}
