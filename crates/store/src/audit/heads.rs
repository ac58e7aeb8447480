//! Heads and the stored part of the tree: the roots of its complete subtrees of 64 rows and more.
//!
//! Invariant: what is below a stored root never changes, so making a head costs the rows since the last one, however long the
//! log is.

use super::{BLOCK, STORED_LEVEL, number, proof, size};
use crate::page::Direction;
use crate::sql::{Reader, Row, Statement, all, few, first, one};
use crate::{Error, Store, Tx};
use model::audit::merkle::{Frontier, Subtree, fold, node};
use model::audit::{Base, Digest, Head};
use std::ops::Range;

/// Subtrees of 64 rows that one call of [`grow`] adds at the most.
const MAX_BLOCKS: u64 = 64;
/// Most heads of one read.
const MAX_HEADS: u32 = 1000;

/// Whether the stored tree has caught up with the rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grown {
    /// It has.
    Whole,
    /// Call again.
    Partly,
}

/// What a new head says, but who signs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unsigned {
    /// Rows.
    pub size: u64,
    /// Root of the tree.
    pub root: Digest,
    /// Hash of the last row.
    pub chain: Digest,
}

/// Adds what came since to the stored tree, a bounded part at a time.
///
/// # Errors
/// The database failed, or rows are missing.
pub async fn grow(tx: &mut Tx) -> Result<Grown, Error> {
    let text = "SELECT COALESCE(MAX(number) + 1, 0) AS done FROM audit_nodes WHERE level = $1";
    let statement = Statement::new("read the audit's tree", text).bind(STORED_LEVEL);
    let done = one(&mut *tx, statement, "subtree", |row| row.int("done")).await.map(size)?;
    let wanted = size(tx.chain().seq) / BLOCK;
    let end = wanted.min(done.saturating_add(MAX_BLOCKS));
    for block in done..end {
        let hashes = row_hashes(&mut *tx, block * BLOCK..(block + 1) * BLOCK).await?;
        let mut frontier = Frontier::default();
        hashes.iter().for_each(|hash| frontier.push(hash));
        add(tx, Subtree { level: STORED_LEVEL, index: block }, frontier.root()).await?;
    }
    Ok(if end < wanted { Grown::Partly } else { Grown::Whole })
}

/// Stores the root of a subtree, and of those that it completes.
async fn add(tx: &mut Tx, mut part: Subtree, mut hash: Digest) -> Result<(), Error> {
    loop {
        let text = "INSERT INTO audit_nodes (level, number, hash) VALUES ($1, $2, $3)";
        let statement = Statement::new("grow the audit's tree", text).bind(part.level);
        tx.execute(statement.bind(number(part.index)).bind(&hash.0)).await?;
        if part.index & 1 == 0 {
            return Ok(());
        }
        let left = stored(&mut *tx, Subtree { index: part.index - 1, ..part }).await?;
        hash = node(&left, &hash);
        part = Subtree { level: part.level + 1, index: part.index >> 1 };
    }
}

/// The root of a stored subtree.
pub(super) async fn stored<'e>(from: impl Reader<'e>, part: Subtree) -> Result<Digest, Error> {
    let text = "SELECT hash FROM audit_nodes WHERE level = $1 AND number = $2";
    let statement = Statement::new("read the audit's tree", text).bind(part.level);
    let statement = statement.bind(number(part.index));
    one(from, statement, "subtree of the audit", |row| row.hash("hash")).await.map(Digest)
}

/// The hashes of the rows at these places (from 0), all of them.
pub(super) async fn row_hashes<'e>(
    from: impl Reader<'e>,
    places: Range<u64>,
) -> Result<Vec<Digest>, Error> {
    let text = "SELECT hash FROM audit WHERE seq > $1 AND seq <= $2 ORDER BY seq";
    let statement = Statement::new("read the audit", text).bind(number(places.start));
    let statement = statement.bind(number(places.end));
    let hashes = few(from, statement, |row| row.hash("hash").map(Digest)).await?;
    if u64::try_from(hashes.len()) == Ok(places.end - places.start) {
        return Ok(hashes);
    }
    let text = format!("rows are missing between {} and {}", places.start, places.end);
    Err(super::damaged("audit", text))
}

