//! The floor that speaks HTTP: reads requests, asks `app`, writes answers, decides nothing. One file for each noun; `routes`
//! is the table of all of them, `frame` and `idempotency` are the layers around them.

pub mod answer;
mod asset;
mod audit;
mod authenticate;
mod boards;
mod bookings;
mod claims;
mod contributions;
mod cookie;
mod cors;
mod delegations;
mod docs;
mod events;
mod extract;
mod fleets;
mod forwards;
mod frame;
mod idempotency;
mod identity;
mod injections;
mod load;
mod logs;
mod map;
mod metrics;
mod offers;
pub mod openapi;
mod operations;
mod page;
mod plugins;
mod quotas;
mod rate;
mod recordings;
mod rights;
pub mod routes;
mod services;
mod session;
mod sse;
mod system;
mod terminals;
mod transfers;
pub mod tunnel;
mod ui;
mod upgrade;
mod v1;
mod versions;
pub mod wamp;

use crate::cloud::Cloud;
use answer::Failure;
use axum::extract::DefaultBodyLimit;
use axum::http::{Method, StatusCode, Uri};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Router, middleware};
use model::Kind;
use std::sync::Arc;

/// Largest body that is read.
pub const MAX_BODY: usize = 1024 * 1024;

/// The address a connection comes from; whoever accepts connections puts it into each request's extensions, so that failed
/// sign-ins can be counted by it.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub std::net::SocketAddr);

/// Marks a request that came by TLS 1.2.
#[derive(Debug, Clone, Copy)]
pub struct Older;

/// The boards' own routes, which TLS 1.2 does not reach.
async fn refuse_older(request: axum::extract::Request, next: middleware::Next) -> Response {
    if request.extensions().get::<Older>().is_some() {
        let text = "boards connect by TLS 1.3; update the agent or what stands in between\n";
        return (StatusCode::FORBIDDEN, text).into_response();
    }
    next.run(request).await
}

/// Everything that is served on the public port. The boards' own routes are outside the frame: they leave HTTP at once.
pub fn router(cloud: Cloud) -> Router {
    let counters = Arc::new(metrics::Counters::default());
    let frame = frame::Frame::new(&cloud, Arc::clone(&counters));
    let rates = Arc::new(rate::Rates::new(&cloud.settings.limits));
    routes::router()
        .fallback(unknown)
        .method_not_allowed_fallback(not_allowed)
        .layer(middleware::from_fn_with_state(cloud.clone(), idempotency::keyed))
        .layer(middleware::from_fn_with_state(cloud.clone(), cookie::slide))
        .layer(middleware::from_fn_with_state(cloud.clone(), identity::elsewhere::lead))
        .layer(Extension(counters))
        .layer(Extension(sse::Places::default()))
        .layer(Extension(terminals::Places::default()))
        .layer(Extension(forwards::Places::default()))
        .layer(Extension(events::Tail::default()))
        .layer(DefaultBodyLimit::max(MAX_BODY))
        .layer(middleware::from_fn_with_state((cloud.clone(), rates), rate::limit))
        .layer(middleware::from_fn_with_state(frame, frame::frame))
        .merge(wamp::routes().merge(tunnel::routes()).layer(middleware::from_fn(refuse_older)))
        .with_state(cloud)
}

async fn unknown(uri: Uri) -> Response {
    if v1::owns(uri.path()) {
        return v1::no_path();
    }
    let path: String = uri.path().chars().take(200).collect();
    Failure::new(Kind::NotFound, format!("there is nothing at {path}; see /v2/docs"))
        .into_response()
}

async fn not_allowed(method: Method, uri: Uri) -> Response {
    if v1::owns(uri.path()) {
        return v1::no_method(&method);
    }
    Failure::new(
        Kind::Invalid,
        "this path does not know this method; see the allow header and /v2/docs",
    )
    .with_status(StatusCode::METHOD_NOT_ALLOWED)
    .into_response()
}
