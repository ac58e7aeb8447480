//! Tests that skip themselves at run time (no root, no second network): they say so in a file.
//!
//! Invariant: libtest knows no skipping at run time, so a test that returns early appends one line with its name and
//! reason to the file in `S4T_SKIPS`; each line moves one test from passed to skipped. Deliberately not here: deciding
//! whether a test must be skipped.

use std::fs;
use std::path::{Path, PathBuf};

use crate::command::Fallible;

/// The variable that tells tests where to say that they were skipped.
pub(super) const VARIABLE: &str = "S4T_SKIPS";

/// The file, empty at the start of a run and gone at its end.
pub(super) struct SkipFile {
    path: PathBuf,
}

impl SkipFile {
    pub(super) fn create(folder: &Path) -> Fallible<Self> {
        let path = folder.join(format!("skipped-{}.txt", std::process::id()));
        fs::create_dir_all(folder)
            .and_then(|()| fs::write(&path, ""))
            .map_err(|error| format!("{} cannot be written: {error}", path.display()))?;
        Ok(Self { path })
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// One reason for each skipped test.
    pub(super) fn reasons(&self) -> Fallible<Vec<String>> {
        let text = fs::read_to_string(&self.path)
            .map_err(|error| format!("{} cannot be read: {error}", self.path.display()))?;
        Ok(text.lines().filter(|line| !line.trim().is_empty()).map(str::to_owned).collect())
    }
}

impl Drop for SkipFile {
    fn drop(&mut self) {
        // Nothing depends on its absence; the name carries our process id.
        let _ = fs::remove_file(&self.path);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_line_is_a_reason_and_the_file_goes_away() {
        let folder = tempfile::tempdir().unwrap();
        let skips = SkipFile::create(folder.path()).unwrap();
        assert!(skips.reasons().unwrap().is_empty());
        fs::write(skips.path(), "packet drop: not root\n\nnamespaces: none\n").unwrap();
        assert_eq!(skips.reasons().unwrap(), ["packet drop: not root", "namespaces: none"]);
        let path = skips.path().to_owned();
        drop(skips);
        assert!(!path.exists());
    }
}
