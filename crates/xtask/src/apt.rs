//! Debian packages, installed so that a machine serves nothing it did not serve before.
//!
//! Invariant: no service starts because of what is installed here, and one that a package brings is not started at the next
//! boot either: tests run servers of their own, on loopback. A policy of the machine itself is left alone. Deliberately not
//! here: what is needed (see `needs`).

use std::fs;
use std::io::ErrorKind;
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Fallible, capture, is_installed, run};

/// Debian asks this program before a package starts or stops a service (Debian Policy, section 9.3.3.1).
const POLICY: &str = "/usr/sbin/policy-rc.d";
/// 101: the action is forbidden.
const FORBID: &str = "#!/bin/sh\n\
    # Left by a `cargo xtask` that was cut short while it installed packages; delete this file.\n\
    exit 101\n";

/// A package and the service it would start at every boot.
const SERVICES: [(&str, &str); 1] = [("openssh-server", "ssh")];

/// Whether packages can be installed with `apt-get`.
pub(crate) fn is_there() -> bool {
    is_installed("apt-get")
}

/// Installs packages without what they only recommend.
pub(crate) fn install(packages: &[&str]) -> Fallible<()> {
    let policy = Policy::forbid(Path::new(POLICY))?;
    let installed = install_or_update(packages);
    if installed.is_ok() {
        disable_services(packages);
    }
    policy.lift().and(installed)
}

/// The package lists of a fresh machine may be empty or old, so a failed install is tried once more after an update.
fn install_or_update(packages: &[&str]) -> Fallible<()> {
    let apt = |words: &[&str]| {
        let mut command = Command::new("apt-get");
        command.env("DEBIAN_FRONTEND", "noninteractive").args(words);
        command
    };
    let words = ["install", "--yes", "--no-install-recommends", "--quiet"];
    run(apt(&words).args(packages)).or_else(|_| {
        run(&mut apt(&["update"]))?;
        run(apt(&words).args(packages))
    })
}

/// What cannot be disabled is told: the packages are there all the same.
fn disable_services(packages: &[&str]) {
    for (_, service) in SERVICES.iter().filter(|(package, _)| packages.contains(package)) {
        let disabled = capture(Command::new("update-rc.d").args([service, "disable"]));
        let units = [format!("{service}.service"), format!("{service}.socket")];
        let disabled = disabled.and_then(|_| match is_installed("systemctl") {
            true => capture(Command::new("systemctl").arg("disable").args(units)),
            false => Ok(String::new()),
        });
        if let Err(reason) = disabled {
            eprintln!("{service} will start with the machine, and is not needed here: {reason}");
        }
    }
}

/// That no service starts, for as long as packages are installed.
struct Policy {
    /// None where the machine has a policy of its own.
    ours: Option<PathBuf>,
}

impl Policy {
    fn forbid(path: &Path) -> Fallible<Self> {
        let failed = |error| format!("{} cannot be written: {error}", path.display());
        let opened = fs::OpenOptions::new().write(true).create_new(true).mode(0o755).open(path);
        let ours = match opened {
            Err(error) if error.kind() == ErrorKind::AlreadyExists => return Ok(Self::found(path)),
            Err(error) => return Err(failed(error)),
            Ok(_) => Self { ours: Some(path.to_owned()) },
        };
        // The mode again, whatever the umask took of it.
        fs::write(path, FORBID)
            .and_then(|()| fs::set_permissions(path, fs::Permissions::from_mode(0o755)))
            .map_err(failed)?;
        Ok(ours)
    }

    /// One that we left behind is ours; any other is the machine's.
    fn found(path: &Path) -> Self {
        let is_ours = fs::read_to_string(path).is_ok_and(|text| text == FORBID);
        Self { ours: is_ours.then(|| path.to_owned()) }
    }

    fn lift(mut self) -> Fallible<()> {
        self.ours.take().map_or(Ok(()), |path| remove(&path))
    }
}

impl Drop for Policy {
    fn drop(&mut self) {
        if let Some(path) = self.ours.take()
            && let Err(error) = remove(&path)
        {
            eprintln!("{error}");
        }
    }
}

fn remove(path: &Path) -> Fallible<()> {
    fs::remove_file(path).map_err(|error| {
        format!("{} forbids services and cannot be removed: {error}", path.display())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_forbidden_until_the_packages_are_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy-rc.d");
        let policy = Policy::forbid(&path).unwrap();
        let answer = Command::new("sh").arg(&path).args(["ssh", "start"]).status().unwrap();
        assert_eq!(answer.code(), Some(101));
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o755);
        policy.lift().unwrap();
        assert!(!path.exists());
    }

    #[test]
    fn a_policy_of_the_machine_stays_and_one_left_behind_goes() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("policy-rc.d");
        fs::write(&path, "#!/bin/sh\nexit 104\n").unwrap();
        drop(Policy::forbid(&path).unwrap());
        assert!(path.exists());
        fs::write(&path, FORBID).unwrap();
        drop(Policy::forbid(&path).unwrap());
        assert!(!path.exists());
    }
}
