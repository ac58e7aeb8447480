//! The cloud's key, and the announcements by which boards follow it from one key to the next.
//!
//! A change is made while the cloud is stopped: the new key is written (`cloud.key.next`), announced by a signature of the old one
//! (`cloud.keys.json`), and takes the old one's place. Invariant: whatever dies in between, the next start finishes a change
//! that was announced and forgets one that was not; an announcement is never taken back. Claims that carry an old pin
//! stay good as long as they last, because whoever presents one follows the same chain.

use base::clock::{Clock as _, SystemClock};
use base::key::KeyPair;
use base::secret::write_private;
use clap::Args;
use model::Timestamp;
use rpc::succession::{MAX_CHAIN, Succession, since};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

const KEY: &str = "cloud.key";
const NEXT: &str = "cloud.key.next";
const CHAIN: &str = "cloud.keys.json";

/// Why the cloud's key cannot be had or changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A key is missing, unreadable or malformed.
    #[error(transparent)]
    Key(#[from] base::key::Error),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The announcements do not lead to the present key.
    #[error("{} is damaged: {reason}; restore it from a backup", path.display())]
    Damaged {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: &'static str,
    },
    /// A running cloud has the folder.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// Boards follow no longer chain.
    #[error("the key was changed {MAX_CHAIN} times already, and boards follow no longer chain")]
    TooOften,
}

/// The key of this process and how it came to be. Cloning is cheap.
#[derive(Debug, Clone)]
pub struct CloudKeys(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    current: KeyPair,
    chain: Vec<Succession>,
}

/// `iotronic rotate-key`
#[derive(Debug, Args)]
pub struct Arguments {
    /// Folder of the stopped cloud.
    #[arg(long, value_name = "DIR", env = "IOTRONIC_DATA")]
    data: PathBuf,
}

impl CloudKeys {
    /// Reads the key, or makes the first one; finishes a change that was begun.
    ///
    /// # Errors
    /// A file cannot be read or written, or is damaged.
    pub fn open(dir: &Path) -> Result<Self, Error> {
        let chain = read_chain(dir)?;
        settle(dir, &chain)?;
        let current = KeyPair::load_or_create(&dir.join(KEY))?;
        let leads_here = chain
            .last()
            .is_none_or(|last| last.proven().is_some_and(|(_, after)| after == current.public()));
        if !leads_here {
            let reason = "it does not lead to cloud.key";
            return Err(Error::Damaged { path: dir.join(CHAIN), reason });
        }
        Ok(Self(Arc::new(Inner { current, chain })))
    }

    /// The key.
    #[must_use]
    pub fn current(&self) -> &KeyPair {
        &self.0.current
    }

    /// The announcements that lead from the key of this fingerprint to the present one; empty when they are one.
    #[must_use]
    pub fn since(&self, pin: &str) -> &[Succession] {
        since(pin, &self.0.chain)
    }
}

/// Gives the cloud in `dir` a new key. To be called while no cloud runs there.
///
/// # Errors
/// A file cannot be read or written, or the key was changed too often.
pub fn rotate(dir: &Path, now: Timestamp) -> Result<KeyPair, Error> {
    let keys = CloudKeys::open(dir)?;
    let mut chain = keys.0.chain.clone();
    if chain.len() >= MAX_CHAIN {
        return Err(Error::TooOften);
    }
    let next = KeyPair::create(&dir.join(NEXT))?;
    chain.push(Succession::announce(keys.current(), &next.public(), now));
    let path = dir.join(CHAIN);
    let json = serde_json::to_vec_pretty(&chain).unwrap_or_default();
    write_private(&path, &json).map_err(|source| Error::File { path, source })?;
    settle(dir, &chain)?;
    Ok(next)
}

