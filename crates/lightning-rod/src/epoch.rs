//! The epoch of rights: those that were given out in an earlier one are refused.
//!
//! Invariant: it only grows, over restarts too: it is on the disk before it counts.

use crate::home::Error;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The epoch. Clones share it.
#[derive(Debug, Clone)]
pub struct Epoch(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    path: PathBuf,
    now: Mutex<u32>,
}

impl Epoch {
    /// Reads what `path` holds; a missing file is the first epoch.
    ///
    /// # Errors
    /// The file is unreadable or damaged: a board that forgot its epoch must not honour what was revoked.
    pub fn open(path: &Path) -> Result<Self, Error> {
        let now = match std::fs::read_to_string(path) {
            Ok(text) => text.trim().parse().map_err(|_| Error::Damaged {
                path: path.to_owned(),
                reason: "it holds no number".into(),
            })?,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => 0,
            Err(error) => return Err(Error::at(path)(error)),
        };
        Ok(Self(Arc::new(Inner { path: path.to_owned(), now: Mutex::new(now) })))
    }

    /// The epoch that counts.
    #[must_use]
    pub fn now(&self) -> u32 {
        *self.held()
    }

    /// Goes on to a later epoch; an earlier one changes nothing. Writes a file.
    ///
    /// # Errors
    /// It cannot be written; then the old one still counts.
    pub fn raise(&self, epoch: u32) -> Result<(), Error> {
        let mut now = self.held();
        if epoch <= *now {
            return Ok(());
        }
        let path = &self.0.path;
        base::secret::write_private(path, epoch.to_string().as_bytes()).map_err(Error::at(path))?;
        *now = epoch;
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, u32> {
        self.0.now.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_epoch_only_grows_and_survives() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("epoch");
        let epoch = Epoch::open(&path).unwrap();
        epoch.raise(7).unwrap();
        epoch.raise(3).unwrap();
        assert_eq!((epoch.now(), Epoch::open(&path).unwrap().now()), (7, 7));
        std::fs::write(&path, "seven").unwrap();
        assert!(matches!(Epoch::open(&path), Err(Error::Damaged { .. })));
    }
}
