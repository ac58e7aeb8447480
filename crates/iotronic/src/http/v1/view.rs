//! How things look to upstream's clients: flat objects of named fields, links, times with an offset.

use crate::cloud::Cloud;
use model::Timestamp;
use serde_json::{Map, Value, json};
use std::fmt::Display;

/// An object's fields.
pub(super) type Fields = Map<String, Value>;

/// The fields of `value`, which is an object literal.
pub(super) fn fields(value: Value) -> Fields {
    match value {
        Value::Object(fields) => fields,
        other => Fields::from_iter([("value".to_owned(), other)]),
    }
}

/// A time as upstream writes it: with an offset, not with `Z`.
pub(super) fn time(at: Timestamp) -> Value {
    let text = at.to_string();
    Value::from(text.strip_suffix('Z').map_or_else(|| text.clone(), |bare| format!("{bare}+00:00")))
}

/// The time of the last change; nothing before the first.
pub(super) fn changed(created_at: Timestamp, updated_at: Timestamp) -> Value {
    if updated_at == created_at { Value::Null } else { time(updated_at) }
}

/// Where a thing is, in its version and in none.
pub(super) fn links(cloud: &Cloud, plural: &str, id: impl Display) -> Value {
    let base = &cloud.public_url;
    json!([
        { "href": format!("{base}/v1/{plural}/{id}"), "rel": "self" },
        { "href": format!("{base}/{plural}/{id}"), "rel": "bookmark" },
    ])
}
