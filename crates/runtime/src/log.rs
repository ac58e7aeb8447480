//! What guests print: a bounded ring in memory, and a file of bounded size that survives the agent.
//!
//! Invariants: lines of a guest are numbered from 1 without gaps; memory, disk and rate are capped, the memory of all
//! guests together too, and what the caps swallow is counted and said in the log; adding a line never waits for the disk.
//! Not here: reading the pipes (`log_pump`), the files (`log_file`).

use crate::failure::Stream;
use crate::log_file::{LogFile, Written};
use serde::{Deserialize, Serialize};
use std::collections::VecDeque;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::watch;

/// Longest line kept; the rest of a longer one becomes further lines.
pub(crate) const LINE_BYTES: usize = 8 << 10;
/// Lines kept in memory for each guest.
const RING_LINES: usize = 1000;
/// Bytes kept in memory for each guest.
const RING_BYTES: usize = 256 << 10;
/// Bytes kept in memory for all guests together: beyond eight of them, each gets an equal share.
const ALL_RINGS_BYTES: usize = 2 << 20;
/// What a line costs in memory beside its text.
const LINE_COST: usize = size_of::<Line>();
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
    ring_limit: usize,
    window: Window,
    file: LogFile,
    /// Lines that did not get to the file and are not told yet.
    unwritten: u64,
}

/// The bytes that each of so many guests may keep in memory.
pub(crate) fn share(guests: usize) -> usize {
    RING_BYTES.min(ALL_RINGS_BYTES / guests.max(1))
}

impl LogBook {
    /// Opens the log of a guest, going on where its file ended. Reads the disk.
    pub(crate) fn open(file: LogFile) -> Self {
        let before = file.lines();
        let book = Self::unread(file);
        {
            let mut state = book.lock();
            for line in before {
                state.last = state.last.max(line.seq);
                state.keep(line);
            }
            book.last.send_replace(state.last);
        }
        book
    }

    /// A log that knows nothing of what its file holds.
    pub(crate) fn unread(file: LogFile) -> Self {
        let state = State {
            ring: VecDeque::new(),
            ring_bytes: 0,
            last: 0,
            ring_limit: RING_BYTES,
            window: Window::new(),
            unwritten: 0,
            file,
        };
        Self { state: Mutex::new(state), last: watch::Sender::new(0) }
    }

    /// Keeps no more than so many bytes in memory from now on.
    pub(crate) fn limit(&self, bytes: usize) {
        let mut state = self.lock();
        state.ring_limit = bytes;
        state.make_room();
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
        let written = self.file.append(&line);
        self.keep(line);
        match written {
            Written::Queued if self.unwritten > 0 => {
                let lost = std::mem::take(&mut self.unwritten);
                self.add(
                    Stream::Runtime,
                    &format!("{lost} lines are not in the file: the disk is too slow"),
                );
            }
            Written::Queued => {}
            Written::Lost => self.unwritten += 1,
        }
    }

    fn keep(&mut self, line: Line) {
        self.ring_bytes += line.text.len() + LINE_COST;
        self.ring.push_back(line);
        self.make_room();
    }

    fn make_room(&mut self) {
        while self.ring.len() > RING_LINES || self.ring_bytes > self.ring_limit {
            let Some(oldest) = self.ring.pop_front() else { break };
            self.ring_bytes -= oldest.text.len() + LINE_COST;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_file::LogWriter;

    #[test]
    fn reading_goes_on_where_it_ended_also_after_a_restart() {
        let (home, writer) = (tempfile::tempdir().unwrap(), LogWriter::start().unwrap());
        let book = LogBook::open(LogFile::of(home.path(), &writer));
        book.push(Stream::Stdout, "one");
        book.push(Stream::Stderr, "two");
        let first = book.read(0, 1);
        assert_eq!((first.next, first.lines[0].text.as_str()), (1, "one"));
        drop(book);
        assert!(writer.flush(Duration::from_secs(20)));
        let book = LogBook::open(LogFile::of(home.path(), &writer));
        book.note("three");
        let rest = book.read(first.next, 10);
        let texts: Vec<&str> = rest.lines.iter().map(|line| line.text.as_str()).collect();
        assert_eq!((texts, rest.next, rest.dropped), (vec!["two", "three"], 3, 0));
    }

    #[test]
    fn a_flood_is_capped_in_memory_on_disk_and_in_rate() {
        let (home, writer) = (tempfile::tempdir().unwrap(), LogWriter::start().unwrap());
        let book = LogBook::open(LogFile::of(home.path(), &writer));
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
        let (home, writer) = (tempfile::tempdir().unwrap(), LogWriter::start().unwrap());
        let book = LogBook::open(LogFile::of(home.path(), &writer));
        for number in 0..RING_LINES + 5 {
            book.note(&number.to_string());
        }
        let lines = book.read(2, usize::MAX);
        assert_eq!((lines.dropped, lines.lines[0].seq), (3, 6));
    }

    #[test]
    fn the_memory_of_all_guests_is_bounded_and_shared_equally() {
        assert_eq!((share(1), share(8), share(16)), (RING_BYTES, RING_BYTES, RING_BYTES / 2));
        let (home, writer) = (tempfile::tempdir().unwrap(), LogWriter::start().unwrap());
        let book = LogBook::open(LogFile::of(home.path(), &writer));
        for _ in 0..900 {
            book.note("");
        }
        book.limit(share(1000));
        let kept = book.read(0, usize::MAX).lines.len();
        assert!(kept * LINE_COST <= ALL_RINGS_BYTES / 1000, "{kept} lines, empty ones, are kept");
        book.note("last");
        assert_eq!(book.read(0, usize::MAX).lines.last().unwrap().text, "last");
    }

    #[test]
    fn a_disk_that_stalls_delays_nobody_and_what_it_missed_is_told() {
        let (home, writer) = (tempfile::tempdir().unwrap(), LogWriter::start().unwrap());
        let book = LogBook::open(LogFile::of(home.path(), &writer));
        // Whoever opens a FIFO waits for its reader.
        let fifo = home.path().join("log");
        let made = std::process::Command::new("mkfifo").arg(&fifo).status().unwrap();
        assert!(made.success());
        let began = Instant::now();
        let lines = crate::log_file::QUEUE_LINES + 100;
        for number in 0..lines {
            book.note(&number.to_string());
        }
        assert!(!writer.flush(Duration::from_millis(50)), "the file stalls");
        assert!(began.elapsed() < Duration::from_secs(5), "{:?}", began.elapsed());
        std::fs::rename(&fifo, home.path().join("away")).unwrap();
        let reader = std::fs::File::open(home.path().join("away")).unwrap();
        assert!(writer.flush(Duration::from_secs(20)));
        drop(reader);
        book.note("the disk is back");
        let told = book.read(0, usize::MAX);
        let told_of_loss = |line: &&Line| line.text.contains("not in the file");
        let lost: Vec<&Line> = told.lines.iter().filter(told_of_loss).collect();
        // The writing thread takes the line it stalls on whenever it comes to run, which may make room once on the way.
        assert!((1..=2).contains(&lost.len()), "{lost:?}");
        assert_eq!(told.next, (lines + 1 + lost.len()) as u64);
    }
}
