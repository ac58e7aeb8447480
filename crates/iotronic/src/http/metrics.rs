//! Counts for Prometheus (text format 0.0.4): numbers only, no names, so that the page needs no token.

use crate::cloud::Cloud;
use api::system::Requests;
use axum::Extension;
use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use model::Kind;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

/// Requests counted since the start.
#[derive(Default)]
pub(crate) struct Counters {
    done: AtomicU64,
    failed: [AtomicU64; Kind::ALL.len()],
    micros: AtomicU64,
}

impl Counters {
    /// One request more, which failed in this way or did not.
    pub(crate) fn count(&self, kind: Option<Kind>, took: Duration) {
        let place = kind.and_then(|kind| Kind::ALL.iter().position(|one| *one == kind));
        let counter = place.and_then(|place| self.failed.get(place)).unwrap_or(&self.done);
        counter.fetch_add(1, Ordering::Relaxed);
        let micros = u64::try_from(took.as_micros()).unwrap_or(u64::MAX);
        self.micros.fetch_add(micros, Ordering::Relaxed);
    }
}

/// `GET /metrics`.
pub(crate) async fn show(
    State(cloud): State<Cloud>,
    Extension(counters): Extension<Arc<Counters>>,
) -> Response {
    let mut text = String::new();
    counters.write(&mut text);
    let links = cloud.boards.links();
    let channels = usize::try_from(links.channels()).unwrap_or(usize::MAX);
    for (name, help, value) in [
        ("boards_online", "Boards that can be called now.", cloud.boards.online()),
        ("links", "Data links of boards that stand now.", links.count()),
        ("channels", "Connections through those links now.", channels),
        ("public_ports", "Public ports that are open now.", cloud.ingress.ports()),
    ] {
        gauge(&mut text, &format!("iotronic_{name}"), help, value);
    }
    let dropped = cloud.store.dropped();
    counter(
        &mut text,
        "iotronic_records_dropped_total",
        "Records not written because too many waited.",
    );
    line(&mut text, "iotronic_records_dropped_total", "", dropped);
    counter(&mut text, "iotronic_events_total", "Events committed since the cloud was made.");
    line(&mut text, "iotronic_events_total", "", store::events::last_seq(&cloud.store));
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], text).into_response()
}

impl Counters {
    /// For people.
    pub(crate) fn summary(&self) -> Requests {
        let done = self.done.load(Ordering::Relaxed);
        let mut by_kind = BTreeMap::from([("ok".to_owned(), done)]);
        let failed = Kind::ALL.iter().zip(&self.failed);
        by_kind
            .extend(failed.map(|(kind, count)| (kind.to_string(), count.load(Ordering::Relaxed))));
        let all = by_kind.values().sum::<u64>().max(1);
        // Numbers of this size lose nothing that anybody looks at.
        let mean_ms = self.micros.load(Ordering::Relaxed) as f64 / 1000.0 / all as f64;
        Requests { by_kind, mean_ms }
    }

    fn write(&self, text: &mut String) {
        let name = "iotronic_requests_total";
        counter(text, name, "Requests answered, by kind of outcome.");
        line(text, name, "{kind=\"ok\"}", self.done.load(Ordering::Relaxed));
        for (kind, count) in Kind::ALL.iter().zip(&self.failed) {
            line(text, name, &format!("{{kind=\"{kind}\"}}"), count.load(Ordering::Relaxed));
        }
        let name = "iotronic_request_microseconds_total";
        counter(text, name, "Time spent on requests, waits included.");
        line(text, name, "", self.micros.load(Ordering::Relaxed));
    }
}

fn gauge(text: &mut String, name: &str, help: &str, value: usize) {
    // Writing to a String cannot fail.
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{name} {value}");
}

fn counter(text: &mut String, name: &str, help: &str) {
    let _ = writeln!(text, "# HELP {name} {help}\n# TYPE {name} counter");
}

fn line(text: &mut String, name: &str, labels: &str, value: impl std::fmt::Display) {
    let _ = writeln!(text, "{name}{labels} {value}");
}
