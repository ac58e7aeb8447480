//! The words of the system: ids, names, validated values, states and their legal moves, and the decision who may do what.
//!
//! Invariant: a value of a type here is valid; validation happens once, at construction. No I/O, no async, no clock: the
//! present moment is always an argument.

pub mod access;
pub mod access_rule;
pub mod audit;
pub mod board;
pub mod claim;
pub mod contribution;
pub mod delegation;
pub mod facts;
pub mod id;
pub mod kind;
pub mod label;
pub mod name;
pub mod operation;
pub mod plugin;
pub mod quota;
pub mod service;
pub mod time;

pub use id::{
    BoardId, ClaimId, CredentialId, DelegationId, FleetId, OperationId, PluginId, ProjectId,
    RoleId, ServiceId, TransferId, UserId,
};
pub use kind::Kind;
pub use name::Name;
pub use time::Timestamp;

/// A value was not valid; the text says what was wrong and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct Invalid(pub String);

impl Invalid {
    /// From any text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(text.into())
    }
}
