//! The one task that writes, in groups: jobs that wait share one commit, because a synced commit costs milliseconds.
//!
//! Invariants: nobody is answered before the commit that carries the job is synced; a job that fails is rolled back alone
//! (by its own savepoint, or by being one statement); when the commit fails, everybody in the group is told so and nothing of it is kept.

mod job;

pub(crate) use job::{Behind, Call, Job, Record};

use crate::store::Faults;
use crate::{Error, Tx};
use futures_util::FutureExt as _;
use job::{Undo, Verdict};
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Connection as _};
use std::collections::VecDeque;
use std::fs::File;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{mpsc, watch};
use tokio::time::{Instant, timeout, timeout_at};

/// Writes that may wait; at the bound a caller waits up to [`QUEUE_WAIT`], then is refused.
pub(crate) const QUEUE: usize = 1024;
/// How long a caller waits for a place in the queue.
pub(crate) const QUEUE_WAIT: Duration = Duration::from_secs(10);
/// Writes behind that may wait; at the bound new ones are dropped and counted.
pub(crate) const QUEUE_BEHIND: usize = 8192;
/// Most jobs of one commit.
const GROUP: usize = 256;
/// How long a group is held open for the callers of the group before, who are likely to come back at once.
const GATHER: Duration = Duration::from_millis(2);
/// A group that ran this long commits, so that its first caller is not kept waiting by later ones.
const GROUP_TIME: Duration = Duration::from_millis(50);
/// Writes behind wait this long for company when nobody waits for an answer.
const LINGER: Duration = Duration::from_millis(50);
/// A job that takes longer is rolled back: it waits for something it should not.
const JOB_TIME: Duration = Duration::from_secs(10);

/// What comes through the queue of writes.
pub(crate) enum Message {
    Job(Box<dyn Job>),
    Close,
}

/// The writer task.
pub(crate) struct Writer {
    tx: Tx,
    writes: mpsc::Receiver<Message>,
    behind: mpsc::Receiver<Box<dyn Job>>,
    /// Taken from the queues and not run yet.
    taken: VecDeque<Box<dyn Job>>,
    seen: watch::Sender<i64>,
    faults: Option<Arc<dyn Faults>>,
    connect: SqliteConnectOptions,
    /// How many callers the last group had.
    company: usize,
    /// Held until the database is closed.
    _lock: File,
}

impl Writer {
    pub(crate) fn new(
        tx: Tx,
        writes: mpsc::Receiver<Message>,
        behind: mpsc::Receiver<Box<dyn Job>>,
        seen: watch::Sender<i64>,
        faults: Option<Arc<dyn Faults>>,
        connect: SqliteConnectOptions,
        lock: File,
    ) -> Self {
        let taken = VecDeque::new();
        Self { tx, writes, behind, taken, seen, faults, connect, company: 0, _lock: lock }
    }

    pub(crate) async fn run(mut self) {
        while self.wait().await {
            self.group().await;
        }
        if let Err(error) = self.tx.into_connection().close().await {
            tracing::error!(%error, "the database did not close well");
        }
    }

    /// Waits for something to do; false when nothing can come any more.
    async fn wait(&mut self) -> bool {
        if !self.taken.is_empty() {
            return true;
        }
        let job = tokio::select! {
            biased;
            Some(message) = self.writes.recv() => return self.take(message),
            Some(job) = self.behind.recv() => job,
            else => return false,
        };
        self.taken.push_back(job);
        if let Ok(Some(message)) = timeout(LINGER, self.writes.recv()).await {
            self.take(message);
        }
        true
    }

    /// Always true: even a request to close is followed by one look at the queues.
    fn take(&mut self, message: Message) -> bool {
        match message {
            Message::Job(job) => self.taken.push_front(job),
            Message::Close => {
                self.writes.close();
                self.behind.close();
            }
        }
        true
    }

    /// One group of jobs, one commit.
    async fn group(&mut self) {
        let before = self.tx.last_seq();
        let mut jobs = Vec::new();
        let mut outcome = self.tx.control("BEGIN IMMEDIATE").await;
        if outcome.is_ok() {
            outcome = self.fill(&mut jobs).await;
        } else {
            jobs.extend(self.taken.drain(..));
        }
        if outcome.is_ok() && !jobs.is_empty() {
            outcome = self.commit().await;
        } else if outcome.is_ok() {
            outcome = self.tx.control("COMMIT").await;
        }
        match outcome {
            Ok(()) => self.committed(before, jobs),
            Err(error) => self.undone(before, jobs, &error).await,
        }
    }

