//! The one table of error kinds: every error that leaves a process maps to one of these, and the kind alone fixes the REST
//! status, the board's fault, the exit code of the command line and the metric label.

use serde::{Deserialize, Serialize};
use std::fmt;
use utoipa::ToSchema;

/// What sort of failure it was, seen by the one who asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// The request itself is wrong; the same request will always fail.
    Invalid,
    /// Who asks is not known.
    Unauthenticated,
    /// Who asks is known and may not.
    Forbidden,
    /// It does not exist, or the one who asks may not see it.
    NotFound,
    /// The state of things does not allow it now.
    Conflict,
    /// The other side (a board, a port) cannot be reached now.
    Unreachable,
    /// It took longer than allowed.
    Timeout,
    /// A limit is reached.
    Exhausted,
    /// A defect or a broken machine on our side.
    Internal,
}

impl Kind {
    /// All kinds, in the order of the table.
    pub const ALL: [Self; 9] = [
        Self::Invalid,
        Self::Unauthenticated,
        Self::Forbidden,
        Self::NotFound,
        Self::Conflict,
        Self::Unreachable,
        Self::Timeout,
        Self::Exhausted,
        Self::Internal,
    ];

    /// HTTP status (RFC 9110).
    #[must_use]
    pub fn status(self) -> u16 {
        match self {
            Self::Invalid => 400,
            Self::Unauthenticated => 401,
            Self::Forbidden => 403,
            Self::NotFound => 404,
            Self::Conflict => 409,
            Self::Unreachable => 503,
            Self::Timeout => 504,
            Self::Exhausted => 429,
            Self::Internal => 500,
        }
    }

    /// Exit code of `s4t` and of one-shot commands of the other programs; 0 is success, 2 is clap's usage error.
    #[must_use]
    pub fn exit_code(self) -> u8 {
        match self {
            Self::Internal => 1,
            Self::Invalid => 3,
            Self::Unauthenticated => 4,
            Self::Forbidden => 5,
            Self::NotFound => 6,
            Self::Conflict => 7,
            Self::Unreachable => 8,
            Self::Timeout => 9,
            Self::Exhausted => 10,
        }
    }

    /// The word used in problem bodies, faults and metric labels.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Invalid => "invalid",
            Self::Unauthenticated => "unauthenticated",
            Self::Forbidden => "forbidden",
            Self::NotFound => "not_found",
            Self::Conflict => "conflict",
            Self::Unreachable => "unreachable",
            Self::Timeout => "timeout",
            Self::Exhausted => "exhausted",
            Self::Internal => "internal",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn every_kind_has_its_own_status_exit_code_and_word() {
        let statuses: HashSet<_> = Kind::ALL.iter().map(|kind| kind.status()).collect();
        let codes: HashSet<_> = Kind::ALL.iter().map(|kind| kind.exit_code()).collect();
        assert_eq!((statuses.len(), codes.len()), (Kind::ALL.len(), Kind::ALL.len()));
        for kind in Kind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.word());
        }
    }
}
