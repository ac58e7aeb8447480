//! Where people are when they are not here: with a Keystone in the place of our own identity service, everything below
//! `/identity/v3` is there, and so clients are led.

use crate::cloud::Cloud;
use axum::Json;
use axum::extract::{Request, State};
use axum::http::{StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use serde_json::json;

/// What is there and not here; discovery stays.
const BELOW: &str = "/identity/v3/";

/// Leads to the Keystone, method and body unchanged (RFC 9110, section 15.4.8).
pub(crate) async fn lead(State(cloud): State<Cloud>, request: Request, next: Next) -> Response {
    let (uri, keystone) = (request.uri(), cloud.sign_in.keystone());
    let rest = uri.path().strip_prefix(BELOW).filter(|rest| !rest.is_empty());
    let (Some(keystone), Some(rest)) = (keystone, rest) else { return next.run(request).await };
    let query = uri.query().map(|query| format!("?{query}")).unwrap_or_default();
    let there = format!("{}/{rest}{query}", keystone.url());
    let text = format!("people of this cloud are in the Keystone at {}; ask there", keystone.url());
    let body = json!({ "error": { "code": 307, "title": "Temporary Redirect", "message": text } });
    (StatusCode::TEMPORARY_REDIRECT, [(header::LOCATION, there)], Json(body)).into_response()
}
