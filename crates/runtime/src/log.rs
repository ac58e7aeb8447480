//! What guests print: a bounded ring in memory, and a file of bounded size that survives the agent.
//!
//! Invariants: lines of a guest are numbered from 1 without gaps; memory, disk and rate are capped, and
//! what the caps swallow is counted and said in the log. Not here: reading the pipes (`log_pump`).

use crate::failure::Stream;
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// Longest line kept; the rest of a longer one becomes further lines.
pub(crate) const LINE_BYTES: usize = 8 << 10;
/// Lines kept in memory for each guest.
const RING_LINES: usize = 1000;
/// Bytes of text kept in memory for each guest.
const RING_BYTES: usize = 256 << 10;
/// The file is rotated once at this size; one older file is kept.
const FILE_BYTES: u64 = 1 << 20;
/// Lines and bytes kept of each second; more are dropped and counted.
const LINES_PER_SECOND: u64 = 200;
const BYTES_PER_SECOND: u64 = 64 << 10;
/// Bytes read in each second; beyond, the guest has to wait, so that a flood costs the agent little.
const READ_PER_SECOND: u64 = 1 << 20;
const WINDOW: Duration = Duration::from_secs(1);

/// One line of a guest's log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Line {
    /// Number of the line, from 1, without gaps, across restarts of the agent.
    pub seq: u64,
    /// When it was read.
    pub time: SystemTime,
    /// Where it came from.
    pub stream: Stream,
    /// The text without its line end; invalid UTF-8 is replaced.
    pub text: String,
}

/// An answer to "what is new since line `after`".
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct Lines {
    /// Pass this as `after` to go on.
    pub next: u64,
    /// The lines, oldest first.
    pub lines: Vec<Line>,
    /// Lines after `after` that are no longer kept.
    pub dropped: u64,
}

/// The log of one guest.
#[derive(Debug)]
pub(crate) struct LogBook {
    state: Mutex<State>,
    last: watch::Sender<u64>,
}

#[derive(Debug)]
struct State {
    ring: VecDeque<Line>,
    ring_bytes: usize,
    last: u64,
    window: Window,
    file: LogFile,
}

impl LogBook {
    /// Opens the log of the guest whose directory is `home`, going on where it ended.
    pub(crate) fn open(home: &Path) -> Self {
        let file = LogFile { path: home.join("log"), open: None };
        let mut state =
            State { ring: VecDeque::new(), ring_bytes: 0, last: 0, window: Window::new(), file };
        for line in state.file.read() {
            state.last = state.last.max(line.seq);
            state.keep(line);
        }
        let last = watch::Sender::new(state.last);
        Self { state: Mutex::new(state), last }
    }

    /// Adds a line; says how long the reader should wait before it reads on.
    pub(crate) fn push(&self, stream: Stream, text: &str) -> Duration {
        let mut state = self.lock();
        let dropped = state.window.turn();
        if dropped > 0 {
            state.add(
                Stream::Runtime,
                &format!("{dropped} lines dropped: the plugin logs too fast"),
            );
        }
        if state.window.admits(text.len()) {
            state.add(stream, text);
        }
        let wait = state.window.wait();
        self.last.send_replace(state.last);
        wait
    }

    /// Adds a line of our own, which no rate drops.
    pub(crate) fn note(&self, text: &str) {
        let mut state = self.lock();
        state.add(Stream::Runtime, text);
        self.last.send_replace(state.last);
    }

    /// At the end of a run: says what was dropped and not yet said.
    pub(crate) fn settle(&self) {
        let dropped = std::mem::take(&mut self.lock().window.dropped);
        if dropped > 0 {
            self.note(&format!("{dropped} lines dropped: the plugin logs too fast"));
        }
    }

    /// At most `max` lines after line `after`; an `after` from the future starts again at the oldest.
    pub(crate) fn read(&self, after: u64, max: usize) -> Lines {
        let state = self.lock();
        let after = if after > state.last { 0 } else { after };
        let oldest = state.ring.front().map_or(state.last + 1, |line| line.seq);
        let fresh = state.ring.iter().filter(|line| line.seq > after);
        let lines: Vec<Line> = fresh.take(max).cloned().collect();
        let next = lines.last().map_or(after.max(oldest - 1), |line| line.seq);
        Lines { next, lines, dropped: oldest.saturating_sub(after + 1) }
    }

