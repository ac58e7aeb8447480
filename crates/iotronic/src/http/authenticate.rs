//! Who sends a request: the one place where a token is taken from a request, read, and held against what it is for.
//!
//! Invariants: a request with two tokens, or with one in its URL, is refused, whatever they are worth; a token of an
//! application credential with access rules opens the requests that they name and no others. Deliberately not here: what roles
//! allow (see `model::access`).

use crate::cloud::Cloud;
use crate::http::answer::Failure;
use crate::http::cookie;
use crate::identity::grants::Grant;
use crate::identity::sessions::renewed;
use crate::identity::tokens::{Bad, Statement};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use model::Kind;
use std::sync::Arc;

const AUTH_TOKEN: HeaderName = HeaderName::from_static(api::identity::AUTH_TOKEN);
/// Names under which people put tokens into URLs.
const IN_URL: [&str; 4] = ["token", "access_token", "auth_token", "x-auth-token"];
const BEARER: &str = "Bearer ";

/// Services of the catalog by the beginning of their paths; everything else is the first one.
const SERVICES: [(&str, &str); 3] =
    [("/", "iot"), ("/identity", "identity"), ("/network", "network")];

/// What the token of a request says.
pub(crate) async fn statement(parts: &Parts, cloud: &Cloud) -> Result<Statement, Failure> {
    nothing_in_url(parts)?;
    if let Some(token) = token(&parts.headers)? {
        return read(cloud, token).await;
    }
    let token = cookie::token(cloud, &parts.headers).ok_or_else(|| {
        Failure::new(
            Kind::Unauthenticated,
            "this needs a token: sign in at /identity/v3/auth/tokens and send it as x-auth-token",
        )
    })?;
    let said = read(cloud, token).await?;
    cookie::guard(cloud, parts, &said)?;
    Ok(renewed(&said, cloud.now(), cloud.token_life()).unwrap_or(said))
}

async fn read(cloud: &Cloud, token: &str) -> Result<Statement, Failure> {
    Ok(cloud.sign_in.read(&cloud.store, &cloud.tokens, token, cloud.now()).await?)
}

/// The token of a request as it came, wherever it stands.
pub(crate) fn text<'h>(cloud: &Cloud, headers: &'h HeaderMap) -> Option<&'h str> {
    token(headers).ok().flatten().or_else(|| cookie::token(cloud, headers))
}

/// Who sends a request, and what they may do at most. A refusal is logged here, once.
pub(crate) async fn who(parts: &Parts, cloud: &Cloud) -> Result<(Statement, Arc<Grant>), Failure> {
    let found = find(parts, cloud).await;
    found.inspect_err(|failure| {
        let (method, path, why) = (&parts.method, parts.uri.path(), &failure.problem.detail);
        tracing::info!(%method, path, why, "a request was not let in");
    })
}

async fn find(parts: &Parts, cloud: &Cloud) -> Result<(Statement, Arc<Grant>), Failure> {
    let said = statement(parts, cloud).await?;
    let grant = cloud.sign_in.grant(&cloud.store, &said, cloud.now()).await?.ok_or(Bad::Ended)?;
    let path = parts.uri.path();
    if !is_always_open(&parts.method, path)
        && !grant.covers(service(path), parts.method.as_str(), path)
    {
        let text = format!(
            "the access rules of this application credential do not name {} {path}; use another credential",
            parts.method
        );
        return Err(Failure::new(Kind::Forbidden, text));
    }
    Ok((said, grant))
}

/// A program may always look what its token is worth, and give it back.
fn is_always_open(method: &Method, path: &str) -> bool {
    path == api::identity::TOKENS && matches!(*method, Method::GET | Method::HEAD | Method::DELETE)
}

fn service(path: &str) -> &'static str {
    let is_below = |start: &str| {
        let rest = path.strip_prefix(start.trim_end_matches('/'));
        rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
    };
    let found = SERVICES.into_iter().rev().find(|(start, _)| is_below(start));
    found.map_or("iot", |(_, service)| service)
}

/// `X-Auth-Token` as in OpenStack, or `Authorization: Bearer` (RFC 6750).
///
/// # Errors
/// There is more than one, or one that cannot be read.
pub(crate) fn token(headers: &HeaderMap) -> Result<Option<&str>, Failure> {
    let plain = only(headers, &AUTH_TOKEN)?;
    let bearer = only(headers, &header::AUTHORIZATION)?.and_then(|text| text.strip_prefix(BEARER));
    match (plain, bearer) {
        (Some(plain), Some(bearer)) if plain != bearer => Err(several()),
        (plain, bearer) => Ok(plain.or(bearer)),
    }
}

fn only<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Failure> {
    let mut all = headers.get_all(name).into_iter();
    let first = all.next();
    if all.next().is_some() {
        return Err(several());
    }
    let text = first.map(HeaderValue::to_str).transpose();
    text.map_err(|_| Bad::Strange.into())
}

fn several() -> Failure {
    Failure::new(
        Kind::Invalid,
        "the request carries more than one token; send one x-auth-token, or one authorization: Bearer",
    )
}

fn nothing_in_url(parts: &Parts) -> Result<(), Failure> {
    let pairs = parts.uri.query().unwrap_or_default().split('&');
    let mut names = pairs.map(|pair| pair.split('=').next().unwrap_or_default());
    if names.any(|name| IN_URL.iter().any(|word| name.eq_ignore_ascii_case(word))) {
        return Err(Failure::new(
            Kind::Invalid,
            "a token does not belong into a URL, which ends up in logs and histories: end this one, and send another as x-auth-token",
        ));
    }
    Ok(())
}

impl From<Bad> for Failure {
    fn from(bad: Bad) -> Self {
        Self::new(Kind::Unauthenticated, bad.to_string())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            let value = HeaderValue::from_bytes(value.as_bytes()).unwrap();
            headers.append(HeaderName::from_static(name), value);
        }
        headers
    }

    #[test]
    fn one_token_is_taken_from_either_header_and_two_are_refused() {
        let read = |pairs: &[_]| {
            let headers = headers(pairs);
            token(&headers).map(|token| token.map(str::to_owned)).map_err(|bad| bad.problem.status)
        };
        let bearer = ("authorization", "Bearer a");
        assert_eq!(read(&[]), Ok(None));
        assert_eq!(read(&[("x-auth-token", "a")]), Ok(Some("a".into())));
        assert_eq!(read(&[bearer]), Ok(Some("a".into())));
        assert_eq!(read(&[bearer, ("x-auth-token", "a")]), Ok(Some("a".into())));
        assert_eq!(read(&[("authorization", "Basic a")]), Ok(None));
        assert_eq!(read(&[bearer, ("x-auth-token", "b")]), Err(400));
        assert_eq!(read(&[("x-auth-token", "a"), ("x-auth-token", "a")]), Err(400));
        assert_eq!(read(&[bearer, ("authorization", "Bearer b")]), Err(400));
        assert_eq!(read(&[("x-auth-token", "\u{e9}")]), Err(401));
    }

    #[test]
    fn paths_belong_to_services() {
        for (path, expected) in [
            ("/v2/boards", "iot"),
            ("/v1/boards", "iot"),
            ("/boards", "iot"),
            ("/identity/v3/users", "identity"),
            ("/identityx", "iot"),
            ("/network/v2.0/ports", "network"),
        ] {
            assert_eq!(service(path), expected, "{path}");
        }
    }
}
