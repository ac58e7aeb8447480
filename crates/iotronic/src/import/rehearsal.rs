//! A copy of the cloud, in which an import is tried.
//!
//! Invariants: the copy is made while no cloud runs on the folder; it is as private as the original and removed
//! afterwards, also one that a killed run left.

use super::Error;
use std::fs::{DirBuilder, File};
use std::io;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

/// The store's file; its journals begin with the same name.
const DATABASE: &str = "cloud.db";
/// Held by the process that works on a folder.
const LOCK: &str = "lock";
const FOLDER: &str = "import-rehearsal";

/// The copy; gone when dropped.
pub(super) struct Rehearsal(PathBuf);

impl Rehearsal {
    /// Copies the cloud in `data`.
    pub(super) fn prepare(data: &Path) -> Result<Self, Error> {
        if !data.join(DATABASE).is_file() {
            return Err(Error::NeverStarted { dir: data.to_owned() });
        }
        let dir = data.join(FOLDER);
        let lock = lock(data)?;
        let copied =
            copy(data, &dir).map_err(|source| Error::Rehearsal { dir: dir.clone(), source });
        let rehearsal = Self(dir);
        drop(lock);
        copied.map(|()| rehearsal)
    }

    pub(super) fn dir(&self) -> &Path {
        &self.0
    }
}

fn lock(data: &Path) -> Result<File, Error> {
    let failed = |source| Error::Rehearsal { dir: data.to_owned(), source };
    let path = data.join(LOCK);
    let file = File::options().create(true).truncate(false).write(true).open(path);
    let file = file.map_err(failed)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(std::fs::TryLockError::WouldBlock) => Err(store::Error::Locked(data.to_owned()).into()),
        Err(std::fs::TryLockError::Error(source)) => Err(failed(source)),
    }
}

fn copy(data: &Path, dir: &Path) -> io::Result<()> {
    match std::fs::remove_dir_all(dir) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    DirBuilder::new().mode(0o700).create(dir)?;
    // The journal of a cloud that was killed holds commits that the file does not have yet.
    for name in [DATABASE.to_owned(), format!("{DATABASE}-wal")] {
        match std::fs::copy(data.join(&name), dir.join(&name)) {
            Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

impl Drop for Rehearsal {
    fn drop(&mut self) {
        if let Err(error) = std::fs::remove_dir_all(&self.0)
            && error.kind() != io::ErrorKind::NotFound
        {
            tracing::warn!(dir = %self.0.display(), %error, "the rehearsal's copy could not be removed");
        }
    }
}
