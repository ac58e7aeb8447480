//! The cookie that holds a page's token: reading and writing it, and what a request must show beside it.
//!
//! Browsers send cookies along whoever made the page, so a cookie alone changes nothing: a change must carry the word that
//! only our own pages can read (`X-CSRF-Token`) and may not come from a foreign page; a WebSocket, which cannot carry the word,
//! must come from an own page. Scripts cannot read the cookie, and browsers do not send it on behalf of other sites.
//! Its name carries the port of the cloud, because browsers give cookies of one host to all its ports: two clouds on one host
//! would sign each other's people out. Over https its name has the prefix `__Host-`, so that no plain-text page of the same host can plant another one.
//! Deliberately not here: who is signed in (see `session`).

use crate::cloud::Cloud;
use crate::http::answer::Failure;
use crate::http::authenticate;
use crate::http::routes::Access;
use crate::identity::sessions::renewed;
use crate::identity::tokens::Statement;
use axum::extract::{Request, State};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::Response;
use model::Kind;
use model::access::Reach;
use subtle::ConstantTimeEq as _;

const NAME: &str = "s4t_session";
const NAME_OVER_HTTPS: &str = "__Host-s4t_session";
/// What the cookie may be used for.
const TERMS: &str = "Path=/; HttpOnly; SameSite=Strict";
const SITE: &str = "sec-fetch-site";

/// Which page a request comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Page {
    /// One of ours, or the address bar.
    Own,
    /// Another one.
    Foreign,
    /// It is not said: no browser, or an old one.
    Unsaid,
}

/// Where a request comes from, as its browser says; pages cannot write these headers.
pub(crate) fn page(cloud: &Cloud, headers: &HeaderMap) -> Page {
    let text = |name: &str| headers.get(name).map(|value| value.to_str().unwrap_or_default());
    match (text(SITE), text(header::ORIGIN.as_str())) {
        (Some("same-origin" | "none"), _) => Page::Own,
        (Some(_), _) => Page::Foreign,
        (None, Some(origin)) if is_own(cloud, origin, text(header::HOST.as_str())) => Page::Own,
        (None, Some(_)) => Page::Foreign,
        (None, None) => Page::Unsaid,
    }
}

fn is_own(cloud: &Cloud, origin: &str, host: Option<&str>) -> bool {
    let authority = |url: &str| {
        let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
        Some(rest.split('/').next().unwrap_or_default().to_ascii_lowercase())
    };
    let Some(asking) = authority(origin) else { return false };
    let scheme = |url: &str| url.split("://").next().unwrap_or_default().to_owned();
    let public = &cloud.public_url;
    host.is_some_and(|host| host.eq_ignore_ascii_case(&asking))
        || (authority(public) == Some(asking) && scheme(public) == scheme(origin))
}

/// The token in the cookie.
pub(crate) fn token<'h>(cloud: &Cloud, headers: &'h HeaderMap) -> Option<&'h str> {
    let wanted = name(cloud);
    let lines = headers.get_all(header::COOKIE).into_iter().filter_map(|line| line.to_str().ok());
    let mut pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.split_once('='));
    pairs.find(|(name, _)| name.trim() == wanted).map(|(_, value)| value.trim())
}

/// Refuses what a foreign page may have had a browser do.
pub(crate) fn guard(cloud: &Cloud, parts: &Parts, said: &Statement) -> Result<(), Failure> {
    let headers = &parts.headers;
    match page(cloud, headers) {
        Page::Foreign => return Err(foreign()),
        Page::Unsaid if headers.contains_key(header::UPGRADE) => return Err(foreign()),
        Page::Own | Page::Unsaid => {}
    }
    if changes_nothing(parts) {
        return Ok(());
    }
    let word = headers.get(api::session::CSRF).map(HeaderValue::as_bytes).unwrap_or_default();
    if bool::from(word.ct_eq(cloud.tokens.csrf(said).as_bytes())) {
        return Ok(());
    }
    Err(Failure::new(
        Kind::Forbidden,
        "a change by cookie needs the header x-csrf-token with the word of this session; read it at /v2/session",
    ))
}

