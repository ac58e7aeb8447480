//! `/v1`: upstream's API, microversion 1.0, frozen. A thin translation over the same use cases as `/v2`; what differs from
//! upstream on purpose stands in `docs/compatibility.md`, and a test reads it there.
//!
//! Invariant: nothing is decided here that `app` does not decide; a path answers the same with and without `/v1` in front and
//! `/` behind. Deliberately not here: legacy boards (floor `boards`), and routes of capabilities that do not exist yet
//! ([`ports`], [`webservices`] answer as upstream does where they are not configured).

mod actions;
mod boards;
mod body;
mod exposures;
mod fault;
mod fleets;
mod injections;
mod page;
mod plugins;
mod ports;
mod requests;
mod root;
pub(crate) mod routes;
mod services;
mod version;
mod view;
mod webservices;

pub(crate) use fault::{no_method, no_path, write};
pub(crate) use root::version as document;
pub(crate) use version::mark;

use super::MAX_BODY;
use super::extract::too_large;
use axum::body::{Body, HttpBody as _};
use axum::extract::Request;
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};

/// First segments of paths that upstream serves without a version too.
const UNVERSIONED: [&str; 8] = [
    "boards",
    "plugins",
    "services",
    "fleets",
    "ports",
    "webservices",
    "enabledwebservices",
    "requests",
];

/// Whether a path is one of upstream's.
pub(crate) fn owns(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    first == "v1" || UNVERSIONED.contains(&first)
}

/// Around each of upstream's requests: the version is negotiated, after the body was read. Upstream's client asks again on the
/// same connection when it is refused, and would find it closed if a part of the body were still on its way.
pub(crate) async fn frame(request: Request, next: Next) -> Response {
    let refused = version::refused(request.headers());
    let (parts, body) = request.into_parts();
    if body.size_hint().lower() > MAX_BODY as u64 {
        return too_large().into_response();
    }
    let Ok(bytes) = axum::body::to_bytes(body, MAX_BODY).await else {
        return too_large().into_response();
    };
    match refused {
        Some(refused) => refused,
        None => next.run(Request::from_parts(parts, Body::from(bytes))).await,
    }
}

/// All paths at which a route answers: upstream's with and without version, with and without a slash behind.
pub(crate) fn paths(path: &'static str) -> Vec<String> {
    match path.strip_prefix("/v1") {
        None => vec![path.to_owned()],
        Some("") => vec![path.to_owned(), format!("{path}/")],
        Some(rest) => {
            vec![path.to_owned(), format!("{path}/"), rest.to_owned(), format!("{rest}/")]
        }
    }
}
