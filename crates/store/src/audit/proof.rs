//! Proofs: the stored subtrees and, below them, a block of rows or two; so a proof costs the same however long the log is.

use super::heads::{row_hashes, stored};
use super::{BLOCK, STORED_LEVEL};
use crate::sql::{Statement, one};
use crate::{Error, Store};
use model::audit::Digest;
use model::audit::merkle::{self, Frontier, Subtree, fold, subtrees};
use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;

/// The hashes that prove that row `seq` is among the first `size`.
///
/// # Errors
/// The database failed, or the rows about it are not kept any more.
pub async fn inclusion(store: &Store, seq: u64, size: u64) -> Result<Vec<Digest>, Error> {
    let index = seq.checked_sub(1).filter(|index| *index < size);
    let index = index.ok_or(Error::NotFound { what: "row in this head" })?;
    roots(store, &merkle::inclusion(index, size)).await
}

/// The hashes that prove that the log of `old` rows is the beginning of that of `new`.
///
/// # Errors
/// The database failed, or the log is shorter.
pub async fn consistency(store: &Store, old: u64, new: u64) -> Result<Vec<Digest>, Error> {
    roots(store, &merkle::consistency(old, new)).await
}

/// The roots of the complete subtrees of the first `size` rows, largest first.
pub(super) async fn peaks(store: &Store, size: u64) -> Result<Vec<Digest>, Error> {
    let mut blocks = HashMap::new();
    parts(store, &(0..size), &mut blocks).await
}

async fn roots(store: &Store, ranges: &[Range<u64>]) -> Result<Vec<Digest>, Error> {
    let mut blocks = HashMap::new();
    let mut hashes = Vec::with_capacity(ranges.len());
    for range in ranges {
        hashes.push(fold(&parts(store, range, &mut blocks).await?));
    }
    Ok(hashes)
}

/// Hashes of rows by block, read once.
type Blocks = HashMap<u64, Vec<Digest>>;

async fn parts(
    store: &Store,
    range: &Range<u64>,
    blocks: &mut Blocks,
) -> Result<Vec<Digest>, Error> {
    let mut hashes = Vec::new();
    for part in subtrees(range) {
        hashes.push(match part.level {
            STORED_LEVEL.. => stored(store, part).await?,
            _ => small(store, part, blocks).await?,
        });
    }
    Ok(hashes)
}

async fn small(store: &Store, part: Subtree, blocks: &mut Blocks) -> Result<Digest, Error> {
    let places = part.index << part.level..(part.index + 1) << part.level;
    let block = places.start / BLOCK;
    let first = block * BLOCK;
    let block = match blocks.entry(block) {
        Entry::Occupied(known) => known.into_mut(),
        Entry::Vacant(place) => place.insert(block_hashes(store, first).await?),
    };
    let place = |at: u64| usize::try_from(at - first).unwrap_or(usize::MAX);
    let rows = block.get(place(places.start)..place(places.end));
    let rows = rows.ok_or_else(|| super::damaged("audit", "rows about the proof are missing"))?;
    let mut frontier = Frontier::default();
    rows.iter().for_each(|hash| frontier.push(hash));
    Ok(frontier.root())
}

/// The rows of a block, as many as there are.
async fn block_hashes(store: &Store, first: u64) -> Result<Vec<Digest>, Error> {
    let text = "SELECT COALESCE(MAX(seq), 0) AS last FROM audit";
    let statement = Statement::new("read the audit", text);
    let last = one(store, statement, super::WHAT, |row| row.int("last")).await?;
    let end = super::size(last).min(first + BLOCK).max(first);
    row_hashes(store, first..end).await
}
