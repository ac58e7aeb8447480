//! A right in somebody's hands that a board honours without its cloud: signed by the cloud's key, which the board has pinned,
//! and narrowed by whoever passes it on.
//!
//! The first block is signed by the cloud; each further one by the key that the block before names, and it can only take
//! away. Who holds a right holds the secret of the last key that it names: so anybody may narrow it further, and nobody can take a block
//! off again. Invariants: a right is at most [`MAX_TEXT`] long and [`MAX_HOPS`] deep; whatever its blocks say, it allows
//! what each of them allows and no more, for [`MAX_LIFE`] at the most; reading one has no effect and cannot panic.
//! Deliberately not here: who may have one (the cloud's `app/rights`), and what time it is.

mod act;
mod block;
mod chain;
#[cfg(test)]
mod tests;

pub use act::{Act, Acts, Thing};
pub use block::{Grant, Narrowing};
pub use chain::{Allowed, Right};

use model::Kind;
use std::time::Duration;

/// Longest text of a right.
pub const MAX_TEXT: usize = 4096;
/// Most blocks behind the first.
pub const MAX_HOPS: usize = 8;
/// Longest life, whatever a right says.
pub const MAX_LIFE: Duration = Duration::from_secs(300);
/// Longest name of who was given the right, in bytes.
pub const MAX_HOLDER: usize = 64;
/// How far a board's clock may be behind the cloud's when a right begins.
pub const SKEW: Duration = Duration::from_secs(10);

/// Why a right is not honoured.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The text is no right.
    #[error("this is not a right ({0}); copy the whole text that `s4t right issue` printed")]
    Malformed(&'static str),
    /// A signature does not hold, or a block was taken off.
    #[error("this right was not signed by the board's cloud, or was altered; ask for another")]
    Forged,
    /// It is for another board.
    #[error("this right is for another board")]
    OtherBoard,
    /// It begins later.
    #[error("this right is not good yet; if it should be, the board's clock is wrong")]
    NotYet,
    /// It is over.
    #[error("this right is over; ask for another")]
    Over,
    /// It was given out before a revocation.
    #[error("this right was revoked; ask for another")]
    Revoked,
    /// It was passed on more often than it may be.
    #[error("this right may not be passed on so often")]
    TooDeep,
    /// It does not reach so far.
    #[error("this right does not allow {0}")]
    Beyond(String),
}

impl Refusal {
    /// What sort of failure it is.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Malformed(_) => Kind::Invalid,
            Self::Forged | Self::OtherBoard | Self::NotYet | Self::Over | Self::Revoked => {
                Kind::Unauthenticated
            }
            Self::TooDeep | Self::Beyond(_) => Kind::Forbidden,
        }
    }
}
