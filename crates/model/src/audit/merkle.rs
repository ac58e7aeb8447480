//! The Merkle tree of RFC 9162 section 2.1: hashing, and which subtrees a proof is made of.
//!
//! A leaf is the hash of an audit row. Invariant: no recursion deeper than the bits of a size, and no allocation that an
//! attacker's numbers could blow up. Deliberately not here: where the hashes of subtrees come from.

use super::Digest;
use sha2::{Digest as _, Sha256};
use std::ops::Range;

/// Most hashes of any proof.
pub const MAX_PROOF: usize = 2 * u64::BITS as usize;

/// Hash of a leaf.
#[must_use]
pub fn leaf(row: &Digest) -> Digest {
    Digest(Sha256::new().chain_update([0]).chain_update(row.0).finalize().into())
}

/// Hash of two subtrees.
#[must_use]
pub fn node(left: &Digest, right: &Digest) -> Digest {
    let hash = Sha256::new().chain_update([1]).chain_update(left.0).chain_update(right.0);
    Digest(hash.finalize().into())
}

/// A complete subtree: 2^level leaves, the `index`-th of that size.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Subtree {
    /// Levels above the leaves.
    pub level: u32,
    /// Which, counted from the left.
    pub index: u64,
}

/// The complete subtrees that leaves from `range.start` on consist of, largest first. The start is a multiple of the largest.
#[must_use]
pub fn subtrees(range: &Range<u64>) -> Vec<Subtree> {
    let mut at = range.start;
    let mut parts = Vec::new();
    let length = range.end.saturating_sub(range.start);
    for level in (0..u64::BITS).rev().filter(|level| length >> level & 1 == 1) {
        parts.push(Subtree { level, index: at >> level });
        at += 1 << level;
    }
    parts
}

/// The root over neighbouring complete subtrees, largest first; of none it is the hash of nothing.
#[must_use]
pub fn fold(parts: &[Digest]) -> Digest {
    match parts.split_last() {
        None => Digest(Sha256::digest([]).into()),
        Some((last, rest)) => rest.iter().rev().fold(*last, |right, left| node(left, &right)),
    }
}

/// Largest power of two below `size`, which is at least 2.
fn split(size: u64) -> u64 {
    1 << (u64::BITS - 1 - (size - 1).leading_zeros())
}

/// The ranges of leaves whose roots prove that leaf `index` (from 0) is in the tree of `size` leaves, in the proof's order.
#[must_use]
pub fn inclusion(index: u64, size: u64) -> Vec<Range<u64>> {
    let mut path = Vec::new();
    let mut range = 0..size;
    while range.end - range.start > 1 {
        let middle = range.start + split(range.end - range.start);
        if index < middle {
            path.push(middle..range.end);
            range.end = middle;
        } else {
            path.push(range.start..middle);
            range.start = middle;
        }
    }
    path.reverse();
    path
}

/// The ranges of leaves whose roots prove that the tree of `old` leaves is the beginning of the one of `new`.
#[must_use]
pub fn consistency(old: u64, new: u64) -> Vec<Range<u64>> {
    if old == 0 || old >= new {
        return Vec::new();
    }
    let mut path = Vec::new();
    let mut range = 0..new;
    let mut is_whole = true;
    while old != range.end {
        let middle = range.start + split(range.end - range.start);
        if old <= middle {
            path.push(middle..range.end);
            range.end = middle;
        } else {
            path.push(range.start..middle);
            range.start = middle;
            is_whole = false;
        }
    }
    if !is_whole {
        path.push(range);
    }
    path.reverse();
    path
}

