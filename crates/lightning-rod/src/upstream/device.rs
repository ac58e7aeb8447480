//! The calls about the device itself, in upstream's words.
//!
//! Invariant: what changes the machine beyond the agent's folder is done by a configured command, or refused.

use super::command;
use super::packages::{Allowed, Operation};
use super::reply::Reply;
use crate::facts::{self, network};
use crate::settings::Settings;
use model::Timestamp;
use rpc::device::{Delay, MAX_DELAY_S};
use serde_json::Value;
use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

/// Time a mount command may take.
const MOUNT_PATIENCE: Duration = Duration::from_secs(60);
/// Time an upgrade or a package operation may take.
const LONG_PATIENCE: Duration = Duration::from_secs(3600);
/// Longest version.
const MAX_VERSION: usize = 64;

/// The device of an upstream board.
#[derive(Clone)]
pub(super) struct Device {
    settings: Arc<Settings>,
    native: crate::handlers::device::Device,
}

impl Device {
    pub(super) fn new(settings: Arc<Settings>, native: crate::handlers::device::Device) -> Self {
        Self { settings, native }
    }

    pub(super) fn ping(&self, now: Timestamp) -> Reply {
        Reply::success(format!("{} @ {}", facts::hostname(), moment(now)))
    }

    pub(super) fn echo(&self, parameters: &Value, now: Timestamp) -> Reply {
        match parameters.get("say") {
            Some(Value::String(say)) => Reply::success(format!("{say} @ {}", moment(now))),
            Some(say) => Reply::success(format!("{say} @ {}", moment(now))),
            None => Reply::success(moment(now)),
        }
    }

    pub(super) fn reboot(&self, parameters: &Value) -> Result<Reply, String> {
        let done = self.native.reboot(delay(parameters)?);
        done.map(Reply::success).map_err(|fault| fault.message)
    }

    pub(super) fn restart_agent(&self, parameters: &Value) -> Result<Reply, String> {
        let done = self.native.restart_agent(delay(parameters)?);
        done.map(Reply::success).map_err(|fault| fault.message)
    }

    /// The interfaces as a text for people, which is what upstream answers.
    pub(super) fn network(&self) -> Reply {
        let mut text = String::new();
        for interface in network::interfaces() {
            let (name, state, mtu) = (&interface.name, &interface.state, interface.mtu);
            let _ = writeln!(text, "{name}: {state}  mtu {mtu}");
            if !interface.mac.is_empty() {
                let _ = writeln!(text, "        ether {}", interface.mac);
            }
            for address in &interface.addresses {
                let family = if address.contains(':') { "inet6" } else { "inet" };
                let _ = writeln!(text, "        {family} {address}");
            }
        }
        Reply::success(text.trim_end())
    }

    pub(super) async fn mount(&self, parameters: &Value) -> Result<Reply, String> {
        let upstream = &self.settings.upstream;
        let refused = |key: &str| {
            format!("this board's owner does not allow it; set upstream.{key} in its settings")
        };
        let command = match parameters.get("mnt_cmd").and_then(Value::as_str) {
            Some("mount_rw") => {
                upstream.mount_rw_command.as_ref().ok_or_else(|| refused("mount_rw_command"))?
            }
            Some("mount_ro") => {
                upstream.mount_ro_command.as_ref().ok_or_else(|| refused("mount_ro_command"))?
            }
            Some("mount_status") => {
                let allowed =
                    upstream.mount_rw_command.as_ref().or(upstream.mount_ro_command.as_ref());
                allowed.ok_or_else(|| refused("mount_rw_command"))?;
                let mounts = tokio::fs::read_to_string("/proc/mounts").await;
                return mounts.map(Reply::success).map_err(|error| error.to_string());
            }
            Some(other) => return Err(format!("Mount command '{other}' not supported!")),
            None => {
                return Err("mnt_cmd is missing; it is mount_rw, mount_ro or mount_status".into());
            }
        };
        tracing::warn!(command, "mount command on request");
        let said = command::run(&command::words(command), MOUNT_PATIENCE).await?;
        Ok(Reply::success(said.trim()))
    }

    /// Checks a package operation; what is to be run.
    pub(super) fn package(&self, parameters: &Value) -> Result<Operation, String> {
        let upstream = &self.settings.upstream;
        let allowed =
            Allowed { managers: &upstream.package_managers, commands: &upstream.package_commands };
        Operation::parse(parameters, allowed).map_err(|why| format!("Error in parameters: {why}"))
    }

