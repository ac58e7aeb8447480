//! `Idempotency-Key`: a POST or PUT that is repeated with the same key within a day gets the first answer and does nothing
//! again (draft-ietf-httpapi-idempotency-key-header).
//!
//! With an answer go the headers that say where the thing is and which revision it has. Only successes are kept; whatever failed changed nothing and may be tried again with the same key. The work goes on when
//! the client leaves, so that its repetition finds the answer.

use crate::app::access::Key;
use crate::cloud::Cloud;
use crate::http::answer::Failure;
use crate::http::extract::{SignedIn, bytes};
use axum::body::{Body, HttpBody as _, to_bytes};
use axum::extract::{FromRequestParts as _, Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, StatusCode, header};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use model::{Kind, UserId};
use sha2::{Digest as _, Sha256};
use store::author;
use store::idempotency::{self, Begin};

/// The request's header.
pub(crate) const KEY: &str = "idempotency-key";
/// Tells that an answer is the first one's.
const REPLAYED: &str = "idempotency-replayed";
/// Largest answer that is kept.
const MAX_KEPT: u64 = 2 * 1024 * 1024;
/// Headers that are kept with the body.
const KEPT_HEADERS: [HeaderName; 2] = [header::LOCATION, header::ETAG];
/// Stands in the store for an answer that was not kept.
const NOT_KEPT: u16 = 0;

/// Marks an answer that holds a secret: it is not kept.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Secret;

/// Looks a request's key up, and keeps its answer.
pub(crate) async fn keyed(State(cloud): State<Cloud>, request: Request, next: Next) -> Response {
    let counts = matches!(*request.method(), Method::POST | Method::PUT);
    let key = request.headers().get(KEY).filter(|_| counts).cloned();
    match key {
        None => next.run(request).await,
        Some(key) => {
            with_key(cloud, &key, request, next).await.unwrap_or_else(Failure::into_response)
        }
    }
}

async fn with_key(
    cloud: Cloud,
    key: &HeaderValue,
    request: Request,
    next: Next,
) -> Result<Response, Failure> {
    let key = key.to_str().map_err(|_| {
        Failure::new(Kind::Invalid, "idempotency-key has characters that are not printable ASCII")
    })?;
    let key = key.to_owned();
    let (mut parts, body) = request.into_parts();
    // Without a valid token nothing will be done, so there is nothing to keep.
    let Ok(SignedIn(said)) = SignedIn::from_request_parts(&mut parts, &cloud).await else {
        return Ok(next.run(Request::from_parts(parts, body)).await);
    };
    let head = format!("{} {}\n", parts.method, parts.uri);
    let mut whole = Request::new(body);
    // The limit of the body stands in the extensions.
    *whole.extensions_mut() = parts.extensions.clone();
    let body = bytes(whole, &cloud).await?;
    let hash = Sha256::new().chain_update(head).chain_update(&body).finalize().into();
    match begin(&cloud, &key, &said.user, hash).await? {
        Begin::Fresh => {}
        Begin::Running => return Err(running()),
        Begin::Done { status, body, headers } => return replay(status, body, &headers),
    }
    parts.extensions.insert(Key(key.clone()));
    let request = Request::from_parts(parts, Body::from(body));
    let work = async move {
        let response = next.run(request).await;
        keep(&cloud, &key, &said.user, response).await
    };
    tokio::spawn(author::carry(work))
        .await
        .map_err(|_| Failure::new(Kind::Internal, "a defect; it is in the log"))
}

async fn begin(
    cloud: &Cloud,
    key: &str,
    user: &UserId,
    hash: [u8; 32],
) -> Result<Begin, store::Error> {
    let (key, user) = (key.to_owned(), user.clone());
    let job = cloud.store.write(move |tx| {
        Box::pin(async move {
            let now = tx.now();
            idempotency::begin(tx, &key, &user, &hash, now).await
        })
    });
    job.await
}

fn running() -> Failure {
    let text =
        "the first request with this idempotency key is still at work; try again in a moment";
    Failure { retry_after: Some(1), ..Failure::new(Kind::Conflict, text) }
}

fn replay(status: u16, body: String, kept: &[(String, String)]) -> Result<Response, Failure> {
    if status == NOT_KEPT {
        let text = "this request was done already, and its answer is not kept; look at what it made, or use a new key";
        return Err(Failure::new(Kind::Conflict, text));
    }
    let status = StatusCode::from_u16(status).unwrap_or(StatusCode::OK);
    let headers = [(header::CONTENT_TYPE.as_str(), "application/json"), (REPLAYED, "true")];
    let mut response = (status, headers, body).into_response();
    for name in KEPT_HEADERS {
        let value = kept.iter().find(|(kept, _)| kept == name.as_str()).map(|(_, value)| value);
        if let Some(Ok(value)) = value.map(|value| HeaderValue::from_str(value)) {
            response.headers_mut().insert(name, value);
        }
    }
    Ok(response)
}

fn kept_headers(headers: &HeaderMap) -> Vec<(String, String)> {
    let value = |name| headers.get(name).and_then(|value: &HeaderValue| value.to_str().ok());
    let kept = KEPT_HEADERS
        .into_iter()
        .filter_map(|name| Some((name.to_string(), value(name)?.to_owned())));
    kept.collect()
}

async fn keep(cloud: &Cloud, key: &str, user: &UserId, response: Response) -> Response {
    let (parts, body) = response.into_parts();
    let fits = body.size_hint().upper().is_some_and(|size| size <= MAX_KEPT);
    let is_secret = parts.extensions.get::<Secret>().is_some();
    if !parts.status.is_success() {
        report(forget(cloud, key, user).await);
        return Response::from_parts(parts, body);
    }
    if is_secret || !fits {
        report(finish(cloud, key, user, NOT_KEPT, String::new(), Vec::new()).await);
        return Response::from_parts(parts, body);
    }
    let limit = usize::try_from(MAX_KEPT).unwrap_or(usize::MAX);
    let Ok(bytes) = to_bytes(body, limit).await else {
        return Failure::new(Kind::Internal, "the answer could not be written").into_response();
    };
    let text = String::from_utf8_lossy(&bytes).into_owned();
    let headers = kept_headers(&parts.headers);
    report(finish(cloud, key, user, parts.status.as_u16(), text, headers).await);
    Response::from_parts(parts, Body::from(bytes))
}

async fn finish(
    cloud: &Cloud,
    key: &str,
    user: &UserId,
    status: u16,
    body: String,
    headers: Vec<(String, String)>,
) -> Result<(), store::Error> {
    let (key, user) = (key.to_owned(), user.clone());
    let job = cloud.store.write(move |tx| {
        Box::pin(async move {
            idempotency::finish(tx, &key, &user, status, &body).await?;
            idempotency::keep_headers(tx, &key, &user, &headers).await
        })
    });
    job.await
}

async fn forget(cloud: &Cloud, key: &str, user: &UserId) -> Result<(), store::Error> {
    let (key, user) = (key.to_owned(), user.clone());
    let job = cloud
        .store
        .write(move |tx| Box::pin(async move { idempotency::forget(tx, &key, &user).await }));
    job.await
}

/// What was done is done; without its answer a repetition is told to wait, until the key is forgotten.
fn report(stored: Result<(), store::Error>) {
    if let Err(error) = stored {
        tracing::error!(%error, "the answer to a request with an idempotency key could not be kept");
    }
}
