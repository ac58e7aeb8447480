//! Small tables that survive: a map in memory and the same map as one JSON file.
//!
//! Invariant: a change is on the disk when [`Table::change`] returns `Ok`, and undone in memory when it does not; changes
//! are made one after the other. Not for anything large: each change rewrites the file.

use serde::Serialize;
use serde::de::DeserializeOwned;
use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::home;

/// A durable map. Clones share it.
#[derive(Debug)]
pub struct Table<K, V> {
    path: Arc<PathBuf>,
    rows: Arc<Mutex<BTreeMap<K, V>>>,
    changes: Arc<tokio::sync::Mutex<()>>,
}

impl<K, V> Clone for Table<K, V> {
    fn clone(&self) -> Self {
        Self {
            path: Arc::clone(&self.path),
            rows: Arc::clone(&self.rows),
            changes: Arc::clone(&self.changes),
        }
    }
}

impl<K, V> Table<K, V>
where
    K: Ord + Clone + Serialize + DeserializeOwned + Send + 'static,
    V: Clone + Serialize + DeserializeOwned + Send + 'static,
{
    /// Reads the file; a missing one is an empty table.
    ///
    /// # Errors
    /// The file is unreadable or damaged.
    pub fn open(path: &Path) -> Result<Self, home::Error> {
        let rows = match std::fs::read(path) {
            Ok(bytes) => serde_json::from_slice(&bytes).map_err(|error| home::Error::Damaged {
                path: path.to_owned(),
                reason: error.to_string(),
            })?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => BTreeMap::new(),
            Err(error) => return Err(home::Error::at(path)(error)),
        };
        Ok(Self {
            path: Arc::new(path.to_owned()),
            rows: Arc::new(Mutex::new(rows)),
            changes: Arc::default(),
        })
    }

    /// One row.
    #[must_use]
    pub fn get(&self, key: &K) -> Option<V> {
        self.rows().get(key).cloned()
    }

    /// All rows, by key.
    #[must_use]
    pub fn all(&self) -> Vec<V> {
        self.rows().values().cloned().collect()
    }

    /// All rows with their keys.
    #[must_use]
    pub fn rows_by_key(&self) -> Vec<(K, V)> {
        self.rows().iter().map(|(key, row)| (key.clone(), row.clone())).collect()
    }

    /// How many rows there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.rows().len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.rows().is_empty()
    }

    /// Changes the map durably. A change that changes nothing costs nothing.
    ///
    /// # Errors
    /// The file cannot be written.
    pub async fn change<T>(
        &self,
        change: impl FnOnce(&mut BTreeMap<K, V>) -> T,
    ) -> Result<T, home::Error>
    where
        V: PartialEq,
    {
        let _turn = self.changes.lock().await;
        let before = self.rows().clone();
        let mut after = before.clone();
        let result = change(&mut after);
        if after == before {
            return Ok(result);
        }
        let bytes = serde_json::to_vec(&after).unwrap_or_default();
        let path = Arc::clone(&self.path);
        let written =
            tokio::task::spawn_blocking(move || base::secret::write_private(&path, &bytes)).await;
        written
            .unwrap_or_else(|error| Err(io::Error::other(error)))
            .map_err(home::Error::at(&self.path))?;
        *self.rows() = after;
        Ok(result)
    }

    fn rows(&self) -> MutexGuard<'_, BTreeMap<K, V>> {
        self.rows.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn rows_survive_and_a_failed_change_is_undone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("rows.json");
        let table = Table::<String, u32>::open(&path).unwrap();
        table.change(|rows| rows.insert("a".into(), 1)).await.unwrap();
        assert_eq!(Table::<String, u32>::open(&path).unwrap().get(&"a".into()), Some(1));
        drop(dir);
        assert!(table.change(|rows| rows.insert("b".into(), 2)).await.is_err());
        assert_eq!(table.all(), [1]);
    }

    #[test]
    fn a_damaged_file_is_named() {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), "[").unwrap();
        let error = Table::<String, u32>::open(file.path()).unwrap_err();
        assert!(error.to_string().contains("is damaged"), "{error}");
    }
}
