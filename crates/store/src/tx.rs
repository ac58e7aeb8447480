//! The transaction a write runs in, and the event log's pen.
//!
//! Invariant: only the writer task holds a [`Tx`], so sequence numbers of events are given in commit order and without
//! gaps; a job that is rolled back gives its numbers back.

use crate::Error;
use crate::events::NewEvent;
use crate::sql::{Statement, json};
use base::clock::Clock;
use model::Timestamp;
use sqlx::SqliteConnection;
use std::sync::Arc;

/// A running transaction; what noun functions that write are handed.
pub struct Tx {
    connection: SqliteConnection,
    clock: Arc<dyn Clock>,
    last_seq: i64,
}

impl Tx {
    pub(crate) fn new(connection: SqliteConnection, clock: Arc<dyn Clock>, last_seq: i64) -> Self {
        Self { connection, clock, last_seq }
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
        let seq = self.last_seq.saturating_add(1);
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
        self.last_seq = seq;
        Ok(seq)
    }

    /// Runs a statement that writes; gives the number of rows it touched.
    pub(crate) async fn execute(&mut self, statement: Statement) -> Result<u64, Error> {
        let doing = statement.doing;
        let done = statement.query().execute(&mut self.connection).await;
        done.map(|done| done.rows_affected()).map_err(Error::sql(doing))
    }

    /// Begin, commit, savepoints: text only.
    pub(crate) async fn control(&mut self, text: &'static str) -> Result<(), Error> {
        let done = sqlx::query(text).execute(&mut self.connection).await;
        done.map(|_| ()).map_err(Error::sql("control a transaction"))
    }

    pub(crate) fn connection(&mut self) -> &mut SqliteConnection {
        &mut self.connection
    }

    pub(crate) fn last_seq(&self) -> i64 {
        self.last_seq
    }

    /// Gives numbers back after a rollback.
    pub(crate) fn rewind(&mut self, last_seq: i64) {
        self.last_seq = last_seq;
    }

    pub(crate) fn reconnected(&mut self, connection: SqliteConnection) -> SqliteConnection {
        std::mem::replace(&mut self.connection, connection)
    }

    pub(crate) fn into_connection(self) -> SqliteConnection {
        self.connection
    }
}
