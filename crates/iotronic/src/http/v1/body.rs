//! What requests bring: who asks, and the attributes of a body, checked one by one with upstream's words.
//!
//! Invariant: an attribute that the argument does not have is refused by name; one that people cannot set is ignored, but
//! times, which are refused. Upstream's types are lenient (numbers and truths may come as text), and so are these.

use super::fault::{denied, invalid};
use crate::app::access::Caller;
use crate::cloud::Cloud;
use crate::http::answer::Failure;
use crate::http::extract;
use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use model::Kind;
use serde_json::{Map, Value};

/// Who asks.
pub(super) struct Asker(pub Caller);

impl FromRequestParts<Cloud> for Asker {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Failure> {
        let caller = Caller::from_request_parts(parts, cloud).await;
        caller.map(Self).map_err(|failure| match failure.problem.kind {
            Kind::Forbidden => denied(&failure.problem.detail),
            _ => failure,
        })
    }
}

/// A body as it came; upstream takes any content type.
pub(super) struct Raw(pub Bytes);

impl FromRequest<Cloud> for Raw {
    type Rejection = Failure;

    async fn from_request(request: Request, cloud: &Cloud) -> Result<Self, Failure> {
        extract::bytes(request, cloud).await.map(Self)
    }
}

/// Whether a body makes something or changes it: upstream's names for the argument differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Use {
    /// All attributes of something new.
    Make,
    /// Some of something that is there.
    Change,
}

/// The attributes of a body.
pub(super) struct Attributes {
    argument: &'static str,
    fields: Map<String, Value>,
}

/// Attributes that only the cloud writes.
const READ_ONLY: [&str; 2] = ["created_at", "updated_at"];
const TRUE: [&str; 6] = ["1", "t", "true", "on", "y", "yes"];
const FALSE: [&str; 6] = ["0", "f", "false", "off", "n", "no"];

impl Attributes {
    /// Reads a body whose argument has these attributes.
    pub(super) fn read(
        Raw(bytes): &Raw,
        argument: &'static str,
        known: &[&str],
        usage: Use,
    ) -> Result<Self, Failure> {
        let prefix = if usage == Use::Change { "val_" } else { "" };
        if bytes.is_empty() {
            return Err(invalid(format_args!("Missing argument: \"{prefix}{argument}\"")));
        }
        let value = serde_json::from_slice(bytes)
            .map_err(|_| invalid("Request is not in valid JSON format"))?;
        let Value::Object(fields) = value else {
            return Err(invalid(format_args!(
                "Invalid input for argument {prefix}{argument}: an object is wanted"
            )));
        };
        if let Some(name) = fields.keys().find(|name| !known.contains(&name.as_str())) {
            let text = format!("Unknown attribute for argument {prefix}{argument}: {name}");
            return Err(invalid(text));
        }
        let attributes = Self { argument, fields };
        for name in READ_ONLY {
            if let Some(value) = attributes.fields.get(name) {
                return Err(attributes.wrong(name, value, "Cannot set read only field."));
            }
        }
        Ok(attributes)
    }

    /// Whether the body says anything about it, `null` included.
    pub(super) fn has(&self, name: &str) -> bool {
        self.fields.contains_key(name)
    }

    /// An attribute that is there and not `null`.
    pub(super) fn get(&self, name: &str) -> Option<&Value> {
        self.fields.get(name).filter(|value| !value.is_null())
    }

    /// A text; numbers and truths are read as such.
    pub(super) fn text(&self, name: &str) -> Result<Option<String>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(value @ (Value::Number(_) | Value::Bool(_))) => Ok(Some(value.to_string())),
            Some(value) => Err(self.wrong(name, value, "Value should be text.")),
        }
    }

    /// A text that must be there.
    pub(super) fn wanted(&self, name: &str, label: &str) -> Result<String, Failure> {
        self.text(name)?.ok_or_else(|| invalid(format_args!("{label} is not specified.")))
    }

    /// A truth; upstream knows twelve words for it.
    pub(super) fn truth(&self, name: &str) -> Result<Option<bool>, Failure> {
        let value = match self.get(name) {
            None => return Ok(None),
            Some(Value::Bool(truth)) => return Ok(Some(*truth)),
            Some(Value::String(text)) => text.clone(),
            Some(value) => value.to_string(),
        };
        truth(&value).map(Some)
    }

    /// An object, or the JSON text of one.
    pub(super) fn object(&self, name: &str) -> Result<Option<Value>, Failure> {
        match self.get(name) {
            None => Ok(None),
            Some(value @ Value::Object(_)) => Ok(Some(value.clone())),
            Some(value @ Value::String(text)) => {
                let inner = serde_json::from_str::<Map<String, Value>>(text);
                let inner = inner.map_err(|_| self.wrong(name, value, "An object is wanted."))?;
                Ok(Some(Value::Object(inner)))
            }
            Some(value) => Err(self.wrong(name, value, "An object is wanted.")),
        }
    }

    /// A value that our own types read; they say why it is wrong.
    pub(super) fn typed<T>(&self, name: &str) -> Result<Option<T>, Failure>
    where
        T: std::str::FromStr<Err: std::fmt::Display>,
    {
        let Some(text) = self.text(name)? else { return Ok(None) };
        let parsed = text
            .parse()
            .map_err(|error| self.wrong(name, &Value::String(text), &format!("{error}")));
        parsed.map(Some)
    }

    /// 400: this value of this attribute is wrong.
    pub(super) fn wrong(&self, name: &str, value: &Value, why: &str) -> Failure {
        let shown = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
        let argument = self.argument;
        tracing::debug!(argument, name, "a wrong attribute");
        invalid(format_args!("Invalid input for field/attribute {name}. Value: '{shown}'. {why}"))
    }
}

/// Reads one of upstream's words for yes and no.
pub(super) fn truth(text: &str) -> Result<bool, Failure> {
    let word = text.to_ascii_lowercase();
    match (TRUE.contains(&word.as_str()), FALSE.contains(&word.as_str())) {
        (true, _) => Ok(true),
        (_, true) => Ok(false),
        _ => Err(invalid(format_args!(
            "Unrecognized value '{text}', acceptable values are: '0', '1', 'f', 'false', 'n', 'no', 'off', 'on', \
             't', 'true', 'y', 'yes'"
        ))),
    }
}
