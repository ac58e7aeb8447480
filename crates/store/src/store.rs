//! The store: one folder, one database file, one writer, two readers.
//!
//! Invariant: while a [`Store`] lives, no other process opens its folder (a lock on the file `lock`, which the kernel
//! releases when the process dies, however it dies).

mod readers;

use crate::events;
use crate::sql::Statement;
use crate::writer::{Behind, Call, Job, Message, QUEUE, QUEUE_BEHIND, QUEUE_WAIT, Record, Writer};
use crate::{Error, Tx, schema};
use base::clock::{Clock, SystemClock};
use futures_util::future::BoxFuture;
use model::Timestamp;
use readers::Readers;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqliteSynchronous};
use sqlx::{ConnectOptions as _, SqliteConnection};
use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;
use tokio::sync::{mpsc, oneshot, watch};
use tokio::task::JoinHandle;
use tokio::time::timeout;

const DATABASE: &str = "cloud.db";
const LOCK: &str = "lock";
/// Connections that read.
const READERS: u32 = 2;
/// How long a read waits for a free connection before it fails.
const READ_WAIT: Duration = Duration::from_secs(10);
/// How long a statement waits for a lock of the database before it fails; only checkpoints can hold one.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// Prepared statements kept for each connection; more are prepared again.
const STATEMENTS: usize = 256;

/// Rows that may wait between the database's thread and ours; few mean many switches between the two.
const ROWS: usize = 1000;

/// A seam for tests: makes commits fail or wait, and tells when they are done.
pub trait Faults: Send + Sync + 'static {
    /// Called right before a commit; an error rolls the whole group back. It may block.
    ///
    /// # Errors
    /// What the test wants to see.
    fn before_commit(&self) -> Result<(), Error>;
    /// Called when a commit is synced, before anyone is answered.
    fn after_commit(&self);
}

/// How a store is opened.
#[derive(Clone)]
pub struct Options {
    /// Where the present moment comes from.
    pub clock: Arc<dyn Clock>,
    /// Faults to inject; none outside tests.
    pub faults: Option<Arc<dyn Faults>>,
}

impl Default for Options {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), faults: None }
    }
}

/// The state of the cloud; clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    readers: Readers,
    writes: mpsc::Sender<Message>,
    behind: mpsc::Sender<Box<dyn Job>>,
    dropped: AtomicU64,
    last_seq: watch::Receiver<i64>,
    clock: Arc<dyn Clock>,
    writer: Mutex<Option<JoinHandle<()>>>,
}

impl Store {
    /// Opens the database in `dir`, makes it when there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// Another process has it, the folder cannot be used, or the file is newer than this program or damaged.
    pub async fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        std::fs::create_dir_all(dir).map_err(folder(dir))?;
        let lock = lock(dir)?;
        let file = dir.join(DATABASE);
        open_private(&file)?;
        let connect = connect_options(&file);
        let mut connection = connect.connect().await.map_err(Error::sql("open the database"))?;
        schema::migrate(&mut connection).await?;
        let last = last_seq(&mut connection).await?;
        let readers = Readers::open(&connect).await?;

