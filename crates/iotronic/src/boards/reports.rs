//! Load reports as they come: kept for a day, and handed to whoever follows a board just now.
//!
//! Invariant: a board that nobody follows costs nothing here, and a reader that is slow loses the oldest reports and holds
//! up nobody. Deliberately not here: the event log, which samples stay out of.

use model::facts::Load;
use model::{BoardId, Timestamp};
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::Store;
use store::load::Sample;
use tokio::sync::broadcast;

/// Reports that wait for one reader; older ones are lost to it.
const WAITING: usize = 16;

/// Who follows which board.
#[derive(Default)]
pub(super) struct Reports(Mutex<HashMap<BoardId, broadcast::Sender<Sample>>>);

impl Reports {
    /// Stores a report, behind, and hands it on.
    pub(super) fn came(&self, store: &Store, board: BoardId, load: Load, at: Timestamp) {
        store::load::append(store, board, &load, at);
        self.hand_on(board, || Sample { at, load: load.clone() });
        store::boards::record_load(store, board, load, at);
    }

    fn hand_on(&self, board: BoardId, sample: impl FnOnce() -> Sample) {
        let mut followed = self.followed();
        let Some(sender) = followed.get(&board) else { return };
        if sender.send(sample()).is_err() {
            followed.remove(&board);
        }
    }

    /// The reports of a board from now on.
    pub(super) fn follow(&self, board: BoardId) -> broadcast::Receiver<Sample> {
        let mut followed = self.followed();
        // Boards that went silent leave theirs behind.
        followed.retain(|_, sender| sender.receiver_count() > 0);
        followed.entry(board).or_insert_with(|| broadcast::channel(WAITING).0).subscribe()
    }

    fn followed(&self) -> MutexGuard<'_, HashMap<BoardId, broadcast::Sender<Sample>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_reach_those_who_follow_and_nothing_stays_when_they_leave() {
        let (reports, board) = (Reports::default(), BoardId::new());
        let sample = |number| Sample { at: Timestamp::from_micros(number), load: Load::default() };
        reports.hand_on(board, || panic!("nobody follows"));
        let (mut one, mut two) = (reports.follow(board), reports.follow(board));
        reports.hand_on(board, || sample(1));
        assert_eq!(one.try_recv().unwrap(), sample(1));
        assert_eq!(two.try_recv().unwrap(), sample(1));
        for number in 0..100 {
            reports.hand_on(board, || sample(number));
        }
        assert!(matches!(one.try_recv(), Err(broadcast::error::TryRecvError::Lagged(_))));
        assert_eq!(one.try_recv().unwrap(), sample(84));
        drop((one, two));
        reports.hand_on(board, || sample(2));
        assert!(reports.followed().is_empty());
    }
}
