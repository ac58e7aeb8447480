//! The store: one folder, one database file, one writer, and readers beside it.
//!
//! Invariant: while a [`Store`] lives, no other process opens its folder (a lock on the file `lock`, which the kernel
//! releases when the process dies, however it dies).

mod readers;

use crate::delegations::Index;
use crate::operations::Endings;
use crate::sql::Statement;
use crate::writer::{Behind, Call, Queue, Writer};
use crate::{Error, Tx, schema};
use crate::{audit, events};
use base::clock::{Clock, SystemClock};
use futures_util::future::BoxFuture;
use model::quota::Defaults;
use model::{BoardId, Timestamp};
use readers::Readers;
use rusqlite::Connection;
use std::fs::{File, TryLockError};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, oneshot, watch};

pub(crate) const DATABASE: &str = "cloud.db";
/// A folder in the store's that says that a restore into it has not ended.
pub const RESTORING: &str = ".restoring";
const LOCK: &str = "lock";
/// How long a statement waits for a lock of the database before it fails; only checkpoints can hold one.
const BUSY_WAIT: Duration = Duration::from_secs(5);
/// How long a folder that another process has is tried again.
const LOCK_PATIENCE: Duration = Duration::from_millis(500);
const LOCK_STEP: Duration = Duration::from_millis(10);
/// Prepared statements kept for each connection; more are prepared again.
const STATEMENTS: usize = 256;
/// Pages of the file that a connection keeps, in KiB; the system keeps all of them that fit.
const PAGES: i64 = 1024;
/// Commits that raised epochs and that a listener may be behind.
pub(crate) const MAX_VOIDED: usize = 256;

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
    /// Limits of projects that nothing else was said about; none for programs of whoever operates the cloud.
    pub quota: Defaults,
}

impl Default for Options {
    fn default() -> Self {
        Self { clock: Arc::new(SystemClock), faults: None, quota: Defaults::UNLIMITED }
    }
}

/// The state of the cloud; clones share it.
#[derive(Clone)]
pub struct Store(Arc<Inner>);

struct Inner {
    readers: Arc<Readers>,
    queue: Arc<Queue>,
    dropped: AtomicU64,
    last_seq: watch::Receiver<i64>,
    rights: watch::Receiver<u64>,
    refused: watch::Receiver<Option<String>>,
    voided: broadcast::Sender<Arc<[(BoardId, u32)]>>,
    endings: Arc<Endings>,
    lent: Arc<Index>,
    clock: Arc<dyn Clock>,
    quota: Defaults,
    /// Answers when the writer has ended.
    ended: Mutex<Option<oneshot::Receiver<()>>>,
}

