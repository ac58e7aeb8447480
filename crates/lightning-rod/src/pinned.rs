//! The cloud's key as this board has it pinned, for everybody who checks something against it.
//!
//! Invariant: it changes only to a key that a chain of signed announcements led to, and is on the disk before it counts.

use crate::home::{Error, Home};
use base::key::PublicKey;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The key. Clones share it.
#[derive(Debug, Clone)]
pub struct Pinned(Arc<Mutex<PublicKey>>);

impl Pinned {
    /// A pinned key.
    #[must_use]
    pub fn new(key: PublicKey) -> Self {
        Self(Arc::new(Mutex::new(key)))
    }

    /// The key that counts.
    #[must_use]
    pub fn key(&self) -> PublicKey {
        *self.held()
    }

    /// The cloud has another key, and proved that it is its own. Writes a file.
    ///
    /// # Errors
    /// It cannot be written; then the old one still counts, and the chain is followed again the next time.
    pub fn follow(&self, home: &Home, key: PublicKey) -> Result<(), Error> {
        let mut held = self.held();
        if *held == key {
            return Ok(());
        }
        if let Some(mut identity) = home.identity()? {
            identity.pin = key.fingerprint();
            identity.cloud = key.to_string();
            home.save_identity(&identity)?;
        }
        tracing::warn!(
            before = held.fingerprint(),
            now = key.fingerprint(),
            "the cloud has a new key"
        );
        *held = key;
        Ok(())
    }

    fn held(&self) -> MutexGuard<'_, PublicKey> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
