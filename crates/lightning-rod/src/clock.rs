//! The board's time. A machine without a clock of its own takes it from the authenticated cloud.
//!
//! Invariants: [`BoardClock::now`] never goes back, over restarts neither, and is never before this agent was written; only
//! a cloud whose key was checked moves it. [`BoardClock::cloud_now`] follows the cloud's clock as it was told last, so that
//! deadlines are judged by the clock that set them.

use base::clock::{Clock, SystemClock};
use model::Timestamp;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// No certificate or message is older than this: 2026-01-01.
const FLOOR_MICROS: i64 = 1_767_225_600_000_000;
/// The file is written again when the time it holds is older than this.
const WRITE_EVERY: Duration = Duration::from_secs(3600);

/// The clock.
#[derive(Debug)]
pub struct BoardClock {
    path: PathBuf,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What the cloud said last, and when that was.
    cloud: Option<(Timestamp, Instant)>,
    /// The latest moment known to have passed.
    latest: Timestamp,
    /// What the file holds.
    written: Timestamp,
}

impl BoardClock {
    /// Opens the clock whose memory is `path`; a missing or damaged file counts as no memory.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        let written = std::fs::read_to_string(path)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or_default();
        let latest = Timestamp::from_micros(FLOOR_MICROS).max(written);
        Self { path: path.to_owned(), state: Mutex::new(State { cloud: None, latest, written }) }
    }

    /// The present moment as well as this board knows it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let mut state = self.state();
        let system = Timestamp::from_micros(SystemClock.unix_micros());
        let cloud = state.cloud.map_or(system, told);
        state.latest = state.latest.max(system).max(cloud);
        state.latest
    }

    /// The present moment by the cloud's clock; [`Self::now`] before the cloud told it.
    #[must_use]
    pub fn cloud_now(&self) -> Timestamp {
        let cloud = self.state().cloud;
        cloud.map_or_else(|| self.now(), told)
    }

    /// Takes the time from a cloud whose key was checked. Writes a file now and then, so not for the reactor's thread.
    pub fn learn(&self, time: Timestamp) {
        let mut state = self.state();
        state.cloud = Some((time, Instant::now()));
        state.latest = state.latest.max(time);
        if state.written.until(time) < WRITE_EVERY {
            return;
        }
        state.written = time;
        drop(state);
        if let Err(error) = base::secret::write_private(&self.path, time.to_string().as_bytes()) {
            tracing::warn!(%error, path = %self.path.display(), "clock file cannot be written");
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn told((time, at): (Timestamp, Instant)) -> Timestamp {
    time.after(at.elapsed())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_never_goes_back_over_restarts_neither() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clock");
        let future: Timestamp = "2090-01-01T00:00:00Z".parse().unwrap();
        let clock = BoardClock::open(&path);
        assert!(clock.now().micros() >= FLOOR_MICROS);
        clock.learn(future);
        assert!(clock.now() >= future);
        let again = BoardClock::open(&path);
        assert!(again.now() >= future);
        let earlier: Timestamp = "2080-01-01T00:00:00Z".parse().unwrap();
        again.learn(earlier);
        assert!(again.now() >= future);
        assert!(again.cloud_now() < future);
    }
}
