//! Records of queries: written behind, because nobody waits for them.

use crate::sql::{Statement, json};
use crate::{Error, Store};
use model::operation::Outcome;
use model::{BoardId, OperationId, ProjectId, Timestamp, UserId};
use serde_json::Value;

/// A query that has ended.
#[derive(Debug, Clone, PartialEq)]
pub struct QueryRecord {
    /// Its id.
    pub id: OperationId,
    /// The board's project.
    pub project: ProjectId,
    /// The board.
    pub board: BoardId,
    /// The procedure.
    pub method: String,
    /// Its arguments.
    pub arguments: Value,
    /// Who asked.
    pub created_by: Option<UserId>,
    /// When it was sent.
    pub created_at: Timestamp,
    /// Until when the board had to answer.
    pub deadline: Timestamp,
    /// When it ended.
    pub ended_at: Timestamp,
    /// How.
    pub outcome: Outcome,
    /// What it was about.
    pub subject: Option<Value>,
}

/// Records a query that has ended, behind.
pub fn record_query(store: &Store, record: QueryRecord) {
    match insert_query(&record) {
        Ok(statement) => store.record(statement),
        Err(error) => tracing::warn!(%error, "a query cannot be recorded"),
    }
}

fn insert_query(record: &QueryRecord) -> Result<Statement, Error> {
    let (result, fault) = match &record.outcome {
        Outcome::Done(value) => (Some(json(value)?), None),
        Outcome::Failed(fault) => (None, Some(json(fault)?)),
        Outcome::Cancelled | Outcome::Unknown => (None, None),
    };
    let statement = Statement::new(
        "record a query",
        "INSERT INTO operations (id, project, board, kind, method, arguments, state, idempotent, created_by, created_at, \
         deadline, sent_at, ended_at, result, fault, attempts, cancel_requested, subject, revision) \
         VALUES ($1, $2, $3, 'query', $4, $5, $6, 1, $7, $8, $9, $8, $10, $11, $12, 1, 0, $13, 1)",
    )
    .bind(record.id)
    .bind(&record.project)
    .bind(record.board)
    .bind(record.method.as_str())
    .bind(json(&record.arguments)?)
    .bind(record.outcome.state().word())
    .bind(record.created_by.as_ref())
    .bind(record.created_at)
    .bind(record.deadline)
    .bind(record.ended_at)
    .bind(result)
    .bind(fault)
    .bind(record.subject.as_ref().map(json).transpose()?);
    Ok(statement)
}
