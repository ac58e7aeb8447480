//! The settings file of the agent. Every key also comes from the environment as `LIGHTNING_ROD__SECTION__KEY`.
//!
//! Invariant: a value that loads is usable; an unknown key is an error. Every default is right for a small board.

mod device;
mod forward;
mod grants;
mod local;
mod terminal;
mod upstream;

pub use device::Device;
pub use forward::Forward;
pub(crate) use grants::Grants;
pub use local::Local;
pub use terminal::Terminal;
pub use upstream::{Certificate, Upstream};

use crate::error::Error;
use model::board::Position;
use serde::Deserialize;
use std::ffi::OsString;
use std::path::Path;
use std::time::Duration;

/// Prefix of the environment variables.
pub const PREFIX: &str = "LIGHTNING_ROD";
/// Longest and shortest time between reports, in seconds.
const REPORT_RANGE: std::ops::RangeInclusive<u32> = 1..=86_400;

/// All settings.
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Logging.
    pub log: base::logs::Settings,
    /// The connection to the cloud.
    pub cloud: Cloud,
    /// When silence means that the connection is dead.
    pub liveness: Liveness,
    /// The device itself.
    pub device: Device,
    /// Plugins.
    pub runtime: Runtime,
    /// Sensors.
    pub sensors: Sensors,
    /// A cloud of upstream's.
    pub upstream: Upstream,
    /// The page for whoever is near the board.
    pub local: Local,
    /// Ports that people of the cloud may reach without a service.
    pub forward: Forward,
    /// Shells for people of the cloud.
    pub terminal: Terminal,
    /// Where the board is, WGS 84: `latitude`, `longitude`, `altitude`. Absent: unknown.
    pub position: Option<Position>,
}

/// `[cloud]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Cloud {
    /// Seconds between reports of load; absent: what the cloud asks for.
    pub report_every_s: Option<u32>,
    /// How messages are written on the control channel: `msgpack` (smallest), `cbor` or `json` (readable).
    pub serializer: Serializer,
    /// File with the certificate authorities that may sign the cloud's TLS certificate (PEM); absent: the system's, and
    /// where there are none, Mozilla's. Not used when the claim names the cloud's own authority.
    pub authorities: Option<std::path::PathBuf>,
    /// Days after which the board changes its key by itself; absent: never.
    pub rotate_key_days: Option<u32>,
}

/// How messages are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Serializer {
    /// MessagePack.
    #[default]
    Msgpack,
    /// CBOR.
    Cbor,
    /// JSON.
    Json,
}

/// `[liveness]`: the pace while nothing waits for the cloud. While a call or a connection waits, silence of 3 s is death.
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Liveness {
    /// Seconds of silence after which the cloud is asked for a sign of life.
    pub idle_ping_s: u32,
    /// Seconds of silence after which the connection is given up.
    pub idle_dead_s: u32,
}

impl Default for Liveness {
    fn default() -> Self {
        Self { idle_ping_s: 30, idle_dead_s: 75 }
    }
}

/// `[runtime]`: plugins and what they may use where the plugin itself says nothing.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Runtime {
    /// Python interpreter: a path, or a name looked up in PATH.
    pub python: String,
    /// Node.js interpreter: a path, or a name looked up in PATH.
    pub node: String,
    /// Calls of synchronous plugins that run at one time; more wait.
    pub concurrent_calls: usize,
    /// Seconds one synchronous call may take. Absent: 30.
    pub wall_s: Option<u32>,
    /// Seconds of processor time of a synchronous call. Absent: 10.
    pub cpu_s: Option<u32>,
    /// Memory of a plugin in bytes. Absent: 128 MiB for Python, 256 MiB for Node.js.
    pub memory_bytes: Option<u64>,
    /// Size of a result in bytes. Absent: 1 MiB, which is also the most.
    pub output_bytes: Option<u64>,
    /// Processes of a plugin. Absent: 16.
    pub processes: Option<u32>,
}

impl Default for Runtime {
    fn default() -> Self {
        Self {
            python: "python3".into(),
            node: "node".into(),
            concurrent_calls: 4,
            wall_s: None,
            cpu_s: None,
            memory_bytes: None,
            output_bytes: None,
            processes: None,
        }
    }
}

