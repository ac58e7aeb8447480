//! The body of every error (RFC 9457, `application/problem+json`).

use model::Kind;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What was wrong and how to mend it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Problem {
    /// `about:blank`; the kind says more.
    #[serde(rename = "type")]
    pub type_uri: String,
    /// The status's standard phrase.
    pub title: String,
    /// HTTP status.
    pub status: u16,
    /// What sort of failure; fixes the status.
    pub kind: Kind,
    /// What was wrong, with what, and how to mend it.
    pub detail: String,
    /// Id of this request, also in the log and in the `x-request-id` header.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub request_id: Option<String>,
}

impl Problem {
    /// A problem of this kind.
    #[must_use]
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self {
            type_uri: "about:blank".into(),
            title: title(kind).into(),
            status: kind.status(),
            kind,
            detail: detail.into(),
            request_id: None,
        }
    }
}

fn title(kind: Kind) -> &'static str {
    match kind {
        Kind::Invalid => "Bad Request",
        Kind::Unauthenticated => "Unauthorized",
        Kind::Forbidden => "Forbidden",
        Kind::NotFound => "Not Found",
        Kind::Conflict => "Conflict",
        Kind::Unreachable => "Service Unavailable",
        Kind::Timeout => "Gateway Timeout",
        Kind::Exhausted => "Too Many Requests",
        Kind::Internal => "Internal Server Error",
    }
}
