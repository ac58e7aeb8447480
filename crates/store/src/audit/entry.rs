//! Writing a row.

use crate::author::Author;
use crate::sql::{Statement, json};
use crate::{Error, Tx};
use base::secret;
use model::audit::{ActorKind, Digest, Fields, SALT, personal_hash};
use model::{ProjectId, UserId};
use rusqlite::{Connection, OptionalExtension as _};
use serde_json::Value;
use std::borrow::Cow;
use std::fmt::Display;

/// How far the chain has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Chain {
    /// Number of the last row.
    pub(crate) seq: i64,
    /// Its hash.
    pub(crate) hash: Digest,
}

/// Whether the address of who did it is kept with a row.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Origin {
    /// Kept, beside the chain.
    Kept,
    /// Left out: for rows that come by the thousand and name their author.
    LeftOut,
}

/// A row to write.
#[derive(Debug, Clone)]
pub struct Entry {
    verb: &'static str,
    subject_type: &'static str,
    subject: String,
    project: Option<ProjectId>,
    actor: Option<(ActorKind, String)>,
    or_by: Option<(ActorKind, String)>,
    outcome: Cow<'static, str>,
    detail: Value,
    origin: Origin,
    personal: Vec<Personal>,
}

#[derive(Debug, Clone)]
struct Personal {
    field: &'static str,
    person: Option<String>,
    value: String,
}

impl Entry {
    /// `verb` (`type:operation`) was done to a thing.
    pub fn new(verb: &'static str, subject_type: &'static str, subject: impl Display) -> Self {
        Self {
            verb,
            subject_type,
            subject: subject.to_string(),
            project: None,
            actor: None,
            or_by: None,
            outcome: Cow::Borrowed("done"),
            detail: Value::Null,
            origin: Origin::Kept,
            personal: Vec::new(),
        }
    }

    /// In this project, whose administrators see it.
    #[must_use]
    pub fn of(self, project: &ProjectId) -> Self {
        Self { project: Some(project.clone()), ..self }
    }

    /// By this actor, and not by the author of the transaction.
    #[must_use]
    pub fn by(self, kind: ActorKind, id: impl Display) -> Self {
        Self { actor: Some((kind, id.to_string())), ..self }
    }

    /// By this user when the transaction has no author.
    #[must_use]
    pub fn or_by(self, user: Option<&UserId>) -> Self {
        Self { or_by: user.map(|user| (ActorKind::User, user.to_string())), ..self }
    }

    /// With this outcome instead of `done`.
    #[must_use]
    pub fn ending(self, outcome: impl Into<Cow<'static, str>>) -> Self {
        Self { outcome: outcome.into(), ..self }
    }

    /// With more about it; no secrets and nothing personal.
    #[must_use]
    pub fn with(self, detail: Value) -> Self {
        Self { detail, ..self }
    }

    /// Whether the author's address is kept.
    #[must_use]
    pub fn origin(self, origin: Origin) -> Self {
        Self { origin, ..self }
    }

    /// With a personal value, about this user when that is known.
    #[must_use]
    pub fn personal(
        mut self,
        field: &'static str,
        person: Option<&UserId>,
        value: impl Display,
    ) -> Self {
        let (person, value) = (person.map(ToString::to_string), value.to_string());
        self.personal.push(Personal { field, person, value });
        self
    }

    /// Who it is, with the address where it is known and kept.
    fn authored(&mut self, author: Option<&Author>) -> (ActorKind, String) {
        let author_is = author.map(|author| (author.kind, author.id.clone()));
        let address = author.and_then(|author| author.address.clone());
        if self.origin == Origin::Kept
            && let Some(value) = address.filter(|_| !self.has("address"))
        {
            let is_user = |(kind, id): (ActorKind, String)| (kind == ActorKind::User).then_some(id);
            let person = author_is.clone().and_then(is_user);
            self.personal.push(Personal { field: "address", person, value });
        }
        self.personal.sort_by_key(|personal| personal.field);
        self.personal.dedup_by_key(|personal| personal.field);
        let actor = self.actor.take().or(author_is).or_else(|| self.or_by.take());
        actor.unwrap_or_else(|| (ActorKind::Cloud, String::new()))
    }

    fn has(&self, field: &str) -> bool {
        self.personal.iter().any(|personal| personal.field == field)
    }
}

impl Tx {
    /// Appends to the audit; the row stands or falls with this transaction.
    ///
    /// # Errors
    /// The database failed.
    pub async fn audit(&mut self, mut entry: Entry) -> Result<(), Error> {
        let Chain { seq, hash: previous } = self.chain();
        let seq = seq.saturating_add(1);
        let author = self.author();
        let (kind, actor) = entry.authored(author.as_deref());
        let personal = self.beside(seq, &entry.personal)?;
        let detail = if entry.detail.is_null() { "{}".into() } else { json(&entry.detail)? };
        let at = self.now();
        let fields = Fields {
            seq: super::size(seq),
            at: at.micros(),
            actor_kind: kind.word(),
            actor: &actor,
            project: entry.project.as_ref().map(ProjectId::as_str),
            verb: entry.verb,
            subject_type: entry.subject_type,
            subject: &entry.subject,
            outcome: &entry.outcome,
            detail: &detail,
            personal: &personal,
        };
        let hash = fields.hash(&previous);
        let statement = Statement::new(
            "append to the audit",
            "INSERT INTO audit (seq, at, actor_kind, actor, project, verb, subject_type, subject, outcome, detail, personal, \
             previous, hash) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
        )
        .bind(seq)
        .bind(at)
        .bind(kind.word())
        .bind(actor)
        .bind(entry.project.as_ref())
        .bind(entry.verb)
        .bind(entry.subject_type)
        .bind(entry.subject)
        .bind(entry.outcome.into_owned())
        .bind(detail)
        .bind(personal)
        .bind(&previous.0)
        .bind(&hash.0);
        self.execute(statement).await?;
        self.chained(Chain { seq, hash });
        Ok(())
    }

    /// Writes the personal values; gives their names and hashes.
    fn beside(&mut self, seq: i64, personal: &[Personal]) -> Result<String, Error> {
        let mut text = String::new();
        for Personal { field, person, value } in personal {
            let salt = secret::random::<SALT>();
            let hash = personal_hash(&salt, field, person.as_deref(), value);
            text.push_str(if text.is_empty() { "" } else { "," });
            text.push_str(field);
            text.push(':');
            text.push_str(&hash.to_string());
            let statement = Statement::new(
                "write personal values",
                "INSERT INTO audit_personal (seq, field, person, value, salt) VALUES ($1, $2, $3, $4, $5)",
            )
            .bind(seq)
            .bind(*field)
            .bind(person.as_deref())
            .bind(value.as_str())
            .bind(salt.as_slice());
            self.rows(&statement)?;
        }
        Ok(text)
    }
}

/// For the writer, before there is a store.
pub(crate) fn last(connection: &Connection) -> Result<Chain, Error> {
    let text = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    let found = connection.query_row(text, [], |row| Ok((row.get(0)?, row.get(1)?))).optional();
    let found = found.map_err(Error::sql("read the audit"))?;
    let (seq, hash) = found.unwrap_or((0, Digest::ZERO.0));
    Ok(Chain { seq, hash: Digest(hash) })
}
