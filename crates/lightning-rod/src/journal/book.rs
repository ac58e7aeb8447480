//! What the journal knows: one entry for each operation, and what a request for it leads to. Pure; no file, no clock.
//!
//! Invariants: an operation that has ended is never run again while its entry is kept; one that runs is never dropped;
//! there are at most [`MAX_ENTRIES`] entries, and the oldest ended one makes room.

use super::record::Repeat;
use model::{OperationId, Timestamp};
use std::collections::{BTreeMap, HashMap};

/// Most operations remembered.
pub const MAX_ENTRIES: usize = 10_000;

/// Where an answer lies in the journal's file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) offset: u64,
    pub(super) length: u32,
}

/// Where an answer is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Answer {
    /// In the file.
    Stored(Place),
    /// Only here: it could not be written.
    Held(String),
}

/// Where an operation stands on this board.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Stage {
    /// This process works on it.
    Running,
    /// An earlier process began it and did not end it.
    Interrupted,
    /// It has ended.
    Ended(Answer),
}

/// One operation.
#[derive(Debug, Clone)]
pub(super) struct Entry {
    pub(super) stage: Stage,
    pub(super) repeat: Repeat,
    pub(super) keep_until: Timestamp,
    pub(super) method: String,
    seq: u64,
}

/// What a request for an operation leads to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Decision {
    /// Nobody did it yet.
    Run,
    /// It was done; this is the answer.
    Answer(Answer),
    /// It is being done now.
    Join,
    /// There is no room, and nothing to drop.
    Full,
}

/// All entries.
#[derive(Debug, Default)]
pub(super) struct Book {
    entries: HashMap<OperationId, Entry>,
    order: BTreeMap<u64, OperationId>,
    next_seq: u64,
}

impl Book {
    /// Decides about a request; [`Decision::Run`] has entered it as running.
    pub(super) fn request(
        &mut self,
        operation: OperationId,
        repeat: Repeat,
        keep_until: Timestamp,
        method: &str,
    ) -> Decision {
        match self.entries.get(&operation).map(|entry| &entry.stage) {
            Some(Stage::Running) => return Decision::Join,
            Some(Stage::Ended(answer)) => return Decision::Answer(answer.clone()),
            Some(Stage::Interrupted) | None => {}
        }
        if !self.entries.contains_key(&operation) && !self.make_room() {
            return Decision::Full;
        }
        self.enter(operation, repeat, keep_until, method, Stage::Running);
        Decision::Run
    }

    /// Enters an operation, or overwrites its entry.
    pub(super) fn enter(
        &mut self,
        operation: OperationId,
        repeat: Repeat,
        keep_until: Timestamp,
        method: &str,
        stage: Stage,
    ) {
        self.forget(operation);
        self.next_seq += 1;
        let (seq, method) = (self.next_seq, method.to_owned());
        self.order.insert(seq, operation);
        self.entries.insert(operation, Entry { stage, repeat, keep_until, method, seq });
    }

    /// Notes an end; ends of operations that nobody knows are ignored.
    pub(super) fn end(&mut self, operation: OperationId, answer: Answer) {
        if let Some(entry) = self.entries.get_mut(&operation) {
            entry.stage = Stage::Ended(answer);
        }
    }

    /// Whether an operation that is entered may be repeated.
    pub(super) fn repeat(&self, operation: OperationId) -> Option<Repeat> {
        self.entries.get(&operation).map(|entry| entry.repeat)
    }

    /// Drops an entry.
    pub(super) fn forget(&mut self, operation: OperationId) {
        if let Some(entry) = self.entries.remove(&operation) {
            self.order.remove(&entry.seq);
        }
    }

    /// Drops every entry that has ended and whose time is over.
    pub(super) fn expire(&mut self, now: Timestamp) {
        let over: Vec<_> = self
            .entries
            .iter()
            .filter(|(_, entry)| entry.keep_until < now && matches!(entry.stage, Stage::Ended(_)))
            .map(|(operation, _)| *operation)
            .collect();
        over.into_iter().for_each(|operation| self.forget(operation));
    }

    /// Drops the oldest ended entries until there are no more than [`MAX_ENTRIES`].
    pub(super) fn shrink(&mut self) {
        while self.entries.len() > MAX_ENTRIES && self.drop_oldest_ended() {}
    }

    /// Drops the oldest ended entry; false when there is none.
    pub(super) fn drop_oldest_ended(&mut self) -> bool {
        let oldest = self.order.values().copied().find(|operation| {
            self.entries.get(operation).is_some_and(|e| matches!(e.stage, Stage::Ended(_)))
        });
        let Some(operation) = oldest else { return false };
        self.forget(operation);
        true
    }

    /// Bytes of the oldest stored answer.
    pub(super) fn oldest_answer_length(&self) -> u64 {
        let stored = |entry: &Entry| match entry.stage {
            Stage::Ended(Answer::Stored(place)) => Some(u64::from(place.length)),
            _ => None,
        };
        self.iter().find_map(|(_, entry)| stored(entry)).unwrap_or(0)
    }

