//! Which machines are connected now: by session, and for boards by id.
//!
//! Invariant: a board has at most one live session; a newer one takes its place and the older one is named, so that its
//! owner can end it. A board counts as online from the moment it can be called until its session has left. Deliberately
//! not here: the router and the store; small synchronous maps only.

use super::enrolling::Enrolling;
use base::tasks::Shutdown;
use model::BoardId;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::Notify;

/// What a session was let in as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Entry {
    /// As this board.
    Board(BoardId),
    /// To enrol, with the key of these bytes.
    Enrolling([u8; 32]),
}

/// Where a session comes from and how it is known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Origin {
    /// Its address.
    pub(super) address: Option<IpAddr>,
    /// The key that it proved.
    pub(super) key: Option<[u8; 32]>,
}

/// A session that lives.
#[derive(Debug)]
struct Entered {
    entry: Entry,
    origin: Origin,
    since: Instant,
}

/// A board that can be called.
#[derive(Debug, Clone)]
pub(super) struct Online {
    /// Its session.
    pub(super) session: u64,
    /// How one speaks with it.
    pub(super) dialect: Dialect,
    /// Rings when there are commands for it.
    pub(super) doorbell: Arc<Notify>,
    /// Given when the session is over.
    pub(super) gone: Shutdown,
}

/// How one speaks with a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Dialect {
    /// Natively, in this version.
    Native(u32),
    /// As upstream's cloud does.
    Upstream(Lead),
}

/// What the arguments of a call to an upstream board begin with.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Lead {
    /// The request.
    Request,
    /// The arguments proper: agents before 0.4.9.
    Nothing,
}

impl Online {
    /// The native protocol; 0 for upstream boards.
    pub(super) fn protocol(&self) -> u32 {
        match self.dialect {
            Dialect::Native(protocol) => protocol,
            Dialect::Upstream(_) => 0,
        }
    }

    /// Whether it is an upstream board, to which nothing is ever sent again.
    pub(super) fn is_legacy(&self) -> bool {
        matches!(self.dialect, Dialect::Upstream(_))
    }
}

/// All that are connected.
#[derive(Debug, Default)]
pub(super) struct Registry {
    state: Mutex<State>,
    departure: Notify,
}

#[derive(Debug, Default)]
struct State {
    sessions: HashMap<u64, Entered>,
    boards: HashMap<BoardId, Live>,
    enrolling: Enrolling,
    /// What the processes call themselves that have proven a board's key and have no session yet.
    arriving: HashMap<BoardId, String>,
    /// Boards that had a session that ended, until the store knows it.
    departed: HashSet<BoardId>,
}

#[derive(Debug)]
struct Live {
    session: u64,
    instance: String,
    reachable: bool,
    online: Option<Online>,
}

/// The machine that has a board's session.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Occupant {
    /// The session.
    pub(super) session: u64,
    /// What its process calls itself; empty when it does not say.
    pub(super) instance: String,
    /// Where it comes from.
    pub(super) address: Option<IpAddr>,
}

impl Registry {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// A machine has proven a board's key and is about to get its session.
    pub(super) fn arriving(&self, board: BoardId, instance: String) {
        self.state().arriving.insert(board, instance);
    }

    /// The machine that has a board's session now.
    pub(super) fn occupant(&self, board: BoardId) -> Option<Occupant> {
        let state = self.state();
        let live = state.boards.get(&board)?;
        let address = state.sessions.get(&live.session).and_then(|entered| entered.origin.address);
        Some(Occupant { session: live.session, instance: live.instance.clone(), address })
    }

    /// A session has joined; gives the session of the same board that it replaces.
    pub(super) fn joined(&self, session: u64, entry: Entry, origin: Origin) -> Option<u64> {
        let mut state = self.state();
        state.sessions.insert(session, Entered { entry, origin, since: Instant::now() });
        match entry {
            Entry::Enrolling(_) => {
                state.enrolling.enter(origin.address);
                None
            }
            Entry::Board(board) => {
                let instance = state.arriving.remove(&board).unwrap_or_default();
                let live = Live { session, instance, reachable: false, online: None };
                let old = state.boards.insert(board, live)?;
                if let Some(online) = old.online {
                    online.gone.begin();
                    state.departed.insert(board);
                    self.departure.notify_one();
                }
                Some(old.session)
            }
        }
    }

    /// A session has become a board, which has no other; else gives that other one.
    pub(super) fn occupy(&self, session: u64, board: BoardId) -> Result<(), u64> {
        let mut state = self.state();
        if let Some(live) = state.boards.get(&board) {
            return Err(live.session);
        }
        let (entry, origin) = (Entry::Board(board), Origin::default());
        state.sessions.insert(session, Entered { entry, origin, since: Instant::now() });
        let instance = String::new();
        state.boards.insert(board, Live { session, instance, reachable: false, online: None });
        Ok(())
    }

    /// A session has left.
    pub(super) fn left(&self, session: u64) {
        let mut state = self.state();
        let Some(Entered { entry, origin, .. }) = state.sessions.remove(&session) else { return };
        match entry {
            Entry::Enrolling(_) => state.enrolling.leave(origin.address),
            Entry::Board(board) => self.board_left(&mut state, board, session),
        }
    }

    fn board_left(&self, state: &mut State, board: BoardId, session: u64) {
        // The end of a session that was replaced changes nothing.
        if state.boards.get(&board).is_none_or(|live| live.session != session) {
            return;
        }
        if let Some(online) = state.boards.remove(&board).and_then(|live| live.online) {
            online.gone.begin();
        }
        state.departed.insert(board);
        self.departure.notify_one();
    }