    /// Runs jobs until the queues are empty, or the group is full or old.
    async fn fill(&mut self, jobs: &mut Vec<Box<dyn Job>>) -> Result<(), Error> {
        let begun = Instant::now();
        let mut callers = 0;
        while jobs.len() < GROUP && begun.elapsed() < GROUP_TIME {
            let Some((mut job, from)) = self.next(begun + GATHER, callers).await else { break };
            callers += usize::from(from == Source::Caller);
            let done = run(&mut self.tx, job.as_mut()).await;
            jobs.push(job);
            done?;
        }
        self.company = callers;
        Ok(())
    }

    /// The next job: callers first; when there are none, and the last group had more of them, they get until `until`.
    async fn next(&mut self, until: Instant, callers: usize) -> Option<(Box<dyn Job>, Source)> {
        if let Some(job) = self.taken.pop_front() {
            return Some((job, Source::Caller));
        }
        loop {
            match self.writes.try_recv() {
                Ok(Message::Job(job)) => return Some((job, Source::Caller)),
                Ok(message @ Message::Close) => {
                    self.take(message);
                }
                Err(_) => break,
            }
        }
        if let Ok(job) = self.behind.try_recv() {
            return Some((job, Source::Behind));
        }
        if callers >= self.company.min(GROUP) {
            return None;
        }
        match timeout_at(until, self.writes.recv()).await {
            Ok(Some(Message::Job(job))) => Some((job, Source::Caller)),
            Ok(Some(message @ Message::Close)) => {
                self.take(message);
                None
            }
            Ok(None) | Err(_) => None,
        }
    }

    async fn commit(&mut self) -> Result<(), Error> {
        if let Some(faults) = self.faults.clone() {
            let allowed = tokio::task::spawn_blocking(move || faults.before_commit()).await;
            allowed.map_err(|_| Error::Faulted("the injected fault failed itself".into()))??;
        }
        self.tx.control("COMMIT").await
    }

    fn committed(&self, before: i64, jobs: Vec<Box<dyn Job>>) {
        if let Some(faults) = &self.faults {
            faults.after_commit();
        }
        let last = self.tx.last_seq();
        if last > before {
            self.seen.send_replace(last);
        }
        for job in jobs {
            job.finish(Ok(()));
        }
    }

    async fn undone(&mut self, before: i64, jobs: Vec<Box<dyn Job>>, error: &Error) {
        tracing::error!(%error, cause = ?std::error::Error::source(error), "a group of writes was rolled back");
        self.tx.rewind(before);
        if self.tx.control("ROLLBACK").await.is_err() {
            self.reconnect().await;
        }
        for job in jobs {
            job.finish(Err(Error::Faulted(error.to_string())));
        }
    }

    /// A connection that can neither commit nor roll back is replaced; what it held is undone by the database.
    async fn reconnect(&mut self) {
        match self.connect.connect().await {
            Ok(connection) => {
                let old = self.tx.reconnected(connection);
                if let Err(error) = old.close_hard().await {
                    tracing::warn!(%error, "the broken connection did not close well");
                }
            }
            Err(error) => tracing::error!(%error, "the database cannot be opened again"),
        }
    }
}

/// Where a job comes from.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Source {
    Caller,
    Behind,
}

/// Runs one job so that its failure undoes it alone. An error here means that the transaction itself is broken.
async fn run(tx: &mut Tx, job: &mut dyn Job) -> Result<(), Error> {
    match job.undo() {
        Undo::Savepoint => run_in_savepoint(tx, job).await,
        Undo::Itself if attempt(tx, job).await == Verdict::Keep => Ok(()),
        Undo::Itself => Err(Error::Faulted("a record could not be written".into())),
    }
}

async fn run_in_savepoint(tx: &mut Tx, job: &mut dyn Job) -> Result<(), Error> {
    let before = tx.last_seq();
    tx.control("SAVEPOINT job").await?;
    if attempt(tx, job).await == Verdict::Keep {
        return tx.control("RELEASE job").await;
    }
    tx.rewind(before);
    tx.control("ROLLBACK TO job").await?;
    tx.control("RELEASE job").await
}

/// A job that panics or takes too long is undone like one that fails.
async fn attempt(tx: &mut Tx, job: &mut dyn Job) -> Verdict {
    let work = timeout(JOB_TIME, AssertUnwindSafe(job.run(tx)).catch_unwind());
    match work.await {
        Ok(Ok(verdict)) => verdict,
        Ok(Err(_)) | Err(_) => Verdict::Undo,
    }
}
