//! The transaction a write runs in, and the event log's pen.
//!
//! Invariant: only the writer's thread holds a [`Tx`], so sequence numbers of events are given in commit order and without
//! gaps; a job that is rolled back gives its numbers back.

use crate::Error;
use crate::audit::Chain;
use crate::author::Author;
use crate::events::NewEvent;
use crate::sql::{Row, Statement, json};
use base::clock::Clock;
use model::quota::Defaults;
use model::{BoardId, OperationId, Timestamp};
use rusqlite::Connection;
use std::sync::Arc;

/// A running transaction; what noun functions that write are handed.
pub struct Tx {
    connection: Connection,
    clock: Arc<dyn Clock>,
    /// Limits of projects that nothing else was said about.
    quota: Defaults,
    mark: Mark,
    /// On whose behalf the present job writes; none is the cloud.
    author: Option<Arc<Author>>,
    /// Operations that end by this transaction.
    ended: Vec<OperationId>,
    /// Boards whose rights of earlier epochs this transaction makes void.
    voided: Vec<(BoardId, u32)>,
    disk: Disk,
}

/// What the disk made of the statements of a transaction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) enum Disk {
    /// Nothing was written.
    #[default]
    Idle,
    /// It took them.
    Took,
    /// It refused one, for this reason.
    Refused(String),
}

/// How far a transaction has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Mark {
    /// Number of the last event.
    pub(crate) last_seq: i64,
    /// How often rights were taken away since this process began.
    pub(crate) rights: u64,
    chain: Chain,
    ended: usize,
    voided: usize,
}

impl Tx {
    pub(crate) fn new(
        connection: Connection,
        clock: Arc<dyn Clock>,
        quota: Defaults,
        last_seq: i64,
        chain: Chain,
    ) -> Self {
        let mark = Mark { last_seq, rights: 0, chain, ended: 0, voided: 0 };
        let (ended, voided, disk) = (Vec::new(), Vec::new(), Disk::Idle);
        Self { connection, clock, quota, mark, author: None, ended, voided, disk }
    }

    /// The present moment by the store's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.unix_micros())
    }

    /// Appends to the event log; readers see it after the commit.
    ///
    /// # Errors
    /// The database failed.
    pub async fn event(&mut self, event: NewEvent) -> Result<i64, Error> {
        let seq = self.mark.last_seq.saturating_add(1);
        let statement = Statement::new(
            "append an event",
            "INSERT INTO events (seq, at, project, kind, subject_type, subject_id, body) \
             VALUES ($1, $2, $3, $4, $5, $6, $7)",
        )
        .bind(seq)
        .bind(self.now())
        .bind(event.project.as_ref())
        .bind(event.kind)
        .bind(event.subject_type)
        .bind(event.subject_id)
        .bind(json(&event.body)?);
        self.execute(statement).await?;
        self.mark.last_seq = seq;
        Ok(seq)
    }

    /// Runs a statement that writes; gives the number of rows it touched.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, Error> {
        let done = statement.execute(&self.connection);
        match &done {
            Ok(rows) if *rows > 0 && self.disk == Disk::Idle => self.disk = Disk::Took,
            Ok(_) => {}
            Err(error) => {
                if let Some(reason) = error.of_the_disk() {
                    self.disk = Disk::Refused(reason);
                }
            }
        }
        done
    }

    /// Writes something that says nothing, to see whether the disk takes it.
    pub(crate) fn touch(&mut self) -> Result<(), Error> {
        self.control("PRAGMA user_version = 0")?;
        self.disk = Disk::Took;
        Ok(())
    }

    /// What the disk made of it so far.
    pub(crate) fn take_disk(&mut self) -> Disk {
        std::mem::take(&mut self.disk)
    }

    pub(crate) fn rows(&mut self, statement: &Statement) -> Result<Vec<Row>, Error> {
        statement.rows(&self.connection)
    }

    /// Begin, commit, savepoints: text only.
    pub(crate) fn control(&mut self, text: &'static str) -> Result<(), Error> {
        Statement::new("control a transaction", text).execute(&self.connection).map(|_| ())
    }

    /// Whether a transaction is open; after some failures the database has rolled it back by itself.
    pub(crate) fn is_open(&self) -> bool {
        !self.connection.is_autocommit()
    }

    /// Who waits for the end of this operation is told after the commit.
    pub(crate) fn ended(&mut self, operation: OperationId) {
        self.ended.push(operation);
        self.mark.ended = self.ended.len();
    }

    /// The operations that ended by what was committed.
    pub(crate) fn take_ended(&mut self) -> Vec<OperationId> {
        self.mark.ended = 0;
        std::mem::take(&mut self.ended)
    }

    /// Whoever tells boards of their epochs is told after the commit.
    pub(crate) fn voided(&mut self, epochs: Vec<(BoardId, u32)>) {
        self.voided.extend(epochs);
        self.mark.voided = self.voided.len();
    }

    /// The boards whose epochs were raised by what was committed.
    pub(crate) fn take_voided(&mut self) -> Vec<(BoardId, u32)> {
        self.mark.voided = 0;
        std::mem::take(&mut self.voided)
    }

    /// Whoever goes on with something by a right that may be gone now is told after the commit.
    pub(crate) fn rights_changed(&mut self) {
        self.mark.rights = self.mark.rights.saturating_add(1);
    }

    pub(crate) fn quota(&self) -> Defaults {
        self.quota
    }

    pub(crate) fn mark(&self) -> Mark {
        self.mark
    }

    /// Forgets what came after the mark, which was rolled back; numbers of events are given anew.
    pub(crate) fn rewind(&mut self, mark: Mark) {
        self.mark = mark;
        self.ended.truncate(mark.ended);
        self.voided.truncate(mark.voided);
    }

    /// How far the audit has come, this transaction included.
    pub(crate) fn chain(&self) -> Chain {
        self.mark.chain
    }

    pub(crate) fn chained(&mut self, chain: Chain) {
        self.mark.chain = chain;
    }

    pub(crate) fn author(&self) -> Option<Arc<Author>> {
        self.author.clone()
    }

    /// The next job's author.
    pub(crate) fn written_by(&mut self, author: Option<Arc<Author>>) {
        self.author = author;
    }

    pub(crate) fn last_seq(&self) -> i64 {
        self.mark.last_seq
    }

    pub(crate) fn reconnected(&mut self, connection: Connection) {
        self.connection = connection;
    }

    pub(crate) fn close(self) -> Result<(), Error> {
        self.connection.close().map_err(|(_, error)| Error::sql("close the database")(error))
    }
}
