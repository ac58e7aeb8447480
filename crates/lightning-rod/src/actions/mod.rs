//! What changes the machine itself for a cloud, ours or an upstream one: upgrade of the agent, packages, mounts, requests to
//! what is near the board.
//!
//! Invariants: nothing is done that the board's owner has not allowed in its settings; a command is an argument vector, never a
//! line for a shell; what comes from the cloud is a word of it at most, and a checked one. Deliberately not here: who asks and how
//! the answer travels (`handlers`, `upstream`).

mod command;
mod packages;
mod rest;
mod target;

use crate::clock::BoardClock;
use crate::cloud::Trust;
use crate::settings::Grants;
use model::Kind;
use packages::Allowed;
pub(crate) use packages::{Operation, check_packages};
use rest::Rest;
use rpc::Fault;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
pub(crate) use target::check_prefixes;

/// Time a mount command may take.
const MOUNT_PATIENCE: Duration = Duration::from_secs(60);
/// Time an upgrade or a package operation may take.
const LONG_PATIENCE: Duration = Duration::from_secs(3600);
/// Longest version.
const MAX_VERSION: usize = 64;

/// What the board's owner allows, ready to be done. Clones share it.
#[derive(Clone)]
pub(crate) struct Actions {
    grants: Arc<Grants>,
    rest: Rest,
}

/// An upgrade that may be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Upgrade {
    /// The command.
    pub(crate) words: Vec<String>,
    /// The version asked for, `latest` when none was.
    pub(crate) version: String,
}

impl Actions {
    /// `trust` decides which servers requests near the board believe.
    pub(crate) fn new(grants: Grants, trust: Trust, clock: Arc<BoardClock>) -> Self {
        let rest = Rest::new(grants.rest_prefixes.clone(), trust, clock);
        Self { grants: Arc::new(grants), rest }
    }

    /// Mounts the root file system writable or read-only, or tells how things are mounted.
    ///
    /// # Errors
    /// It is not allowed, no such command is known, or it failed.
    pub(crate) async fn mount(&self, parameters: &Value) -> Result<String, Fault> {
        let Grants { mount_rw_command: rw, mount_ro_command: ro, .. } = &*self.grants;
        let command = match parameters.get("mnt_cmd").and_then(Value::as_str) {
            Some("mount_rw") => {
                rw.as_ref().ok_or_else(|| self.refused("this", "mount_rw_command"))?
            }
            Some("mount_ro") => {
                ro.as_ref().ok_or_else(|| self.refused("this", "mount_ro_command"))?
            }
            Some("mount_status") => {
                rw.as_ref()
                    .or(ro.as_ref())
                    .ok_or_else(|| self.refused("this", "mount_rw_command"))?;
                let mounts = tokio::fs::read_to_string("/proc/mounts").await;
                return mounts.map_err(|error| failed(error.to_string()));
            }
            Some(other) => return Err(wrong(format!("Mount command '{other}' not supported!"))),
            None => {
                return Err(wrong("mnt_cmd is missing; it is mount_rw, mount_ro or mount_status"));
            }
        };
        tracing::warn!(command, "mount command on request");
        let said = command::run(&command::words(command), MOUNT_PATIENCE).await.map_err(failed)?;
        Ok(said.trim().to_owned())
    }

    /// Checks a package operation.
    ///
    /// # Errors
    /// It is not allowed, or a parameter is wrong.
    pub(crate) fn package(&self, parameters: &Value) -> Result<Operation, Fault> {
        let Grants { package_managers: managers, package_commands: commands, .. } = &*self.grants;
        if managers.is_empty() {
            return Err(self.refused("package operations", "package_managers"));
        }
        Operation::parse(parameters, Allowed { managers, commands }).map_err(wrong)
    }

    /// Checks an upgrade of the agent.
    ///
    /// # Errors
    /// It is not allowed, or the version is none.
    pub(crate) fn upgrade(&self, parameters: &Value) -> Result<Upgrade, Fault> {
        let command = self.grants.upgrade_command.as_ref();
        let command = command.ok_or_else(|| self.refused("upgrades", "upgrade_command"))?;
        let version = match parameters.get("version") {
            None | Some(Value::Null) => "",
            Some(Value::String(version)) => version.as_str(),
            Some(_) => return Err(wrong("version is no text")),
        };
        let version = if version.is_empty() { "latest" } else { version };
        let is_word = |c: char| c.is_ascii_alphanumeric() || "._+~:-".contains(c);
        let is_version = version.len() <= MAX_VERSION
            && version.starts_with(|c: char| c.is_ascii_alphanumeric())
            && version.chars().all(is_word);
        if !is_version {
            return Err(wrong(format!("{version:?} is no version")));
        }
        let words = command::words(command).into_iter();
        let words = words.map(|word| word.replace("{version}", version)).collect();
        Ok(Upgrade { words, version: version.to_owned() })
    }

