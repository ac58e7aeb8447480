//! What a handler says, in upstream's words: a message and how it went.
//!
//! Invariant: the text has no members beside upstream's three, which its cloud would stumble over.

use rpc::Envelope;
use rpc::envelope::Verdict;
use serde_json::Value;

/// Largest answer: what fits a message of the router with its own limits.
pub(super) const MAX_ANSWER: usize = 1 << 20;

/// An answer without its request.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Reply {
    pub(super) verdict: Verdict,
    pub(super) message: Value,
}

impl Reply {
    pub(super) fn success(message: impl Into<Value>) -> Self {
        Self { verdict: Verdict::Success, message: message.into() }
    }

    pub(super) fn warning(message: impl Into<Value>) -> Self {
        Self { verdict: Verdict::Warning, message: message.into() }
    }

    pub(super) fn error(message: impl Into<Value>) -> Self {
        Self { verdict: Verdict::Error, message: message.into() }
    }

    pub(super) fn running(message: impl Into<Value>) -> Self {
        Self { verdict: Verdict::Running, message: message.into() }
    }

    /// The text on the wire, for the request that was asked with.
    pub(super) fn to_text(&self, request: Option<&str>) -> String {
        let envelope = |message: Value, result| Envelope {
            message,
            result,
            req_id: request.map(str::to_owned),
            kind: None,
        };
        let text = envelope(self.message.clone(), self.verdict).to_text();
        if text.len() <= MAX_ANSWER {
            return text;
        }
        let why = format!("the answer is larger than {MAX_ANSWER} bytes; ask for less");
        envelope(why.into(), Verdict::Error).to_text()
    }
}

/// A refusal.
impl From<String> for Reply {
    fn from(why: String) -> Self {
        Self::error(why)
    }
}

impl From<Result<Self, String>> for Reply {
    fn from(result: Result<Self, String>) -> Self {
        result.unwrap_or_else(Self::error)
    }
}
