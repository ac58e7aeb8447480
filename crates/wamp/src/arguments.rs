//! Application values: what a call carries, what it answers, how it fails.
//!
//! Binary values follow WAMP's JSON convention in every serialiser: a string of `"\0"` and base64.

use serde_json::Value;

/// A dictionary of the protocol: options, details, extras, keyword arguments.
pub type Dict = serde_json::Map<String, Value>;

/// Positional and keyword arguments of a call, an event, a result or an error.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Arguments {
    /// Positional arguments.
    pub list: Vec<Value>,
    /// Keyword arguments.
    pub keywords: Dict,
}

impl Arguments {
    /// Positional arguments alone.
    pub fn list(list: Vec<Value>) -> Self {
        Self { list, keywords: Dict::new() }
    }

    /// One positional argument.
    pub fn one(value: impl Into<Value>) -> Self {
        Self::list(vec![value.into()])
    }

    /// Keyword arguments alone.
    pub fn keywords(keywords: Dict) -> Self {
        Self { list: Vec::new(), keywords }
    }

    /// Whether there is nothing in it.
    pub fn is_empty(&self) -> bool {
        self.list.is_empty() && self.keywords.is_empty()
    }
}

/// A failure that travels: an error URI and what explains it.
#[derive(Debug, Clone, PartialEq, thiserror::Error)]
#[error("{uri}: {}", self.text())]
pub struct Fault {
    /// The error's URI.
    pub uri: String,
    /// What explains it; by convention the first positional argument is a text.
    pub arguments: Arguments,
}

impl Fault {
    /// A fault with a text for people.
    pub fn new(uri: impl Into<String>, text: impl Into<String>) -> Self {
        Self { uri: uri.into(), arguments: Arguments::one(text.into()) }
    }

    /// The text for people, empty if there is none.
    pub fn text(&self) -> &str {
        self.arguments.list.first().and_then(Value::as_str).unwrap_or_default()
    }
}
