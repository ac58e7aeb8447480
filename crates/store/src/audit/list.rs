//! Reading rows, as they are: what was changed in the file is shown changed, so that a check finds it.

use super::{WHAT, heads, number, size};
use crate::page::Direction;
use crate::sql::{Reader, Row as SqlRow, Statement, all, first};
use crate::{Error, Store};
use model::audit::{Base, Known, Row};
use model::{ProjectId, Timestamp};
use std::collections::HashMap;

/// Most rows of one read.
pub const MAX_ROWS: u32 = 1000;

/// Which rows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Which {
    /// By this actor.
    pub actor: Option<String>,
    /// This verb, or with a `*` at its end all that begin so.
    pub verb: Option<String>,
    /// Done to this subject.
    pub subject: Option<String>,
    /// Not before.
    pub since: Option<Timestamp>,
    /// Before.
    pub until: Option<Timestamp>,
}

/// A part of them.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    /// Which.
    pub which: Which,
    /// Which come first.
    pub order: Direction,
    /// Behind this one, in that order.
    pub after: Option<u64>,
    /// At most so many, up to [`MAX_ROWS`].
    pub limit: u32,
}

const SELECT: &str = "SELECT seq, CAST(at AS BIGINT) AS at, CAST(actor_kind AS BLOB) AS actor_kind, CAST(actor AS BLOB) AS actor, \
     CAST(project AS BLOB) AS project, CAST(verb AS BLOB) AS verb, CAST(subject_type AS BLOB) AS subject_type, \
     CAST(subject AS BLOB) AS subject, CAST(outcome AS BLOB) AS outcome, CAST(detail AS BLOB) AS detail, \
     CAST(personal AS BLOB) AS personal, CAST(previous AS BLOB) AS previous, CAST(hash AS BLOB) AS hash FROM audit WHERE 1 = 1";

/// Rows of one project, or of all.
///
/// # Errors
/// The database failed.
pub async fn rows(
    store: &Store,
    project: Option<&ProjectId>,
    filter: &Filter,
) -> Result<Vec<Row>, Error> {
    let Filter { which, order, after, limit } = filter;
    let mut statement = Statement::new("read the audit", SELECT);
    statement.and_equals("project", project).and_equals("actor", which.actor.as_deref());
    statement.and_equals("subject", which.subject.as_deref());
    match which.verb.as_deref().map(|verb| (verb, verb.strip_suffix('*'))) {
        Some((_, Some(start))) => {
            statement.push(" AND verb >= ").push_bind(start);
            statement.push(" AND verb < ").push_bind(format!("{start}\u{7f}"));
        }
        Some((verb, None)) => {
            statement.and_equals("verb", Some(verb));
        }
        None => {}
    }
    if let Some(since) = which.since {
        statement.push(" AND at >= ").push_bind(since);
    }
    if let Some(until) = which.until {
        statement.push(" AND at < ").push_bind(until);
    }
    let (behind, end) = match order {
        Direction::OldestFirst => (" AND seq > ", " ORDER BY seq LIMIT "),
        Direction::NewestFirst => (" AND seq < ", " ORDER BY seq DESC LIMIT "),
    };
    if let Some(after) = after {
        statement.push(behind).push_bind(number(*after));
    }
    statement.push(end).push_bind((*limit).clamp(1, MAX_ROWS));
    let found = all(store, statement, read).await?;
    with_known(store, found).await
}

/// The row of this number.
///
/// # Errors
/// There is none in the scope, or it is not kept any more.
pub async fn get(store: &Store, project: Option<&ProjectId>, seq: u64) -> Result<Row, Error> {
    let mut statement = Statement::new("read the audit", SELECT);
    statement.and_equals("project", project).and_equals("seq", Some(number(seq)));
    let row = first(store, statement, read).await?.ok_or(Error::NotFound { what: WHAT })?;
    let mut row = with_known(store, vec![row]).await?;
    row.pop().ok_or(Error::NotFound { what: WHAT })
}

/// Number of the first row that is kept, and what stands for those before.
///
/// # Errors
/// The database failed.
pub async fn start(store: &Store) -> Result<(u64, Option<Base>), Error> {
    let text = "SELECT seq FROM audit ORDER BY seq LIMIT 1";
    let statement = Statement::new("read the audit", text);
    let seq = first(store, statement, |row| row.int("seq")).await?.map_or(1, size);
    match seq {
        0 | 1 => Ok((1, None)),
        seq => Ok((seq, heads::base(store, seq - 1).await?)),
    }
}

async fn with_known(store: &Store, mut rows: Vec<Row>) -> Result<Vec<Row>, Error> {
    let with: Vec<u64> =
        rows.iter().filter(|row| !row.personal.is_empty()).map(|row| row.seq).collect();
    if with.is_empty() {
        return Ok(rows);
    }
    let mut known = known(store, &with).await?;
    for row in &mut rows {
        row.known = known.remove(&row.seq).unwrap_or_default();
    }
    Ok(rows)
}

async fn known<'e>(from: impl Reader<'e>, rows: &[u64]) -> Result<HashMap<u64, Vec<Known>>, Error> {
    let mut statement = Statement::new(
        "read personal values",
        "SELECT seq, CAST(field AS BLOB) AS field, CAST(person AS BLOB) AS person, CAST(value AS BLOB) AS value, \
         CAST(salt AS BLOB) AS salt FROM audit_personal WHERE seq IN (",
    );
    for (index, seq) in rows.iter().enumerate() {
        statement.push(if index == 0 { "" } else { ", " }).push_bind(number(*seq));
    }
    statement.push(") ORDER BY seq, field");
    let mut known: HashMap<u64, Vec<Known>> = HashMap::new();
    for (seq, one) in all(from, statement, read_known).await? {
        known.entry(seq).or_default().push(one);
    }
    Ok(known)
}

fn read_known(row: &SqlRow) -> Result<(u64, Known), Error> {
    let known = Known {
        field: row.lossy("field")?,
        person: row.lossy_optional("person")?,
        value: row.lossy("value")?,
        salt: row.hex("salt")?,
    };
    Ok((size(row.int("seq")?), known))
}

fn read(row: &SqlRow) -> Result<Row, Error> {
    Ok(Row {
        seq: size(row.int("seq")?),
        at: row.time("at")?,
        actor_kind: row.lossy("actor_kind")?,
        actor: row.lossy("actor")?,
        project: row.lossy_optional("project")?,
        verb: row.lossy("verb")?,
        subject_type: row.lossy("subject_type")?,
        subject: row.lossy("subject")?,
        outcome: row.lossy("outcome")?,
        detail: row.lossy("detail")?,
        personal: row.lossy("personal")?,
        known: Vec::new(),
        previous: row.hex("previous")?,
        hash: row.hex("hash")?,
    })
}

/// Number of the last row; 0 when there is none.
///
/// # Errors
/// The database failed.
pub async fn last_row(store: &Store) -> Result<u64, Error> {
    let text = "SELECT seq FROM audit ORDER BY seq DESC LIMIT 1";
    let statement = Statement::new("read the audit", text);
    Ok(first(store, statement, |row| row.int("seq")).await?.map_or(0, size))
}
