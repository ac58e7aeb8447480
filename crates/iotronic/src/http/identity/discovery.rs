//! What keystoneauth asks before it signs in: which versions there are, and where; with a Keystone elsewhere, there.

use crate::cloud::Cloud;
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use serde_json::{Value, json};

/// The version whose shapes are spoken.
fn version(cloud: &Cloud) -> Value {
    let href = match cloud.sign_in.keystone() {
        Some(keystone) => format!("{}/", keystone.url()),
        None => format!("{}/identity/v3/", cloud.public_url),
    };
    json!({
        "id": "v3.14",
        "status": "stable",
        "updated": "2020-04-07T00:00:00Z",
        "links": [{ "rel": "self", "href": href }],
        "media-types": [{ "base": "application/json", "type": "application/vnd.openstack.identity-v3+json" }],
    })
}

/// `GET /identity`: 300, as Keystone answers.
pub(crate) async fn versions(State(cloud): State<Cloud>) -> Response {
    let body = json!({ "versions": { "values": [version(&cloud)] } });
    (StatusCode::MULTIPLE_CHOICES, Json(body)).into_response()
}

/// `GET /identity/v3`.
pub(crate) async fn v3(State(cloud): State<Cloud>) -> Json<Value> {
    Json(json!({ "version": version(&cloud) }))
}