impl Drop for Inner {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Store {
    /// Opens the database in `dir`, makes it when there is none, and brings its schema up to date.
    ///
    /// # Errors
    /// Another process has it, the folder cannot be used, or the file is newer than this program or damaged.
    pub async fn open(dir: &Path, options: Options) -> Result<Self, Error> {
        std::fs::create_dir_all(dir).map_err(folder(dir))?;
        let lock = lock(dir)?;
        if dir.join(RESTORING).exists() {
            return Err(Error::HalfRestored(dir.to_owned()));
        }
        let file = dir.join(DATABASE);
        open_private(&file)?;
        let mut connection = connect(&file)?;
        schema::migrate(&mut connection)?;
        let last = events::last_committed(&connection)?;
        let chain = audit::last(&connection)?;
        let lent = Arc::new(Index::new());
        lent.watch(&connection)?;
        let readers = Arc::new(Readers::open(file.clone())?);
        let queue = Arc::new(Queue::new());
        let (seen, last_seq) = watch::channel(last);
        let (taken, rights) = watch::channel(0);
        let (refusing, refused) = watch::channel(None);
        let (voided, _) = broadcast::channel(MAX_VOIDED);
        let (ending, ended) = oneshot::channel();
        let clock = Arc::clone(&options.clock);
        let quota = options.quota;
        let tx = Tx::new(connection, options.clock, quota, last, chain);
        let endings = Arc::new(Endings::default());
        let writer = Writer {
            tx,
            queue: Arc::clone(&queue),
            seen,
            rights: taken,
            voided: voided.clone(),
            endings: Arc::clone(&endings),
            lent: Arc::clone(&lent),
            refused: refusing,
            faults: options.faults,
            file,
            lock,
        };
        let thread = std::thread::Builder::new().name("store-writer".into());
        let work = move || {
            writer.run();
            // Nobody listens when the store was dropped without being closed.
            let _ = ending.send(());
        };
        thread.spawn(work).map_err(folder(dir))?;
        Ok(Self(Arc::new(Inner {
            readers,
            queue,
            dropped: AtomicU64::new(0),
            last_seq,
            rights,
            refused,
            voided,
            endings,
            lent,
            clock,
            quota,
            ended: Mutex::new(Some(ended)),
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
        self.0.queue.push(Box::new(Call::new(job, answer))).await?;
        answered.await.unwrap_or_else(|_| Err(Error::Closed.into()))
    }

    /// Queues a write that nobody waits for (records of queries, load reports): committed soon, lost when the process
    /// dies before, dropped and counted when too many wait.
    pub fn write_behind<F>(&self, job: F)
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<(), Error>> + Send + 'static,
    {
        if self.0.queue.push_behind(Box::new(Behind::new(job))).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// [`Store::write_behind`] of what must not be lost: at the bound whoever asks is told.
    ///
    /// # Errors
    /// Too many writes wait, or the store is closed.
    pub fn write_behind_or_refuse<F>(&self, job: F) -> Result<(), Error>
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<(), Error>> + Send + 'static,
    {
        self.0.queue.push_behind(Box::new(Behind::new(job)))
    }

    /// [`Store::write_behind`] of the end of something that is bounded itself: never dropped.
    pub fn write_at_last<F>(&self, job: F)
    where
        F: for<'t> FnOnce(&'t mut Tx) -> BoxFuture<'t, Result<(), Error>> + Send + 'static,
    {
        if self.0.queue.push_last(Box::new(Behind::new(job))).is_err() {
            self.0.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// [`Store::write_behind`] of one statement.
    pub(crate) fn record(&self, statement: Statement) {
        self.write_behind(move |tx| {
            Box::pin(async move { tx.execute(statement).await.map(|_| ()) })
        });
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
        self.0.queue.push_last(Box::new(Call::new(nothing, answer)))?;
        answered.await.unwrap_or(Err(Error::Closed))
    }

    /// Commits what waits, closes the file and frees the folder; later writes are refused.
    pub async fn close(&self) {
        self.0.queue.close();
        let ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner).take();
        self.0.readers.close().await;
        if let Some(Err(_)) = match ended {
            Some(ended) => Some(ended.await),
            None => None,
        } {
            tracing::error!("the writer did not end well");
        }
    }

    /// The present moment by the store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.0.clock.unix_micros())
    }

    /// Whether what is written is stored: why the last write was not, after trying again where one was not.
    ///
    /// # Errors
    /// It is not, and why; or the store is closed.
    pub async fn takes_writes(&self) -> Result<(), Error> {
        if self.0.refused.borrow().is_none() {
            return Ok(());
        }
        let tried = self.write(|tx| Box::pin(async { tx.touch() })).await;
        let reason = self.0.refused.borrow().clone();
        match (tried, reason) {
            (Ok(()), _) => Ok(()),
            (Err(_), Some(reason)) => Err(Error::Faulted(reason)),
            (Err(error), None) => Err(error),
        }
    }

    /// Holds the number of the last committed event; changes after each commit that wrote one.
    #[must_use]
    pub fn watch_events(&self) -> watch::Receiver<i64> {
        self.0.last_seq.clone()
    }

    /// Changes after each commit that took delegations away.
    #[must_use]
    pub fn watch_rights(&self) -> watch::Receiver<u64> {
        self.0.rights.clone()
    }

    /// Changes after each commit that touched what decisions by delegations rest on: those, hours, and who is in which fleet.
    #[must_use]
    pub fn watch_lent(&self) -> watch::Receiver<u64> {
        self.0.lent.changes()
    }

    /// The boards whose epochs are raised from now on, commit by commit. Who is more than 256 commits behind misses some.
    #[must_use]
    pub fn watch_voided(&self) -> broadcast::Receiver<Arc<[(BoardId, u32)]>> {
        self.0.voided.subscribe()
    }

    /// Limits of projects that nothing else was said about.
    #[must_use]
    pub fn quota(&self) -> Defaults {
        self.0.quota
    }

    pub(crate) fn endings(&self) -> &Endings {
        &self.0.endings
    }

    pub(crate) fn lent(&self) -> &Index {
        &self.0.lent
    }

    pub(crate) fn readers(&self) -> &Arc<Readers> {
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

/// A process that ends, or one that this process is just starting (between fork and exec it has a copy of every open
/// file), may hold the lock for a moment longer; who really works on the folder holds it after that too.
fn lock(dir: &Path) -> Result<File, Error> {
    let file = open_private(&dir.join(LOCK))?;
    let begun = Instant::now();
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(TryLockError::WouldBlock) if begun.elapsed() < LOCK_PATIENCE => {
                std::thread::sleep(LOCK_STEP);
            }
            Err(TryLockError::WouldBlock) => return Err(Error::Locked(dir.to_owned())),
            Err(TryLockError::Error(source)) => {
                return Err(Error::Folder { path: dir.to_owned(), source });
            }
        }
    }
}

/// Opens or makes a file that nobody else may read: the database holds hashes of secrets, and the files SQLite puts beside
/// it take its mode.
fn open_private(path: &PathBuf) -> Result<File, Error> {
    let mut options = File::options();
    options.create(true).truncate(false).write(true).read(true).mode(0o600);
    options.open(path).map_err(folder(path))
}

/// The connection that writes.
pub(crate) fn connect(file: &Path) -> Result<Connection, Error> {
    let open = || {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "journal_mode", "WAL")?;
        connection.pragma_update(None, "synchronous", "FULL")?;
        connection.pragma_update(None, "foreign_keys", "ON")?;
        with_our_bounds(connection)
    };
    open().map_err(Error::sql("open the database"))
}

/// A connection that cannot write.
fn connect_to_read(file: &Path) -> Result<Connection, Error> {
    let open = || {
        let connection = Connection::open(file)?;
        connection.pragma_update(None, "query_only", "ON")?;
        with_our_bounds(connection)
    };
    open().map_err(Error::sql("open the database for reading"))
}

fn with_our_bounds(connection: Connection) -> rusqlite::Result<Connection> {
    connection.busy_timeout(BUSY_WAIT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS);
    connection.pragma_update(None, "cache_size", -PAGES)?;
    Ok(connection)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn commits_are_synced_and_readers_cannot_write() {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(dir.path(), Options::default()).await.unwrap();
        let writer = connect(&dir.path().join(DATABASE)).unwrap();
        for (pragma, wanted) in [("synchronous", 2), ("foreign_keys", 1)] {
            let found: i64 = writer.pragma_query_value(None, pragma, |row| row.get(0)).unwrap();
            assert_eq!(found, wanted, "{pragma}");
        }
        let mode: String =
            writer.pragma_query_value(None, "journal_mode", |row| row.get(0)).unwrap();
        assert_eq!(mode, "wal");
        let refused = store.readers().read(&Statement::new("write", "DELETE FROM events"));
        assert!(format!("{:?}", refused.err()).contains("readonly"));
    }
}
