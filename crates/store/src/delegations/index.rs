//! The index of delegations: what decisions rest on, in memory, so that they cost microseconds however many there are.
//!
//! Invariant: whoever is answered from here is answered as the database would answer at that moment. The writer notes what a
//! transaction touches (`touched`), says so before it commits, and has it read anew right after; in between, while nobody
//! can say which of two states the database is in, nothing is answered from here and the database is asked.
//! Transactions do not look here at all: what is decided in one is read in it.

use super::links::Links;
use super::reach::Reaching;
use super::touched::{Notes, Touched};
use super::{COLUMNS, read};
use crate::sql::{Statement, json};
use crate::{Error, Tx};
use model::contribution::{Contribution, Hours};
use model::delegation::{Delegation, Part, Resource, Target};
use model::{BoardId, FleetId, ProjectId, Timestamp, UserId};
use rusqlite::Connection;
use serde::Serialize;
use std::collections::{BTreeSet, HashMap};
use std::sync::{PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use tokio::sync::watch;

/// Most delegations that are held; with more of them the database is asked, which takes some hundred microseconds. One
/// takes about 400 bytes.
const MAX_LINKS: usize = 250_000;
/// Most boards whose fleets are remembered; at the bound all are forgotten, and read again when they are asked for.
const MAX_PLACES: usize = 20_000;

/// See the head of this file.
pub(crate) struct Index {
    notes: Notes,
    state: RwLock<State>,
    changes: watch::Sender<u64>,
}

struct State {
    trust: Trust,
    /// Raised whenever something may have changed.
    generation: u64,
    links: Links,
    /// Of boards that are lent in their hours only.
    hours: HashMap<BoardId, Hours>,
    /// The fleets that boards are in, as far as somebody asked.
    places: HashMap<BoardId, Vec<FleetId>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Trust {
    Sure,
    /// A commit is under way, or what it touched could not be read.
    Doubtful,
    /// There are more delegations than are held, or they cannot be read.
    Off,
}

/// A board as somebody asks for it.
#[derive(Clone, Copy)]
pub(super) struct Asked<'a> {
    pub(super) to: &'a UserId,
    pub(super) board: BoardId,
    pub(super) project: &'a ProjectId,
    pub(super) part: Option<Part>,
    pub(super) now: Timestamp,
}

impl Asked<'_> {
    /// The things of which a delegation reaches it, but for the fleets.
    pub(super) fn things(&self) -> Vec<Resource> {
        let mut things = vec![Resource::Board(self.board), Resource::Project(self.project.clone())];
        let parts = self.part.into_iter();
        things.extend(parts.flat_map(|part| [part.into(), Resource::OnBoard(part, self.board)]));
        things
    }
}

#[allow(clippy::large_enum_variant, reason = "one lives for a moment, on the stack")]
pub(super) enum Answer {
    Known(Reaching),
    /// It takes the fleets that the board is in; they are to be brought to [`Index::learn`].
    WhichFleets(Generation),
    /// The database is to be asked.
    Unsure,
}

/// At which moment something was found to be unknown.
#[derive(Clone, Copy)]
pub(super) struct Generation(u64);

impl Index {
    /// One that knows nothing yet and says so.
    pub(crate) fn new() -> Self {
        let notes = Notes::default();
        *notes.lock() = Touched::everything();
        let state = State {
            trust: Trust::Doubtful,
            generation: 0,
            links: Links::default(),
            hours: HashMap::new(),
            places: HashMap::new(),
        };
        Self { notes, state: RwLock::new(state), changes: watch::Sender::new(0) }
    }

    /// Has everything noted that is written by this connection.
    ///
    /// # Errors
    /// The database failed.
    pub(crate) fn watch(&self, connection: &Connection) -> Result<(), Error> {
        self.notes.watch(connection)
    }

    /// Called before a commit: what it touches is not answered from here until it was read anew.
    pub(crate) fn doubt(&self) {
        if !self.notes.lock().is_empty() {
            self.write().doubt();
        }
    }

    /// Called after each transaction, however it ended: reads anew what it touched. One that could not be ended shows what
    /// nobody else sees, so nothing is read in it.
    pub(crate) fn refresh(&self, tx: &mut Tx) {
        let touched = std::mem::take(&mut *self.notes.lock());
        if !touched.is_empty() {
            self.read_anew(tx, touched);
            self.changes.send_modify(|count| *count = count.wrapping_add(1));
        }
    }

    /// Changes after each commit that touched what decisions rest on.
    pub(crate) fn changes(&self) -> watch::Receiver<u64> {
        self.changes.subscribe()
    }

    fn read_anew(&self, tx: &mut Tx, touched: Touched) {
        if self.read().trust == Trust::Off {
            return;
        }
        self.write().doubt();
        if tx.is_open() {
            *self.notes.lock() = Touched::everything();
            return;
        }
        match News::read(tx, &touched) {
            Ok(news) => self.write().apply(touched, news, tx.now()),
            Err(error) => {
                tracing::error!(%error, "delegations cannot be read; decisions ask the database until the cloud starts again");
                self.write().off();
            }
        }
    }

