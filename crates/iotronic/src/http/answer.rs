//! Answers: values with their tags, and problems (RFC 9457).
//!
//! A [`Failure`] travels as an extension of its response; the frame (outermost layer) writes the body, because only there is
//! the request's id known and whether Keystone's shape is wanted.

use crate::app::Error;
use crate::identity::sign_in::Refused;
use api::Problem;
use axum::Json;
use axum::http::{HeaderMap, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use model::{Invalid, Kind};
use rpc::Fault;
use serde::Serialize;
use std::fmt::Display;

/// What every handler answers.
pub(crate) type Answer<T = Response> = Result<T, Failure>;

/// A request that was not done.
#[derive(Debug, Clone)]
pub struct Failure {
    /// The body to come.
    pub problem: Box<Problem>,
    /// `Retry-After` in seconds.
    pub retry_after: Option<u64>,
}

impl Failure {
    /// A failure of this kind.
    pub fn new(kind: Kind, detail: impl Into<String>) -> Self {
        Self { problem: Box::new(Problem::new(kind, detail)), retry_after: None }
    }

    /// With another HTTP status than the kind's own: for what HTTP itself has a number.
    #[must_use]
    pub fn with_status(mut self, status: StatusCode) -> Self {
        self.problem.status = status.as_u16();
        self.problem.title = status.canonical_reason().unwrap_or_default().to_owned();
        self
    }

    fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl IntoResponse for Failure {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        if let Some(seconds) = self.retry_after {
            response.headers_mut().insert(header::RETRY_AFTER, seconds.into());
        }
        response.extensions_mut().insert(self);
        response
    }
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        if error.is_stale() {
            return Self::new(Kind::Conflict, error.to_string())
                .with_status(StatusCode::PRECONDITION_FAILED);
        }
        let kind = error.kind();
        if kind == Kind::Internal && !matches!(error, Error::Fault(_)) {
            // The whole chain goes to the log and not to the one who asks.
            tracing::error!(error = ?error, "a request failed on our side");
        }
        Self::new(kind, error.to_string())
    }
}

impl From<store::Error> for Failure {
    fn from(error: store::Error) -> Self {
        Error::from(error).into()
    }
}

impl From<Invalid> for Failure {
    fn from(error: Invalid) -> Self {
        Error::from(error).into()
    }
}

impl From<Refused> for Failure {
    fn from(refused: Refused) -> Self {
        let text = refused.to_string();
        match refused {
            Refused::Wrong | Refused::Bad(_) => Self::new(Kind::Unauthenticated, text),
            Refused::Away(_) => Self { retry_after: Some(2), ..Self::new(Kind::Unreachable, text) },
            Refused::Busy(_) => Self { retry_after: Some(2), ..Self::new(Kind::Exhausted, text) },
            Refused::Wait(wait) => {
                let seconds = wait.as_secs().max(1);
                Self { retry_after: Some(seconds), ..Self::new(Kind::Exhausted, text) }
            }
            Refused::Store(error) => error.into(),
        }
    }
}

impl From<Fault> for Failure {
    fn from(fault: Fault) -> Self {
        Self::new(fault.kind, fault.message)
    }
}

/// A value with its entity tag, or 304 when the client has it already (RFC 9110, section 13).
pub(crate) fn tagged(request: &HeaderMap, tag: impl Display, value: &impl Serialize) -> Response {
    let tag = format!("\"{tag}\"");
    let known = request.get(header::IF_NONE_MATCH).and_then(|value| value.to_str().ok());
    let same = known.is_some_and(|known| {
        known
            .split(',')
            .map(|one| one.trim().trim_start_matches("W/"))
            .any(|one| one == tag || one == "*")
    });
    let mut response =
        if same { StatusCode::NOT_MODIFIED.into_response() } else { Json(value).into_response() };
    if let Ok(tag) = HeaderValue::from_str(&tag) {
        response.headers_mut().insert(header::ETAG, tag);
    }
    response
}

/// 201 with the value, where it is, and its tag.
pub(crate) fn created(location: &str, revision: i64, value: &impl Serialize) -> Response {
    let mut response = (StatusCode::CREATED, Json(value)).into_response();
    let headers =
        [(header::LOCATION, location.to_owned()), (header::ETAG, format!("\"{revision}\""))];
    for (name, value) in headers {
        if let Ok(value) = HeaderValue::from_str(&value) {
            response.headers_mut().insert(name, value);
        }
    }
    response
}

/// 204.
pub(crate) fn nothing() -> Response {
    StatusCode::NO_CONTENT.into_response()
}
