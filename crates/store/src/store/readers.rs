//! The connections that read, lent one at a time.
//!
//! Invariant: a connection comes back also from a reader that was dropped in the middle; the next statement on it finds it
//! sound, because the database's thread ends what nobody listens to before it takes the next.
//! Why not the library's own pool: that asks a connection for a sign of life on each return, which doubles the price of a
//! short read, and a file has no connection to lose.

use super::{READ_WAIT, READERS};
use crate::Error;
use crate::sql::Statement;
use sqlx::sqlite::{SqliteConnectOptions, SqliteRow};
use sqlx::{ConnectOptions as _, Connection as _, SqliteConnection};
use std::sync::{Mutex, MutexGuard, PoisonError};
use tokio::sync::Semaphore;
use tokio::time::timeout;

pub(crate) struct Readers {
    free: Mutex<Vec<SqliteConnection>>,
    permits: Semaphore,
}

impl Readers {
    pub(super) async fn open(options: &SqliteConnectOptions) -> Result<Self, Error> {
        let options = options.clone().pragma("query_only", "ON");
        let (free, permits) = (Mutex::default(), Semaphore::new(0));
        let readers = Self { free, permits };
        for _ in 0..READERS {
            let connection = options.connect().await;
            let connection = connection.map_err(Error::sql("open the database for reading"))?;
            readers.free().push(connection);
            readers.permits.add_permits(1);
        }
        Ok(readers)
    }

    /// All rows of a statement.
    ///
    /// # Errors
    /// The store is closed, no connection came free in time, or the database failed.
    pub(crate) async fn fetch(&self, statement: Statement) -> Result<Vec<SqliteRow>, Error> {
        let doing = statement.doing;
        let permit = match timeout(READ_WAIT, self.permits.acquire()).await {
            Ok(permit) => permit.map_err(|_| Error::Closed)?,
            Err(_) => return Err(Error::sql(doing)(sqlx::Error::PoolTimedOut)),
        };
        let connection = self.free().pop().ok_or(Error::Closed)?;
        let mut lent = Lent { readers: self, connection: Some(connection) };
        let Some(connection) = lent.connection.as_mut() else { return Err(Error::Closed) };
        let rows = statement.query().fetch_all(connection).await.map_err(Error::sql(doing));
        // Back before the next is let in.
        drop(lent);
        drop(permit);
        rows
    }

    /// Waits for those who read, refuses others, and closes.
    pub(super) async fn close(&self) {
        // One that reads for longer closes its connection itself.
        let all = timeout(READ_WAIT, self.permits.acquire_many(READERS)).await;
        self.permits.close();
        drop(all);
        let free = std::mem::take(&mut *self.free());
        for connection in free {
            // It is only closed for order's sake: nothing was written through it.
            let _ = connection.close().await;
        }
    }

    fn free(&self) -> MutexGuard<'_, Vec<SqliteConnection>> {
        self.free.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A connection that goes back whatever happens.
struct Lent<'a> {
    readers: &'a Readers,
    connection: Option<SqliteConnection>,
}

impl Drop for Lent<'_> {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take()
            && !self.readers.permits.is_closed()
        {
            self.readers.free().push(connection);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use futures_util::FutureExt as _;

    #[tokio::test]
    async fn a_reader_that_is_dropped_in_the_middle_gives_its_connection_back() {
        let options = SqliteConnectOptions::new().in_memory(true);
        let readers = Readers::open(&options).await.unwrap();
        for _ in 0..100 {
            let slow = "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 10000) SELECT i FROM n";
            let begun = readers.fetch(Statement::new("count", slow)).now_or_never();
            assert!(begun.is_none(), "it cannot have ended at once");
            let rows = readers.fetch(Statement::new("read", "SELECT 7")).await.unwrap();
            assert_eq!(rows.len(), 1);
        }
        readers.close().await;
        let refused = readers.fetch(Statement::new("read", "SELECT 7")).await;
        assert!(matches!(refused, Err(Error::Closed)));
    }
}
