//! An index of exact, prefix and wildcard patterns.
//!
//! Invariant: `best` answers by the specification's precedence: exact, then the longest prefix, then a wildcard.

use std::collections::{BTreeMap, HashMap};
use std::ops::Bound;

use crate::Match;
use crate::uri::wildcard_covers;

/// What is filed under each pattern.
#[derive(Debug)]
pub(crate) struct Patterns {
    exact: HashMap<String, u64>,
    prefix: BTreeMap<String, u64>,
    wildcard: BTreeMap<String, u64>,
}

impl Patterns {
    pub(crate) fn new() -> Self {
        Self { exact: HashMap::new(), prefix: BTreeMap::new(), wildcard: BTreeMap::new() }
    }

    /// The id filed under exactly this pattern.
    pub(crate) fn get(&self, uri: &str, kind: Match) -> Option<u64> {
        match kind {
            Match::Exact => self.exact.get(uri),
            Match::Prefix => self.prefix.get(uri),
            Match::Wildcard => self.wildcard.get(uri),
        }
        .copied()
    }

    pub(crate) fn insert(&mut self, uri: String, kind: Match, id: u64) {
        match kind {
            Match::Exact => drop(self.exact.insert(uri, id)),
            Match::Prefix => drop(self.prefix.insert(uri, id)),
            Match::Wildcard => drop(self.wildcard.insert(uri, id)),
        }
    }

    pub(crate) fn remove(&mut self, uri: &str, kind: Match) {
        match kind {
            Match::Exact => drop(self.exact.remove(uri)),
            Match::Prefix => drop(self.prefix.remove(uri)),
            Match::Wildcard => drop(self.wildcard.remove(uri)),
        }
    }

    /// The id of the most specific pattern that covers `uri`.
    pub(crate) fn best(&self, uri: &str) -> Option<u64> {
        let exact = self.exact.get(uri).copied();
        exact.or_else(|| self.prefixes(uri).next()).or_else(|| self.wildcards(uri).next())
    }

    /// The ids of all patterns that cover `uri`.
    pub(crate) fn all(&self, uri: &str) -> impl Iterator<Item = u64> {
        let exact = self.exact.get(uri).copied();
        exact.into_iter().chain(self.prefixes(uri)).chain(self.wildcards(uri))
    }

    /// From the longest prefix to the shortest. The greatest key up to a bound either is a prefix of `uri`, or shows how
    /// much shorter the next bound must be: at most as many steps as `uri` is long.
    fn prefixes(&self, uri: &str) -> impl Iterator<Item = u64> {
        let mut bound = Bound::Included(uri);
        std::iter::from_fn(move || {
            loop {
                let range = (Bound::Unbounded, bound);
                let (key, id) = self.prefix.range::<str, _>(range).next_back()?;
                if let Some(whole) = uri.get(..key.len()).filter(|start| start == key) {
                    bound = Bound::Excluded(whole);
                    return Some(*id);
                }
                bound = Bound::Included(common_start(uri, key));
            }
        })
    }

    fn wildcards(&self, uri: &str) -> impl Iterator<Item = u64> {
        let covers = move |(pattern, _): &(&String, &u64)| wildcard_covers(pattern, uri);
        self.wildcard.iter().filter(covers).map(|(_, id)| *id)
    }
}

fn common_start<'a>(uri: &'a str, other: &str) -> &'a str {
    let same = uri.char_indices().zip(other.chars()).find(|((_, a), b)| a != b);
    let end = same.map_or(uri.len().min(other.len()), |((index, _), _)| index);
    uri.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn precedence_is_exact_then_longest_prefix_then_wildcard() {
        let mut patterns = Patterns::new();
        patterns.insert("a..c".into(), Match::Wildcard, 1);
        patterns.insert("a".into(), Match::Prefix, 2);
        patterns.insert("a.b".into(), Match::Prefix, 3);
        patterns.insert("a.b.c".into(), Match::Exact, 4);
        patterns.insert("a.ba".into(), Match::Prefix, 5);
        assert_eq!(patterns.best("a.b.c"), Some(4));
        assert_eq!(patterns.best("a.b.d"), Some(3));
        assert_eq!(patterns.best("a.c"), Some(2));
        assert_eq!(patterns.all("a.b.c").collect::<Vec<_>>(), [4, 3, 2, 1]);
        patterns.remove("a", Match::Prefix);
        patterns.remove("a.b", Match::Prefix);
        assert_eq!(patterns.best("a.x.c"), Some(1));
        assert_eq!(patterns.best("b"), None);
    }

    #[test]
    fn prefixes_agree_with_a_plain_search() {
        let words = ["", "é", "éa", "a", "ab", "aba", "b", "ba", "abab", "ê"];
        let mut patterns = Patterns::new();
        for (id, word) in words.iter().enumerate().skip(1) {
            patterns.insert((*word).into(), Match::Prefix, id as u64);
        }
        for uri in ["ababab", "éab", "b", "bab", "êé", "x", "a"] {
            let mut found: Vec<&str> =
                patterns.prefixes(uri).map(|id| words[id as usize]).collect();
            let mut expected: Vec<&str> =
                words[1..].iter().copied().filter(|word| uri.starts_with(word)).collect();
            found.sort_unstable();
            expected.sort_unstable();
            assert_eq!(found, expected, "{uri}");
        }
    }
}