/// `[sensors]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Sensors {
    /// Plausible invented values instead of the machine's sensors, for trying things out.
    pub simulated: bool,
}

impl Settings {
    /// Loads the file, if any, and this process's environment over it.
    ///
    /// # Errors
    /// Unreadable or malformed file, unknown keys, values that do not fit.
    pub fn load(file: Option<&Path>) -> Result<Self, Error> {
        let text = |word: OsString| word.into_string().ok();
        let readable =
            std::env::vars_os().filter_map(|(key, value)| Some((text(key)?, text(value)?)));
        Self::load_from(file, readable)
    }

    /// As [`Self::load`], with an environment of choice.
    ///
    /// # Errors
    /// Unreadable or malformed file, unknown keys, values that do not fit.
    pub fn load_from(
        file: Option<&Path>,
        environment: impl Iterator<Item = (String, String)>,
    ) -> Result<Self, Error> {
        let settings: Self = base::config::load(file, PREFIX, environment)?;
        settings.check()?;
        Ok(settings)
    }

    fn check(&self) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Setting(text));
        if self.liveness.idle_ping_s == 0 || self.liveness.idle_dead_s <= self.liveness.idle_ping_s
        {
            return wrong("liveness.idle_ping_s is at least 1, and idle_dead_s is larger".into());
        }
        if self.cloud.report_every_s.is_some_and(|every| !REPORT_RANGE.contains(&every)) {
            return wrong("cloud.report_every_s lies in 1..=86400".into());
        }
        if self.cloud.rotate_key_days == Some(0) {
            return wrong("cloud.rotate_key_days is at least 1".into());
        }
        if self.runtime.concurrent_calls == 0 {
            return wrong("runtime.concurrent_calls is at least 1".into());
        }
        self.device.check()?;
        self.terminal.check()?;
        self.upstream.check()
    }

    /// The two paces of liveness for WebSockets.
    #[must_use]
    pub fn liveness(&self) -> websocket::Settings {
        websocket::Settings {
            idle_ping: Duration::from_secs(self.liveness.idle_ping_s.into()),
            idle_dead: Duration::from_secs(self.liveness.idle_dead_s.into()),
            ..websocket::Settings::default()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn load(text: &str, environment: &[(&str, &str)]) -> Result<Settings, Error> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), text).unwrap();
        let environment = environment.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned()));
        Settings::load_from(Some(file.path()), environment)
    }

    #[test]
    fn a_file_and_the_environment_are_read_together() {
        let settings = load(
            "[position]\nlatitude = 38.2\nlongitude = 15.5\n[cloud]\nserializer = \"json\"",
            &[
                ("LIGHTNING_ROD__SENSORS__SIMULATED", "true"),
                ("LIGHTNING_ROD__DEVICE__REBOOT_COMMAND", "systemctl reboot"),
                ("LIGHTNING_ROD__LIVENESS__IDLE_PING_S", "5"),
            ],
        )
        .unwrap();
        assert!(settings.sensors.simulated);
        assert_eq!(settings.cloud.serializer, Serializer::Json);
        assert_eq!(settings.liveness().idle_ping, Duration::from_secs(5));
        assert_eq!(settings.position.unwrap().latitude, 38.2);
    }

    #[test]
    fn unknown_keys_and_unusable_values_are_refused() {
        for wrong in [
            "[cloud]\ncolour = 1",
            "[liveness]\nidle_ping_s = 80",
            "[cloud]\nreport_every_s = 0",
            "[cloud]\nrotate_key_days = 0",
            "[runtime]\nconcurrent_calls = 0",
            "[device]\nreboot_command = \" \"",
            "[device]\nupgrade_command = \"\"",
            "[device]\npackage_managers = [\"sh\"]",
            "[device]\nrest_prefixes = [\"file:///etc\"]",
            "[device]\nmount_rw_command = \" \"",
            "[forward]\nports = [\"0\"]",
            "[forward]\nports = [\"90-80\"]",
            "[forward]\nports = [\"ssh\"]",
            "[terminal]\nuser = \"\"",
            "[terminal]\nshell = \"sh\"",
            "[terminal]\nidle_s = 0",
            "[position]\nlatitude = 99.0\nlongitude = 0.0",
        ] {
            assert!(load(wrong, &[]).is_err(), "{wrong}");
        }
    }
}
