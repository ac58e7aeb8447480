//! Cross-origin requests: pages of the origins in `api.allowed_origins` may ask and read answers.
//!
//! Invariant: an origin that is not listed gets no header of this, and its preflight no other answer than without it; with
//! nothing listed nothing is ever added. Answers never allow credentials: tokens of other pages travel in a header, and the
//! cookie of the own pages is none of theirs.
//! Deliberately not here: routes that boards open, which no page has business with.

use crate::settings::Origins;
use axum::body::Body;
use axum::extract::Request;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use axum::response::Response;
use std::sync::Arc;

const METHODS: HeaderValue = HeaderValue::from_static("GET, PUT, POST, DELETE, PATCH");
/// What a page may send.
const ALLOWED: HeaderValue = HeaderValue::from_static(
    "Accept, Authorization, Content-Type, Idempotency-Key, If-Match, Last-Event-ID, X-Auth-Token, \
     X-OpenStack-Iotronic-API-Version, X-Subject-Token",
);
/// What a page may read.
const EXPOSED: HeaderValue = HeaderValue::from_static(
    "ETag, Idempotency-Replayed, Location, OpenStack-Request-ID, Retry-After, X-OpenStack-Iotronic-API-Maximum-Version, \
     X-OpenStack-Iotronic-API-Minimum-Version, X-OpenStack-Iotronic-API-Version, X-Request-ID, X-Subject-Token",
);
/// Seconds for which a browser may remember a preflight, as upstream says.
const MAX_AGE: HeaderValue = HeaderValue::from_static("3600");
const EVERYBODY: HeaderValue = HeaderValue::from_static("*");

/// Who may.
#[derive(Clone)]
pub(crate) struct Cors(Arc<Origins>);

/// What is said to the one who asks.
pub(crate) struct Said {
    origin: Option<HeaderValue>,
    varies: Varies,
}

/// Whether the answer depends on who asks, which caches must know.
#[derive(PartialEq)]
enum Varies {
    ByOrigin,
    Never,
}

impl Cors {
    /// By these settings.
    #[must_use]
    pub(crate) fn new(origins: &Origins) -> Self {
        Self(Arc::new(origins.clone()))
    }

    /// What the asking page is told.
    #[must_use]
    pub(crate) fn say(&self, headers: &HeaderMap) -> Said {
        if self.0.is_empty() {
            return Said { origin: None, varies: Varies::Never };
        }
        let origin = headers.get(header::ORIGIN);
        if self.0.all() {
            return Said { origin: origin.map(|_| EVERYBODY), varies: Varies::Never };
        }
        let named = origin.filter(|origin| origin.to_str().is_ok_and(|it| self.0.names(it)));
        Said { origin: named.cloned(), varies: Varies::ByOrigin }
    }
}

impl Said {
    /// The answer, if a browser asks ahead for a page that may; without a token, which browsers do not send then.
    #[must_use]
    pub(crate) fn preflight(&self, request: &Request) -> Option<Response> {
        let asks = request.method() == Method::OPTIONS
            && request.headers().contains_key(header::ACCESS_CONTROL_REQUEST_METHOD);
        if !asks || self.origin.is_none() {
            return None;
        }
        let mut response = Response::new(Body::empty());
        let headers = response.headers_mut();
        headers.insert(header::ACCESS_CONTROL_ALLOW_METHODS, METHODS);
        headers.insert(header::ACCESS_CONTROL_ALLOW_HEADERS, ALLOWED);
        headers.insert(header::ACCESS_CONTROL_MAX_AGE, MAX_AGE);
        Some(response)
    }

    /// Writes it on an answer.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        if self.varies == Varies::ByOrigin {
            headers.append(header::VARY, HeaderValue::from_static("origin"));
        }
        if let Some(origin) = self.origin {
            headers.insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, origin);
            headers.insert(header::ACCESS_CONTROL_EXPOSE_HEADERS, EXPOSED);
        }
    }
}