    /// How many machines are enrolling now.
    pub(super) fn enrolling(&self) -> u32 {
        self.state().enrolling.all()
    }

    /// How many of them come from there.
    pub(super) fn enrolling_from(&self, address: IpAddr) -> u32 {
        self.state().enrolling.from(address)
    }

    /// Sessions of machines that have been enrolling for so long.
    pub(super) fn enrolling_for(&self, long: Duration) -> Vec<u64> {
        let state = self.state();
        let overdue = state.sessions.iter().filter(|(_, entered)| {
            matches!(entered.entry, Entry::Enrolling(_)) && entered.since.elapsed() >= long
        });
        overdue.map(|(session, _)| *session).collect()
    }

    /// What a session was let in as.
    pub(super) fn entry(&self, session: u64) -> Option<Entry> {
        self.state().sessions.get(&session).map(|entered| entered.entry)
    }

    /// The key that a session proved.
    pub(super) fn key(&self, session: u64) -> Option<[u8; 32]> {
        self.state().sessions.get(&session)?.origin.key
    }

    /// A session's board has another key from now on.
    pub(super) fn rekeyed(&self, session: u64, key: [u8; 32]) {
        if let Some(entered) = self.state().sessions.get_mut(&session) {
            entered.origin.key = Some(key);
        }
    }

    /// The session of a board, online or not.
    pub(super) fn session(&self, board: BoardId) -> Option<u64> {
        self.state().boards.get(&board).map(|live| live.session)
    }

    /// The session may register its calls now; remembered because a board is online only when that happened.
    pub(super) fn may_register(&self, board: BoardId, session: u64) {
        if let Some(live) = self.state().boards.get_mut(&board)
            && live.session == session
        {
            live.reachable = true;
        }
    }

    /// Whether the session has asked to register its calls.
    pub(super) fn is_reachable(&self, board: BoardId, session: u64) -> bool {
        let state = self.state();
        state.boards.get(&board).is_some_and(|live| live.session == session && live.reachable)
    }

    /// The board can be called from now on; none when this session is not its session any more.
    pub(super) fn came_online(
        &self,
        board: BoardId,
        session: u64,
        dialect: Dialect,
    ) -> Option<Online> {
        let mut state = self.state();
        let live = state.boards.get_mut(&board).filter(|live| live.session == session)?;
        let online = live.online.take().map_or_else(
            || Online { session, dialect, doorbell: Arc::default(), gone: Shutdown::new() },
            |before| Online { dialect, ..before },
        );
        live.online = Some(online.clone());
        Some(online)
    }

    /// The board, when it can be called.
    pub(super) fn online(&self, board: BoardId) -> Option<Online> {
        self.state().boards.get(&board)?.online.clone()
    }

    /// How many boards can be called.
    pub(super) fn count_online(&self) -> usize {
        self.state().boards.values().filter(|live| live.online.is_some()).count()
    }

    /// Rings a board's doorbell, when it is online.
    pub(super) fn ring(&self, board: BoardId) {
        let state = self.state();
        if let Some(online) = state.boards.get(&board).and_then(|live| live.online.as_ref()) {
            online.doorbell.notify_one();
        }
    }

    /// Rings every doorbell.
    pub(super) fn ring_all(&self) {
        let state = self.state();
        for online in state.boards.values().filter_map(|live| live.online.as_ref()) {
            online.doorbell.notify_one();
        }
    }

    /// Enters a departure (again), for [`Registry::departed`].
    pub(super) fn depart(&self, board: BoardId) {
        self.state().departed.insert(board);
        self.departure.notify_one();
    }

    /// Waits for departures and takes them.
    pub(super) async fn departed(&self) -> Vec<BoardId> {
        loop {
            let departed = self.departed_now();
            if !departed.is_empty() {
                return departed;
            }
            self.departure.notified().await;
        }
    }

    /// Takes the departures there are.
    pub(super) fn departed_now(&self) -> Vec<BoardId> {
        std::mem::take(&mut self.state().departed).into_iter().collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_second_session_of_a_board_replaces_the_first_and_its_end_changes_nothing() {
        let registry = Registry::default();
        let board = BoardId::new();
        assert_eq!(registry.joined(1, Entry::Board(board), Origin::default()), None);
        let first = registry.came_online(board, 1, Dialect::Native(1)).unwrap();
        assert_eq!(registry.joined(2, Entry::Board(board), Origin::default()), Some(1));
        assert!(first.gone.has_begun());
        assert!(registry.online(board).is_none(), "the new session has not connected yet");
        registry.came_online(board, 2, Dialect::Native(1)).unwrap();
        registry.left(1);
        assert_eq!(registry.online(board).unwrap().session, 2);
        assert!(registry.came_online(board, 1, Dialect::Native(1)).is_none());
    }

    #[test]
    fn a_board_that_left_is_named_once_for_the_store() {
        let registry = Registry::default();
        let board = BoardId::new();
        registry.joined(7, Entry::Board(board), Origin::default());
        let online = registry.came_online(board, 7, Dialect::Native(1)).unwrap();
        registry.left(7);
        assert!(online.gone.has_begun());
        assert_eq!(registry.departed_now(), [board]);
        assert!(registry.departed_now().is_empty());
        assert_eq!(registry.count_online(), 0);
    }

    #[test]
    fn enrolling_machines_are_counted_in_and_out() {
        let registry = Registry::default();
        registry.joined(1, Entry::Enrolling([0; 32]), Origin::default());
        assert_eq!(registry.enrolling(), 1);
        registry.left(1);
        registry.left(1);
        assert_eq!(registry.enrolling(), 0);
    }
}