/// Reading, of the cloud itself too, and the WebSocket of a terminal. Upstream has two GETs that command a board.
fn changes_nothing(parts: &Parts) -> bool {
    let looks = match parts.extensions.get::<Access>() {
        Some(Access::May(action)) => action.reach != Reach::Write,
        Some(Access::Public) | None => true,
    };
    matches!(parts.method, Method::GET | Method::HEAD)
        && (looks || parts.headers.contains_key(header::UPGRADE))
}

/// 403 for what only an own page may do.
pub(crate) fn foreign() -> Failure {
    Failure::new(
        Kind::Forbidden,
        "this comes from the page of another origin, which may not use this session; open the cloud's own page",
    )
}

fn name(cloud: &Cloud) -> String {
    let name = if is_encrypted(cloud) { NAME_OVER_HTTPS } else { NAME };
    match port(&cloud.public_url) {
        Some(port) => format!("{name}_{port}"),
        None => name.to_owned(),
    }
}

/// The port that a URL names.
fn port(url: &str) -> Option<u16> {
    let authority = url.split_once("://")?.1.split('/').next()?;
    authority.rsplit_once(':')?.1.parse().ok()
}

fn is_encrypted(cloud: &Cloud) -> bool {
    cloud.public_url.starts_with("https://")
}

/// `Set-Cookie` with the token of this statement, for as long as it is good.
pub(crate) fn set(cloud: &Cloud, said: &Statement) -> HeaderValue {
    hold(cloud, &cloud.tokens.make(said), said)
}

/// `Set-Cookie` with a token that says this.
pub(crate) fn hold(cloud: &Cloud, token: &str, said: &Statement) -> HeaderValue {
    // Rounded up: a token that has ended is refused all the same.
    let left = cloud.now().until(said.expires_at).as_millis().div_ceil(1000);
    write(cloud, token, left)
}

/// `Set-Cookie` that takes the cookie away.
pub(crate) fn clear(cloud: &Cloud) -> HeaderValue {
    write(cloud, "", 0)
}

fn write(cloud: &Cloud, token: &str, seconds: u128) -> HeaderValue {
    let secure = if is_encrypted(cloud) { "; Secure" } else { "" };
    let text = format!("{}={token}; Max-Age={seconds}; {TERMS}{secure}", name(cloud));
    let mut value =
        HeaderValue::from_str(&text).expect("tokens and our own words are visible ASCII");
    value.set_sensitive(true);
    value
}

/// Prolongs the session of whoever uses it.
pub(crate) async fn slide(State(cloud): State<Cloud>, request: Request, next: Next) -> Response {
    let more = more_time(&cloud, &request);
    let mut response = next.run(request).await;
    let keeps_its_own = response.headers().contains_key(header::SET_COOKIE);
    let is_refused = response.status() == StatusCode::UNAUTHORIZED;
    if let Some(more) = more.filter(|_| !keeps_its_own && !is_refused) {
        response.headers_mut().insert(header::SET_COOKIE, set(&cloud, &more));
    }
    response
}

fn more_time(cloud: &Cloud, request: &Request) -> Option<Statement> {
    // Pages and their assets may be kept by caches, which a cookie must not enter.
    let is_ours = request.uri().path().starts_with("/v2/");
    if !is_ours || !matches!(authenticate::token(request.headers()), Ok(None)) {
        return None;
    }
    let said = cloud.tokens.read(token(cloud, request.headers())?, cloud.now()).ok()?;
    let more = renewed(&said, cloud.now(), cloud.token_life())?;
    cloud.sign_in.prolong(&more, cloud.now());
    Some(more)
}

#[cfg(test)]
mod tests {
    use super::port;

    #[test]
    fn the_port_of_a_url_is_found_and_nothing_else_is_taken_for_one() {
        for (url, found) in [
            ("http://127.0.0.1:8812", Some(8812)),
            ("https://cloud.example:8443/s4t", Some(8443)),
            ("http://[::1]:80", Some(80)),
            ("http://[::1]", None),
            ("https://cloud.example/a:1", None),
            ("nonsense", None),
        ] {
            assert_eq!(port(url), found, "{url}");
        }
    }
}