    /// What reaches a board.
    pub(super) fn of_board(&self, asked: Asked<'_>) -> Answer {
        let state = self.read();
        if state.trust != Trust::Sure {
            return Answer::Unsure;
        }
        let mut things = asked.things();
        let known = state.places.get(&asked.board);
        if state.links.holds_fleets(asked.to) {
            let Some(fleets) = known else { return state.which_fleets() };
            things.extend(fleets.iter().copied().map(Resource::Fleet));
        }
        let chains = state.links.chains(asked.to, &things, asked.now);
        let rests_on_fleets =
            chains.iter().flatten().any(|link| matches!(link.resource, Resource::Fleet(_)));
        let fleets = match known {
            _ if !rests_on_fleets => Vec::new(),
            Some(fleets) => fleets.clone(),
            None => return state.which_fleets(),
        };
        let target = Target::board(asked.board, fleets, asked.project.clone());
        let hours = state.hours.get(&asked.board).cloned();
        Answer::Known(Reaching { target: target.part(asked.part).within(hours), chains })
    }

    /// What reaches a thing that is no board; none when the database is to be asked.
    pub(super) fn of_thing(
        &self,
        to: &UserId,
        target: &Target,
        now: Timestamp,
    ) -> Option<Reaching> {
        let state = self.read();
        let things = [target.resource.clone(), Resource::Project(target.project.clone())];
        (state.trust == Trust::Sure)
            .then(|| state.links.chains(to, &things, now))
            .map(|chains| Reaching { target: target.clone(), chains })
    }

    /// Remembers the fleets of a board, read after [`Answer::WhichFleets`]; not if something changed meanwhile.
    pub(super) fn learn(&self, board: BoardId, fleets: Vec<FleetId>, since: Generation) {
        let mut state = self.write();
        if state.trust == Trust::Sure && state.generation == since.0 {
            if state.places.len() >= MAX_PLACES {
                state.places.clear();
            }
            state.places.insert(board, fleets);
        }
    }

    fn read(&self) -> RwLockReadGuard<'_, State> {
        self.state.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, State> {
        self.state.write().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn which_fleets(&self) -> Answer {
        Answer::WhichFleets(Generation(self.generation))
    }

    fn doubt(&mut self) {
        self.generation = self.generation.wrapping_add(1);
        if self.trust == Trust::Sure {
            self.trust = Trust::Doubtful;
        }
    }

    fn apply(&mut self, touched: Touched, news: News, now: Timestamp) {
        if touched.everything {
            (self.links, self.hours) = (Links::default(), HashMap::new());
        }
        for id in touched.delegations {
            self.links.remove(id);
        }
        for link in news.links {
            self.links.insert(link);
        }
        for board in touched.hours {
            self.hours.remove(&board);
        }
        self.hours.extend(news.hours);
        if touched.everything || touched.every_place {
            self.places.clear();
        }
        for board in touched.places {
            self.places.remove(&board);
        }
        self.links.sweep(now);
        self.trust = Trust::Sure;
        if self.links.len() > MAX_LINKS {
            tracing::warn!(
                most = MAX_LINKS,
                "there are too many delegations to hold; decisions ask the database from now on"
            );
            self.off();
        }
    }

    fn off(&mut self) {
        (self.links, self.hours) = (Links::default(), HashMap::new());
        self.places = HashMap::new();
        self.trust = Trust::Off;
    }
}

/// What the database says of what was touched.
struct News {
    links: Vec<Delegation>,
    hours: Vec<(BoardId, Hours)>,
}

impl News {
    fn read(tx: &mut Tx, touched: &Touched) -> Result<Self, Error> {
        let mut links = Statement::new("read delegations anew", "SELECT ");
        links.push(COLUMNS).push(" FROM delegations WHERE revoked_at IS NULL");
        if touched.everything {
            links.push(" AND ends_at > ").push_bind(tx.now());
            links.push(" LIMIT ").push_bind(MAX_LINKS as i64 + 1);
        } else {
            among(&mut links, "id", &touched.delegations)?;
        }
        let text = "SELECT board, said FROM contributions WHERE in_hours = 1";
        let mut hours = Statement::new("read hours anew", text);
        if !touched.everything {
            among(&mut hours, "board", &touched.hours)?;
        }
        let links = tx.rows(&links)?.into_iter().map(|row| Ok(read(&row)?.delegation));
        let links = links.collect::<Result<Vec<_>, Error>>()?;
        let hours = tx.rows(&hours)?.into_iter().map(|row| {
            let said = row.json::<Contribution>("said")?;
            Ok((row.parse("board")?, said.hours))
        });
        let hours = hours.collect::<Result<Vec<_>, Error>>()?.into_iter();
        Ok(Self {
            links,
            hours: hours.filter_map(|(board, hours)| Some((board, hours?))).collect(),
        })
    }
}

fn among(
    statement: &mut Statement,
    column: &str,
    ids: &BTreeSet<impl Serialize>,
) -> Result<(), Error> {
    statement.push(" AND ").push(column).push(" IN (SELECT value FROM json_each(");
    statement.push_bind(json(ids)?).push("))");
    Ok(())
}
