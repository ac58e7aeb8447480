//! Counts for Prometheus (text format 0.0.4): numbers only, no names, so that the page needs no token.

use crate::cloud::Cloud;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use axum::Extension;
use model::Kind;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Requests counted since the start.
#[derive(Default)]
pub struct Counters {
    done: AtomicU64,
    failed: [AtomicU64; Kind::ALL.len()],
    micros: AtomicU64,
}

impl Counters {
    /// One request more, which failed in this way or did not.
    pub fn count(&self, kind: Option<Kind>, took: Duration) {
        let place = kind.and_then(|kind| Kind::ALL.iter().position(|one| *one == kind));
        let counter = place.and_then(|place| self.failed.get(place)).unwrap_or(&self.done);
        counter.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }
}
