//! What ends an import; a single row that cannot be brought does not, it is in the report.

use std::io;
use std::path::PathBuf;

/// Why an import ended before its end.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The dump, or a file beside it, cannot be read.
    #[error("cannot read {what}: {source}")]
    Read {
        /// Which.
        what: String,
        /// Why.
        source: io::Error,
    },
    /// The dump is not what mysqldump writes.
    #[error("the dump cannot be understood at byte {at}: {what}")]
    Dump {
        /// Where.
        at: u64,
        /// What is wrong there, and how to mend it.
        what: String,
    },
    /// More than is held at a time.
    #[error("the dump holds more than {limit}; import it in parts (mysqldump --where)")]
    TooMuch {
        /// The bound.
        limit: &'static str,
    },
    /// The URL cannot be used.
    #[error("{0}; write it as mysql://USER@HOST[:PORT]/DATABASE")]
    Url(String),
    /// The program that dumps is missing or failed.
    #[error("{0}")]
    Mysqldump(String),
    /// The map of names cannot be used.
    #[error("{} is not a map of names: {why}", path.display())]
    Map {
        /// Which file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// The folder has no cloud yet.
    #[error(
        "{} holds no cloud yet; start it once with `iotronic serve --data {}`, stop it, and import then", dir.display(), dir.display()
    )]
    NeverStarted {
        /// Which.
        dir: PathBuf,
    },
    /// The rehearsal cannot be prepared.
    #[error("cannot copy the cloud to rehearse in {}: {source}", dir.display())]
    Rehearsal {
        /// Where.
        dir: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The store failed; what was committed before stays, and a further run goes on from there.
    #[error(transparent)]
    Store(#[from] store::Error),
    /// No runtime.
    #[error("threads cannot be started: {source}")]
    Runtime {
        /// Why.
        source: io::Error,
    },
    /// The report cannot be written; the import is done.
    #[error("the report cannot be written: {source}")]
    Report {
        /// Why.
        source: io::Error,
    },
}
