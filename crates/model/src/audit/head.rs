//! Signed heads: the cloud's word for how the log looked at a moment; and the lines of an export.

use super::{Digest, Row};
use crate::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

const DOMAIN: &[u8] = b"s4t-audit-head-1\n";

/// A head, signed with the cloud's key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditHead)]
pub struct Head {
    /// How many rows there were; also the number of the last one.
    pub size: u64,
    /// When it was signed.
    pub at: Timestamp,
    /// Root of the Merkle tree (RFC 9162) over the rows' hashes.
    pub root: Digest,
    /// Hash of the last row.
    pub chain: Digest,
    /// The public key of the cloud, base64url.
    pub key: String,
    /// Ed25519 signature, base64url, over [`Head::message`].
    pub signature: String,
}

impl Head {
    /// What is signed: `s4t-audit-head-1` and a line feed, size and time (8 bytes each, big-endian), root, chain.
    #[must_use]
    pub fn message(&self) -> Vec<u8> {
        let mut bytes = DOMAIN.to_vec();
        bytes.extend_from_slice(&self.size.to_be_bytes());
        bytes.extend_from_slice(&self.at.micros().to_be_bytes());
        bytes.extend_from_slice(&self.root.0);
        bytes.extend_from_slice(&self.chain.0);
        bytes
    }
}

/// Where a log begins whose oldest rows are not kept any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditBase)]
pub struct Base {
    /// A head that covers at least all rows that are not kept.
    pub head: Head,
    /// The roots of the complete subtrees at that head, largest first.
    pub peaks: Vec<Digest>,
}

/// The first line of an export.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditStart)]
pub struct Start {
    /// Number of the first row that follows.
    pub first: u64,
    /// What stands for the rows before, when there were any.
    pub base: Option<Base>,
    /// The public key of the cloud, base64url.
    pub key: String,
}

/// A line of an export: one [`Line::Start`], then rows in order, each head before the last row that it covers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Line {
    /// Where it begins.
    Start(Start),
    /// A row.
    Row(Row),
    /// A head.
    Head(Head),
}
