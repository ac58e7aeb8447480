//! What can go wrong at rest, in words that may leave the process: no statement and no path of a table is ever in a text.

use model::quota::{Counted, Limit};
use model::{Invalid, Kind};
use rusqlite::{ErrorCode, ffi};
use std::path::PathBuf;

/// A failed read or write; nothing of a failed write is kept.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// There is none, or not in this project.
    #[error("no such {what}")]
    NotFound {
        /// The noun.
        what: &'static str,
    },
    /// Another one has this value already.
    #[error("another {what} has this {field} already; choose another {field}")]
    Duplicate {
        /// The noun.
        what: &'static str,
        /// The field that must be unique.
        field: &'static str,
    },
    /// Somebody else changed it since it was read.
    #[error("the {what} was changed by someone else in the meantime; read it again and repeat")]
    Stale {
        /// The noun.
        what: &'static str,
    },
    /// The state of things does not allow it.
    #[error("{0}")]
    Conflict(String),
    /// A claim does not enrol this key.
    #[error("{0}")]
    Refused(#[from] Refusal),
    /// The queue of writes stayed full for too long.
    #[error("too many writes are waiting; try again in a moment")]
    Busy,
    /// A limit is reached.
    #[error("{0}")]
    Exhausted(String),
    /// The project has as much as it may have.
    #[error(
        "the project has {used} {} of the {limit} that it may have, and {added} more were asked for; {}, or ask who operates \
         the cloud for more (`s4t quota set`)", .counted.unit(), .counted.cure()
    )]
    OverQuota {
        /// What there would be too many of.
        counted: Counted,
        /// How many there are.
        used: u64,
        /// How many more were asked for.
        added: u64,
        /// How many there may be.
        limit: Limit,
    },
    /// A value is not valid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The write was not committed; the same write may be tried again.
    #[error("the change could not be stored: {0}")]
    Faulted(String),
    /// Another process works on this folder.
    #[error("{} is in use by another process; stop it first or choose another folder", .0.display())]
    Locked(PathBuf),
    /// A restore into this folder did not come to its end.
    #[error(
        "a restore into {} has not ended; wait for it, or empty the folder and restore again", .0.display()
    )]
    HalfRestored(PathBuf),
    /// The folder or a file in it cannot be used.
    #[error("cannot use {}: {source}", path.display())]
    Folder {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The database was written by a newer version.
    #[error(
        "the database has schema {found} and this program knows {known}; run the newer program"
    )]
    Newer {
        /// Version in the file.
        found: i64,
        /// Newest version known here.
        known: i64,
    },
    /// A stored value does not read back: a defect or a damaged file.
    #[error("stored {column} cannot be read: {reason}")]
    Unreadable {
        /// Which value.
        column: &'static str,
        /// Why.
        reason: String,
    },
    /// The store was closed.
    #[error("the store is closed")]
    Closed,
    /// The database failed.
    #[error("the database failed to {doing}")]
    Sql {
        /// What it was asked for.
        doing: &'static str,
        /// What it says.
        source: rusqlite::Error,
    },
}

/// Why a claim does not enrol a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// No claim has this secret.
    #[error("this claim is not known here; make a new one with `s4t board claim`")]
    UnknownClaim,
    /// It expired.
    #[error("this claim has expired; make a new one with `s4t board claim`")]
    Expired,
    /// It was withdrawn.
    #[error("this claim was revoked; make a new one with `s4t board claim`")]
    Revoked,
    /// Other keys used it up.
    #[error("this claim is used up by other boards; make a new one with `s4t board claim`")]
    UsedUp,
    /// The key is another board's.
    #[error("this key belongs to another board; remove the key file so that a new key is made")]
    KeyOfAnotherBoard,
    /// The key was replaced or its board given up.
    #[error("this key is refused for good; remove the key file and enrol with a new claim")]
    KeyRefused,
    /// The board it should replace was given up.
    #[error("the board this claim replaces is decommissioned; make a new claim for a new board")]
    ReplacedBoardGone,
}

impl Refusal {
    /// Its place in the table of kinds.
    #[must_use]
    pub fn kind(self) -> Kind {
        match self {
            Self::UnknownClaim => Kind::Unauthenticated,
            Self::Expired | Self::Revoked | Self::UsedUp | Self::KeyRefused => Kind::Forbidden,
            Self::KeyOfAnotherBoard | Self::ReplacedBoardGone => Kind::Conflict,
        }
    }
}

impl Error {
    /// Its place in the table of kinds.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::NotFound { .. } => Kind::NotFound,
            Self::Duplicate { .. }
            | Self::Stale { .. }
            | Self::Conflict(_)
            | Self::OverQuota { .. }
            | Self::Locked(_)
            | Self::HalfRestored(_)
            | Self::Newer { .. } => Kind::Conflict,
            Self::Refused(refusal) => refusal.kind(),
            Self::Busy | Self::Exhausted(_) => Kind::Exhausted,
            Self::Invalid(_) => Kind::Invalid,
            Self::Closed => Kind::Unreachable,
            Self::Faulted(_) | Self::Folder { .. } | Self::Unreadable { .. } | Self::Sql { .. } => {
                Kind::Internal
            }
        }
    }

    /// What the disk has against it, where it is the disk: full, read-only, gone.
    pub(crate) fn of_the_disk(&self) -> Option<String> {
        let Self::Sql { source, .. } = self else { return None };
        let refused = [
            ErrorCode::DiskFull,
            ErrorCode::ReadOnly,
            ErrorCode::SystemIoFailure,
            ErrorCode::CannotOpen,
            ErrorCode::PermissionDenied,
        ];
        source.sqlite_error_code().filter(|code| refused.contains(code)).map(|_| source.to_string())
    }

    pub(crate) fn sql(doing: &'static str) -> impl FnOnce(rusqlite::Error) -> Self {
        move |source| Self::Sql { doing, source }
    }

    /// Names the noun and the field when a unique index refused.
    pub(crate) fn duplicate_as(self, what: &'static str, field: &'static str) -> Self {
        match self.constraint() {
            Some(ffi::SQLITE_CONSTRAINT_UNIQUE | ffi::SQLITE_CONSTRAINT_PRIMARYKEY) => {
                Self::Duplicate { what, field }
            }
            _ => self,
        }
    }

    /// Names the noun that a foreign key did not find.
    pub(crate) fn missing_as(self, what: &'static str) -> Self {
        match self.constraint() {
            Some(ffi::SQLITE_CONSTRAINT_FOREIGNKEY) => Self::NotFound { what },
            _ => self,
        }
    }

    /// The number of the constraint that refused.
    fn constraint(&self) -> Option<i32> {
        match self {
            Self::Sql { source: rusqlite::Error::SqliteFailure(error, _), .. } => {
                Some(error.extended_code)
            }
            _ => None,
        }
    }
}
