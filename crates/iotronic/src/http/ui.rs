//! `/ui/`: the dashboard's pages, out of the program itself, and what the operator set for them.
//!
//! Invariant: no page runs a script, or shows itself in a frame, that is not ours. A path that is no file is a place inside
//! the one page, which finds its way by itself; only below `assets/` is an unknown name an error, so that a page of an older
//! program notices that it is one. Deliberately not here: how the pages are made (`cargo xtask dashboard`).

use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure};
use crate::http::asset::{Asset, Keep};
use crate::http::extract::Path;
use crate::http::map;
use crate::settings;
use api::ui::{Ui, Version};
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse as _, Redirect, Response};
use model::Kind;
use std::collections::HashMap;
use std::sync::LazyLock;

/// The page that finds its way by itself.
const PAGE: &str = "index.html";
/// Files named by their content.
const ASSETS: &str = "assets/";
/// What is served where no pages were built in.
const MISSING: &str = include_str!("ui/missing.html");
/// No inline script and no inline style: the pages set styles by script objects only, and hand the rules that the terminal's
/// library would write into style elements to style sheets of their own.
const POLICY: &str = "default-src 'self'; script-src 'self'; style-src 'self'; connect-src 'self'; font-src 'self'; \
     worker-src 'self'; object-src 'none'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'; \
     img-src 'self' data:";

/// One file of `dashboard/dist`.
struct Embedded {
    name: &'static str,
    plain: &'static [u8],
    gzip: Option<&'static [u8]>,
}

include!(concat!(env!("OUT_DIR"), "/ui/list.rs"));

/// All files by their names; the page is always among them.
static FILES: LazyLock<HashMap<&'static str, Asset>> = LazyLock::new(|| files(EMBEDDED));

fn files(embedded: &'static [Embedded]) -> HashMap<&'static str, Asset> {
    let missing = (PAGE, Asset::new(kind(PAGE), MISSING));
    let embedded = embedded
        .iter()
        .map(|file| (file.name, Asset::new(kind(file.name), file.plain).with_gzip(file.gzip)));
    [missing].into_iter().chain(embedded).collect()
}

/// `/ui`: the pages' own paths are below `/ui/`.
pub(crate) async fn lead() -> Redirect {
    Redirect::permanent("/ui/")
}

/// `/ui/`.
pub(crate) async fn home(State(cloud): State<Cloud>, headers: HeaderMap) -> Answer {
    file(&cloud, PAGE, &headers)
}

/// Everything below it.
pub(crate) async fn any(
    State(cloud): State<Cloud>,
    Path(path): Path<String>,
    headers: HeaderMap,
) -> Answer {
    file(&cloud, &path, &headers)
}

/// What the operator set for the pages.
#[utoipa::path(get, path = "/v2/ui", tag = "ui", responses((status = 200, body = Ui)))]
pub(crate) async fn settings(State(cloud): State<Cloud>) -> Json<Ui> {
    let settings::Ui { tile_url, pmtiles, attribution } = &cloud.settings.ui;
    let set = |text: &str| (!text.is_empty()).then(|| text.to_owned());
    Json(Ui {
        tile_url: set(tile_url),
        pmtiles: pmtiles.is_some().then(|| map::PATH.to_owned()),
        attribution: set(attribution),
        identity: cloud.sign_in.keystone().map(|keystone| keystone.url().to_owned()),
        cloud: Version { version: env!("CARGO_PKG_VERSION").to_owned() },
    })
}

fn file(cloud: &Cloud, path: &str, headers: &HeaderMap) -> Answer {
    let is_asset = path.starts_with(ASSETS);
    let found = FILES.get(path).or_else(|| FILES.get(PAGE).filter(|_| !is_asset));
    let asset = found.ok_or_else(|| {
        Failure::new(Kind::NotFound, "no such asset; the page is of another version: load it again")
    })?;
    let keep = if is_asset { Keep::Forever } else { Keep::Asking };
    Ok(asset.answer(headers, keep, &policy(cloud)))
}

fn policy(cloud: &Cloud) -> HeaderValue {
    let tiles = cloud.settings.ui.tile_origin().unwrap_or_default();
    // The origin was checked with the settings.
    HeaderValue::from_str(&format!("{POLICY} {tiles}")).unwrap_or(HeaderValue::from_static(POLICY))
}

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => "text/html; charset=utf-8",
        Some("js" | "mjs") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("json" | "map") => "application/json",
        Some("webmanifest") => "application/manifest+json",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("webp") => "image/webp",
        Some("ico") => "image/x-icon",
        Some("woff2") => "font/woff2",
        Some("wasm") => "application/wasm",
        Some("txt") => "text/plain; charset=utf-8",
        _ => "application/octet-stream",
    }
}

/// Where a browser that opens the root is led, if this is one.
pub(crate) fn for_browsers(headers: &HeaderMap) -> Option<Response> {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept
        .is_some_and(|accept| accept.contains("text/html"))
        .then(|| Redirect::to("/ui/").into_response())
}

#[cfg(test)]
#[path = "../../build.rs"]
#[allow(dead_code)] // its `main` asks cargo for the folders
mod build;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_build_without_pages_serves_one_that_says_how_to_build_them() {
        let all = files(&[]);
        assert_eq!(all.keys().collect::<Vec<_>>(), [&PAGE]);
        let none = HeaderMap::new();
        let policy = HeaderValue::from_static(POLICY);
        let page = files(&[]).remove(PAGE).unwrap();
        assert_eq!(page.answer(&none, Keep::Asking, &policy).status(), 200);
        assert!(MISSING.contains("cargo xtask dashboard"));
    }

    #[test]
    fn the_cloud_is_built_without_npm_where_nobody_made_pages() {
        let tree = tempfile::tempdir().unwrap();
        let (pages, out) = (tree.path().join("dashboard/dist"), tree.path().join("out"));
        build::make(&pages, &out).unwrap();
        let list = std::fs::read_to_string(out.join("list.rs")).unwrap();
        assert_eq!(list, "static EMBEDDED: &[Embedded] = &[\n];\n");
        std::fs::write(pages.join("index.html"), "<title>pages</title>").unwrap();
        build::make(&pages, &out).unwrap();
        let list = std::fs::read_to_string(out.join("list.rs")).unwrap();
        assert!(list.contains("name: \"index.html\""), "{list}");
    }
}
