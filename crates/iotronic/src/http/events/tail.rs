//! The newest events as frames, read once for all streams that are up to date: a thousand open pages look at the log as
//! often as one.
//!
//! Invariant: what is handed out is what the log has after the number that was asked for, in order and without gaps; who may
//! see which event is for the caller to sort out. Deliberately not here: readers that are far behind.

use super::CHUNK;
use crate::http::sse;
use model::ProjectId;
use serde_json::json;
use std::sync::Arc;
use store::Store;
use store::events::{self, EventRow};
use tokio::sync::Mutex;

/// The end of the log. Cloning is cheap.
#[derive(Clone, Default)]
pub(crate) struct Tail(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    after: i64,
    frames: Arc<[Frame]>,
}

/// One event, ready to be sent.
pub(super) struct Frame {
    pub(super) seq: i64,
    pub(super) project: Option<ProjectId>,
    pub(super) text: String,
}

impl Tail {
    /// Events of all projects after this number, at most [`CHUNK`].
    pub(super) async fn after(
        &self,
        store: &Store,
        after: i64,
    ) -> Result<Arc<[Frame]>, store::Error> {
        let mut known = self.0.lock().await;
        // An empty answer is never kept: there may be more by now.
        if known.after != after || known.frames.is_empty() {
            let rows = events::after(store, None, after, CHUNK).await?;
            *known = Known { after, frames: rows.into_iter().map(frame).collect() };
        }
        Ok(Arc::clone(&known.frames))
    }
}

/// An event as a frame.
pub(super) fn frame(row: EventRow) -> Frame {
    let (seq, project) = (row.seq, row.project.clone());
    let event = super::view(row);
    let mut text = String::new();
    sse::push(&mut text, Some(seq), &event.kind, &json!(event).to_string());
    Frame { seq, project, text }
}
