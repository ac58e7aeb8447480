//! The audit: who changed rights, commanded boards and reached their services, in a chain of hashes.
//!
//! Rows, heads and the lines of an export are `model::audit`'s, so that whoever checks them reads exactly what was hashed.

use crate::page::Direction;
use model::{ProjectId, Timestamp, UserId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

pub use model::audit::{Base, Head, Known, Line, Row, Start};

/// Path of the rows.
pub const PATH: &str = "/v2/audit";
/// Path of the signed heads.
pub const HEADS: &str = "/v2/audit/heads";
/// Path of the proof that one head goes on from another.
pub const CONSISTENCY: &str = "/v2/audit/consistency";
/// Path of the counts of reads.
pub const READS: &str = "/v2/audit/reads";
/// Path of the whole log as lines of JSON.
pub const EXPORT: &str = "/v2/audit/export";
/// Path of erasing.
pub const ERASE: &str = "/v2/audit/erase";

/// Which rows.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct Filter {
    /// By this actor: the id of a user or of a board.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// With this verb (`role:assign`); `role:*` for all that begin so.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verb: Option<String>,
    /// About this subject: an id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subject: Option<String>,
    /// In this project (for those who see several).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub project: Option<String>,
    /// Not before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub since: Option<Timestamp>,
    /// Before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub until: Option<Timestamp>,
    /// `asc` for the oldest first (default), `desc` for the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub order: Option<Direction>,
    /// At most so many, 1 to 1000 (default 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

/// Which heads.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct HeadFilter {
    /// `asc` for the smallest first (default), `desc` for the newest.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[param(inline)]
    pub order: Option<Direction>,
    /// At most so many, 1 to 1000 (default 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
    /// The `next` of the page before.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub marker: Option<String>,
}

/// In which head.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct In {
    /// Size of a signed head (default the newest one).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub size: Option<u64>,
}

/// Proof that a row is in the log of a head (RFC 9162, 2.1.3).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditProof)]
pub struct Proof {
    /// Number of the row; its leaf is one less.
    pub seq: u64,
    /// Size of the head.
    pub size: u64,
    /// Hash of the row.
    pub hash: String,
    /// The hashes of the path, 32 bytes each, one after the other, base64url.
    pub path: String,
}

/// Between which heads.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Between {
    /// Size of the older head.
    pub from: u64,
    /// Size of the newer one.
    pub to: u64,
}

/// Proof that the log of one head is the beginning of that of another (RFC 9162, 2.1.4).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditConsistency)]
pub struct Consistency {
    /// Size of the older head.
    pub from: u64,
    /// Size of the newer one.
    pub to: u64,
    /// The hashes of the path, 32 bytes each, one after the other, base64url.
    pub path: String,
}

/// Whose personal values to erase: one of the two.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
#[schema(as = AuditErase)]
pub struct Erase {
    /// Everything about this user (id or name).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
    /// This value wherever it stands, such as an address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub value: Option<String>,
}

/// What was erased.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditErased)]
pub struct Erased {
    /// How many values.
    pub erased: u64,
}

/// Which counts of reads.
#[derive(Debug, Clone, Default, Serialize, Deserialize, IntoParams)]
#[serde(deny_unknown_fields, default)]
#[into_params(parameter_in = Query)]
pub struct ReadFilter {
    /// By this user (id).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// At most so many, 1 to 1000 (default 100).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub limit: Option<u32>,
}

/// How often somebody did something that changes nothing, within an hour.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditReads)]
pub struct Reads {
    /// The hour's begin.
    pub hour: Timestamp,
    /// In which project.
    pub project: ProjectId,
    /// Who.
    pub actor: UserId,
    /// That person's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub actor_name: Option<String>,
    /// What, `type:operation`.
    pub verb: String,
    /// How often.
    pub times: u64,
}
