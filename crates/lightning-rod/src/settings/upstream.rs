//! `[upstream]`: what a board of an upstream cloud allows that cloud to do to it.
//!
//! Upstream's router lets anybody call anything, so whatever changes the machine beyond plugins and services is off until the
//! board's owner allows it in so many words.

use super::grants::{Grants, all_package_commands};
use crate::error::Error;
use serde::Deserialize;
use std::path::PathBuf;

/// `[upstream]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Upstream {
    /// Upstream's `settings.json`. Absent: the one in the agent's folder.
    pub settings: Option<PathBuf>,
    /// Whether the agent joins a cloud whose router asks nobody who he is, and which therefore cannot be told from an
    /// impostor. Without it an upstream `settings.json` is refused.
    pub allow_anonymous: bool,
    /// What happens to the cloud's TLS certificate: `check`, or `ignore` as upstream's agent does by default.
    pub certificate: Certificate,
    /// Port of the cloud's wstun server, on the host of the WAMP router.
    pub tunnel_port: u16,
    /// Seconds between two questions whether the cloud's agent is alive.
    pub alive_every_s: u32,
    /// `DeviceRestSubmit` reaches URLs that begin with one of these, whole path segments. Empty: it is refused.
    pub rest_prefixes: Vec<String>,
    /// Package managers that `DevicePkgOperation` may run: of `apt`, `apt-get`, `pip`, `pip3`, `npm`. Empty: it is refused.
    pub package_managers: Vec<String>,
    /// What they may do: of `install`, `update`, `upgrade`, `remove`, `uninstall`.
    pub package_commands: Vec<String>,
    /// The command of `DeviceUpgradeLR`, words separated by spaces; `{version}` in a word becomes the version asked for.
    /// Absent: upgrades are refused.
    pub upgrade_command: Option<String>,
    /// The command of `DeviceMountFs` that makes the root file system writable. Absent: refused.
    pub mount_rw_command: Option<String>,
    /// The command of `DeviceMountFs` that makes it read-only. Absent: refused.
    pub mount_ro_command: Option<String>,
    /// Whether `DeviceFactoryReset` is done; upstream's cloud calls it when the board is deleted.
    pub factory_reset: bool,
}

/// What happens to a certificate.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Certificate {
    /// It must be valid.
    #[default]
    Check,
    /// Anything goes: what is said is hidden from listeners, not from whoever stands in the middle.
    Ignore,
}

impl Default for Upstream {
    fn default() -> Self {
        Self {
            settings: None,
            allow_anonymous: false,
            certificate: Certificate::Check,
            tunnel_port: 8080,
            alive_every_s: 600,
            rest_prefixes: Vec::new(),
            package_managers: Vec::new(),
            package_commands: all_package_commands(),
            upgrade_command: None,
            mount_rw_command: None,
            mount_ro_command: None,
            factory_reset: true,
        }
    }
}

impl Upstream {
    pub(super) fn check(&self) -> Result<(), Error> {
        let wrong = |text: String| Err(Error::Setting(text));
        if self.tunnel_port == 0 {
            return wrong("upstream.tunnel_port lies in 1..=65535".into());
        }
        if !(1..=86_400).contains(&self.alive_every_s) {
            return wrong("upstream.alive_every_s lies in 1..=86400".into());
        }
        self.grants().check()
    }

    /// What is allowed.
    pub(crate) fn grants(&self) -> Grants {
        Grants {
            section: "upstream",
            rest_prefixes: self.rest_prefixes.clone(),
            package_managers: self.package_managers.clone(),
            package_commands: self.package_commands.clone(),
            upgrade_command: self.upgrade_command.clone(),
            mount_rw_command: self.mount_rw_command.clone(),
            mount_ro_command: self.mount_ro_command.clone(),
            factory_reset: self.factory_reset,
        }
    }
}
