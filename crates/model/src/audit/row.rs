//! A row of the audit and its hash.
//!
//! The hash of a row is SHA-256 over these bytes, in this order (numbers big-endian):
//!
//! | bytes | what |
//! |---|---|
//! | 12 | `s4t-audit-1` and a line feed |
//! | 8 | sequence number, unsigned |
//! | 8 | time, microseconds since 1970-01-01 UTC, signed |
//! | 4 + n | each of: sort of actor, actor, project, verb, sort of subject, subject, outcome, detail, personal: length and UTF-8 text as stored; a row without a project has the length `ffffffff` and no text there |
//! | 32 | hash of the row before; zeros before the first |
//!
//! `personal` is the list of personal fields, `name:hash` joined by commas, in the order of their names. The hash of such a
//! field is SHA-256 over a random salt of 16 bytes, the field's name, a zero byte, the id of the person it is about (nothing
//! when nobody knows), a zero byte and the value.

use super::Digest;
use crate::Timestamp;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use utoipa::ToSchema;

/// Bytes of a salt.
pub const SALT: usize = 16;
const DOMAIN: &[u8] = b"s4t-audit-1\n";
/// Stands for the length of what is absent.
const ABSENT: u32 = u32::MAX;

/// What enters the hash of a row, but the hash before it.
#[derive(Debug, Clone, Copy)]
pub struct Fields<'a> {
    /// Its number; the first is 1.
    pub seq: u64,
    /// When, in microseconds since 1970-01-01 UTC.
    pub at: i64,
    /// [`super::ActorKind`].
    pub actor_kind: &'a str,
    /// Who.
    pub actor: &'a str,
    /// In which project; none for what is the whole cloud's.
    pub project: Option<&'a str>,
    /// What was done, `type:operation`.
    pub verb: &'a str,
    /// Sort of what it was done to.
    pub subject_type: &'a str,
    /// What it was done to.
    pub subject: &'a str,
    /// What came of it.
    pub outcome: &'a str,
    /// More, as JSON text.
    pub detail: &'a str,
    /// Personal fields: names and hashes.
    pub personal: &'a str,
}

impl Fields<'_> {
    /// The hash of the row after the row with hash `previous`.
    #[must_use]
    pub fn hash(&self, previous: &Digest) -> Digest {
        let mut bytes = Vec::with_capacity(256 + self.detail.len());
        bytes.extend_from_slice(DOMAIN);
        bytes.extend_from_slice(&self.seq.to_be_bytes());
        bytes.extend_from_slice(&self.at.to_be_bytes());
        for text in [self.actor_kind, self.actor] {
            put(&mut bytes, text);
        }
        match self.project {
            Some(project) => put(&mut bytes, project),
            None => bytes.extend_from_slice(&ABSENT.to_be_bytes()),
        }
        let rest =
            [self.verb, self.subject_type, self.subject, self.outcome, self.detail, self.personal];
        for text in rest {
            put(&mut bytes, text);
        }
        bytes.extend_from_slice(&previous.0);
        Digest(Sha256::digest(&bytes).into())
    }
}

fn put(bytes: &mut Vec<u8>, text: &str) {
    // Nothing of a row is that long.
    let length = u32::try_from(text.len()).unwrap_or(ABSENT - 1);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(text.as_bytes());
}

/// The hash by which a personal value enters its row.
#[must_use]
pub fn personal_hash(salt: &[u8], field: &str, person: Option<&str>, value: &str) -> Digest {
    let hash = Sha256::new().chain_update(salt).chain_update(field).chain_update([0]);
    let hash = hash.chain_update(person.unwrap_or_default()).chain_update([0]);
    Digest(hash.chain_update(value).finalize().into())
}

/// A row as it is shown, exported and checked. Its texts are exactly those that were hashed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditRow)]
pub struct Row {
    /// Its number; the first is 1, and none is left out.
    pub seq: u64,
    /// When.
    pub at: Timestamp,
    /// `user`, `board`, `cloud` or `anybody`.
    pub actor_kind: String,
    /// Who.
    pub actor: String,
    /// In which project; none for what is the whole cloud's.
    pub project: Option<String>,
    /// What was done, `type:operation`.
    pub verb: String,
    /// Sort of what it was done to.
    pub subject_type: String,
    /// What it was done to.
    pub subject: String,
    /// What came of it.
    pub outcome: String,
    /// More, as JSON text.
    pub detail: String,
    /// Personal fields: names and salted hashes.
    pub personal: String,
    /// The personal values that were not erased.
    pub known: Vec<Known>,
    /// Hash of the row before.
    pub previous: String,
    /// Hash of this row.
    pub hash: String,
}

/// A personal value that stands beside the chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = AuditPersonal)]
pub struct Known {
    /// Name of the field.
    pub field: String,
    /// The user it is about, when that is known.
    pub person: Option<String>,
    /// Its value.
    pub value: String,
    /// The salt of its hash, hexadecimal.
    pub salt: String,
}

impl Row {
    /// What its hash is made of.
    #[must_use]
    pub fn fields(&self) -> Fields<'_> {
        Fields {
            seq: self.seq,
            at: self.at.micros(),
            actor_kind: &self.actor_kind,
            actor: &self.actor,
            project: self.project.as_deref(),
            verb: &self.verb,
            subject_type: &self.subject_type,
            subject: &self.subject,
            outcome: &self.outcome,
            detail: &self.detail,
            personal: &self.personal,
        }
    }

    /// The first personal value that is not the one that was hashed.
    #[must_use]
    pub fn false_value(&self) -> Option<&Known> {
        self.known.iter().find(|known| !self.vouches(known))
    }

    fn vouches(&self, known: &Known) -> bool {
        let Some(salt) = bytes(&known.salt) else { return false };
        let person = known.person.as_deref();
        let hash = personal_hash(&salt, &known.field, person, &known.value).to_string();
        let mut fields = self.personal.split(',').filter_map(|field| field.split_once(':'));
        fields.any(|(name, stored)| name == known.field && stored == hash)
    }
}

fn bytes(hex: &str) -> Option<Vec<u8>> {
    let pairs = hex.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    (hex.len() == 2 * SALT).then(|| pairs.map(byte).collect()).flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields() -> Fields<'static> {
        Fields {
            seq: 1,
            at: 2,
            actor_kind: "user",
            actor: "u",
            project: Some("p"),
            verb: "user:create",
            subject_type: "user",
            subject: "x",
            outcome: "done",
            detail: "{}",
            personal: "",
        }
    }

    #[test]
    fn the_hash_is_over_the_documented_bytes() {
        let mut bytes = b"s4t-audit-1\n".to_vec();
        bytes.extend([0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 2]);
        for text in ["user", "u", "p", "user:create", "user", "x", "done", "{}", ""] {
            bytes.extend([0, 0, 0, u8::try_from(text.len()).unwrap()]);
            bytes.extend(text.as_bytes());
        }
        bytes.extend([0; 32]);
        assert_eq!(fields().hash(&Digest::ZERO).0, <[u8; 32]>::from(Sha256::digest(&bytes)));
    }

    #[test]
    fn text_that_moves_from_one_field_to_the_next_gives_another_hash() {
        let one = Fields { actor: "ab", project: Some("c"), ..fields() };
        let other = Fields { actor: "a", project: Some("bc"), ..fields() };
        assert_ne!(one.hash(&Digest::ZERO), other.hash(&Digest::ZERO));
        let absent = Fields { project: None, ..fields() };
        let empty = Fields { project: Some(""), ..fields() };
        assert_ne!(absent.hash(&Digest::ZERO), empty.hash(&Digest::ZERO));
    }
}
