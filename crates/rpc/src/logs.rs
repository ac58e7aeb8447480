//! Log lines read from afar, by position: the reader says after which line, the board answers what it still has.

use model::Timestamp;
use serde::{Deserialize, Serialize};

/// Most lines in one answer.
pub const MAX_LINES: u32 = 1000;
/// Longest wait for new lines, in milliseconds.
pub const MAX_WAIT_MS: u32 = 20_000;

/// From where to read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Read {
    /// Lines with a larger number than this; 0 reads from the oldest kept one.
    pub after: u64,
    /// At most so many; the newest ones when `after` is 0.
    pub limit: u32,
    /// When there is nothing new, wait so long for something.
    pub wait_ms: u32,
}

impl Default for Read {
    fn default() -> Self {
        Self { after: 0, limit: 100, wait_ms: 0 }
    }
}

/// What was read.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Lines {
    /// The lines, oldest first.
    pub lines: Vec<Line>,
    /// Where to go on: `after` of the next read.
    pub next: u64,
    /// How many lines between `after` and the first one here are not kept any more.
    pub dropped: u64,
}

/// One line.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Its number, counted from 1.
    pub seq: u64,
    /// When it was written, by the board's clock.
    pub time: Timestamp,
    /// `stdout` or `stderr` of a plugin; the level (`info`, `warn` …) for the agent's own log.
    pub stream: String,
    /// The text, without line end.
    pub text: String,
}
