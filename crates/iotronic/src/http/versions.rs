//! What is asked before anything else: which versions there are, whether the cloud lives, whether it can work.

use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure};
use crate::http::{ui, v1};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::{IntoResponse as _, Response};
use model::Kind;
use serde_json::{Value, json};

/// `GET /`: upstream's version document; a browser is led on.
pub(crate) async fn root(State(cloud): State<Cloud>, headers: HeaderMap) -> Response {
    if let Some(led_on) = ui::for_browsers(&headers) {
        return led_on;
    }
    Json(json!({
        "name": "Stack4Things",
        "description": "Makes devices part of the cloud, wherever they are.",
        "versions": [v1::document(&cloud), v2_of(&cloud)],
        "default_version": v1::document(&cloud),
    }))
    .into_response()
}

/// `GET /v2`.
pub(crate) async fn v2(State(cloud): State<Cloud>) -> Json<Value> {
    let mut version = v2_of(&cloud);
    if let Some(members) = version.as_object_mut() {
        members.insert("openapi".into(), format!("{}/v2/openapi.json", cloud.public_url).into());
        members.insert("docs".into(), format!("{}/v2/docs", cloud.public_url).into());
    }
    Json(version)
}

fn v2_of(cloud: &Cloud) -> Value {
    json!({
        "id": "v2",
        "status": "CURRENT",
        "version": env!("CARGO_PKG_VERSION"),
        "min_version": "",
        "links": [{ "rel": "self", "href": format!("{}/v2", cloud.public_url) }],
    })
}

/// `GET /livez`: the process answers.
pub(crate) async fn livez() -> &'static str {
    "ok\n"
}

/// `GET /readyz`: the store answers too, and takes what is written.
pub(crate) async fn readyz(State(cloud): State<Cloud>) -> Answer<&'static str> {
    if let Err(error) = store::events::first_seq(&cloud.store).await {
        tracing::error!(%error, "not ready: the store does not answer");
        return Err(Failure::new(Kind::Unreachable, "the store does not answer"));
    }
    if let Err(error) = cloud.store.takes_writes().await {
        tracing::error!(%error, "not ready: the store takes no writes");
        let text = format!("the store answers and takes no writes: {error}");
        return Err(Failure::new(Kind::Unreachable, text));
    }
    Ok("ok\n")
}
