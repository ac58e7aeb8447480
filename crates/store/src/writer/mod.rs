//! The one thread that writes, in groups: jobs that wait share one commit, because a synced commit costs milliseconds.
//!
//! Invariants: nobody is answered before the commit that carries the job is synced; a job that fails is rolled back alone,
//! by its own savepoint; when the commit fails, everybody in the group is told so and nothing of it is kept. A job runs on
//! this thread from its first statement to its last: it cannot wait for anything but the database, which answers at once.

mod job;
mod queue;

pub(crate) use job::{Behind, Call};
pub(crate) use queue::Queue;

use crate::delegations::Index;
use crate::operations::Endings;
use crate::store::{Faults, connect};
use crate::tx::{Disk, Mark};
use crate::{Error, Tx};
use futures_util::FutureExt as _;
use job::{Job, Verdict};
use model::BoardId;
use queue::Source;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::{broadcast, watch};

/// Most jobs of one commit.
const GROUP: usize = 256;
/// Longest time a group is held open for the callers of the group before, who are likely to come back at once.
const GATHER: Duration = Duration::from_millis(2);
/// A group that ran this long commits, so that its first caller is not kept waiting by later ones.
const GROUP_TIME: Duration = Duration::from_millis(50);

/// What the writer's thread owns.
pub(crate) struct Writer {
    pub(crate) tx: Tx,
    pub(crate) queue: Arc<Queue>,
    pub(crate) seen: watch::Sender<i64>,
    pub(crate) rights: watch::Sender<u64>,
    /// Boards whose epochs were raised, of one commit each.
    pub(crate) voided: broadcast::Sender<Arc<[(BoardId, u32)]>>,
    pub(crate) endings: Arc<Endings>,
    /// What decisions rest on, in memory.
    pub(crate) lent: Arc<Index>,
    /// Why the disk took nothing the last time that something was written.
    pub(crate) refused: watch::Sender<Option<String>>,
    pub(crate) faults: Option<Arc<dyn Faults>>,
    pub(crate) file: PathBuf,
    /// Held until the database is closed.
    pub(crate) lock: File,
}

/// What the last group tells about the next.
#[derive(Default)]
struct Last {
    callers: usize,
    commit: Duration,
}

impl Writer {
    /// Works until the queue is closed and empty.
    pub(crate) fn run(mut self) {
        let mut last = Last::default();
        self.lent.refresh(&mut self.tx);
        while self.queue.wait() {
            last = self.group(&last);
        }
        if let Err(error) = self.tx.close() {
            tracing::error!(%error, "the database did not close well");
        }
        drop(self.lock);
    }

    /// One group of jobs, one commit.
    fn group(&mut self, last: &Last) -> Last {
        let before = self.tx.mark();
        let mut jobs = Vec::new();
        let mut this = Last::default();
        let outcome = self.tx.control("BEGIN IMMEDIATE");
        let outcome = match outcome {
            Ok(()) => self.fill(&mut jobs, last, &mut this),
            Err(error) => {
                // Somebody must be told.
                jobs.extend(self.queue.next().map(|(job, _)| job));
                Err(error)
            }
        };
        let begun = Instant::now();
        match outcome.and_then(|()| self.commit()) {
            Ok(()) => {
                this.commit = begun.elapsed();
                self.committed(before, jobs);
            }
            Err(error) => self.undone(before, jobs, &error),
        }
        this
    }

    /// Runs jobs until the queues are empty, or the group is full or old.
    fn fill(
        &mut self,
        jobs: &mut Vec<Box<dyn Job>>,
        last: &Last,
        this: &mut Last,
    ) -> Result<(), Error> {
        let begun = Instant::now();
        let gather_until = begun + GATHER.min(last.commit);
        while jobs.len() < GROUP && begun.elapsed() < GROUP_TIME {
            let next = self.queue.next().or_else(|| {
                let may_come = this.callers < last.callers;
                let late = may_come.then(|| self.queue.next_caller(gather_until)).flatten();
                late.map(|job| (job, Source::Caller))
            });
            let Some((mut job, source)) = next else { break };
            this.callers += usize::from(source == Source::Caller);
            let done = run(&mut self.tx, job.as_mut());
            jobs.push(job);
            done?;
        }
        Ok(())
    }

    fn commit(&mut self) -> Result<(), Error> {
        if let Some(faults) = &self.faults {
            faults.before_commit()?;
        }
        self.lent.doubt();
        self.tx.control("COMMIT")
    }

    fn committed(&mut self, before: Mark, jobs: Vec<Box<dyn Job>>) {
        if let Some(faults) = &self.faults {
            faults.after_commit();
        }
        match self.tx.take_disk() {
            Disk::Idle => {}
            Disk::Took => drop(self.refused.send_replace(None)),
            Disk::Refused(reason) => drop(self.refused.send_replace(Some(reason))),
        }
        // Before anybody is told of anything.
        self.lent.refresh(&mut self.tx);
        let last = self.tx.last_seq();
        if last > before.last_seq {
            self.seen.send_replace(last);
        }
        if self.tx.mark().rights > before.rights {
            self.rights.send_replace(self.tx.mark().rights);
        }
        let voided = self.tx.take_voided();
        if !voided.is_empty() {
            // Nobody need listen.
            let _ = self.voided.send(voided.into());
        }
        for operation in self.tx.take_ended() {
            self.endings.tell(operation);
        }
        for job in jobs {
            job.finish(Ok(()));
        }
    }

    fn undone(&mut self, before: Mark, jobs: Vec<Box<dyn Job>>, error: &Error) {
        tracing::error!(%error, cause = ?std::error::Error::source(error), "a group of writes was rolled back");
        self.tx.rewind(before);
        let reason = match self.tx.take_disk() {
            Disk::Refused(reason) => reason,
            Disk::Idle | Disk::Took => error.of_the_disk().unwrap_or_else(|| error.to_string()),
        };
        self.refused.send_replace(Some(reason));
        if self.tx.is_open() && self.tx.control("ROLLBACK").is_err() {
            self.reconnect();
        }
        self.lent.refresh(&mut self.tx);
        for job in jobs {
            job.finish(Err(Error::Faulted(error.to_string())));
        }
    }

    /// A connection that can neither commit nor roll back is replaced; what it held is undone by the database.
    fn reconnect(&mut self) {
        let again = connect(&self.file);
        match again.and_then(|again| self.lent.watch(&again).map(|()| again)) {
            Ok(connection) => self.tx.reconnected(connection),
            Err(error) => tracing::error!(%error, "the database cannot be opened again"),
        }
    }
}

/// Runs one job so that its failure undoes it alone. An error here means that the transaction itself is broken.
fn run(tx: &mut Tx, job: &mut dyn Job) -> Result<(), Error> {
    let before = tx.mark();
    tx.written_by(job.author());
    tx.control("SAVEPOINT job")?;
    if attempt(tx, job) == Verdict::Keep {
        return tx.control("RELEASE job");
    }
    tx.rewind(before);
    tx.control("ROLLBACK TO job")?;
    tx.control("RELEASE job")
}

/// A job that panics, or waits for something else than the database, is undone like one that fails.
fn attempt(tx: &mut Tx, job: &mut dyn Job) -> Verdict {
    match catch_unwind(AssertUnwindSafe(|| job.run(tx).now_or_never())) {
        Ok(Some(verdict)) => verdict,
        Ok(None) => {
            tracing::error!("a write waited for something else than the database and was undone");
            Verdict::Undo
        }
        Err(_) => Verdict::Undo,
    }
}
