//! `cargo xtask dashboard`: installs what the pages need, checks and tests them, and builds `dashboard/dist`, which the next
//! build of the cloud takes in.
//!
//! Invariant: packages are installed anew exactly when their lock file changed; pages are built anew exactly when one of
//! their sources did. Deliberately not here: how pages come into the program (the cloud's build script).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::time::SystemTime;

use crate::command::{Fallible, run as run_command};
use crate::node;
use crate::workspace::Workspace;

/// The lock file as it was when packages were installed.
const INSTALLED: &str = "node_modules/.installed-lock.json";
/// What pages are made of, beside the folders below.
const FILES: [&str; 7] = [
    "../docs/openapi.json",
    "index.html",
    "package-lock.json",
    "package.json",
    "svelte.config.js",
    "tsconfig.json",
    "vite.config.ts",
];
const FOLDERS: [&str; 2] = ["src", "public"];

/// How much is done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Extent {
    /// The pages are there and no older than their sources.
    Pages,
    /// They are also checked and tested.
    Tested,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Made {
    /// The pages are in `dashboard/dist`.
    Pages,
    /// The tree has no dashboard.
    Nothing,
}

/// The chore.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Fallible<ExitCode> {
    if !words.is_empty() {
        return Err("dashboard takes no words".into());
    }
    match make(workspace, Extent::Tested)? {
        Made::Pages => {
            eprintln!("the pages are in dashboard/dist; the next build of the cloud takes them in");
        }
        Made::Nothing => eprintln!("there is no dashboard in this tree: nothing to build"),
    }
    Ok(ExitCode::SUCCESS)
}

/// Makes the pages.
pub(crate) fn make(workspace: &Workspace, extent: Extent) -> Fallible<Made> {
    let folder = pages(workspace);
    if !folder.join("package.json").is_file() {
        return Ok(Made::Nothing);
    }
    if extent == Extent::Pages && is_fresh(&folder) {
        return Ok(Made::Pages);
    }
    install(workspace)?;
    let script = |name: &str| run_command(npm(workspace).args(["run", "--silent", name]));
    if extent == Extent::Tested {
        script("check")?;
        script("test")?;
    }
    script("build")?;
    if is_fresh(&folder) {
        return Ok(Made::Pages);
    }
    Err("`npm run build` left no dashboard/dist/index.html that is newer than its sources".into())
}

/// For those who can do without pages: what went wrong is told, and the cloud's own page says how to get them.
pub(crate) fn make_if_possible(workspace: &Workspace) {
    eprintln!("building the dashboard");
    if let Err(reason) = make(workspace, Extent::Pages) {
        eprintln!("{reason}\ngoing on without the dashboard; /ui/ says how to build it");
    }
}

/// A script of the dashboard's own, ready to be run, with its packages installed.
pub(crate) fn npm_script(workspace: &Workspace, name: &str) -> Fallible<Command> {
    install(workspace)?;
    let mut command = npm(workspace);
    command.args(["run", "--silent", name]);
    Ok(command)
}

fn npm(workspace: &Workspace) -> Command {
    let mut command = Command::new("npm");
    node::on_path(workspace, &mut command);
    command.current_dir(pages(workspace));
    command
}

fn pages(workspace: &Workspace) -> PathBuf {
    workspace.root().join("dashboard")
}

/// Node.js, and `npm ci` unless it was done with this very lock file.
fn install(workspace: &Workspace) -> Fallible<()> {
    node::provide(workspace)?;
    let folder = pages(workspace);
    let lock = folder.join("package-lock.json");
    let wanted = read(&lock)?;
    let installed = folder.join(INSTALLED);
    if fs::read_to_string(&installed).is_ok_and(|text| text == wanted) {
        return Ok(());
    }
    run_command(npm(workspace).args(["ci", "--no-audit", "--no-fund"]))?;
    fs::write(&installed, wanted)
        .map_err(|error| format!("{} cannot be written: {error}", installed.display()))
}

fn read(path: &Path) -> Fallible<String> {
    fs::read_to_string(path).map_err(|error| format!("{}: {error}", path.display()))
}

/// Whether the pages are no older than anything they are made of.
fn is_fresh(folder: &Path) -> bool {
    let Some(built) = modified(&folder.join("dist/index.html")) else { return false };
    let files = FILES.iter().filter_map(|name| modified(&folder.join(name)));
    let below = FOLDERS.iter().filter_map(|name| newest(&folder.join(name)));
    files.chain(below).all(|source| source <= built)
}

fn modified(path: &Path) -> Option<SystemTime> {
    fs::metadata(path).and_then(|metadata| metadata.modified()).ok()
}

/// The youngest file or folder of a tree; a folder is younger when something in it was taken away.
fn newest(folder: &Path) -> Option<SystemTime> {
    let entries = fs::read_dir(folder).ok()?;
    let paths: Vec<PathBuf> = entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    let inside = paths
        .iter()
        // Made by the build itself.
        .filter(|path| !path.ends_with("generated.ts"))
        .filter_map(|path| if path.is_dir() { newest(path) } else { modified(path) });
    inside.chain(modified(folder).filter(|_| !holds_generated(&paths))).max()
}

/// Writing the generated file makes its folder younger, which says nothing.
fn holds_generated(paths: &[PathBuf]) -> bool {
    paths.iter().any(|path| path.ends_with("generated.ts"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const LOCK: &str = r#"{ "name": "pages", "lockfileVersion": 3, "packages": { "": {} } }"#;
    /// A dashboard without any dependency, whose build notes that it ran.
    const PACKAGE: &str = r#"{ "name": "pages", "scripts": {
        "check": "echo checked >> log", "test": "echo tested >> log",
        "build": "echo built >> log && mkdir -p dist && echo page > dist/index.html" } }"#;

    fn tree() -> (tempfile::TempDir, Workspace) {
        let folder = tempfile::tempdir().unwrap();
        let workspace = Workspace::at(folder.path());
        (folder, workspace)
    }

    #[test]
    fn a_tree_without_a_dashboard_has_nothing_to_build() {
        let (_folder, workspace) = tree();
        assert_eq!(make(&workspace, Extent::Tested), Ok(Made::Nothing));
    }

    #[test]
    fn pages_are_installed_checked_and_built_once_and_again_when_a_source_changes() {
        let (folder, workspace) = tree();
        if !node::is_there(&workspace) {
            // The whole chore says what is missing.
            return;
        }
        let pages = folder.path().join("dashboard");
        fs::create_dir_all(pages.join("src")).unwrap();
        fs::write(pages.join("package.json"), PACKAGE).unwrap();
        fs::write(pages.join("package-lock.json"), LOCK).unwrap();
        fs::write(pages.join("src/main.ts"), "").unwrap();
        fs::create_dir_all(pages.join("node_modules")).unwrap();
        let log = || fs::read_to_string(pages.join("log")).unwrap_or_default();

        assert_eq!(make(&workspace, Extent::Pages), Ok(Made::Pages));
        assert_eq!(log(), "built\n");
        assert_eq!(read(&pages.join(INSTALLED)).unwrap(), LOCK);
        assert_eq!(make(&workspace, Extent::Pages), Ok(Made::Pages));
        assert_eq!(log(), "built\n", "nothing had changed");
        assert_eq!(make(&workspace, Extent::Tested), Ok(Made::Pages));
        assert_eq!(log(), "built\nchecked\ntested\nbuilt\n");

        let later = SystemTime::now() + std::time::Duration::from_secs(2);
        fs::File::open(pages.join("src/main.ts")).unwrap().set_modified(later).unwrap();
        assert!(!is_fresh(&pages));
    }
}
