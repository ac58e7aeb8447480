//! Server-Sent Events (WHATWG HTML, section 9.2): frames of text, and the bound on open streams.

use crate::http::answer::Failure;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::Response;
use futures_util::Stream;
use model::{Kind, UserId};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::convert::Infallible;
use std::fmt::{Display, Write as _};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

/// Streams open at one time; more are refused.
const MAX_STREAMS: usize = 4096;
/// Those of one person, so that nobody takes all the places.
const MAX_OF_ONE: usize = MAX_STREAMS / 4;
/// A comment goes out after so much silence, so that proxies keep the connection and the end of a client is noticed.
pub(crate) const SILENCE: Duration = Duration::from_secs(15);
/// That comment.
pub(crate) const COMMENT: &str = ": \n\n";

/// The places of all streams. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Places {
    all: Arc<Semaphore>,
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
}

/// One place, free again when dropped.
pub(crate) struct Place {
    _one: OwnedSemaphorePermit,
    taken: Arc<Mutex<HashMap<UserId, usize>>>,
    user: UserId,
}

impl Default for Places {
    fn default() -> Self {
        Self { all: Arc::new(Semaphore::new(MAX_STREAMS)), taken: Arc::default() }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        if let Entry::Occupied(mut count) = taken.entry(self.user.clone()) {
            *count.get_mut() = count.get().saturating_sub(1);
            if *count.get() == 0 {
                count.remove();
            }
        }
    }
}

impl Places {
    /// How many are taken.
    #[must_use]
    pub(crate) fn taken(&self) -> usize {
        MAX_STREAMS.saturating_sub(self.all.available_permits())
    }

    /// A place for one more stream of this person.
    ///
    /// # Errors
    /// All are taken, or all that one person may have.
    pub(crate) fn take(&self, user: &UserId) -> Result<Place, Failure> {
        let full = |text: String| Failure::new(Kind::Exhausted, text);
        let one = Arc::clone(&self.all).try_acquire_owned().map_err(|_| {
            full(format!("{MAX_STREAMS} streams are open, the most there may be; try again later"))
        })?;
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let count = taken.entry(user.clone()).or_default();
        if *count >= MAX_OF_ONE {
            return Err(full(format!(
                "you have {MAX_OF_ONE} streams open, the most one person may; close some pages or clients"
            )));
        }
        *count += 1;
        Ok(Place { _one: one, taken: Arc::clone(&self.taken), user: user.clone() })
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_person_does_not_take_all_the_places() {
        let places = Places::default();
        let [one, other] = [UserId::new(), UserId::new()];
        let taken: Vec<_> = (0..MAX_OF_ONE).map(|_| places.take(&one).ok().unwrap()).collect();
        let refused = places.take(&one).err().unwrap();
        assert_eq!(refused.problem.status, 429);
        assert!(refused.problem.detail.contains("close some"), "{}", refused.problem.detail);
        let theirs = places.take(&other).ok().unwrap();
        assert_eq!(places.taken(), MAX_OF_ONE + 1);
        drop((taken, theirs));
        assert_eq!(places.taken(), 0);
        assert!(places.take(&one).is_ok());
        assert!(places.taken.lock().unwrap().is_empty(), "nobody is remembered who has none");
    }
}
