//! The sessions on the upstream boards' router, what each is bound to, and what it has registered.
//!
//! Invariants: a session is bound to at most one board, and a board to at most one session of both routers (the registry
//! says); binding and leaving exclude each other, so that no board is left bound to a session that is gone.

use crate::boards::registry::Registry;
use model::BoardId;
use rpc::uri;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// Quiet after the last registration that means that there are no more.
const QUIET: Duration = Duration::from_millis(250);
/// Without this procedure a board is not ready.
const SIGN_OF_LIFE: &str = "DevicePing";
/// Codes one session may present.
const MAX_ATTEMPTS: u32 = 5;
/// Longest name of a procedure.
const MAX_METHOD: usize = 64;

/// The table.
#[derive(Debug)]
pub(super) struct Guests {
    state: Mutex<HashMap<u64, Guest>>,
    registry: Arc<Registry>,
}

#[derive(Debug)]
struct Guest {
    since: Instant,
    attempts: u32,
    board: Option<BoardId>,
    /// When it last asked to register something.
    last: Instant,
    has_sign_of_life: bool,
}

/// What became of binding.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Bound {
    /// The session speaks for the board.
    Done,
    /// The session has left.
    Gone,
    /// This session speaks for it already.
    Taken(u64),
}

/// Whether a board has registered all it has.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Readiness {
    /// It has.
    Ready,
    /// Look again after this time.
    In(Duration),
    /// It has left.
    Gone,
}

impl Guests {
    pub(super) fn new(registry: Arc<Registry>) -> Self {
        Self { state: Mutex::default(), registry }
    }

    fn state(&self) -> MutexGuard<'_, HashMap<u64, Guest>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn enter(&self, session: u64) {
        let now = Instant::now();
        let guest =
            Guest { since: now, attempts: 0, board: None, last: now, has_sign_of_life: false };
        self.state().insert(session, guest);
    }

    pub(super) fn leave(&self, session: u64) {
        let mut state = self.state();
        state.remove(&session);
        self.registry.left(session);
    }

    /// How many are bound to no board.
    pub(super) fn strangers(&self) -> usize {
        self.state().values().filter(|guest| guest.board.is_none()).count()
    }

    /// Those who have been that for so long.
    pub(super) fn strangers_for(&self, long: Duration) -> Vec<u64> {
        let state = self.state();
        let overdue = state
            .iter()
            .filter(|(_, guest)| guest.board.is_none() && guest.since.elapsed() >= long);
        overdue.map(|(session, _)| *session).collect()
    }

    /// Counts one more code that a session presents; no when it had its chances.
    pub(super) fn may_try(&self, session: u64) -> bool {
        let mut state = self.state();
        let Some(guest) = state.get_mut(&session) else { return false };
        guest.attempts = guest.attempts.saturating_add(1);
        guest.attempts <= MAX_ATTEMPTS
    }

    /// The board that a session speaks for.
    pub(super) fn board(&self, session: u64) -> Option<BoardId> {
        self.state().get(&session)?.board
    }

    /// Lets a session speak for a board.
    pub(super) fn bind(&self, session: u64, board: BoardId) -> Bound {
        let mut state = self.state();
        let Some(guest) = state.get_mut(&session) else { return Bound::Gone };
        if guest.board == Some(board) {
            return Bound::Done;
        }
        if let Some(other) = guest.board {
            tracing::warn!(session, %board, %other, "a legacy session wants to speak for a second board");
            return Bound::Taken(session);
        }
        match self.registry.occupy(session, board) {
            Ok(()) => {
                guest.board = Some(board);
                guest.last = Instant::now();
                Bound::Done
            }
            Err(holder) => Bound::Taken(holder),
        }
    }

    /// Whether a session may register this procedure; remembered as a sign that it is getting ready.
    pub(super) fn may_register(&self, session: u64, procedure: &str) -> Result<(), String> {
        let mut state = self.state();
        let guest = state.get_mut(&session).ok_or("the session has left")?;
        let board = guest.board.ok_or("call connection first; a board registers after it")?;
        let method = procedure.strip_prefix(uri::board_prefix(session, board).as_str());
        let method = method.filter(|method| is_method(method)).ok_or_else(|| {
            format!("a board registers iotronic.{session}.{board}.<Method> and nothing else")
        })?;
        guest.last = Instant::now();
        guest.has_sign_of_life |= method == SIGN_OF_LIFE;
        Ok(())
    }

    /// Whether a bound session has registered all it has.
    pub(super) fn readiness(&self, session: u64) -> Readiness {
        let state = self.state();
        let Some(guest) = state.get(&session) else { return Readiness::Gone };
        if !guest.has_sign_of_life {
            return Readiness::In(QUIET);
        }
        match QUIET.checked_sub(guest.last.elapsed()).filter(|rest| !rest.is_zero()) {
            None => Readiness::Ready,
            Some(rest) => Readiness::In(rest),
        }
    }
}

fn is_method(method: &str) -> bool {
    let is_short = (1..=MAX_METHOD).contains(&method.len());
    is_short && method.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn guests() -> Guests {
        Guests::new(Arc::default())
    }

    #[test]
    fn a_session_registers_under_its_own_session_and_board_only() {
        let guests = guests();
        let (board, other) = (BoardId::new(), BoardId::new());
        guests.enter(7);
        assert!(guests.may_register(7, &uri::board_procedure(7, board, "DevicePing")).is_err());
        assert_eq!(guests.bind(7, board), Bound::Done);
        assert_eq!(guests.bind(7, other), Bound::Taken(7));
        assert!(guests.may_register(7, &uri::board_procedure(7, board, "DevicePing")).is_ok());
        for wrong in [
            uri::board_procedure(8, board, "DevicePing"),
            uri::board_procedure(7, other, "DevicePing"),
            uri::board_prefix(7, board),
            uri::board_procedure(7, board, "a.b"),
            "stack4things.register".to_owned(),
            "iotronic.stack4things.connection".to_owned(),
        ] {
            assert!(guests.may_register(7, &wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_board_has_one_session_until_that_has_left() {
        let guests = guests();
        let board = BoardId::new();
        guests.enter(1);
        guests.enter(2);
        assert_eq!(guests.bind(1, board), Bound::Done);
        assert_eq!(guests.bind(2, board), Bound::Taken(1));
        guests.leave(1);
        assert_eq!(guests.bind(2, board), Bound::Done);
        assert_eq!(guests.bind(1, board), Bound::Gone);
    }

    #[test]
    fn a_board_is_ready_after_its_ping_and_a_quiet_moment() {
        let guests = guests();
        let board = BoardId::new();
        guests.enter(1);
        guests.bind(1, board);
        assert!(guests.may_register(1, &uri::board_procedure(1, board, "PluginCall")).is_ok());
        assert_eq!(guests.readiness(1), Readiness::In(QUIET));
        assert!(guests.may_register(1, &uri::board_procedure(1, board, "DevicePing")).is_ok());
        assert!(matches!(guests.readiness(1), Readiness::In(rest) if rest <= QUIET));
        assert_eq!(guests.readiness(2), Readiness::Gone);
    }

    #[test]
    fn a_session_has_few_chances_to_guess_a_code() {
        let guests = guests();
        guests.enter(1);
        let chances = (0..20).filter(|_| guests.may_try(1)).count();
        assert_eq!(chances, 5);
        assert_eq!(guests.strangers(), 1);
    }
}
