//! Which rows that decisions by delegations rest on a transaction has touched.
//!
//! Invariant: triggers of the connection that writes note every such row, whatever statement changes it (cascades included),
//! so no function that writes can forget to; a test asks the database which tables a decision reads, and each has its triggers.
//! What is noted may be more than what is committed, never less.

use crate::Error;
use model::{BoardId, DelegationId};
use rusqlite::Connection;
use rusqlite::functions::FunctionFlags;
use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// Rows that are to be read anew.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Touched {
    /// All of them.
    pub(super) everything: bool,
    pub(super) delegations: BTreeSet<DelegationId>,
    /// Boards whose contribution changed.
    pub(super) hours: BTreeSet<BoardId>,
    /// Boards that may be in other fleets now.
    pub(super) places: BTreeSet<BoardId>,
    /// A fleet's rule changed.
    pub(super) every_place: bool,
}

impl Touched {
    /// After which nothing of what was known counts.
    pub(super) fn everything() -> Self {
        Self { everything: true, ..Self::default() }
    }

    pub(super) fn is_empty(&self) -> bool {
        *self == Self::default()
    }

    fn note(&mut self, noun: &str, id: &str) {
        let id = Uuid::try_parse(id);
        match (noun, id) {
            ("delegation", Ok(id)) => _ = self.delegations.insert(id.into()),
            ("contribution", Ok(id)) => _ = self.hours.insert(id.into()),
            ("board", Ok(id)) => _ = self.places.insert(id.into()),
            ("fleet", _) => self.every_place = true,
            _ => self.everything = true,
        }
    }
}

/// What the triggers note, shared with them.
#[derive(Clone, Default)]
pub(super) struct Notes(Arc<Mutex<Touched>>);

impl Notes {
    pub(super) fn lock(&self) -> MutexGuard<'_, Touched> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Has everything noted that is written by this connection from now on.
    pub(super) fn watch(&self, connection: &Connection) -> Result<(), Error> {
        let notes = self.clone();
        let note = move |context: &mut rusqlite::functions::Context<'_>| {
            let (noun, id): (String, String) = (context.get(0)?, context.get(1)?);
            notes.lock().note(&noun, &id);
            Ok(0)
        };
        connection
            .create_scalar_function("touched", 2, FunctionFlags::SQLITE_UTF8, note)
            .and_then(|()| connection.execute_batch(TRIGGERS))
            .map_err(Error::sql("watch what decisions rest on"))
    }
}

/// Temporary ones: they belong to the connection, not to the file.
const TRIGGERS: &str = "
CREATE TEMP TRIGGER touched_1 AFTER INSERT ON delegations BEGIN SELECT touched('delegation', NEW.id); END;
CREATE TEMP TRIGGER touched_2 AFTER UPDATE ON delegations BEGIN SELECT touched('delegation', NEW.id); END;
CREATE TEMP TRIGGER touched_3 AFTER DELETE ON delegations BEGIN SELECT touched('delegation', OLD.id); END;
CREATE TEMP TRIGGER touched_4 AFTER INSERT ON contributions BEGIN SELECT touched('contribution', NEW.board); END;
CREATE TEMP TRIGGER touched_5 AFTER UPDATE ON contributions BEGIN SELECT touched('contribution', NEW.board); END;
CREATE TEMP TRIGGER touched_6 AFTER DELETE ON contributions BEGIN SELECT touched('contribution', OLD.board); END;
CREATE TEMP TRIGGER touched_7 AFTER INSERT ON boards BEGIN SELECT touched('board', NEW.id); END;
CREATE TEMP TRIGGER touched_8 AFTER UPDATE OF id, fleet, project ON boards BEGIN SELECT touched('board', NEW.id); END;
CREATE TEMP TRIGGER touched_9 AFTER DELETE ON boards BEGIN SELECT touched('board', OLD.id); END;
CREATE TEMP TRIGGER touched_10 AFTER INSERT ON board_labels BEGIN SELECT touched('board', NEW.board); END;
CREATE TEMP TRIGGER touched_11 AFTER UPDATE ON board_labels BEGIN SELECT touched('board', NEW.board); END;
CREATE TEMP TRIGGER touched_12 AFTER DELETE ON board_labels BEGIN SELECT touched('board', OLD.board); END;
CREATE TEMP TRIGGER touched_13 AFTER INSERT ON fleets WHEN NEW.rule IS NOT NULL BEGIN SELECT touched('fleet', NEW.id); END;
CREATE TEMP TRIGGER touched_14 AFTER UPDATE OF id, rule, project ON fleets BEGIN SELECT touched('fleet', NEW.id); END;
CREATE TEMP TRIGGER touched_15 AFTER DELETE ON fleets BEGIN SELECT touched('fleet', OLD.id); END;
CREATE TEMP TRIGGER touched_16 AFTER INSERT ON fleet_terms BEGIN SELECT touched('fleet', NEW.fleet); END;
CREATE TEMP TRIGGER touched_17 AFTER UPDATE ON fleet_terms BEGIN SELECT touched('fleet', NEW.fleet); END;
CREATE TEMP TRIGGER touched_18 AFTER DELETE ON fleet_terms BEGIN SELECT touched('fleet', OLD.fleet); END;
";
