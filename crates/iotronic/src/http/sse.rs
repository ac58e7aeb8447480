//! Server-Sent Events (WHATWG HTML, section 9.2): frames of text, and the bound on open streams.

use crate::http::answer::Failure;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use futures_util::Stream;
use model::Kind;
use std::convert::Infallible;
use std::fmt::{Display, Write as _};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Streams open at one time; more are refused.
const MAX_STREAMS: usize = 4096;
/// A comment goes out after so much silence, so that proxies keep the connection and the end of a client is noticed.
pub(crate) const SILENCE: Duration = Duration::from_secs(15);
/// That comment.
pub(crate) const COMMENT: &str = ": \n\n";

/// The places of all streams. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Places(Arc<Semaphore>);

/// One place, free again when dropped.
pub(crate) struct Place(#[allow(dead_code, reason = "held for its drop")] OwnedSemaphorePermit);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_STREAMS)))
    }
}

impl Places {
    /// How many are taken.
    #[must_use]
    pub(crate) fn taken(&self) -> usize {
        MAX_STREAMS.saturating_sub(self.0.available_permits())
    }

    /// A place for one more stream.
    ///
    /// # Errors
    /// All are taken.
    pub(crate) fn take(&self) -> Result<Place, Failure> {
        let place = Arc::clone(&self.0).try_acquire_owned();
        place.map(Place).map_err(|_| {
            let text = format!("{MAX_STREAMS} streams are open, the most there may be; close some");
            Failure::new(Kind::Exhausted, text)
        })
    }
}

/// Whether the client wants a stream.
#[must_use]
pub(crate) fn wants_stream(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|value| value.to_str().ok());
    accept.is_some_and(|accept| accept.contains("text/event-stream"))
}

/// The id after which a client resumes.
#[must_use]
pub(crate) fn last_event_id(headers: &HeaderMap) -> Option<&str> {
    headers.get("last-event-id")?.to_str().ok()
}

/// Appends one frame; `data` is JSON and so has no line breaks.
pub(crate) fn push(frames: &mut String, id: Option<impl Display>, event: &str, data: &str) {
    // Writing to a String cannot fail.
    if let Some(id) = id {
        let _ = writeln!(frames, "id: {id}");
    }
    let _ = write!(frames, "event: {event}\ndata: {data}\n\n");
}

/// The answer that streams `frames` until they end or the client leaves.
pub(crate) fn answer(frames: impl Stream<Item = String> + Send + 'static) -> Response {
    use futures_util::StreamExt as _;
    let body = Body::from_stream(frames.map(|text| Ok::<_, Infallible>(Bytes::from(text))));
    let mut response = Response::new(body);
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/event-stream"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    // Asks nginx not to hold frames back.
    headers.insert("x-accel-buffering", HeaderValue::from_static("no"));
    response
}