/// `iotronic rotate-key`: changes the key of a stopped cloud and says what it is now.
///
/// # Errors
/// A cloud runs there, or as [`rotate`].
pub fn run(arguments: &Arguments, out: &mut impl io::Write) -> Result<(), Error> {
    let dir = &arguments.data;
    // No cloud is made where there is none.
    KeyPair::load(&dir.join(KEY))?;
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|source| Error::File { path: dir.clone(), source })?;
    // The store's lock says that no cloud runs there.
    let store = runtime.block_on(store::Store::open(dir, store::Options::default()))?;
    let key = rotate(dir, Timestamp::from_micros(SystemClock.unix_micros()));
    runtime.block_on(store.close());
    let said = writeln!(
        out,
        "the cloud has a new key: {}\nboards follow by themselves when they connect; claims made before stay good",
        key?.public().fingerprint()
    );
    said.map_err(|source| Error::File { path: dir.clone(), source })
}

/// A new key that was announced takes its place; one that was not is forgotten.
fn settle(dir: &Path, chain: &[Succession]) -> Result<(), Error> {
    let (next, key) = (dir.join(NEXT), dir.join(KEY));
    if !next.exists() {
        return Ok(());
    }
    let public = KeyPair::load(&next)?.public();
    let is_announced =
        chain.last().is_some_and(|last| last.proven().is_some_and(|(_, after)| after == public));
    let done =
        if is_announced { std::fs::rename(&next, &key) } else { std::fs::remove_file(&next) };
    let synced = done.and_then(|()| std::fs::File::open(dir)?.sync_all());
    synced.map_err(|source| Error::File { path: next, source })
}

fn read_chain(dir: &Path) -> Result<Vec<Succession>, Error> {
    let path = dir.join(CHAIN);
    let bytes = match std::fs::read(&path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(source) => return Err(Error::File { path, source }),
    };
    let chain: Vec<Succession> = serde_json::from_slice(&bytes)
        .map_err(|_| Error::Damaged { path: path.clone(), reason: "it cannot be read" })?;
    let first = chain.first().and_then(Succession::before);
    let holds =
        first.is_none_or(|key| rpc::succession::follow(&key.fingerprint(), &chain).is_some());
    if holds {
        Ok(chain)
    } else {
        Err(Error::Damaged { path, reason: "a signature does not hold" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rpc::succession::follow;

    fn now() -> Timestamp {
        Timestamp::from_micros(1)
    }

    fn fingerprint(dir: &Path) -> String {
        CloudKeys::open(dir).unwrap().current().public().fingerprint()
    }

    #[test]
    fn a_new_key_is_reached_from_every_key_before_it() {
        let dir = tempfile::tempdir().unwrap();
        let mut pins = vec![fingerprint(dir.path())];
        for _ in 0..3 {
            let made = rotate(dir.path(), now()).unwrap().public();
            pins.push(made.fingerprint());
            let keys = CloudKeys::open(dir.path()).unwrap();
            assert_eq!(keys.current().public(), made);
            for pin in &pins[..pins.len() - 1] {
                assert_eq!(follow(pin, keys.since(pin)), Some(made));
            }
            assert!(keys.since(pins.last().unwrap()).is_empty());
        }
    }

    #[test]
    fn a_change_that_died_is_finished_when_it_was_announced_and_forgotten_when_not() {
        let dir = tempfile::tempdir().unwrap();
        let (key, next, chain) =
            (dir.path().join(KEY), dir.path().join(NEXT), dir.path().join(CHAIN));
        let before = fingerprint(dir.path());
        // Died before the announcement.
        KeyPair::create(&next).unwrap();
        assert_eq!(fingerprint(dir.path()), before);
        assert!(!next.exists());
        // Died after the announcement: the old key is in its place still, the new one beside it.
        let old = std::fs::read(&key).unwrap();
        let after = rotate(dir.path(), now()).unwrap().public().fingerprint();
        std::fs::rename(&key, &next).unwrap();
        write_private(&key, &old).unwrap();
        assert_eq!(fingerprint(dir.path()), after);
        // A chain that does not lead to the key is damage, and says so.
        write_private(&key, &old).unwrap();
        assert!(matches!(CloudKeys::open(dir.path()), Err(Error::Damaged { .. })));
        std::fs::write(&chain, "[").unwrap();
        assert!(matches!(CloudKeys::open(dir.path()), Err(Error::Damaged { .. })));
    }
}