    /// Entries, oldest first.
    pub(super) fn iter(&self) -> impl Iterator<Item = (OperationId, &Entry)> {
        self.order.values().filter_map(|operation| Some((*operation, self.entries.get(operation)?)))
    }

    /// Operations that an earlier process began, did not end, and must not run again.
    pub(super) fn undecidable(&self) -> Vec<OperationId> {
        self.iter()
            .filter(|(_, e)| e.stage == Stage::Interrupted && e.repeat == Repeat::Never)
            .map(|(operation, _)| operation)
            .collect()
    }

    fn make_room(&mut self) -> bool {
        self.entries.len() < MAX_ENTRIES || self.drop_oldest_ended()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use uuid::Uuid;

    fn id(number: u128) -> OperationId {
        Uuid::from_u128(number).into()
    }

    fn later() -> Timestamp {
        Timestamp::from_micros(1_000_000)
    }

    fn ask(book: &mut Book, number: u128) -> Decision {
        book.request(id(number), Repeat::Never, later(), "PluginCall")
    }

    #[test]
    fn an_operation_runs_then_joins_then_answers() {
        let mut book = Book::default();
        assert_eq!(ask(&mut book, 1), Decision::Run);
        assert_eq!(ask(&mut book, 1), Decision::Join);
        book.end(id(1), Answer::Held("done".into()));
        assert_eq!(ask(&mut book, 1), Decision::Answer(Answer::Held("done".into())));
    }

    #[test]
    fn interrupted_work_runs_again_only_when_that_is_harmless() {
        let mut book = Book::default();
        book.enter(id(1), Repeat::Never, later(), "m", Stage::Interrupted);
        book.enter(id(2), Repeat::Harmless, later(), "m", Stage::Interrupted);
        assert_eq!(book.undecidable(), [id(1)]);
        assert_eq!(ask(&mut book, 2), Decision::Run);
    }

    #[test]
    fn the_oldest_ended_entry_makes_room_and_running_ones_stay() {
        let mut book = Book::default();
        for number in 0..MAX_ENTRIES as u128 {
            assert_eq!(ask(&mut book, number), Decision::Run);
        }
        assert_eq!(ask(&mut book, 1 << 64), Decision::Full);
        book.end(id(7), Answer::Held(String::new()));
        assert_eq!(ask(&mut book, 1 << 64), Decision::Run);
        assert_eq!(ask(&mut book, 6), Decision::Join);
    }

    #[test]
    fn entries_expire_after_their_time_but_not_while_running() {
        let mut book = Book::default();
        ask(&mut book, 1);
        ask(&mut book, 2);
        book.end(id(1), Answer::Held("x".into()));
        book.expire(later().after(std::time::Duration::from_secs(1)));
        assert_eq!(ask(&mut book, 1), Decision::Run);
        assert_eq!(ask(&mut book, 2), Decision::Join);
    }

    #[derive(Debug, Clone)]
    enum Step {
        Ask(u8),
        End(u8),
        Restart,
    }

    fn steps() -> impl Strategy<Value = Vec<Step>> {
        let step = prop_oneof![
            4 => (0u8..6).prop_map(Step::Ask),
            4 => (0u8..6).prop_map(Step::End),
            1 => Just(Step::Restart),
        ];
        proptest::collection::vec(step, 0..60)
    }

    /// What a process that ended leaves on the disk: every begin, and the ends there were.
    fn restarted(book: &Book) -> Book {
        let mut next = Book::default();
        for (operation, entry) in book.iter() {
            let stage = match &entry.stage {
                Stage::Ended(answer) => Stage::Ended(answer.clone()),
                Stage::Running | Stage::Interrupted => Stage::Interrupted,
            };
            next.enter(operation, entry.repeat, entry.keep_until, &entry.method, stage);
        }
        for operation in next.undecidable() {
            next.end(operation, Answer::Held("unknown".into()));
        }
        next
    }

    proptest! {
        #[test]
        fn work_that_must_not_be_repeated_runs_once_whatever_happens(steps in steps()) {
            let mut book = Book::default();
            let mut runs = HashMap::new();
            let mut answers: HashMap<u8, Answer> = HashMap::new();
            for step in steps {
                match step {
                    Step::Ask(number) => match ask(&mut book, number.into()) {
                        Decision::Run => *runs.entry(number).or_insert(0) += 1,
                        Decision::Answer(answer) => {
                            let first = answers.entry(number).or_insert_with(|| answer.clone());
                            prop_assert_eq!(first, &answer);
                        }
                        Decision::Join => {}
                        Decision::Full => prop_assert!(false, "six operations fit"),
                    },
                    Step::End(number) => {
                        let entry = book.entries.get(&id(number.into()));
                        if entry.is_some_and(|entry| entry.stage == Stage::Running) {
                            book.end(id(number.into()), Answer::Held("done".into()));
                        }
                    }
                    Step::Restart => book = restarted(&book),
                }
            }
            prop_assert!(runs.values().all(|count| *count == 1));
        }
    }
}
