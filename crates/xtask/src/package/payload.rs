//! What a package holds, before it is a file: entries with path, mode and content.
//!
//! Invariant: staging writes exactly the entries, with exactly their modes, whatever this machine's umask is.
//! Deliberately not here: which entries a program has (see `contents`).

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use crate::command::Fallible;

/// Readable by all.
pub(super) const FILE: u32 = 0o644;
/// Readable by all, run by all.
pub(super) const PROGRAM: u32 = 0o755;

/// One file of a package.
#[derive(Clone, Debug)]
pub(super) struct Entry {
    /// Where it lands, without the leading `/`.
    pub(super) path: String,
    pub(super) mode: u32,
    pub(super) content: Content,
}

/// Where the bytes come from.
#[derive(Clone, Debug)]
pub(super) enum Content {
    File(PathBuf),
    Text(String),
}

impl Entry {
    pub(super) fn file(path: &str, mode: u32, source: &Path) -> Self {
        Self { path: path.into(), mode, content: Content::File(source.into()) }
    }

    pub(super) fn text(path: &str, mode: u32, text: impl Into<String>) -> Self {
        Self { path: path.into(), mode, content: Content::Text(text.into()) }
    }
}

/// Writes entries below a folder.
pub(super) fn stage(entries: &[Entry], folder: &Path) -> Fallible<()> {
    make_folder(folder)?;
    entries.iter().try_for_each(|entry| stage_one(entry, folder))
}

fn stage_one(entry: &Entry, folder: &Path) -> Fallible<()> {
    let place = folder.join(&entry.path);
    for parent in missing_parents(&place, folder) {
        make_folder(&parent)?;
    }
    let failed = |error| format!("{} cannot be written: {error}", place.display());
    match &entry.content {
        Content::Text(text) => fs::write(&place, text).map_err(failed)?,
        Content::File(source) => {
            fs::copy(source, &place)
                .map_err(|error| format!("{} cannot be packed: {error}", source.display()))?;
        }
    }
    fs::set_permissions(&place, fs::Permissions::from_mode(entry.mode)).map_err(failed)
}

/// From the top down.
fn missing_parents(place: &Path, folder: &Path) -> Vec<PathBuf> {
    let mut parents: Vec<PathBuf> = place
        .ancestors()
        .skip(1)
        .take_while(|parent| *parent != folder)
        .filter(|parent| !parent.exists())
        .map(Path::to_path_buf)
        .collect();
    parents.reverse();
    parents
}

fn make_folder(folder: &Path) -> Fallible<()> {
    fs::create_dir_all(folder)
        .and_then(|()| fs::set_permissions(folder, fs::Permissions::from_mode(PROGRAM)))
        .map_err(|error| format!("{} cannot be made: {error}", folder.display()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_land_with_their_modes_and_folders_are_open() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path().join("stage");
        let entries =
            [Entry::text("usr/bin/x", PROGRAM, "#!"), Entry::text("etc/a/x.toml", 0o640, "")];
        stage(&entries, &root).unwrap();
        let mode =
            |path: &str| fs::metadata(root.join(path)).unwrap().permissions().mode() & 0o7777;
        assert_eq!(mode("usr/bin/x"), 0o755);
        assert_eq!(mode("etc/a/x.toml"), 0o640);
        assert_eq!(mode("etc/a"), 0o755);
    }

    #[test]
    fn a_missing_source_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let entry = Entry::file("usr/bin/x", PROGRAM, Path::new("/nowhere/x"));
        let error = stage(&[entry], folder.path()).unwrap_err();
        assert!(error.contains("/nowhere/x"), "{error}");
    }
}