/// Whether `path` proves that the row with this hash is leaf `index` (from 0) of the tree with this root (RFC 9162, 2.1.3.2).
#[must_use]
pub fn includes(root: &Digest, size: u64, index: u64, row: &Digest, path: &[Digest]) -> bool {
    if index >= size {
        return false;
    }
    let (mut at, mut last, mut hash) = (index, size - 1, leaf(row));
    for part in path {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            hash = node(part, &hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            hash = node(&hash, part);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && hash == *root
}

/// Whether `path` proves that the `old` tree is the beginning of the `new` one (RFC 9162, 2.1.4.2); each is size and root.
#[must_use]
pub fn extends(old: (u64, &Digest), new: (u64, &Digest), path: &[Digest]) -> bool {
    let ((old_size, old_root), (new_size, new_root)) = (old, new);
    if old_size == new_size {
        return path.is_empty() && old_root == new_root;
    }
    if old_size == 0 {
        return path.is_empty();
    }
    let (first, rest) = match path.split_first() {
        _ if old_size > new_size => return false,
        _ if old_size.is_power_of_two() => (*old_root, path),
        Some((first, rest)) => (*first, rest),
        None => return false,
    };
    let (mut at, mut last) = (old_size - 1, new_size - 1);
    while at & 1 == 1 {
        at >>= 1;
        last >>= 1;
    }
    let (mut old_hash, mut new_hash) = (first, first);
    for part in rest {
        if last == 0 {
            return false;
        }
        if at & 1 == 1 || at == last {
            old_hash = node(part, &old_hash);
            new_hash = node(part, &new_hash);
            while at & 1 == 0 && at != 0 {
                at >>= 1;
                last >>= 1;
            }
        } else {
            new_hash = node(&new_hash, part);
        }
        at >>= 1;
        last >>= 1;
    }
    last == 0 && old_hash == *old_root && new_hash == *new_root
}

/// The right edge of a growing tree: enough to go on and to know its root.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Frontier {
    size: u64,
    peaks: Vec<Digest>,
}

impl Frontier {
    /// From the roots of the complete subtrees of `size` leaves, largest first; none when their number is wrong.
    #[must_use]
    pub fn new(size: u64, peaks: Vec<Digest>) -> Option<Self> {
        (usize::try_from(size.count_ones()) == Ok(peaks.len())).then_some(Self { size, peaks })
    }

    /// One more row.
    pub fn push(&mut self, row: &Digest) {
        let mut hash = leaf(row);
        // As many subtrees become one as the number of leaves has ones at its end.
        for _ in 0..self.size.trailing_ones() {
            if let Some(left) = self.peaks.pop() {
                hash = node(&left, &hash);
            }
        }
        self.peaks.push(hash);
        self.size += 1;
    }

    /// The root.
    #[must_use]
    pub fn root(&self) -> Digest {
        fold(&self.peaks)
    }

    /// Leaves.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The roots of the complete subtrees, largest first.
    #[must_use]
    pub fn peaks(&self) -> &[Digest] {
        &self.peaks
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn row(index: u64) -> Digest {
        Digest(Sha256::digest(index.to_be_bytes()).into())
    }

    /// RFC 9162's recursive definition.
    fn root(range: Range<u64>) -> Digest {
        match range.end - range.start {
            0 => fold(&[]),
            1 => leaf(&row(range.start)),
            size => {
                let middle = range.start + split(size);
                node(&root(range.start..middle), &root(middle..range.end))
            }
        }
    }

    #[test]
    fn a_growing_tree_has_the_roots_of_the_definition() {
        let mut frontier = Frontier::default();
        for size in 0..130 {
            assert_eq!(frontier.root(), root(0..size), "{size}");
            let parts: Vec<_> = subtrees(&(0..size))
                .iter()
                .map(|part| root(part.index << part.level..(part.index + 1) << part.level))
                .collect();
            assert_eq!(fold(&parts), root(0..size));
            assert_eq!(frontier.peaks(), parts);
            frontier.push(&row(size));
        }
    }

    #[test]
    fn the_known_answers_of_the_rfc_family_hold() {
        // The empty tree, and the empty leaf's place in the domain separation.
        assert_eq!(
            fold(&[]).to_string(),
            "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
        );
        assert_ne!(leaf(&Digest::ZERO), node(&Digest::ZERO, &Digest::ZERO));
    }

    #[test]
    fn every_leaf_of_small_trees_is_proved_and_no_other() {
        for size in 1..40 {
            let whole = root(0..size);
            for index in 0..size {
                let path: Vec<_> = inclusion(index, size).into_iter().map(root).collect();
                assert!(includes(&whole, size, index, &row(index), &path), "{index} of {size}");
                assert!(!includes(&whole, size, index, &row(index + 1), &path));
                assert!(!includes(&whole, size, index + 1, &row(index), &path));
                let mut longer = path.clone();
                longer.push(row(0));
                assert!(!includes(&whole, size, index, &row(index), &longer));
            }
        }
    }

    #[test]
    fn every_beginning_of_small_trees_is_proved_and_no_other() {
        for new in 0..40 {
            for old in 0..=new {
                let path: Vec<_> = consistency(old, new).into_iter().map(root).collect();
                let (before, after) = (root(0..old), root(0..new));
                assert!(extends((old, &before), (new, &after), &path), "{old} of {new}");
                if old > 0 {
                    assert!(!extends((old, &row(7)), (new, &after), &path), "{old} of {new}");
                    assert!(!extends((old, &before), (new, &row(7)), &path), "{old} of {new}");
                }
            }
        }
    }

    #[test]
    fn a_proof_among_a_million_has_at_most_twenty_hashes() {
        for index in [0, 1, 63, 499_999, 999_998, 999_999] {
            assert!(inclusion(index, 1_000_000).len() <= 20);
            assert!(consistency(index.max(1), 1_000_000).len() <= 21);
        }
    }

    proptest! {
        #[test]
        fn any_proof_is_good_or_not(size: u64, index: u64, old: u64, parts in 0..80_u64) {
            let path: Vec<_> = (0..parts).map(row).collect();
            prop_assert!(!includes(&row(1), size, index, &row(2), &path));
            let _ = extends((old, &row(1)), (size, &row(2)), &path);
            prop_assert!(inclusion(index.min(size.saturating_sub(1)), size).len() <= 64);
            prop_assert!(consistency(old.min(size), size).len() <= MAX_PROOF);
        }
    }
}
