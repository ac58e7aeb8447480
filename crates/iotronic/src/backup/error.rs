//! Why there is no backup, or no cloud out of one.

use std::io;
use std::path::{Path, PathBuf};

/// A backup or restore that did not happen; nothing was left behind.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nothing to back up.
    #[error("{} holds no cloud; give the folder that `iotronic serve --data` uses", .0.display())]
    NoCloud(PathBuf),
    /// A file is in the way.
    #[error("{} exists; a backup overwrites nothing, so name another file", .0.display())]
    Exists(PathBuf),
    /// The keys did not stay as they were.
    #[error("the cloud's keys were changed while the backup was made; make it again")]
    KeysChanged,
    /// A recording was erased meanwhile.
    #[error("a recording was erased while the backup was made; make it again")]
    RecordingErased,
    /// A change of the key was begun and not ended.
    #[error(
        "a change of the cloud's key in {} was not ended; start the cloud once, then make the backup", .0.display()
    )]
    KeyHalfChanged(PathBuf),
    /// It is another sort of file.
    #[error("{} is no backup of a cloud", .0.display())]
    NotABackup(PathBuf),
    /// Not every byte is as it was written.
    #[error(
        "{} is cut off or damaged: {reason}; nothing was restored, use another copy of it", path.display()
    )]
    Damaged {
        /// The backup.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A newer program made it.
    #[error(
        "{} was made by a newer program ({program}); restore it with that one", path.display()
    )]
    Newer {
        /// The backup.
        path: PathBuf,
        /// Its version.
        program: String,
    },
    /// There is something in the folder.
    #[error(
        "{} is not empty; a restore overwrites nothing, so name another folder or empty this one", .0.display()
    )]
    NotEmpty(PathBuf),
    /// A file cannot be read or written.
    #[error("{}: {source}", path.display())]
    File {
        /// Which.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
    /// The database cannot be copied, or is not good.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// The cloud's key is missing or not good.
    #[error(transparent)]
    Key(#[from] base::key::Error),
    /// The announcements of keys are not good.
    #[error(transparent)]
    Keys(#[from] crate::cloud_keys::Error),
    /// No threads, or nobody reads.
    #[error("the result cannot be shown: {0}")]
    Output(io::Error),
}

impl Error {
    pub(super) fn at(path: &Path) -> impl FnOnce(io::Error) -> Self {
        let path = path.to_owned();
        move |source| Self::File { path, source }
    }

    pub(super) fn damaged(path: &Path, reason: impl Into<String>) -> Self {
        Self::Damaged { path: path.to_owned(), reason: reason.into() }
    }
}
