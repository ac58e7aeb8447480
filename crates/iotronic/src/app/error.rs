//! Why a use case did not happen.

use model::operation::Fault;
use model::{Invalid, Kind};

/// A refused or failed use case; nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// We or the board refuse, in these words.
    #[error(transparent)]
    Fault(#[from] Fault),
    /// A value is not valid.
    #[error(transparent)]
    Invalid(#[from] Invalid),
    /// The store refuses or failed.
    #[error(transparent)]
    Store(#[from] store::Error),
}

impl Error {
    /// A refusal of this kind.
    pub fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self::Fault(Fault::new(kind, text))
    }

    /// Its place in the table of kinds.
    #[must_use]
    pub fn kind(&self) -> Kind {
        match self {
            Self::Fault(fault) => fault.kind,
            Self::Invalid(_) => Kind::Invalid,
            Self::Store(error) => error.kind(),
        }
    }

    /// Whether somebody else changed the thing since it was read.
    #[must_use]
    pub fn is_stale(&self) -> bool {
        matches!(self, Self::Store(store::Error::Stale { .. }))
    }
}
