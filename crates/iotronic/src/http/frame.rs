//! The outermost layer around every request: its id, its time limit, its line in the log and in the metrics, and the body of
//! its failure.
//!
//! Invariant: whatever happens inside (a panic included), the client gets an answer in the documented shape.

use crate::cloud::Cloud;
use crate::http::Peer;
use crate::http::answer::Failure;
use crate::http::cors::Cors;
use crate::http::metrics::Counters;
use crate::http::v1;
use axum::Json;
use axum::body::Body;
use axum::extract::{Request, State};
use axum::http::{HeaderValue, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};
use futures_util::FutureExt as _;
use model::Kind;
use serde_json::json;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::{Duration, Instant};
use store::author;
use uuid::Uuid;

/// Carries the request's id.
pub(crate) const REQUEST_ID: &str = "x-request-id";
/// Longest wait that a request may ask for on top of its time.
const LONGEST_WAIT: Duration = Duration::from_secs(api::operations::MAX_WAIT_S as u64);

/// What the frame needs.
#[derive(Clone)]
pub(crate) struct Frame {
    /// Where requests are counted.
    pub counters: Arc<Counters>,
    /// Longest time for a request.
    pub limit: Duration,
    /// Pages of which origins may ask.
    pub cors: Cors,
}

impl Frame {
    /// For this cloud.
    #[must_use]
    pub(crate) fn new(cloud: &Cloud, counters: Arc<Counters>) -> Self {
        let own = Duration::from_secs(cloud.settings.limits.request_s);
        let cors = Cors::new(&cloud.settings.api.allowed_origins);
        Self { counters, limit: own.saturating_add(LONGEST_WAIT), cors }
    }
}

/// Puts the frame around a request.
pub(crate) async fn frame(State(frame): State<Frame>, request: Request, next: Next) -> Response {
    let began = Instant::now();
    let id = format!("req-{}", Uuid::new_v4());
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let is_v1 = v1::owns(&path);
    let address = request.extensions().get::<Peer>().map(|peer| peer.0.ip().to_string());
    let said = frame.cors.say(request.headers());
    let inside = async {
        match said.preflight(&request) {
            Some(answer) => answer,
            None if is_v1 => v1::frame(request, next).await,
            None => next.run(request).await,
        }
    };
    let inside = author::scope(address, inside);
    let inside = AssertUnwindSafe(inside).catch_unwind();
    let mut response = match tokio::time::timeout(frame.limit, inside).await {
        Ok(Ok(response)) => response,
        Ok(Err(_)) => Failure::new(Kind::Internal, "a defect; it is in the log").into_response(),
        Err(_) => {
            Failure::new(Kind::Timeout, "the request took too long; try again").into_response()
        }
    };
    let failure = response.extensions_mut().remove::<Failure>();
    let kind = failure.as_ref().map(|failure| failure.problem.kind);
    if let Some(failure) = failure {
        tracing::debug!(id, %method, path, status = failure.problem.status, detail = failure.problem.detail, "refused");
        response = write(failure, &id, &path, response);
    }
    frame.counters.count(kind, began.elapsed());
    tracing::debug!(id, %method, path, status = response.status().as_u16(), took = ?began.elapsed(), "request");
    if is_v1 {
        v1::mark(&id, &mut response);
    }
    said.write(response.headers_mut());
    finish(response, &id)
}

fn finish(mut response: Response, id: &str) -> Response {
    let headers = response.headers_mut();
    if let Ok(id) = HeaderValue::from_str(id) {
        headers.insert(REQUEST_ID, id);
    }
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.entry(header::CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, private"));
    response
}

fn write(failure: Failure, id: &str, path: &str, bare: Response) -> Response {
    let (parts, _) = bare.into_parts();
    let mut problem = failure.problem.clone();
    let written = if v1::owns(path) {
        Json(v1::write(&failure)).into_response()
    } else if path.starts_with("/identity") {
        // Keystone's shape, because its clients read it.
        let (code, title, message) = (problem.status, &problem.title, &problem.detail);
        Json(json!({ "error": { "code": code, "title": title, "message": message } }))
            .into_response()
    } else {
        problem.request_id = Some(id.to_owned());
        let content_type = [(header::CONTENT_TYPE, "application/problem+json")];
        (content_type, serde_json::to_vec(&problem).unwrap_or_default()).into_response()
    };
    let (written, body) = written.into_parts();
    let mut response = Response::new(Body::new(body));
    *response.status_mut() = parts.status;
    *response.headers_mut() = written.headers;
    for name in [header::RETRY_AFTER, header::ALLOW, header::CONTENT_RANGE] {
        if let Some(value) = parts.headers.get(&name) {
            response.headers_mut().insert(name, value.clone());
        }
    }
    if parts.status == axum::http::StatusCode::UNAUTHORIZED {
        let challenge = HeaderValue::from_static("Keystone uri=\"/identity/v3\"");
        response.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    response
}
