//! Where things lie in the working tree: root, crates, build output, version.
//!
//! Invariant: every path handed out is absolute, so a chore behaves the same from any folder of the tree.
//! Deliberately not here: reading Rust sources (see `tidy::tree`).

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::command::{Fallible, capture};

/// The checked-out project.
pub(crate) struct Workspace {
    root: PathBuf,
}

impl Workspace {
    /// Walks up from the current folder to the one whose `Cargo.toml` opens a workspace.
    pub(crate) fn find() -> Fallible<Self> {
        let here = std::env::current_dir()
            .map_err(|error| format!("the current folder cannot be read: {error}"))?;
        here.ancestors()
            .find(|folder| opens_a_workspace(folder))
            .map(Self::at)
            .ok_or_else(|| format!("{} lies in no cargo workspace", here.display()))
    }

    /// The workspace at a known root.
    pub(crate) fn at(root: &Path) -> Self {
        Self { root: root.to_path_buf() }
    }

    /// The folder of the root `Cargo.toml`.
    pub(crate) fn root(&self) -> &Path {
        &self.root
    }

    /// Where cargo builds: `CARGO_TARGET_DIR` as given, else `target` in the root.
    pub(crate) fn target_dir(&self) -> PathBuf {
        let given = std::env::var_os("CARGO_TARGET_DIR").filter(|value| !value.is_empty());
        self.root.join(given.map_or_else(|| "target".into(), PathBuf::from))
    }

    /// The version all our crates share.
    pub(crate) fn version(&self) -> Fallible<String> {
        let path = self.root.join("Cargo.toml");
        let text =
            fs::read_to_string(&path).map_err(|error| format!("{}: {error}", path.display()))?;
        let manifest: toml::Table =
            text.parse().map_err(|error| format!("{}: {error}", path.display()))?;
        let package = manifest.get("workspace").and_then(|table| table.get("package"));
        package
            .and_then(|table| table.get("version")?.as_str())
            .map(str::to_owned)
            .ok_or_else(|| format!("{} has no workspace.package.version", path.display()))
    }

    /// The commit at which the tree stands, and whether the programs differ from it.
    pub(crate) fn commit(&self) -> Fallible<String> {
        let git = |words: &[&str]| capture(Command::new("git").current_dir(&self.root).args(words));
        let name = git(&["rev-parse", "--short=12", "HEAD"])?;
        let changes = git(&["status", "--porcelain", "--", "crates", "Cargo.toml", "Cargo.lock"])?;
        let changed = if changes.is_empty() { "" } else { " with uncommitted changes" };
        Ok(format!("`{}`{changed}", name.trim()))
    }

    /// Where `cargo build` leaves the programs.
    pub(crate) fn debug_dir(&self) -> PathBuf {
        self.target_dir().join("debug")
    }
}

fn opens_a_workspace(folder: &Path) -> bool {
    fs::read_to_string(folder.join("Cargo.toml"))
        .is_ok_and(|text| text.lines().any(|line| line.trim() == "[workspace]"))
}
