//! What things and people are called, for lists that would show ids alone.
//!
//! Invariant: a name is beside an id, never in its place: what is gone has no name and is shown all the same.

use crate::app::Error;
use crate::cloud::Cloud;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use store::names::Noun;
use store::page::MAX_LIMIT;

/// Ids whose names are wanted.
#[derive(Debug, Default)]
pub struct Wanted(BTreeMap<Noun, BTreeSet<String>>);

impl Wanted {
    /// This one too.
    pub fn add(&mut self, noun: Noun, id: impl ToString) {
        self.0.entry(noun).or_default().insert(id.to_string());
    }
}

/// The names of those that exist, by id.
///
/// # Errors
/// The store failed.
pub async fn of(cloud: &Cloud, wanted: Wanted) -> Result<HashMap<String, String>, Error> {
    let mut names = HashMap::new();
    for (noun, ids) in wanted.0 {
        let ids: Vec<&str> = ids.iter().map(String::as_str).collect();
        for some in ids.chunks(MAX_LIMIT as usize) {
            names.extend(store::names::of(&cloud.store, noun, some).await?);
        }
    }
    Ok(names)
}
