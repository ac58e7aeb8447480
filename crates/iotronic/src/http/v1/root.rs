//! `/v1` itself, and its entry in the document of versions.

use super::version::ONLY;
use crate::cloud::Cloud;
use axum::Json;
use axum::extract::State;
use serde_json::{Map, Value, json};

/// The resources that the document names; upstream leaves the others out.
const NAMED: [&str; 5] = ["boards", "plugins", "ports", "services", "webservices"];

/// `GET /v1`.
pub(super) async fn show(State(cloud): State<Cloud>) -> Json<Value> {
    let base = &cloud.public_url;
    let mut members = Map::from_iter([("id".to_owned(), Value::from("v1"))]);
    for name in NAMED {
        let links = json!([
            { "href": format!("{base}/v1/{name}/"), "rel": "self" },
            { "href": format!("{base}/{name}/"), "rel": "bookmark" },
        ]);
        members.insert(name.to_owned(), links);
    }
    Json(Value::Object(members))
}

/// The version, as `GET /` shows it.
pub(crate) fn version(cloud: &Cloud) -> Value {
    json!({
        "id": "v1",
        "links": [{ "href": format!("{}/v1/", cloud.public_url), "rel": "self" }],
        "min_version": ONLY,
        "status": "CURRENT",
        "version": ONLY,
    })
}
