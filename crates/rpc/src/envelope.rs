//! Upstream's WampMessage: the one positional result of every call, a JSON text
//! `{"message": …, "result": "SUCCESS|ERROR|WARNING|RUNNING", "req_id": "<uuid>"?}`. Ours adds `kind` to errors.

use crate::Fault;
use model::Kind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// How a call went, in upstream's words.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "UPPERCASE")]
pub enum Verdict {
    /// Done.
    Success,
    /// Not done.
    Error,
    /// Done or not needed, with a remark.
    Warning,
    /// Begun; the result comes later by `notify_result` (upstream boards only).
    Running,
}

/// The answer to a call.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Envelope {
    /// Text (upstream) or any JSON value.
    pub message: Value,
    /// How it went.
    pub result: Verdict,
    /// The request it answers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub req_id: Option<String>,
    /// What sort of failure, for errors of native peers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<FaultKind>,
}

/// A [`Kind`], or `cancelled` and `unknown`, which end an operation without being failures of a kind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum FaultKind {
    /// A failure of this kind.
    Kind(Kind),
    /// No failure, and no success either.
    End(End),
}

/// Ends that are neither success nor failure.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    /// Stopped on request.
    Cancelled,
    /// The board died while at it.
    Unknown,
}

impl Envelope {
    /// A success with this value.
    #[must_use]
    pub fn success(message: Value) -> Self {
        Self { message, result: Verdict::Success, req_id: None, kind: None }
    }

    /// A failure.
    #[must_use]
    pub fn fault(fault: &Fault) -> Self {
        let kind = Some(FaultKind::Kind(fault.kind));
        Self { message: fault.message.clone().into(), result: Verdict::Error, req_id: None, kind }
    }

    /// An end that is neither.
    #[must_use]
    pub fn end(end: End, message: &str) -> Self {
        let kind = Some(FaultKind::End(end));
        Self { message: message.into(), result: Verdict::Error, req_id: None, kind }
    }

    /// The JSON text that goes over the wire.
    #[must_use]
    pub fn to_text(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads what a peer sent: the text, or the object itself where a peer sends that.
    ///
    /// # Errors
    /// It is not a WampMessage.
    pub fn parse(value: &Value) -> Result<Self, Fault> {
        let garbage = |_| {
            Fault::new(
                Kind::Internal,
                "the board answered something that is not a WampMessage; update its agent",
            )
        };
        match value {
            Value::String(text) => serde_json::from_str(text).map_err(garbage),
            other => Self::deserialize(other).map_err(garbage),
        }
    }

    /// The value of a success or warning, the fault of an error.
    ///
    /// # Errors
    /// The peer's fault; `unknown` and `cancelled` ends come as [`Kind::Internal`] and [`Kind::Conflict`].
    pub fn into_value(self) -> Result<Value, Fault> {
        let text = match &self.message {
            Value::String(text) => text.clone(),
            other => other.to_string(),
        };
        match (self.result, self.kind) {
            (Verdict::Success | Verdict::Warning | Verdict::Running, _) => Ok(self.message),
            (Verdict::Error, Some(FaultKind::Kind(kind))) => Err(Fault::new(kind, text)),
            (Verdict::Error, Some(FaultKind::End(End::Cancelled))) => {
                Err(Fault::new(Kind::Conflict, text))
            }
            (Verdict::Error, Some(FaultKind::End(End::Unknown)) | None) => {
                Err(Fault::new(Kind::Internal, text))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn upstreams_answers_are_read_and_ours_add_a_kind() {
        let upstream = Value::String(r#"{"message":"hi","result":"SUCCESS","req_id":"r"}"#.into());
        assert_eq!(Envelope::parse(&upstream).unwrap().into_value().unwrap(), "hi");
        let fault = Fault::new(Kind::NotFound, "no such plugin");
        let text = Envelope::fault(&fault).to_text();
        assert!(text.contains(r#""kind":"not_found""#), "{text}");
        assert_eq!(Envelope::parse(&text.into()).unwrap().into_value().unwrap_err(), fault);
        let end = Envelope::end(End::Unknown, "died").to_text();
        assert_eq!(Envelope::parse(&end.into()).unwrap().kind, Some(FaultKind::End(End::Unknown)));
    }

    proptest! {
        #[test]
        fn any_text_is_an_envelope_or_a_fault(text in ".*") {
            let _ = Envelope::parse(&Value::String(text));
        }
    }
}