    /// Changes to the number of the last line.
    pub(crate) fn follow(&self) -> watch::Receiver<u64> {
        self.last.subscribe()
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn add(&mut self, stream: Stream, text: &str) {
        self.last += 1;
        let line = Line { seq: self.last, time: SystemTime::now(), stream, text: text.to_owned() };
        self.file.append(&line);
        self.keep(line);
    }

    fn keep(&mut self, line: Line) {
        self.ring_bytes += line.text.len();
        self.ring.push_back(line);
        while self.ring.len() > RING_LINES || self.ring_bytes > RING_BYTES {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.ring_bytes -= oldest.text.len();
        }
    }
}

/// What passed in the current second.
#[derive(Debug)]
struct Window {
    began: Instant,
    lines: u64,
    bytes: u64,
    read: u64,
    dropped: u64,
}

impl Window {
    fn new() -> Self {
        Self { began: Instant::now(), lines: 0, bytes: 0, read: 0, dropped: 0 }
    }

    /// Starts the next second when it is time; says what the last one dropped.
    fn turn(&mut self) -> u64 {
        if self.began.elapsed() < WINDOW {
            return 0;
        }
        std::mem::replace(self, Self::new()).dropped
    }

    fn admits(&mut self, bytes: usize) -> bool {
        let bytes = u64::try_from(bytes).unwrap_or(u64::MAX);
        self.read = self.read.saturating_add(bytes).saturating_add(1);
        let fits = self.lines < LINES_PER_SECOND && self.bytes + bytes <= BYTES_PER_SECOND;
        if fits {
            self.lines += 1;
            self.bytes += bytes;
        } else {
            self.dropped += 1;
        }
        fits
    }

    fn wait(&self) -> Duration {
        if self.read < READ_PER_SECOND {
            return Duration::ZERO;
        }
        WINDOW.saturating_sub(self.began.elapsed())
    }
}

/// Lines as JSON, one a line; a failing disk loses the file, never the guest.
#[derive(Debug)]
struct LogFile {
    path: PathBuf,
    open: Option<(File, u64)>,
}

impl LogFile {
    fn append(&mut self, line: &Line) {
        let Ok(mut text) = serde_json::to_vec(line) else { return };
        text.push(b'\n');
        if self.open.is_none() {
            self.open = self.reopen();
        }
        let Some((file, size)) = &mut self.open else { return };
        if file.write_all(&text).is_err() {
            self.open = None;
            return;
        }
        *size += u64::try_from(text.len()).unwrap_or(0);
        if *size >= FILE_BYTES {
            self.open = None;
            let _ = fs::rename(&self.path, self.older());
        }
    }

    fn reopen(&self) -> Option<(File, u64)> {
        let file = OpenOptions::new().create(true).append(true).open(&self.path).ok()?;
        let size = file.metadata().ok()?.len();
        Some((file, size))
    }

    fn older(&self) -> PathBuf {
        self.path.with_extension("1")
    }

    /// What the files hold; lines torn by a power loss are skipped.
    fn read(&self) -> Vec<Line> {
        [self.older(), self.path.clone()]
            .iter()
            .filter_map(|path| File::open(path).ok())
            .flat_map(|file| BufReader::new(file).lines().map_while(Result::ok))
            .filter_map(|text| serde_json::from_str(&text).ok())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reading_goes_on_where_it_ended_also_after_a_restart() {
        let home = tempfile::tempdir().unwrap();
        let book = LogBook::open(home.path());
        book.push(Stream::Stdout, "one");
        book.push(Stream::Stderr, "two");
        let first = book.read(0, 1);
        assert_eq!((first.next, first.lines[0].text.as_str()), (1, "one"));
        drop(book);
        let book = LogBook::open(home.path());
        book.note("three");
        let rest = book.read(first.next, 10);
        let texts: Vec<&str> = rest.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!((texts, rest.next, rest.dropped), (vec!["two", "three"], 3, 0));
    }

    #[test]
    fn a_flood_is_capped_in_memory_on_disk_and_in_rate() {
        let home = tempfile::tempdir().unwrap();
        let book = LogBook::open(home.path());
        let mut waited = Duration::ZERO;
        for _ in 0..3000 {
            waited = waited.max(book.push(Stream::Stdout, &"x".repeat(1000)));
        }
        book.settle();
        let all = book.read(0, usize::MAX);
        assert!(waited > Duration::ZERO);
        assert!(all.lines.len() <= 200, "{}", all.lines.len());
        assert!(all.lines.last().unwrap().text.contains("dropped"));
    }

    #[test]
    fn what_the_ring_lost_is_counted() {
        let home = tempfile::tempdir().unwrap();
        let book = LogBook::open(home.path());
        for number in 0..RING_LINES + 5 {
            book.note(&number.to_string());
        }
        let lines = book.read(2, usize::MAX);
        assert_eq!((lines.dropped, lines.lines[0].seq), (3, 6));
    }
}
