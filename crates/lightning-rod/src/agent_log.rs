//! The agent's own log, kept for whoever reads it from the cloud.
//!
//! A layer under the process's subscriber keeps the last lines in a ring. Invariant: at most [`LINES`] lines and [`BYTES`]
//! bytes are kept; at the bound the oldest go, and readers are told how many they missed.

use model::Timestamp;
use rpc::logs::{Line, Lines, MAX_LINES, MAX_WAIT_MS, Read};
use std::collections::VecDeque;
use std::fmt::{self, Write as _};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tracing::field::{Field, Visit};
use tracing::{Event, Subscriber};
use tracing_subscriber::Layer;
use tracing_subscriber::layer::Context;

/// Lines kept.
pub const LINES: usize = 2000;
/// Bytes of text kept.
pub const BYTES: usize = 256 * 1024;
/// Longest line; the rest is cut.
const LINE_BYTES: usize = 2048;

/// The ring. Clones share it.
#[derive(Debug, Clone)]
pub struct AgentLog {
    ring: Arc<Mutex<Ring>>,
    last: Arc<watch::Sender<u64>>,
}

#[derive(Debug, Default)]
struct Ring {
    lines: VecDeque<Line>,
    bytes: usize,
    last: u64,
}

impl Default for AgentLog {
    fn default() -> Self {
        Self { ring: Arc::default(), last: Arc::new(watch::Sender::new(0)) }
    }
}

impl AgentLog {
    /// Adds a line.
    pub fn push(&self, time: Timestamp, stream: &str, mut text: String) {
        cut(&mut text);
        let seq = {
            let mut ring = self.ring();
            ring.last += 1;
            let seq = ring.last;
            ring.bytes += text.len();
            ring.lines.push_back(Line { seq, time, stream: stream.to_owned(), text });
            ring.make_room();
            seq
        };
        self.last.send_replace(seq);
    }

    /// Reads what is kept.
    #[must_use]
    pub fn read(&self, read: Read) -> Lines {
        let limit = read.limit.min(MAX_LINES) as usize;
        let ring = self.ring();
        let newer = ring.lines.iter().filter(|line| line.seq > read.after);
        let lines: Vec<Line> = if read.after == 0 {
            let skip = ring.lines.len().saturating_sub(limit);
            newer.skip(skip).cloned().collect()
        } else {
            newer.take(limit).cloned().collect()
        };
        let first_kept = ring.lines.front().map_or(ring.last + 1, |line| line.seq);
        let dropped = first_kept.saturating_sub(read.after + 1);
        // A reader that is ahead of us has read the log of an earlier process; it starts again.
        let next = lines.last().map_or(read.after.min(ring.last), |line| line.seq);
        Lines { lines, next, dropped }
    }

    /// As [`Self::read`]; when there is nothing new it waits as long as the reader allows.
    pub async fn follow(&self, read: Read) -> Lines {
        let mut last = self.last.subscribe();
        let wait = Duration::from_millis(read.wait_ms.min(MAX_WAIT_MS).into());
        let newer = last.wait_for(|last| *last > read.after);
        let _ = tokio::time::timeout(wait, newer).await;
        self.read(read)
    }

    fn ring(&self) -> MutexGuard<'_, Ring> {
        self.ring.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Ring {
    fn make_room(&mut self) {
        while self.lines.len() > LINES || self.bytes > BYTES {
            let Some(oldest) = self.lines.pop_front() else { return };
            self.bytes -= oldest.text.len();
        }
    }
}

fn cut(text: &mut String) {
    if text.len() > LINE_BYTES {
        text.truncate(text.floor_char_boundary(LINE_BYTES));
    }
}

impl<S: Subscriber> Layer<S> for AgentLog {
    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut text = Text::default();
        event.record(&mut text);
        let level = event.metadata().level().as_str().to_ascii_lowercase();
        let now = base::clock::Clock::unix_micros(&base::clock::SystemClock);
        self.push(Timestamp::from_micros(now), &level, text.finish());
    }
}

/// An event as one line: the message, then its fields.
#[derive(Default)]
struct Text {
    message: String,
    fields: String,
}

impl Text {
    fn finish(self) -> String {
        self.message + &self.fields
    }
}

impl Visit for Text {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value:?}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }

    fn record_str(&mut self, field: &Field, value: &str) {
        let _ = match field.name() {
            "message" => write!(self.message, "{value}"),
            name => write!(self.fields, " {name}={value:?}"),
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(log: &AgentLog, after: u64, limit: u32) -> Lines {
        log.read(Read { after, limit, wait_ms: 0 })
    }

    #[test]
    fn the_ring_keeps_the_newest_lines_and_says_what_is_gone() {
        let log = AgentLog::default();
        for number in 0..LINES + 5 {
            log.push(Timestamp::default(), "info", number.to_string());
        }
        let newest = read(&log, 0, 2);
        assert_eq!(newest.lines.iter().map(|l| l.seq).collect::<Vec<_>>(), [2004, 2005]);
        let old = read(&log, 3, 1);
        assert_eq!((old.dropped, old.lines[0].seq, old.next), (2, 6, 6));
        assert_eq!(read(&log, 2005, 10).next, 2005);
        assert_eq!(read(&log, 9999, 10).next, 2005);
    }

    #[test]
    fn long_lines_are_cut_and_bytes_are_bounded() {
        let log = AgentLog::default();
        for _ in 0..300 {
            log.push(Timestamp::default(), "info", "é".repeat(5000));
        }
        let lines = read(&log, 0, 1000).lines;
        assert!(lines.iter().all(|line| line.text.len() <= LINE_BYTES));
        assert!(lines.iter().map(|line| line.text.len()).sum::<usize>() <= BYTES);
    }

    #[tokio::test]
    async fn a_follower_is_woken_by_the_next_line() {
        let log = AgentLog::default();
        log.push(Timestamp::default(), "info", "one".into());
        let follow = log.follow(Read { after: 1, limit: 10, wait_ms: 20_000 });
        let push = async { log.push(Timestamp::default(), "warn", "two".into()) };
        let (lines, ()) = tokio::join!(follow, push);
        assert_eq!(lines.lines[0].text, "two");
    }

    #[test]
    fn events_become_lines() {
        use tracing_subscriber::layer::SubscriberExt as _;
        let log = AgentLog::default();
        let subscriber = tracing_subscriber::registry().with(log.clone());
        tracing::subscriber::with_default(subscriber, || {
            tracing::warn!(port = 22, name = "ssh", "no answer");
        });
        let line = &read(&log, 0, 10).lines[0];
        assert_eq!(
            (line.stream.as_str(), line.text.as_str()),
            ("warn", "no answer port=22 name=\"ssh\"")
        );
    }
}
