//! Upstream's small files of rows by uuid: `plugins.json` and `services.json`.
//!
//! Invariants: a change is on the disk when [`Book::change`] returns `Ok`, and undone in memory when it does not; members that
//! are not known here are kept. Not for anything large: each change rewrites the file.

use crate::home::Error;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use uuid::Uuid;

/// A file `{"<noun>": {"<uuid>": {…}}}`. Clones share it.
#[derive(Debug)]
pub(super) struct Book<V> {
    path: Arc<PathBuf>,
    noun: &'static str,
    rows: Arc<Mutex<BTreeMap<Uuid, V>>>,
    turn: Arc<tokio::sync::Mutex<()>>,
}

impl<V> Clone for Book<V> {
    fn clone(&self) -> Self {
        Self {
            path: Arc::clone(&self.path),
            noun: self.noun,
            rows: Arc::clone(&self.rows),
            turn: Arc::clone(&self.turn),
        }
    }
}

impl<V: Clone + PartialEq + Serialize + DeserializeOwned> Book<V> {
    /// Reads the file; a missing one is an empty book, a damaged one is read from upstream's copy beside it.
    pub(super) fn open(path: PathBuf, noun: &'static str) -> Result<Self, Error> {
        let rows = match read(&path, noun) {
            Err(error @ Error::Damaged { .. }) => {
                let copy = with_suffix(&path, ".bkp");
                if !copy.exists() {
                    return Err(error);
                }
                tracing::warn!(%error, "upstream's copy of the file is taken");
                read(&copy, noun)?
            }
            other => other?,
        };
        Ok(Self {
            path: Arc::new(path),
            noun,
            rows: Arc::new(Mutex::new(rows)),
            turn: Arc::default(),
        })
    }

    pub(super) fn get(&self, key: Uuid) -> Option<V> {
        self.rows().get(&key).cloned()
    }

    pub(super) fn all(&self) -> Vec<(Uuid, V)> {
        self.rows().iter().map(|(key, row)| (*key, row.clone())).collect()
    }

    /// Changes the rows durably.
    pub(super) async fn change<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<Uuid, V>) -> T,
    ) -> Result<T, Error> {
        let _turn = self.turn.lock().await;
        let mut after = self.rows().clone();
        let result = change(&mut after);
        if after == *self.rows() {
            return Ok(result);
        }
        let bytes = pretty(&json!({ self.noun: after }));
        let path = Arc::clone(&self.path);
        let written = tokio::task::spawn_blocking(move || {
            base::secret::write_private(&path, &bytes)?;
            // Upstream reads this when the file is damaged.
            base::secret::write_private(&with_suffix(&path, ".bkp"), &bytes)
        });
        written
            .await
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(Error::at(&self.path))?;
        *self.rows() = after;
        Ok(result)
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<Uuid, V>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn read<V: DeserializeOwned>(path: &Path, noun: &str) -> Result<BTreeMap<Uuid, V>, Error> {
    let damaged = |reason: String| Error::Damaged { path: path.to_owned(), reason };
    let bytes = match std::fs::read(path) {
        Ok(bytes) => bytes,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(BTreeMap::new()),
        Err(error) => return Err(Error::at(path)(error)),
    };
    let mut value: Value =
        serde_json::from_slice(&bytes).map_err(|error| damaged(error.to_string()))?;
    let rows = value.get_mut(noun).map(Value::take);
    let rows = rows.ok_or_else(|| damaged(format!("it has no member {noun:?}")))?;
    BTreeMap::deserialize(rows).map_err(|error| damaged(error.to_string()))
}

/// JSON with four spaces, as Python's `json.dump(…, indent=4)`.
pub(super) fn pretty(value: &Value) -> Vec<u8> {
    let mut bytes = Vec::new();
    let format = serde_json::ser::PrettyFormatter::with_indent(b"    ");
    let mut writer = serde_json::Serializer::with_formatter(&mut bytes, format);
    value.serialize(&mut writer).expect("a value is written to memory");
    bytes
}

pub(super) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rows_survive_with_members_of_other_versions_and_the_copy_replaces_a_damaged_file() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("plugins.json");
        let uuid = Uuid::new_v4();
        let book = Book::<Value>::open(path.clone(), "plugins").unwrap();
        book.change(|rows| rows.insert(uuid, json!({"name": "p", "odd": 1}))).await.unwrap();
        let text = std::fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("{\n    \"plugins\": {\n        \""), "{text}");
        std::fs::write(&path, "{").unwrap();
        let book = Book::<Value>::open(path.clone(), "plugins").unwrap();
        assert_eq!(book.get(uuid).unwrap()["odd"], 1);
        drop(dir);
        assert!(book.change(|rows| rows.clear()).await.is_err());
        assert_eq!(book.all().len(), 1, "a change that cannot be written is undone");
    }
}
