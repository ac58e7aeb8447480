//! The connections that read.
//!
//! Invariant: a connection is held by one thread, from the first row to the last, so none is ever lost or left in the middle
//! of a statement. A few rows through an index are read at once, on the thread that asks, which costs less than asking
//! another; what may be long is read apart, by at most [`READERS`] threads at a time.

use super::connect_to_read;
use crate::Error;
use crate::sql::{Row, Statement};
use rusqlite::Connection;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::Semaphore;
use tokio::time::timeout;

/// Long reads at one time; others wait.
const READERS: u32 = 2;
/// How long a long read waits for its turn before it fails.
const READ_WAIT: Duration = Duration::from_secs(10);
/// Connections kept open; one that comes back beyond them is closed.
const KEPT: usize = 4;

pub(crate) struct Readers {
    file: PathBuf,
    free: Mutex<Free>,
    turns: Semaphore,
}

#[derive(Default)]
struct Free {
    connections: Vec<Connection>,
    is_closed: bool,
}

impl Readers {
    pub(super) fn open(file: PathBuf) -> Result<Self, Error> {
        let first = connect_to_read(&file)?;
        let free = Free { connections: vec![first], is_closed: false };
        Ok(Self { file, free: Mutex::new(free), turns: Semaphore::new(READERS as usize) })
    }

    /// All rows of a statement that gives a few, read here and now.
    ///
    /// # Errors
    /// The store is closed, or the database failed.
    pub(crate) fn read(&self, statement: &Statement) -> Result<Vec<Row>, Error> {
        let connection = self.take()?;
        let rows = statement.rows(&connection);
        self.give_back(connection);
        rows
    }

    /// All rows of a statement that may take its time, read by another thread.
    ///
    /// # Errors
    /// The store is closed, no turn came in time, or the database failed.
    pub(crate) async fn read_apart(
        self: Arc<Self>,
        statement: Statement,
    ) -> Result<Vec<Row>, Error> {
        let turn = match timeout(READ_WAIT, self.turns.acquire()).await {
            Ok(turn) => turn.map_err(|_| Error::Closed)?,
            Err(_) => return Err(Error::Exhausted("too many reads wait; try again soon".into())),
        };
        let readers = Arc::clone(&self);
        let rows = tokio::task::spawn_blocking(move || readers.read(&statement)).await;
        drop(turn);
        rows.unwrap_or(Err(Error::Closed))
    }

    /// Refuses others and closes what is free; who reads at this moment closes its own.
    pub(super) async fn close(&self) {
        // Long reads that take longer than this are on their own.
        let all = timeout(READ_WAIT, self.turns.acquire_many(READERS)).await;
        self.turns.close();
        drop(all);
        let mut free = self.free();
        free.is_closed = true;
        free.connections.clear();
    }

    fn take(&self) -> Result<Connection, Error> {
        let mut free = self.free();
        if free.is_closed {
            return Err(Error::Closed);
        }
        match free.connections.pop() {
            Some(connection) => Ok(connection),
            None => {
                drop(free);
                connect_to_read(&self.file)
            }
        }
    }

    fn give_back(&self, connection: Connection) {
        let mut free = self.free();
        if !free.is_closed && free.connections.len() < KEPT {
            free.connections.push(connection);
        }
    }

    fn free(&self) -> MutexGuard<'_, Free> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn a_reader_that_is_dropped_in_the_middle_harms_no_other() {
        let dir = tempfile::tempdir().unwrap();
        let readers = Arc::new(Readers::open(dir.path().join("test.db")).unwrap());
        for _ in 0..100 {
            let slow = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i FROM n";
            let begun =
                Arc::clone(&readers).read_apart(Statement::new("count", slow)).now_or_never();
            assert!(begun.is_none(), "it cannot have ended at once");
            let rows = readers.read(&Statement::new("read", "SELECT 7")).unwrap();
            assert_eq!(rows.len(), 1);
        }
        readers.close().await;
        let refused = readers.read(&Statement::new("read", "SELECT 7"));
        assert!(matches!(refused, Err(Error::Closed)));
    }
}
