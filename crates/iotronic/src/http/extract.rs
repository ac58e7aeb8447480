//! What handlers are given: the caller, path segments, query parameters, JSON bodies, preconditions. Each refuses by saying
//! what was wrong and where.

use crate::app::access::{Caller, Key};
use crate::cloud::Cloud;
use crate::http::answer::Failure;
use crate::http::authenticate;
use crate::http::routes::{self, Access};
use crate::identity::grants::Grant;
use crate::identity::tokens::Statement;
use axum::body::{Bytes, HttpBody as _};
use axum::extract::rejection::{BytesRejection, JsonRejection};
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, StatusCode, header};
use model::access::{Principal, Reach};
use model::audit::ActorKind;
use model::{Invalid, Kind};
use serde::de::DeserializeOwned;
use std::fmt::Display;
use std::sync::Arc;
use store::author;
use store::delegations::has_any;

/// The statement of a request's token.
pub(crate) struct SignedIn(pub Statement);

impl FromRequestParts<Cloud> for SignedIn {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Failure> {
        authenticate::statement(parts, cloud).await.map(Self)
    }
}

/// Somebody who may be signed in to no project: for what is about themselves.
pub(crate) struct Person {
    /// What the token says.
    pub said: Statement,
    /// Who it is.
    pub grant: Arc<Grant>,
}

impl FromRequestParts<Cloud> for Person {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Failure> {
        let (said, grant) = authenticate::who(parts, cloud).await?;
        Ok(Self { said, grant })
    }
}

impl FromRequestParts<Cloud> for Caller {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Failure> {
        let Some(Access::May(action)) = parts.extensions.get::<Access>().copied() else {
            return Err(Failure::new(
                Kind::Internal,
                "this route has no action in the table of routes",
            ));
        };
        let (_, grant) = authenticate::who(parts, cloud).await?;
        let key = parts.extensions.get::<Key>().cloned();
        let caller = Self::new(grant, action);
        if let Err(refused) = caller.may_at_home() {
            let user = &caller.principal().user;
            let is_lendable = routes::delegable().contains(&action);
            let borrows = is_lendable && has_any(&cloud.store, user, cloud.now()).await?;
            if !borrows && caller.project().is_nowhere() {
                let text = "this token is for no project; sign in to one (scope)";
                return Err(Failure::new(Kind::Forbidden, text));
            }
            if !borrows {
                return Err(refused.into());
            }
        }
        let Principal { user, project, .. } = caller.principal();
        author::name(ActorKind::User, user.as_str());
        if action.reach == Reach::Read {
            cloud.looks.count(cloud.now(), project, user, action.name);
        }
        Ok(caller.with_key(key))
    }
}

/// Path segments.
pub(crate) struct Path<T>(pub T);

impl<T: DeserializeOwned + Send> FromRequestParts<Cloud> for Path<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, cloud: &Cloud) -> Result<Self, Failure> {
        let path = axum::extract::Path::from_request_parts(parts, cloud).await;
        path.map(|axum::extract::Path(path)| Self(path))
            .map_err(|error| Failure::new(Kind::NotFound, error.body_text()))
    }
}

/// Query parameters; unknown ones are refused.
pub(crate) struct Query<T>(pub T);

impl<T: DeserializeOwned> FromRequestParts<Cloud> for Query<T> {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Cloud) -> Result<Self, Failure> {
        axum::extract::Query::try_from_uri(&parts.uri)
            .map(|axum::extract::Query(query)| Self(query))
            .map_err(|error| invalid("the query", &error.body_text()))
    }
}

/// A JSON body.
pub(crate) struct Body<T>(pub T);

impl<T: DeserializeOwned> FromRequest<Cloud> for Body<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, cloud: &Cloud) -> Result<Self, Failure> {
        let kind = content_type(request.headers());
        let bytes = bytes(request, cloud).await?;
        parse(kind, &bytes).map(Self)
    }
}

/// A JSON body that may be left out.
pub(crate) struct MaybeBody<T>(pub T);

