//! Delegations: parts of one's rights on a thing, in somebody else's hands, from a time to a time.

use model::delegation::{Hold, Rights};
use model::{DelegationId, ProjectId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Path of the collection.
pub const PATH: &str = "/v2/delegations";

/// A new delegation.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewDelegation)]
pub struct New {
    /// What of: `board:lamp-7`, `fleet:north`, `project:ID`, `plugin:counter`, `service:ssh`, or a plugin or service on one board
    /// alone, `service:ssh@lamp-7`; all but projects by id or name.
    pub resource: String,
    /// Who gets it: a user's id or name.
    pub to: String,
    /// What may be done: names of actions (`plugin_action:call`), `read`, `write` (which includes `read`), or `NOUN:all`,
    /// `all:VERB`, `all:all`.
    pub rights: Vec<String>,
    /// From when (default now).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Timestamp,
    /// How often it may be passed on (default 0).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub depth: Option<u8>,
    /// Whether others may have it at the same time (default `shared`; `exclusive` is a booking).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub hold: Option<Hold>,
    /// The delegation to pass on; found by itself when the thing is somebody else's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub parent: Option<DelegationId>,
}

/// A delegation.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Delegation {
    /// Id.
    pub id: DelegationId,
    /// The one it is a part of; none for the first of a chain.
    pub parent: Option<DelegationId>,
    /// What of, as `NOUN:ID`; a plugin or service on one board alone as `NOUN:ID@BOARD`.
    pub resource: String,
    /// What the thing is called, while it is there.
    #[serde(default)]
    pub resource_name: Option<String>,
    /// The project of the thing.
    pub project: ProjectId,
    /// Who gave it.
    pub delegator: UserId,
    /// What they are called.
    #[serde(default)]
    pub delegator_name: Option<String>,
    /// Who has it.
    pub delegated: UserId,
    /// What they are called.
    #[serde(default)]
    pub delegated_name: Option<String>,
    /// What may be done.
    pub rights: Rights,
    /// From when.
    pub from: Timestamp,
    /// Until when.
    pub until: Timestamp,
    /// How often it may be passed on.
    pub depth: u8,
    /// Whether others may have the thing at the same time.
    pub hold: Hold,
    /// When it was made.
    pub created_at: Timestamp,
    /// When it was taken back, if it was.
    pub revoked_at: Option<Timestamp>,
    /// By whom; none when the thing itself was given up or moved.
    pub revoked_by: Option<UserId>,
}

/// Which delegations.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// `mine`: given or held by oneself, in any project; without it, those of the own project's things.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub of: Option<Of>,
    /// Of this thing, as `NOUN:ID`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resource: Option<String>,
    /// Also those that were revoked or are over.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub past: Option<bool>,
    /// Most of one page.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

/// Whose delegations.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// Given or held by oneself.
    Mine,
}

/// What a revocation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Revoked {
    /// How many delegations: it and those that rested on it.
    pub ended: u64,
}
