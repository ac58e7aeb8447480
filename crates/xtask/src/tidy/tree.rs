//! The text files of the project, read once and handed to every rule.
//!
//! Invariant: paths are relative to the root, with `/`, in sorted order. Deliberately not here: build output, installed
//! modules, version control, and files that are not text.

use std::fs;
use std::path::Path;

use crate::command::Fallible;

/// Folders that hold nothing we wrote.
const NOT_OURS: [&str; 6] = [".git", "target", "node_modules", "dist", ".venv", "__pycache__"];

/// Files above this size are recordings or generated; no rule reads them.
const LARGEST_TEXT: u64 = 4 * 1024 * 1024;

/// One text file.
pub(crate) struct TextFile {
    pub(crate) path: String,
    pub(crate) text: String,
}

impl TextFile {
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }
}

/// Every text file of the project.
pub(crate) struct Tree {
    files: Vec<TextFile>,
}

impl Tree {
    /// Reads the tree below a root.
    pub(crate) fn read(root: &Path) -> Fallible<Self> {
        let mut files = Vec::new();
        collect(root, root, &mut files)?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// A tree out of literals, for the rules' own tests.
    #[cfg(test)]
    pub(crate) fn of(files: &[(&str, &str)]) -> Self {
        let files = files
            .iter()
            .map(|(path, text)| TextFile { path: (*path).into(), text: (*text).into() })
            .collect();
        Self { files }
    }

    pub(crate) fn files(&self) -> impl Iterator<Item = &TextFile> {
        self.files.iter()
    }

    /// The text at a path, when there is such a file.
    pub(crate) fn text(&self, path: &str) -> Option<&str> {
        self.files.iter().find(|file| file.path == path).map(|file| file.text.as_str())
    }

    /// The manifests of our crates: folder name and text.
    pub(crate) fn crate_manifests(&self) -> impl Iterator<Item = (&str, &TextFile)> {
        self.files.iter().filter_map(|file| {
            let folder = file.path.strip_prefix("crates/")?.strip_suffix("/Cargo.toml")?;
            (!folder.contains('/')).then_some((folder, file))
        })
    }
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<TextFile>) -> Fallible<()> {
    let unreadable = |error| format!("{} cannot be read: {error}", folder.display());
    for entry in fs::read_dir(folder).map_err(unreadable)? {
        let entry = entry.map_err(unreadable)?;
        let kind = entry.file_type().map_err(unreadable)?;
        let name = entry.file_name();
        // In a working tree beside the first one, `.git` is a file.
        if NOT_OURS.iter().any(|other| name == *other) {
            continue;
        }
        if kind.is_dir() {
            collect(root, &entry.path(), files)?;
        } else if kind.is_file() {
            files.extend(text_file(root, &entry.path()));
        }
    }
    Ok(())
}

/// A file that vanished meanwhile, is too large or is no UTF-8 is not a text file of ours.
fn text_file(root: &Path, path: &Path) -> Option<TextFile> {
    if fs::metadata(path).ok()?.len() > LARGEST_TEXT {
        return None;
    }
    let text = fs::read_to_string(path).ok()?;
    let path = path.strip_prefix(root).ok()?.to_string_lossy().into_owned();
    Some(TextFile { path, text })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn build_output_and_binary_files_are_left_out() {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        fs::create_dir_all(root.join("crates/a/src")).unwrap();
        fs::create_dir_all(root.join("target/debug")).unwrap();
        fs::write(root.join("crates/a/src/lib.rs"), "//! A.").unwrap();
        fs::write(root.join("crates/a/Cargo.toml"), "[package]").unwrap();
        fs::write(root.join("target/debug/x.rs"), "//! X.").unwrap();
        fs::write(root.join("picture.png"), [0xff_u8, 0xfe, 0x00]).unwrap();

        let tree = Tree::read(root).unwrap();

        let paths: Vec<_> = tree.files().map(|file| file.path.as_str()).collect();
        assert_eq!(paths, ["crates/a/Cargo.toml", "crates/a/src/lib.rs"]);
        assert_eq!(tree.crate_manifests().map(|(name, _)| name).collect::<Vec<_>>(), ["a"]);
    }
}
