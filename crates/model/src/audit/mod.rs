//! The audit: who did what, in a chain that shows when something was changed afterwards.
//!
//! Each row carries the hash of the row before it, so the last hash stands for all of them; a Merkle tree (RFC 9162) over
//! the rows' hashes gives short proofs, and the cloud signs its root from time to time. Pure: what is stored where, and the
//! signatures themselves, are elsewhere. Invariant: every byte of a row but personal values enters its hash, and those enter
//! by a salted hash of their own, so that they can be erased.

mod check;
mod digest;
mod head;
pub mod merkle;
mod row;

pub use check::{Checker, MAX_TROUBLES, Report, Trouble};
pub use digest::Digest;
pub use head::{Base, Head, Line, Start};
pub use row::{Fields, Known, Row, SALT, personal_hash};

/// What can act.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ActorKind {
    /// A user, or a program in a user's name.
    User,
    /// A board.
    Board,
    /// The cloud itself.
    Cloud,
    /// Whoever connected from outside without saying who it is.
    Anybody,
}

impl ActorKind {
    /// The word used everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::User => "user",
            Self::Board => "board",
            Self::Cloud => "cloud",
            Self::Anybody => "anybody",
        }
    }
}
