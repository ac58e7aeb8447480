//! A throw-away system to install packages in.
//!
//! Invariant: the bare system (debootstrap, of this machine's release, from its own mirror) is made once and never changed;
//! each trial works on a copy, which is gone at the end. Deliberately not here: what is tried (see `trial`).

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Fallible, capture, run as run_command};

const PATH: &str = "/usr/sbin:/usr/bin:/sbin:/bin";

/// A throw-away system.
pub(super) struct Scratch {
    root: PathBuf,
}

impl Scratch {
    /// A copy of the bare system, in the folder for build output.
    pub(super) fn create(target_dir: &Path) -> Fallible<Self> {
        let bare = bare_root(target_dir)?;
        let root = target_dir.join(format!("scratch-root-{}", std::process::id()));
        remove(&root)?;
        run_command(Command::new("cp").arg("--archive").arg(&bare).arg(&root))?;
        Ok(Self { root })
    }

    /// Where it lies, seen from outside.
    pub(super) fn root(&self) -> &Path {
        &self.root
    }

    /// A command inside.
    pub(super) fn command(&self, program: &str) -> Command {
        let mut command = Command::new("chroot");
        command.arg(&self.root).arg(program);
        command.env_clear().env("PATH", PATH).env("LC_ALL", "C");
        command
    }

    /// A command inside, run by a system user, with a `/proc` of its own that goes away with it.
    pub(super) fn command_of(&self, user: &str, program: &str) -> Command {
        const INSIDE: &str = "mount -t proc proc \"$1/proc\" && shift && exec chroot \"$@\"";
        let mut command = Command::new("unshare");
        command.args(["--mount", "--propagation", "private", "sh", "-c", INSIDE, "sh"]);
        command
            .arg(&self.root)
            .arg(format!("--userspec={user}:{user}"))
            .arg(&self.root)
            .arg(program);
        command.env_clear().env("PATH", PATH).env("LC_ALL", "C");
        command
    }

    /// Copies a file to the top and returns its path inside.
    pub(super) fn take_in(&self, file: &Path) -> Fallible<String> {
        let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
        fs::copy(file, self.root.join(&name))
            .map_err(|error| format!("{} cannot be copied: {error}", file.display()))?;
        Ok(format!("/{name}"))
    }

    /// The number of a user or group inside.
    pub(super) fn number_of(&self, table: &str, name: &str) -> Fallible<u32> {
        let text = fs::read_to_string(self.root.join("etc").join(table)).unwrap_or_default();
        text.lines()
            .map(|line| line.split(':').collect::<Vec<_>>())
            .find(|cells| cells.first() == Some(&name))
            .and_then(|cells| cells.get(2)?.parse().ok())
            .ok_or_else(|| format!("{table} has no {name}"))
    }

    pub(super) fn expect_access(&self, path: &str, owner: (u32, u32), mode: u32) -> Fallible<()> {
        let data =
            fs::metadata(self.root.join(path)).map_err(|error| format!("/{path}: {error}"))?;
        let found = ((data.uid(), data.gid()), data.mode() & 0o7777);
        if found == (owner, mode) {
            return Ok(());
        }
        let ((user, group), bits) = found;
        Err(format!("/{path} is {user}:{group} {bits:o}, not {}:{} {mode:o}", owner.0, owner.1))
    }

    pub(super) fn expect_present(&self, path: &str) -> Fallible<()> {
        let is_there = self.root.join(path).symlink_metadata().is_ok();
        if is_there { Ok(()) } else { Err(format!("/{path} is missing")) }
    }

    pub(super) fn expect_absent(&self, path: &str) -> Fallible<()> {
        match self.expect_present(path) {
            Ok(()) => Err(format!("/{path} is left behind")),
            Err(_) => Ok(()),
        }
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if let Err(error) = remove(&self.root) {
            eprintln!("the scratch root stays behind: {error}");
        }
    }
}

/// A bare system of this machine's release, made once.
fn bare_root(target_dir: &Path) -> Fallible<PathBuf> {
    let suite = suite()?;
    let place = target_dir.join(format!("bare-root-{suite}"));
    if place.is_dir() {
        return Ok(place);
    }
    eprintln!("making a bare {suite} system once");
    let unfinished = target_dir.join(format!("bare-root-{suite}.unfinished"));
    remove(&unfinished)?;
    let mut command = Command::new("debootstrap");
    command.args(["--variant=minbase", "--include=init-system-helpers", &suite]).arg(&unfinished);
    command.args(mirror());
    capture(&mut command)?;
    fs::rename(&unfinished, &place).map_err(|error| format!("{}: {error}", place.display()))?;
    Ok(place)
}

fn suite() -> Fallible<String> {
    let release = fs::read_to_string("/etc/os-release").unwrap_or_default();
    release
        .lines()
        .find_map(|line| line.strip_prefix("VERSION_CODENAME="))
        .map(|name| name.trim_matches('"').to_owned())
        .ok_or_else(|| {
            "/etc/os-release names no release; packages are tried on Debian-like systems".into()
        })
}

/// The mirror this machine uses itself.
fn mirror() -> Option<String> {
    let words = ["indextargets", "--format", "$(SITE)", "Created-By: Packages"];
    let list = capture(Command::new("apt-get").args(words)).ok()?;
    list.lines().next().filter(|line| !line.is_empty()).map(str::to_owned)
}

fn remove(folder: &Path) -> Fallible<()> {
    run_command(Command::new("rm").args(["-rf", "--one-file-system"]).arg(folder))
}