impl<T: DeserializeOwned + Default> FromRequest<Cloud> for MaybeBody<T> {
    type Rejection = Failure;

    async fn from_request(request: Request, cloud: &Cloud) -> Result<Self, Failure> {
        let kind = content_type(request.headers());
        let bytes = bytes(request, cloud).await?;
        if bytes.is_empty() { Ok(Self(T::default())) } else { parse(kind, &bytes).map(Self) }
    }
}

#[derive(Clone, Copy)]
enum ContentType {
    Json,
    Other,
}

fn content_type(headers: &HeaderMap) -> ContentType {
    let text =
        headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let essence = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let json = essence == "application/json" || essence.ends_with("+json");
    if json { ContentType::Json } else { ContentType::Other }
}

/// The whole body within the limit of the route. One that announces more is refused unread.
pub(crate) async fn bytes(request: Request, cloud: &Cloud) -> Result<Bytes, Failure> {
    let announced = request.body().size_hint().lower();
    if announced > crate::http::MAX_BODY as u64 {
        return Err(too_large());
    }
    Bytes::from_request(request, cloud).await.map_err(|error| match error {
        BytesRejection::FailedToBufferBody(inner)
            if inner.status() == StatusCode::PAYLOAD_TOO_LARGE =>
        {
            too_large()
        }
        other => Failure::new(Kind::Invalid, format!("the body cannot be read: {other}")),
    })
}

/// 413.
pub(crate) fn too_large() -> Failure {
    let limit = crate::http::MAX_BODY / 1024;
    Failure::new(Kind::Invalid, format!("the body is larger than the {limit} KiB that are read"))
        .with_status(StatusCode::PAYLOAD_TOO_LARGE)
}

fn parse<T: DeserializeOwned>(kind: ContentType, bytes: &[u8]) -> Result<T, Failure> {
    if let ContentType::Other = kind {
        return Err(Failure::new(Kind::Invalid, "send JSON, with content-type: application/json")
            .with_status(StatusCode::UNSUPPORTED_MEDIA_TYPE));
    }
    axum::Json::from_bytes(bytes).map(|axum::Json(value)| value).map_err(|error| match error {
        JsonRejection::JsonSyntaxError(error) => {
            invalid("the body is not JSON", &error.body_text())
        }
        other => invalid("the body", &other.body_text()),
    })
}

/// Takes axum's own introduction away and leaves the path and the cause.
fn invalid(what: &str, text: &str) -> Failure {
    let cause = text.split_once(": ").map_or(text, |(_, cause)| cause);
    Failure::new(Kind::Invalid, format!("{what}: {cause}"))
}

/// `If-Match`: the revision that the client has seen.
pub(crate) struct IfMatch(pub Option<i64>);

/// A revision that nothing has, so that comparing with it fails.
const NEVER: i64 = -1;

impl FromRequestParts<Cloud> for IfMatch {
    type Rejection = Failure;

    async fn from_request_parts(parts: &mut Parts, _: &Cloud) -> Result<Self, Failure> {
        let Some(tag) = parts.headers.get(header::IF_MATCH) else { return Ok(Self(None)) };
        let tag = tag.to_str().unwrap_or_default().trim();
        if tag == "*" {
            return Ok(Self(None));
        }
        // Tags of boards carry more behind a dot, which changes without a new revision.
        let revision = tag.trim_matches('"').split('.').next().unwrap_or_default();
        Ok(Self(Some(revision.parse().unwrap_or(NEVER))))
    }
}

/// A number within bounds, or its default.
pub(crate) fn within(
    what: &str,
    value: Option<u32>,
    default: u32,
    range: std::ops::RangeInclusive<u32>,
) -> Result<u32, Failure> {
    let value = value.unwrap_or(default);
    if range.contains(&value) {
        return Ok(value);
    }
    Err(wrong(format_args!("{what} {value} is not {} to {}", range.start(), range.end())))
}

/// 400 with this text.
pub(crate) fn wrong(text: impl Display) -> Failure {
    Invalid::new(text.to_string()).into()
}
