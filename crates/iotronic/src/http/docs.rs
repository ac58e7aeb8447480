//! `/v2/docs`: the OpenAPI document as pages to browse, of our own files alone.

use crate::http::asset::{Asset, Keep};
use crate::http::openapi;
use axum::http::{HeaderMap, HeaderValue};
use axum::response::Response;
use std::sync::LazyLock;

/// Nothing but our own files, and nobody may frame the page.
const POLICY: HeaderValue = HeaderValue::from_static(
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; \
     base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
);

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
    DOCUMENT.answer(&headers, Keep::Asking, &POLICY)
}

/// The page.
pub(crate) async fn page(headers: HeaderMap) -> Response {
    PAGE.answer(&headers, Keep::Asking, &POLICY)
}

/// Its script.
pub(crate) async fn script(headers: HeaderMap) -> Response {
    SCRIPT.answer(&headers, Keep::Asking, &POLICY)
}

/// Its style.
pub(crate) async fn style(headers: HeaderMap) -> Response {
    STYLE.answer(&headers, Keep::Asking, &POLICY)
}
