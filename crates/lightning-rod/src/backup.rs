//! Backup and restore of a board: who it is and what was put on it, as one `tar.gz`.
//!
//! A board of an upstream cloud is written in upstream's own layout (`device_bkp_rest`), so that either agent reads the
//! other's archive; a board of a cloud of ours lies below `lightning-rod/`.
//!
//! Invariants: an archive is readable by its owner alone, because it holds the board's key; restoring writes regular files
//! below the agent's folder and nothing else, all of them before the one that says who the board is; a folder that is a board
//! already is left alone; sizes are bounded. Deliberately not here: the machine's own files (web proxies, certificates).

mod read;
mod write;

pub use read::{Restored, restore};
pub use write::{Saved, backup};

use std::path::PathBuf;

/// Where things lie in an archive of a board of ours.
const OWN: &str = "lightning-rod";
/// Where upstream's agent keeps its things, and its settings.
const UPSTREAM_HOME: &str = "var/lib/iotronic";
const UPSTREAM_SETTINGS: &str = "etc/iotronic/settings.json";
/// Files that say who the board is; they are restored last.
const IDENTITIES: [&str; 2] = ["board.json", "settings.json"];
/// What is worth keeping of a folder.
const KEPT: [&str; 9] = [
    "board.key",
    "clock",
    "journal",
    "plugins.json",
    "plugins.json.bkp",
    "services.json",
    "services.json.bkp",
    "plugins",
    "board.json",
];
/// Most files.
const MAX_FILES: usize = 20_000;
/// Most bytes of all files together.
const MAX_BYTES: u64 = 512 << 20;
/// Folders within folders.
const MAX_DEPTH: usize = 16;

/// Why there is no backup, or nothing was restored.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is no board.
    #[error("{0} holds no board yet; enrol it first")]
    Nobody(PathBuf),
    /// There is a board already.
    #[error(
        "{0} holds a board already; give another folder with --home, or remove this one to give that identity up"
    )]
    Somebody(PathBuf),
    /// The archive exists.
    #[error("{0} exists already; give another name")]
    Exists(PathBuf),
    /// A file cannot be read or written.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// The archive is not one.
    #[error("{path} is not a board's backup: {reason}")]
    Archive {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// Beyond the bounds.
    #[error(
        "there are more than {MAX_FILES} files or {MAX_BYTES} bytes; remove what plugins have left behind"
    )]
    TooLarge,
}

impl Error {
    fn at(path: &std::path::Path) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    /// What sort of failure it is.
    #[must_use]
    pub fn kind(&self) -> model::Kind {
        match self {
            Self::Nobody(_) => model::Kind::NotFound,
            Self::Somebody(_) | Self::Exists(_) => model::Kind::Conflict,
            Self::File { .. } => model::Kind::Internal,
            Self::Archive { .. } => model::Kind::Invalid,
            Self::TooLarge => model::Kind::Exhausted,
        }
    }
}

/// Counts against the bounds.
#[derive(Debug, Default)]
struct Budget {
    files: usize,
    bytes: u64,
}

impl Budget {
    fn take(&mut self, bytes: u64) -> Result<(), Error> {
        self.files += 1;
        self.bytes = self.bytes.saturating_add(bytes);
        if self.files > MAX_FILES || self.bytes > MAX_BYTES { Err(Error::TooLarge) } else { Ok(()) }
    }
}

#[cfg(test)]
mod tests;
