//! The board's key, and the next one while it is being changed.
//!
//! `board.key.next` is made and synced before the cloud hears of it, and takes the place of `board.key` only when the cloud is
//! known to have switched. Invariant: whatever dies at whatever moment, one of the two files holds the key that the cloud
//! knows. `key.since` is when the present one was first used, by the cloud's clock.

use crate::home::{Error, Home};
use base::key::{KeyPair, PublicKey};
use model::Timestamp;
use std::io;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

const KEY: &str = "board.key";
const NEXT: &str = "board.key.next";
const SINCE: &str = "key.since";

/// The keys. Clones share them.
#[derive(Clone)]
pub struct Keys(Arc<Inner>);

struct Inner {
    home: Home,
    held: Mutex<Held>,
}

#[derive(Clone)]
struct Held {
    current: KeyPair,
    next: Option<KeyPair>,
}

impl Keys {
    /// Reads both; the present one is made when there is none.
    ///
    /// # Errors
    /// A file cannot be read or made, or others can read it.
    pub fn open(home: &Home) -> Result<Self, base::key::Error> {
        let next = home.path(NEXT);
        let next = if next.exists() { Some(KeyPair::load(&next)?) } else { None };
        let held = Mutex::new(Held { current: home.key()?, next });
        Ok(Self(Arc::new(Inner { home: home.clone(), held })))
    }

    /// The key that the cloud knows the board by, as far as the board knows.
    #[must_use]
    pub fn current(&self) -> KeyPair {
        self.held().current.clone()
    }

    /// The key that was begun to be changed to.
    #[must_use]
    pub fn next(&self) -> Option<KeyPair> {
        self.held().next.clone()
    }

    /// The next key, on the disk; the same one until it was promoted. Writes a file.
    ///
    /// # Errors
    /// It cannot be written.
    pub fn prepare(&self) -> Result<KeyPair, base::key::Error> {
        let mut held = self.held();
        let next = match &held.next {
            Some(next) => next.clone(),
            None => KeyPair::create(&self.path(NEXT))?,
        };
        held.next = Some(next.clone());
        Ok(next)
    }

    /// The cloud knows the board by this key from now on. One that is the present one already changes nothing. Renames a file.
    ///
    /// # Errors
    /// It cannot be renamed; it stays the next one.
    pub fn promote(&self, known: &PublicKey, now: Timestamp) -> Result<(), Error> {
        let mut held = self.held();
        let Some(next) = held.next.clone().filter(|next| next.public() == *known) else {
            return Ok(());
        };
        let (from, to) = (self.path(NEXT), self.path(KEY));
        let renamed = std::fs::rename(&from, &to).and_then(|()| sync(self.0.home.dir()));
        renamed.map_err(Error::at(&to))?;
        *held = Held { current: next, next: None };
        drop(held);
        self.begin(now);
        Ok(())
    }

    /// Since when the present key is used; from now on when nobody wrote it down. May write a file.
    #[must_use]
    pub fn since(&self, now: Timestamp) -> Timestamp {
        let text = std::fs::read_to_string(self.path(SINCE)).unwrap_or_default();
        text.trim().parse().unwrap_or_else(|_| {
            self.begin(now);
            now
        })
    }

    fn begin(&self, now: Timestamp) {
        let path = self.path(SINCE);
        if let Err(error) = base::secret::write_private(&path, now.to_string().as_bytes()) {
            tracing::warn!(%error, path = %path.display(), "the age of the key cannot be written");
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.home.path(name)
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.0.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn sync(folder: &std::path::Path) -> io::Result<()> {
    std::fs::File::open(folder)?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> Timestamp {
        Timestamp::from_micros(1_800_000_000_000_000)
    }

    #[test]
    fn whatever_dies_one_of_the_two_keys_is_the_one_the_cloud_knows() {
        let dir = tempfile::tempdir().unwrap();
        let home = Home::open(dir.path()).unwrap();
        let old = Keys::open(&home).unwrap().current().public();
        // Died after the new key was made: the old one still is the board's, and the new one is not made again.
        let new = Keys::open(&home).unwrap().prepare().unwrap().public();
        let keys = Keys::open(&home).unwrap();
        assert_eq!((keys.current().public(), keys.next().unwrap().public()), (old, new));
        assert_eq!(keys.prepare().unwrap().public(), new);
        // A key that is not the next one promotes nothing.
        keys.promote(&old, now()).unwrap();
        assert_eq!(keys.current().public(), old);
        // Died after the cloud switched: both are there still.
        let keys = Keys::open(&home).unwrap();
        keys.promote(&new, now()).unwrap();
        assert_eq!((keys.current().public(), keys.next().is_none()), (new, true));
        let again = Keys::open(&home).unwrap();
        assert_eq!((again.current().public(), again.next().is_none()), (new, true));
        assert_eq!(again.since(now().after(std::time::Duration::from_secs(9))), now());
    }
}