    /// Submits a request to something near the board; the answer's JSON.
    ///
    /// # Errors
    /// It is not allowed, a parameter is wrong, or there is no answer in JSON.
    pub(crate) async fn submit(&self, parameters: &Value) -> Result<Value, Fault> {
        if self.grants.rest_prefixes.is_empty() {
            return Err(self.refused("requests", "rest_prefixes"));
        }
        self.rest.submit(parameters).await
    }

    /// Whether the board may be made nobody's.
    ///
    /// # Errors
    /// It may not.
    pub(crate) fn may_reset(&self) -> Result<(), Fault> {
        if self.grants.factory_reset { Ok(()) } else { Err(self.refused("this", "factory_reset")) }
    }

    /// Runs what takes long: an upgrade or a package operation that was checked.
    ///
    /// # Errors
    /// The command fails or does not end.
    pub(crate) async fn run(words: &[String]) -> Result<String, Fault> {
        tracing::warn!(command = words.join(" "), "command on request");
        command::run(words, LONG_PATIENCE).await.map_err(failed)
    }

    fn refused(&self, what: &str, key: &str) -> Fault {
        let section = self.grants.section;
        let text = format!(
            "this board's owner does not allow {what}; set {section}.{key} in its settings"
        );
        Fault::new(Kind::Forbidden, text)
    }
}

fn wrong(why: impl Into<String>) -> Fault {
    Fault::new(Kind::Invalid, why)
}

fn failed(why: String) -> Fault {
    Fault::new(Kind::Conflict, why)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn actions(grants: Grants) -> Actions {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(BoardClock::open(&dir.path().join("clock")));
        Actions::new(grants, Trust::Public(None), clock)
    }

    fn nothing() -> Grants {
        crate::settings::Device::default().grants()
    }

    #[tokio::test]
    async fn what_the_owner_does_not_allow_is_refused_with_the_setting_that_would() {
        let actions = actions(nothing());
        for action in ["mount_rw", "mount_ro", "mount_status"] {
            let refused = actions.mount(&json!({"mnt_cmd": action})).await.unwrap_err();
            assert_eq!(refused.kind, Kind::Forbidden);
            assert!(refused.message.contains("device.mount_"), "{refused}");
        }
        let refusals = [
            (actions.upgrade(&json!({})).unwrap_err(), "device.upgrade_command"),
            (actions.package(&json!({})).unwrap_err(), "device.package_managers"),
            (actions.submit(&json!({})).await.unwrap_err(), "device.rest_prefixes"),
            (actions.may_reset().unwrap_err(), "device.factory_reset"),
        ];
        for (refused, key) in refusals {
            assert_eq!(refused.kind, Kind::Forbidden);
            assert!(refused.message.contains(key), "{refused}");
        }
    }

    #[tokio::test]
    async fn configured_commands_take_no_words_from_the_wire() {
        let actions = actions(Grants {
            mount_rw_command: Some("echo rw".into()),
            upgrade_command: Some("echo agent={version} {version}".into()),
            ..nothing()
        });
        assert_eq!(actions.mount(&json!({"mnt_cmd": "mount_rw"})).await.unwrap(), "rw");
        assert!(actions.mount(&json!({"mnt_cmd": "mount_rw; reboot"})).await.is_err());
        assert!(actions.mount(&json!({"mnt_cmd": "mount_ro"})).await.is_err());
        let upgrade = actions.upgrade(&json!({"version": "1.2.3~rc1"})).unwrap();
        assert_eq!(upgrade.words, ["echo", "agent=1.2.3~rc1", "1.2.3~rc1"]);
        assert_eq!(actions.upgrade(&json!({"version": ""})).unwrap().version, "latest");
        for evil in ["1 && reboot", "$(reboot)", "-1", "1\n2", "--index-url=x", "{version}"] {
            let refused = actions.upgrade(&json!({"version": evil})).unwrap_err();
            assert_eq!(refused.kind, Kind::Invalid, "{evil}");
        }
    }
}