    /// Checks an upgrade; what is to be run, and the version.
    pub(super) fn upgrade(&self, parameters: &Value) -> Result<(Vec<String>, String), String> {
        let command = self.settings.upstream.upgrade_command.as_ref().ok_or(
            "this board's owner does not allow upgrades; set upstream.upgrade_command in its settings",
        )?;
        let version = match parameters.get("version") {
            None | Some(Value::Null) => "",
            Some(Value::String(version)) => version.as_str(),
            Some(_) => return Err("version is no text".into()),
        };
        let version = if version.is_empty() { "latest" } else { version };
        let is_word = |c: char| c.is_ascii_alphanumeric() || "._+~:-".contains(c);
        let is_version = version.len() <= MAX_VERSION
            && version.starts_with(|c: char| c.is_ascii_alphanumeric())
            && version.chars().all(is_word);
        if !is_version {
            return Err(format!("{version:?} is no version"));
        }
        let words = command::words(command).into_iter();
        Ok((words.map(|word| word.replace("{version}", version)).collect(), version.to_owned()))
    }

    /// Runs what takes long.
    pub(super) async fn long(words: &[String]) -> Result<String, String> {
        tracing::warn!(command = words.join(" "), "command on request");
        command::run(words, LONG_PATIENCE).await
    }
}

/// Seconds in a member of the parameters, as number or text; none when it is absent.
pub(super) fn seconds(parameters: &Value, name: &str) -> Result<Option<Duration>, String> {
    let wrong = || format!("{name} is a number of seconds, 0 to {MAX_DELAY_S}");
    let seconds = match parameters.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.parse().map_err(|_| wrong())?,
        Some(other) => other.as_f64().ok_or_else(wrong)?,
    };
    if (0.0..=f64::from(MAX_DELAY_S)).contains(&seconds) {
        return Ok(Some(Duration::from_secs_f64(seconds)));
    }
    Err(wrong())
}

fn delay(parameters: &Value) -> Result<Delay, String> {
    let seconds = seconds(parameters, "delay")?.map(|delay| delay.as_secs());
    let delay = seconds.and_then(|seconds| u32::try_from(seconds).ok());
    Ok(delay.map_or_else(Delay::default, |delay| Delay { delay }))
}

/// A moment as upstream writes it: no zone.
pub(super) fn moment(time: Timestamp) -> String {
    time.to_string().trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::tasks::{Shutdown, Tasks};
    use serde_json::json;

    fn device(settings: &str) -> Device {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), settings).unwrap();
        let settings = Settings::load_from(Some(file.path()), std::iter::empty()).unwrap();
        let native = crate::handlers::device::Device::new(None, Tasks::new(Shutdown::new()));
        Device::new(Arc::new(settings), native)
    }

    #[tokio::test]
    async fn what_the_owner_does_not_allow_is_refused_with_the_setting_that_would() {
        let device = device("");
        for action in ["mount_rw", "mount_ro", "mount_status"] {
            let refused = device.mount(&json!({"mnt_cmd": action})).await.unwrap_err();
            assert!(refused.contains("upstream.mount_"), "{refused}");
        }
        assert!(device.upgrade(&json!({})).unwrap_err().contains("upstream.upgrade_command"));
        assert!(device.package(&json!({})).unwrap_err().contains("upstream.package_managers"));
        assert!(device.reboot(&json!({"delay": 3})).unwrap_err().contains("device.reboot_command"));
    }

    #[tokio::test]
    async fn configured_commands_take_no_words_from_the_wire() {
        let device = device(
            "[upstream]\nmount_rw_command = \"echo rw\"\nupgrade_command = \"echo agent={version} {version}\"",
        );
        let reply = device.mount(&json!({"mnt_cmd": "mount_rw"})).await.unwrap();
        assert_eq!(reply.message, "rw");
        assert!(device.mount(&json!({"mnt_cmd": "mount_rw; reboot"})).await.is_err());
        let (words, _) = device.upgrade(&json!({"version": "1.2.3~rc1"})).unwrap();
        assert_eq!(words, ["echo", "agent=1.2.3~rc1", "1.2.3~rc1"]);
        assert_eq!(device.upgrade(&json!({"version": ""})).unwrap().1, "latest");
        for evil in ["1 && reboot", "$(reboot)", "-1", "1\n2", "--index-url=x"] {
            assert!(device.upgrade(&json!({"version": evil})).is_err(), "{evil}");
        }
    }

    #[test]
    fn odd_delays_are_named_and_absent_ones_take_the_shortest() {
        assert_eq!(delay(&json!({"delay": "10"})).unwrap().delay, 10);
        assert_eq!(delay(&json!(null)).unwrap().delay, 3);
        for wrong in [json!(-1), json!("x"), json!([1]), json!(1e300), json!("NaN")] {
            assert!(delay(&json!({"delay": wrong})).is_err(), "{wrong}");
        }
    }
}
