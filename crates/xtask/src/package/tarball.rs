//! Packs the agent for systems without Debian's packages: program, unit, settings and an install script in one tarball.
//!
//! Invariant: it unpacks into one folder named like itself and holds all that `install.sh` touches. Deliberately not here:
//! the install script (see `packaging/lightning-rod/install.sh`).

use std::path::{Path, PathBuf};
use std::process::Command;

use super::contents::Sources;
use super::payload::{Entry, FILE, PROGRAM, stage};
use super::target::Target;
use crate::command::{Fallible, capture};

/// Packs into `out` and returns the file.
pub(super) fn build(
    sources: &Sources,
    version: &str,
    target: &Target,
    out: &Path,
) -> Fallible<PathBuf> {
    let name = format!("lightning-rod-{version}-{}", target.triple());
    let scratch = out.join(format!(".{name}.tree"));
    let place = out.join(format!("{name}.tar.gz"));
    stage(&entries(sources), &scratch.join(&name))?;
    let mut pack = Command::new("tar");
    pack.args(["--create", "--gzip", "--sort=name", "--owner=0", "--group=0", "--numeric-owner"]);
    pack.arg("--file").arg(&place).arg("--directory").arg(&scratch).arg(&name);
    let packed = capture(&mut pack);
    let removed = std::fs::remove_dir_all(&scratch)
        .map_err(|error| format!("{} cannot be removed: {error}", scratch.display()));
    packed.and(removed).map(|()| place)
}

fn entries(sources: &Sources) -> Vec<Entry> {
    let folder = sources.packaging.join("lightning-rod");
    let beside = |name: &str, mode| Entry::file(name, mode, &folder.join(name));
    vec![
        Entry::file("bin/lightning-rod", PROGRAM, &sources.lightning_rod),
        beside("install.sh", PROGRAM),
        beside("lightning-rod.service", FILE),
        beside("lightning-rod.toml", FILE),
        Entry::file("LICENSE", FILE, &sources.license),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::package::contents::sample;

    #[test]
    fn the_tarball_unpacks_into_one_folder_with_program_and_installer() {
        let folder = tempfile::tempdir().unwrap();
        let host = "x86_64-unknown-linux-gnu";
        let target = Target::new("armv7-unknown-linux-gnueabihf", host).unwrap();
        let file = build(&sample(folder.path()), "0.0.1", &target, folder.path()).unwrap();
        let list = capture(Command::new("tar").args(["--list", "--verbose", "--file"]).arg(&file))
            .unwrap();
        let top = "lightning-rod-0.0.1-armv7-unknown-linux-gnueabihf/";
        assert!(list.lines().all(|line| line.contains(top)), "{list}");
        for part in ["bin/lightning-rod", "install.sh"] {
            let line = list.lines().find(|line| line.ends_with(part)).unwrap();
            assert!(line.starts_with("-rwxr-xr-x 0/0"), "{line}");
        }
    }
}
