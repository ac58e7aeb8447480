//! Failures in upstream's shape: `{"error_message": "<JSON text>"}`, where the text is `{faultcode, faultstring, debuginfo}`.
//!
//! Invariant: every [`Failure`] of a `/v1` path leaves in this shape, whoever made it; only what routing itself answers
//! (an unknown path, a method that is not there, a version that is not spoken) has plain text inside, as upstream does.

use crate::app::Error;
use crate::http::answer::Failure;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use model::Kind;
use serde_json::{Value, json};
use std::fmt::Display;

/// 400 with this text.
pub(super) fn invalid(text: impl Display) -> Failure {
    Failure::new(Kind::Invalid, text.to_string())
}

/// 404: there is no such thing.
pub(super) fn missing(what: &str, ident: impl Display) -> Failure {
    Failure::new(Kind::NotFound, format!("{what} {ident} could not be found."))
}

/// 400: a board that is not there to be asked.
pub(super) fn not_connected(board: impl Display) -> Failure {
    invalid(format_args!("Board {board} is not connected."))
}

/// 500: the board could not do it, or did not say.
pub(super) fn on_board(action: &str, board: impl Display, why: impl Display) -> Failure {
    let text = format!("Error in the execution of {action} on {board}: {why}");
    Failure::new(Kind::Internal, text)
}

/// A refusal of a use case about `what`, in upstream's words where it has some.
pub(super) fn about(what: &'static str, ident: &str, error: Error) -> Failure {
    match &error {
        Error::Store(store::Error::NotFound { what: noun }) if noun.eq_ignore_ascii_case(what) => {
            missing(what, ident)
        }
        _ => translated(error),
    }
}

/// A refusal about nothing in particular.
pub(super) fn translated(error: Error) -> Failure {
    let text = error.to_string();
    // Its client repeats a 409 for ten seconds, which makes no room.
    if let Error::Store(store::Error::OverQuota { .. }) = error {
        return Failure::new(Kind::Forbidden, text);
    }
    match error.kind() {
        Kind::Forbidden => denied(&text),
        // Upstream's word for a cloud that cannot just now; its client comes back then.
        Kind::Exhausted => {
            Failure::new(Kind::Exhausted, text).with_status(StatusCode::SERVICE_UNAVAILABLE)
        }
        _ => error.into(),
    }
}

/// 403 in upstream's words. Ours begin with the name of the action.
pub(super) fn denied(text: &str) -> Failure {
    let action = text.split(' ').next().unwrap_or_default();
    let text = format!("Access was denied to the following resource: iot:{action}");
    Failure::new(Kind::Forbidden, text)
}

/// The body of a failure, in upstream's shape.
pub(crate) fn write(failure: &Failure) -> Value {
    let problem = &failure.problem;
    if problem.status == StatusCode::UNAUTHORIZED.as_u16() {
        // Not upstream's own: its token middleware answers this.
        let text = "The request you have made requires authentication.";
        return json!({ "error": { "code": 401, "title": "Unauthorized", "message": text } });
    }
    let code = if problem.status < 500 { "Client" } else { "Server" };
    let inner = json!({ "faultcode": code, "faultstring": problem.detail, "debuginfo": null });
    json!({ "error_message": inner.to_string() })
}

/// 404 of a path that leads nowhere.
pub(crate) fn no_path() -> Response {
    plain(StatusCode::NOT_FOUND, "The resource could not be found.\n\n ")
}

/// 405.
pub(crate) fn no_method(method: &axum::http::Method) -> Response {
    let text = format!("The method {method} is not allowed for this resource. \n\n ");
    plain(StatusCode::METHOD_NOT_ALLOWED, &text)
}

/// Marks an answer of upstream's web framework, which knows no versions.
#[derive(Debug, Clone, Copy)]
pub(super) struct Unversioned;

/// What upstream's web framework says, not its API.
pub(super) fn plain(status: StatusCode, text: &str) -> Response {
    let text = format!("{status}\n\n{text}");
    (status, Extension(Unversioned), Json(json!({ "error_message": text }))).into_response()
}
