//! What the board's owner lets a cloud do to the machine beyond plugins and services. All of it is off until it is set.

use crate::error::Error;

/// The settings that both kinds of cloud have, each in a section of its own: who trusts one need not trust the other.
#[derive(Debug, Clone)]
pub(crate) struct Grants {
    /// The section they stand in.
    pub(crate) section: &'static str,
    /// Below which URLs requests may be submitted.
    pub(crate) rest_prefixes: Vec<String>,
    /// Which package managers may run.
    pub(crate) package_managers: Vec<String>,
    /// What they may do.
    pub(crate) package_commands: Vec<String>,
    /// What upgrades the agent.
    pub(crate) upgrade_command: Option<String>,
    /// What makes the root file system writable.
    pub(crate) mount_rw_command: Option<String>,
    /// What makes it read-only.
    pub(crate) mount_ro_command: Option<String>,
    /// Whether the board may be made nobody's.
    pub(crate) factory_reset: bool,
}

/// Everything that package managers are asked for.
pub(super) fn all_package_commands() -> Vec<String> {
    ["install", "update", "upgrade", "remove", "uninstall"].map(str::to_owned).to_vec()
}

impl Grants {
    pub(super) fn check(&self) -> Result<(), Error> {
        let section = self.section;
        let wrong = |text: String| Err(Error::Setting(format!("{section}.{text}")));
        if let Err(why) = crate::actions::check_prefixes(&self.rest_prefixes) {
            return wrong(format!("rest_prefixes: {why}"));
        }
        if let Err(why) =
            crate::actions::check_packages(&self.package_managers, &self.package_commands)
        {
            return wrong(why);
        }
        let commands = [
            ("upgrade_command", &self.upgrade_command),
            ("mount_rw_command", &self.mount_rw_command),
            ("mount_ro_command", &self.mount_ro_command),
        ];
        let is_empty =
            |command: &Option<String>| command.as_ref().is_some_and(|c| c.trim().is_empty());
        match commands.into_iter().find(|(_, command)| is_empty(command)) {
            Some((key, _)) => wrong(format!("{key} is empty; leave it out to refuse")),
            None => Ok(()),
        }
    }
}