/// What a head would say now; none when no row came since the last one.
///
/// # Errors
/// The database failed, or the stored tree has not caught up.
pub async fn unsigned(store: &Store) -> Result<Option<Unsigned>, Error> {
    let text = "SELECT seq, hash FROM audit ORDER BY seq DESC LIMIT 1";
    let statement = Statement::new("read the audit", text);
    let last = |row: &Row| Ok((size(row.int("seq")?), Digest(row.hash("hash")?)));
    let Some((size, chain)) = first(store, statement, last).await? else { return Ok(None) };
    if newest_head(store).await?.is_some_and(|head| head.size >= size) {
        return Ok(None);
    }
    let peaks = proof::peaks(store, size).await?;
    Ok(Some(Unsigned { size, root: fold(&peaks), chain }))
}

/// Stores a head that was signed.
///
/// # Errors
/// There is one of this size.
pub async fn put_head(tx: &mut Tx, head: &Head) -> Result<(), Error> {
    let statement = Statement::new(
        "store a head",
        "INSERT INTO audit_heads (size, at, root, chain, key, signature) VALUES ($1, $2, $3, $4, $5, $6)",
    )
    .bind(number(head.size))
    .bind(head.at)
    .bind(&head.root.0)
    .bind(&head.chain.0)
    .bind(head.key.as_str())
    .bind(head.signature.as_str());
    tx.execute(statement).await.map_err(|error| error.duplicate_as("head", "size")).map(|_| ())
}

const SELECT: &str = "SELECT size, at, root, chain, key, signature FROM audit_heads WHERE 1 = 1";

/// Heads by size, from a size on (or below one, when the newest come first), at most `limit` (and 1000).
///
/// # Errors
/// The database failed.
pub async fn heads(
    store: &Store,
    order: Direction,
    after: Option<u64>,
    limit: u32,
) -> Result<Vec<Head>, Error> {
    let (behind, end) = match order {
        Direction::OldestFirst => (" AND size > ", " ORDER BY size LIMIT "),
        Direction::NewestFirst => (" AND size < ", " ORDER BY size DESC LIMIT "),
    };
    let mut statement = Statement::new("read heads", SELECT);
    if let Some(after) = after {
        statement.push(behind).push_bind(number(after));
    }
    statement.push(end).push_bind(limit.clamp(1, MAX_HEADS));
    all(store, statement, read).await
}

/// The head of this size.
///
/// # Errors
/// There is none.
pub async fn head_at(store: &Store, at: u64) -> Result<Head, Error> {
    let mut statement = Statement::new("read a head", SELECT);
    statement.and_equals("size", Some(number(at)));
    one(store, statement, "head", read).await
}

/// The newest head.
///
/// # Errors
/// The database failed.
pub async fn newest_head<'e>(from: impl Reader<'e>) -> Result<Option<Head>, Error> {
    let mut statement = Statement::new("read a head", SELECT);
    statement.push(" ORDER BY size DESC LIMIT 1");
    first(from, statement, read).await
}

/// What stands for the first rows: the first head that covers at least so many.
pub(super) async fn base(store: &Store, rows: u64) -> Result<Option<Base>, Error> {
    let mut statement = Statement::new("read a head", SELECT);
    statement.push(" AND size >= ").push_bind(number(rows)).push(" ORDER BY size LIMIT 1");
    let Some(head) = first(store, statement, read).await? else { return Ok(None) };
    let peaks = proof::peaks(store, head.size).await?;
    Ok(Some(Base { head, peaks }))
}

fn read(row: &Row) -> Result<Head, Error> {
    Ok(Head {
        size: size(row.int("size")?),
        at: row.time("at")?,
        root: Digest(row.hash("root")?),
        chain: Digest(row.hash("chain")?),
        key: row.text("key")?,
        signature: row.text("signature")?,
    })
}
