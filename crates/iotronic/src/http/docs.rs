//! `/v2/docs`: the OpenAPI document as pages to browse, of our own files alone.

use crate::http::openapi;
use axum::http::{HeaderMap, header};
use axum::response::{IntoResponse as _, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use std::sync::LazyLock;

/// Nothing but our own files, and nobody may frame the page.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// A file that is the same for everybody until the program changes.
struct Asset {
    kind: &'static str,
    text: String,
    tag: String,
}

impl Asset {
    fn new(kind: &'static str, text: impl Into<String>) -> Self {
        let text = text.into();
        let hash = URL_SAFE_NO_PAD.encode(Sha256::digest(&text));
        Self { kind, tag: format!("\"{hash}\""), text }
    }

    fn answer(&'static self, request: &HeaderMap) -> Response {
        let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
        let headers = [
            (header::CONTENT_TYPE, self.kind),
            (header::ETAG, self.tag.as_str()),
            (header::CACHE_CONTROL, "no-cache"),
            (header::CONTENT_SECURITY_POLICY, POLICY),
            (header::REFERRER_POLICY, "no-referrer"),
        ];
        if known == Some(&self.tag) {
            return (axum::http::StatusCode::NOT_MODIFIED, headers).into_response();
        }
        (headers, self.text.as_str()).into_response()
    }
}

static DOCUMENT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("application/json", openapi::document()));
static PAGE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("text/html; charset=utf-8", include_str!("docs/index.html")));
static SCRIPT: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("text/javascript; charset=utf-8", include_str!("docs/docs.js")));
static STYLE: LazyLock<Asset> =
    LazyLock::new(|| Asset::new("text/css; charset=utf-8", include_str!("docs/docs.css")));

/// The OpenAPI document.
pub(crate) async fn document(headers: HeaderMap) -> Response {
    DOCUMENT.answer(&headers)
}

/// The page.
pub(crate) async fn page(headers: HeaderMap) -> Response {
    PAGE.answer(&headers)
}

/// Its script.
pub(crate) async fn script(headers: HeaderMap) -> Response {
    SCRIPT.answer(&headers)
}

/// Its style.
pub(crate) async fn style(headers: HeaderMap) -> Response {
    STYLE.answer(&headers)
}
