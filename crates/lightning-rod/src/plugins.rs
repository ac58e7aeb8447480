//! What the board remembers about its plugins beside their source: how they run, and whether they should run now.
//!
//! Invariant: what should run survives the agent and the machine. After a restart of the agent a plugin runs again if it
//! was running; after a start of the machine if its boot policy says so.

use model::Name;
use model::plugin::{Language, Mode, OnBoot};
use rpc::plugin::{Limits, Plugin};
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Most plugins of one board.
pub const MAX_PLUGINS: usize = 256;

/// A plugin on this board; its source is the runtime's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    /// Name.
    pub name: Name,
    /// Language.
    pub language: Language,
    /// Revision of the source.
    pub revision: i64,
    /// How it runs.
    pub mode: Mode,
    /// What happens when the machine starts.
    pub on_boot: OnBoot,
    /// Default parameters.
    pub parameters: Value,
    /// Its limits.
    pub limits: Limits,
    /// What was wanted of it last.
    #[serde(default)]
    pub wanted: Option<Wanted>,
}

/// What somebody wanted of an asynchronous plugin.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// That it runs, or that it does not.
    pub state: Run,
    /// With these parameters.
    pub parameters: Value,
    /// In this run of the machine (the kernel's boot id).
    pub boot: String,
}

/// Running or not.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Run {
    /// It should run.
    Started,
    /// It should not.
    Stopped,
}

impl Row {
    /// A row for what was injected; what was wanted of an older revision stays wanted.
    #[must_use]
    pub fn new(plugin: &Plugin, on_boot: OnBoot, older: Option<&Self>) -> Self {
        Self {
            name: plugin.name.clone(),
            language: plugin.language,
            revision: plugin.revision,
            mode: plugin.mode(),
            on_boot,
            parameters: plugin.parameters.clone(),
            limits: plugin.limits,
            wanted: older.and_then(|row| row.wanted.clone()),
        }
    }

    /// The parameters to start with when the agent starts in this run of the machine; none when it should not start.
    #[must_use]
    pub fn start_with(&self, boot: &str) -> Option<Value> {
        if self.mode != Mode::Async {
            return None;
        }
        let starts = match &self.wanted {
            Some(wanted) if wanted.boot == boot => wanted.state == Run::Started,
            _ => self.on_boot == OnBoot::Start,
        };
        let last = self.wanted.as_ref().map(|wanted| wanted.parameters.clone());
        starts.then(|| last.unwrap_or_else(|| self.parameters.clone()))
    }
}

/// The kernel's id of this run of the machine; empty where it has none.
#[must_use]
pub fn boot_id() -> String {
    let text = std::fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn row(on_boot: OnBoot, wanted: Option<(Run, &str)>) -> Row {
        Row {
            name: "p".parse().unwrap(),
            language: Language::Python,
            revision: 1,
            mode: Mode::Async,
            on_boot,
            parameters: json!("default"),
            limits: Limits::default(),
            wanted: wanted.map(|(state, boot)| Wanted {
                state,
                parameters: json!("last"),
                boot: boot.into(),
            }),
        }
    }

    #[test]
    fn a_restarted_agent_follows_the_last_wish_and_a_started_machine_the_policy() {
        use OnBoot::{Start, Wait};
        use Run::{Started, Stopped};
        let last = Some(json!("last"));
        assert_eq!(row(Wait, Some((Started, "now"))).start_with("now"), last);
        assert_eq!(row(Start, Some((Stopped, "now"))).start_with("now"), None);
        assert_eq!(row(Start, Some((Stopped, "before"))).start_with("now"), last);
        assert_eq!(row(Wait, Some((Started, "before"))).start_with("now"), None);
        assert_eq!(row(Start, None).start_with("now"), Some(json!("default")));
        assert_eq!(row(Wait, None).start_with("now"), None);
        let sync = Row { mode: Mode::Sync, ..row(Start, None) };
        assert_eq!(sync.start_with("now"), None);
    }
}
