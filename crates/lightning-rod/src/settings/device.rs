//! `[device]`: what a cloud of ours may do to the machine. Nothing until its owner allows it in so many words.

use super::grants::{Grants, all_package_commands};
use crate::error::Error;
use serde::Deserialize;

/// `[device]`
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Device {
    /// The command that reboots the device, words separated by spaces, such as `systemctl reboot`. Absent: reboots are
    /// refused.
    pub reboot_command: Option<String>,
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
    /// Whether `DeviceFactoryReset` is done: the board forgets its plugins, its services and who it is.
    pub factory_reset: bool,
}

impl Default for Device {
    fn default() -> Self {
        Self {
            reboot_command: None,
            rest_prefixes: Vec::new(),
            package_managers: Vec::new(),
            package_commands: all_package_commands(),
            upgrade_command: None,
            mount_rw_command: None,
            mount_ro_command: None,
            factory_reset: false,
        }
    }
}

impl Device {
    /// What is allowed.
    pub(crate) fn grants(&self) -> Grants {
        Grants {
            section: "device",
            rest_prefixes: self.rest_prefixes.clone(),
            package_managers: self.package_managers.clone(),
            package_commands: self.package_commands.clone(),
            upgrade_command: self.upgrade_command.clone(),
            mount_rw_command: self.mount_rw_command.clone(),
            mount_ro_command: self.mount_ro_command.clone(),
            factory_reset: self.factory_reset,
        }
    }

    pub(super) fn check(&self) -> Result<(), Error> {
        if self.reboot_command.as_ref().is_some_and(|c| c.trim().is_empty()) {
            let text = "device.reboot_command is empty; leave it out to refuse reboots";
            return Err(Error::Setting(text.into()));
        }
        self.grants().check()
    }
}
