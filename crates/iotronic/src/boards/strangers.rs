//! Strangers at the door, told in the log: the first at once, those that follow once a minute with their number.
//!
//! Invariant: however many knock, the log grows by one line a minute.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Time between two lines.
const EVERY: Duration = Duration::from_secs(60);

/// Who was turned away and not told yet.
#[derive(Debug, Default)]
pub(super) struct Strangers(Mutex<Count>);

#[derive(Debug, Default)]
struct Count {
    told: Option<Instant>,
    untold: u64,
}

impl Strangers {
    /// One was turned away; gives how many to tell now, this one included.
    pub(super) fn turned_away(&self, now: Instant) -> Option<u64> {
        self.count(now, 1)
    }

    /// Gives how many to tell now, if a minute has passed since the last line.
    pub(super) fn overdue(&self, now: Instant) -> Option<u64> {
        self.count(now, 0)
    }

    fn count(&self, now: Instant, more: u64) -> Option<u64> {
        let mut count = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        count.untold = count.untold.saturating_add(more);
        let is_early = count.told.is_some_and(|told| now.duration_since(told) < EVERY);
        if is_early || count.untold == 0 {
            return None;
        }
        count.told = Some(now);
        Some(std::mem::take(&mut count.untold))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_is_told_at_once_and_a_crowd_once_a_minute() {
        let (strangers, start) = (Strangers::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        assert_eq!(strangers.overdue(start), None);
        assert_eq!(strangers.turned_away(start), Some(1));
        for second in 1..60 {
            assert_eq!(strangers.turned_away(after(second)), None);
        }
        assert_eq!(strangers.overdue(after(59)), None);
        assert_eq!(strangers.turned_away(after(60)), Some(60));
        assert_eq!(strangers.turned_away(after(61)), None);
        assert_eq!(strangers.overdue(after(120)), Some(1), "who came last is told too");
        assert_eq!(strangers.overdue(after(180)), None);
    }
}
