//! Log set-up: one subscriber for the process, to standard error, as lines for people or as JSON for machines.

use serde::{Deserialize, Serialize};
use tracing_subscriber::layer::{Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;
use tracing_subscriber::{EnvFilter, Registry, fmt};

/// How log lines look.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Format {
    /// One line for people.
    #[default]
    Text,
    /// One JSON object per line.
    Json,
}

/// The `[log]` section of both programs.
#[derive(Debug, Clone, Deserialize, Serialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Filter in tracing's syntax: `info`, or `info,wamp=debug`.
    pub level: String,
    /// `text` or `json`.
    pub format: Format,
}

impl Default for Settings {
    fn default() -> Self {
        Self { level: "info".into(), format: Format::Text }
    }
}

/// Installs the process's log; `extra` is one more layer, such as a ring that is read from afar.
///
/// # Errors
/// The filter is malformed, or a log was installed before.
pub fn install<L>(settings: &Settings, extra: Option<L>) -> Result<(), String>
where
    L: Layer<Registry> + Send + Sync,
{
    let filter = || {
        EnvFilter::try_new(&settings.level)
            .map_err(|error| format!("log.level {:?} is not a filter: {error}", settings.level))
    };
    let output = fmt::layer().with_writer(std::io::stderr).with_target(true);
    let output = match settings.format {
        Format::Text => output.with_ansi(false).with_filter(filter()?).boxed(),
        Format::Json => output.json().flatten_event(true).with_filter(filter()?).boxed(),
    };
    let extra = match extra {
        Some(layer) => Some(layer.with_filter(filter()?)),
        None => None,
    };
    tracing_subscriber::registry()
        .with(extra)
        .with(output)
        .try_init()
        .map_err(|error| format!("log cannot be installed twice: {error}"))
}
