//! The board's time. A machine without a clock of its own takes it from the authenticated cloud.
//!
//! Invariants: [`BoardClock::now`] never goes back, over restarts too, and is never before this agent was written; only
//! a cloud whose key was checked moves it. [`BoardClock::cloud_now`] follows the cloud's clock as it was told last, so that
//! deadlines are judged by the clock that set them. [`BoardClock::trusted`], by which rights are judged, is never before a moment
//! at which one was judged, and is nothing as long as the board cannot know what time it is.

use base::clock::{Clock, SystemClock};
use model::Timestamp;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// No certificate or message is older than this: 2026-01-01.
const FLOOR_MICROS: i64 = 1_767_225_600_000_000;
/// What the cloud told is written again when the time in the file is older than this.
const WRITE_EVERY: Duration = Duration::from_secs(3600);
/// So far ahead is written what rights were judged by: the file is written once in that time, and what it says after a
/// restart is late by no more than that.
const AHEAD: Duration = Duration::from_secs(10);

/// The clock.
pub struct BoardClock {
    path: PathBuf,
    system: Arc<dyn Clock>,
    opened: Instant,
    state: Mutex<State>,
}

#[derive(Debug)]
struct State {
    /// What the cloud said last, and when that was.
    cloud: Option<(Timestamp, Instant)>,
    /// Whether its word was signed.
    word: Word,
    /// The latest moment known to have passed.
    latest: Timestamp,
    /// The same when the agent began.
    began: Timestamp,
    /// What the file holds.
    written: Timestamp,
    /// No right is judged by an earlier moment.
    relied: Timestamp,
}

/// How the cloud told its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Word {
    /// Signed, in the handshake.
    Signed,
    /// Said, on a channel whose other end was checked: by clouds before the signed time.
    Said,
}

impl fmt::Debug for BoardClock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BoardClock({:?})", self.state())
    }
}

impl BoardClock {
    /// Opens the clock whose memory is `path`; a missing or damaged file counts as no memory.
    #[must_use]
    pub fn open(path: &Path) -> Self {
        Self::on(path, Arc::new(SystemClock))
    }

    /// As [`Self::open`], with a system clock of choice.
    #[must_use]
    pub fn on(path: &Path, system: Arc<dyn Clock>) -> Self {
        let written: Timestamp = std::fs::read_to_string(path)
            .ok()
            .and_then(|text| text.trim().parse().ok())
            .unwrap_or_default();
        let latest = Timestamp::from_micros(FLOOR_MICROS).max(written);
        let (began, relied) = (latest, latest);
        let state = State { cloud: None, word: Word::Said, latest, began, written, relied };
        Self { path: path.to_owned(), system, opened: Instant::now(), state: Mutex::new(state) }
    }

    /// The present moment as well as this board knows it.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let mut state = self.state();
        let system = self.system();
        let cloud = state.cloud.map_or(system, told);
        // Without a clock and a cloud time goes on from where it stood.
        let own = told((state.began, self.opened));
        state.latest = state.latest.max(system).max(cloud).max(own);
        state.latest
    }

    /// The present moment by the cloud's clock; [`Self::now`] before the cloud told it.
    #[must_use]
    pub fn cloud_now(&self) -> Timestamp {
        let cloud = self.state().cloud;
        cloud.map_or_else(|| self.now(), told)
    }

    /// The present moment to judge rights by: the cloud's clock as it was signed in this life of the agent, else the system's,
    /// unless that shows a moment that is over, as it does on a machine without a clock after a restart.
    #[must_use]
    pub fn trusted(&self) -> Option<Timestamp> {
        let state = self.state();
        match (state.cloud, state.word) {
            (Some(cloud), Word::Signed) => Some(told(cloud).max(state.relied)),
            _ => {
                let system = self.system();
                (system >= state.relied).then_some(system)
            }
        }
    }

    /// A right was judged by this moment: none is judged by an earlier one from now on, after a restart either. Writes a file now
    /// and then.
    pub fn keep(&self, moment: Timestamp) {
        let mut state = self.state();
        state.relied = state.relied.max(moment);
        if moment <= state.written {
            return;
        }
        let ahead = moment.after(AHEAD);
        state.written = ahead;
        drop(state);
        self.write(ahead);
    }

    /// Takes the time from a cloud whose key was checked. Writes a file now and then, so not for the reactor's thread.
    pub fn learn(&self, time: Timestamp, word: Word) {
        let mut state = self.state();
        state.cloud = Some((time, Instant::now()));
        state.word = word;
        state.latest = state.latest.max(time);
        if word == Word::Signed {
            state.relied = state.relied.max(time);
        }
        if state.written.until(time) < WRITE_EVERY {
            return;
        }
        state.written = time;
        drop(state);
        self.write(time);
    }

    fn system(&self) -> Timestamp {
        Timestamp::from_micros(self.system.unix_micros())
    }

    fn write(&self, time: Timestamp) {
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
    use base::clock::ManualClock;

    #[test]
    fn time_never_goes_back_over_restarts_neither() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clock");
        let future: Timestamp = "2090-01-01T00:00:00Z".parse().unwrap();
        let clock = BoardClock::open(&path);
        assert!(clock.now().micros() >= FLOOR_MICROS);
        clock.learn(future, Word::Signed);
        assert!(clock.now() >= future);
        let again = BoardClock::open(&path);
        assert!(again.now() >= future);
        let earlier: Timestamp = "2080-01-01T00:00:00Z".parse().unwrap();
        again.learn(earlier, Word::Signed);
        assert!(again.now() >= future);
        assert!(again.cloud_now() < future);
        assert!(again.trusted() >= Some(future), "rights are not judged by an earlier time either");
    }

    #[test]
    fn a_board_without_a_clock_trusts_no_time_until_its_cloud_signed_one() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clock");
        let first = BoardClock::on(&path, Arc::new(ManualClock::at(0)));
        assert_eq!(first.trusted(), None, "it stands at 1970");
        let time: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        first.learn(time, Word::Said);
        assert_eq!(first.trusted(), None, "nobody signed that");
        first.learn(time, Word::Signed);
        let trusted = first.trusted().unwrap();
        assert!(trusted >= time);
        first.keep(trusted);
        // The power was off, and the cloud is away.
        let second = BoardClock::on(&path, Arc::new(ManualClock::at(0)));
        assert_eq!(second.trusted(), None);
        second.learn(time, Word::Signed);
        assert!(second.trusted() >= Some(trusted), "no time before the last it relied on");
    }

    #[test]
    fn a_board_with_a_clock_trusts_it_from_where_it_stood_last() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("clock");
        let time: Timestamp = "2030-01-01T00:00:00Z".parse().unwrap();
        let system = Arc::new(ManualClock::at(time.micros()));
        let clock = BoardClock::on(&path, Arc::clone(&system) as Arc<dyn Clock>);
        assert_eq!(clock.trusted(), Some(time));
        clock.keep(time);
        // Somebody turned it back by a minute over a restart.
        let back = time.micros() - 60_000_000;
        let turned = BoardClock::on(&path, Arc::new(ManualClock::at(back)));
        assert_eq!(turned.trusted(), None);
        let system = Arc::new(ManualClock::at(time.after(AHEAD).micros()));
        assert!(BoardClock::on(&path, system).trusted().is_some());
    }
}