        let (writes, foreground) = mpsc::channel(QUEUE);
        let (behind, background) = mpsc::channel(QUEUE_BEHIND);
        let (seen, last_seq) = watch::channel(last);
        let clock = Arc::clone(&options.clock);
        let tx = Tx::new(connection, options.clock, last);
        let writer = Writer::new(tx, foreground, background, seen, options.faults, connect, lock);
        Ok(Self(Arc::new(Inner {
            readers,
            writes,
            behind,
            dropped: AtomicU64::new(0),
            last_seq,
            clock,
            writer: Mutex::new(Some(tokio::spawn(writer.run()))),
        })))
    }

    /// Runs `job` in a transaction of its own (a failing job leaves no trace) and answers when its commit is synced.
    ///
    /// The job must only use the transaction: whatever else it waits for stops all writes.
    ///
    /// # Errors
    /// The job's error, or the write could not be committed.
    pub async fn write<T, F>(&self, job: F) -> Result<T, Error>
    where
        T: Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, Error>> + Send + 'static,
    {
        self.transact(job).await
    }

    /// [`Store::write`] for a job with an error type of its own, which rolls back just as well.
    ///
    /// # Errors
    /// The job's error, or the write could not be committed.
    pub async fn transact<T, E, F>(&self, job: F) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<Error> + Send + 'static,
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<T, E>> + Send + 'static,
    {
        let (answer, answered) = oneshot::channel();
        self.queue(Box::new(Call::new(job, answer))).await?;
        answered.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    async fn queue(&self, job: Box<dyn Job>) -> Result<(), Error> {
        match timeout(QUEUE_WAIT, self.0.writes.send(Message::Job(job))).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(Error::Closed),
            Err(_) => Err(Error::Busy),
        }
    }

    /// Queues a write that nobody waits for (records of queries, load reports): committed soon, lost when the process
    /// dies before, dropped and counted when too many wait.
    pub fn write_behind<F>(&self, job: F)
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<(), Error>> + Send + 'static,
    {
        self.queue_behind(Box::new(Behind::new(job)));
    }

    /// [`Store::write_behind`] of one statement.
    pub(crate) fn record(&self, statement: Statement) {
        self.queue_behind(Box::new(Record::new(statement)));
    }

    fn queue_behind(&self, job: Box<dyn Job>) {
        if self.0.behind.try_send(job).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// How many writes behind were dropped at the bound.
    #[must_use]
    pub fn dropped(&self) -> u64 {
        self.0.dropped.load(Ordering::Relaxed)
    }

    /// Waits until every write behind that was queued before is committed.
    ///
    /// # Errors
    /// The store is closed or failed.
    pub async fn flush(&self) -> Result<(), Error> {
        let (answer, answered) = oneshot::channel::<Result<(), Error>>();
        let job = Box::new(Call::new(nothing, answer));
        self.0.behind.send(job).await.map_err(|_| Error::Closed)?;
        answered.await.unwrap_or(Err(Error::Closed))
    }

    /// Commits what waits, closes the file and frees the folder; later writes are refused.
    pub async fn close(&self) {
        // Fails only when the writer is gone already.
        let _ = self.0.writes.send(Message::Close).await;
        let writer = self.0.writer.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.0.readers.close().await;
        if let Some(Err(error)) = match writer {
            Some(writer) => Some(writer.await),
            None => None,
        } {
            tracing::error!(%error, "the writer did not end well");
        }
    }

    /// The present moment by the store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.clock.unix_micros())
    }

    /// Holds the number of the last committed event; changes after each commit that wrote one.
    #[must_use]
    pub fn watch_events(&self) -> watch::Receiver<i64> {
        self.0.last_seq.clone()
    }

    pub(crate) fn readers(&self) -> &Readers {
        &self.0.readers
    }
}

fn nothing(_: &mut Tx) -> BoxFuture<'_, Result<(), Error>> {
    Box::pin(async { Ok(()) })
}

fn folder(path: &Path) -> impl FnOnce(std::io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Folder { path, source }
}

fn lock(dir: &Path) -> Result<File, Error> {
    let file = open_private(&dir.join(LOCK))?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => Err(Error::Locked(dir.to_owned())),
        Err(TryLockError::Error(source)) => Err(Error::Folder { path: dir.to_owned(), source }),
    }
}

/// Opens or makes a file that nobody else may read: the database holds hashes of secrets, and the files SQLite puts beside
/// it take its mode.
fn open_private(path: &PathBuf) -> Result<File, Error> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true).read(true).mode(0o600);
    options.open(path).map_err(folder(path))
}

fn connect_options(file: &Path) -> SqliteConnectOptions {
    SqliteConnectOptions::new()
        .filename(file)
        .journal_mode(SqliteJournalMode::Wal)
        .synchronous(SqliteSynchronous::Full)
        .foreign_keys(true)
        .busy_timeout(BUSY_WAIT)
        .statement_cache_capacity(STATEMENTS)
        .row_buffer_size(ROWS)
        .disable_statement_logging()
}

async fn last_seq(connection: &mut SqliteConnection) -> Result<i64, Error> {
    events::last_committed(connection).await
}

#[cfg(test)]
mod tests {
    use super::*;
    use sqlx::Row as _;

    #[tokio::test]
    async fn commits_are_synced_and_readers_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).await.unwrap();
        let mut writer = connect_options(&dir.path().join(DATABASE)).connect().await.unwrap();
        for (pragma, wanted) in [("PRAGMA synchronous", 2), ("PRAGMA foreign_keys", 1)] {
            let row = sqlx::query(pragma).fetch_one(&mut writer).await.unwrap();
            assert_eq!(row.get::<i64, _>(0), wanted, "{pragma}");
        }
        let row = sqlx::query("PRAGMA journal_mode").fetch_one(&mut writer).await.unwrap();
        assert_eq!(row.get::<String, _>(0), "wal");
        let refused = store.readers().fetch(Statement::new("write", "DELETE FROM events")).await;
        assert!(format!("{:?}", refused.err()).contains("readonly"));
    }
}
