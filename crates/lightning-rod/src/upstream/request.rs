//! The request object that upstream's cloud puts in front of a call's arguments.
//!
//! Invariant: any arguments give a request and the rest; what is missing or odd in it counts as absent, because upstream's own
//! versions differ there.

use serde_json::Value;

/// Longest id that is given back.
const MAX_ID: usize = 64;

/// What matters of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Request {
    /// Goes back with the answer.
    pub(super) id: Option<String>,
    /// The larger request that this one belongs to.
    pub(super) main: Option<String>,
}

/// Takes the request from the front of a call's arguments.
pub(super) fn split(arguments: &[Value]) -> (Request, &[Value]) {
    match arguments.split_first() {
        // A row of requests has a destination; arguments that begin with an object have none.
        Some((Value::Object(row), rest))
            if row.contains_key("destination_uuid") || is_bare(row) =>
        {
            let text = |name: &str| row.get(name).and_then(Value::as_str).and_then(id);
            (Request { id: text("uuid"), main: text("main_request_uuid") }, rest)
        }
        _ => (Request::default(), arguments),
    }
}

/// A request of a minimal caller: an id and perhaps its group, and nothing a plugin or service would have.
fn is_bare(row: &serde_json::Map<String, Value>) -> bool {
    row.contains_key("uuid") && !row.contains_key("name")
}

fn id(text: &str) -> Option<String> {
    (text.len() <= MAX_ID).then(|| text.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_request_is_told_from_the_arguments_of_those_who_send_none() {
        let row = json!({"uuid": "r", "destination_uuid": "b", "main_request_uuid": null, "id": 7});
        assert_eq!(split(&[row, json!({})]).0, Request { id: Some("r".into()), main: None });
        let plugin = json!({"uuid": "p", "name": "plugin", "code": "V\np0\n."});
        let list = [plugin, json!(true)];
        assert_eq!(split(&list), (Request::default(), &list[..]));
        assert_eq!(split(&[]), (Request::default(), &[][..]));
        let list = [json!({"uuid": 5, "main_request_uuid": "m"}), json!("x")];
        let (request, rest) = split(&list);
        assert_eq!((request.id, request.main, rest.len()), (None, Some("m".into()), 1));
    }
}
