//! The audit: a row for every change of rights, every command and every session, in a chain of hashes.
//!
//! Invariants: a row is written in the transaction of what it tells of ([`Tx::audit`]), by the one writer, so the order of the
//! chain is the order of the commits; rows are never changed, and go only from the oldest on, up to a signed head. Personal
//! values stand beside the chain. Deliberately not here: what a row's hash is made of (`model::audit`), who signs.

mod entry;
mod erase;
mod heads;
mod list;
mod proof;
mod prune;
mod reads;

pub(crate) use entry::{Chain, last};
pub use entry::{Entry, Origin};
pub use erase::{Erase, erase};
pub use heads::{Grown, Unsigned, grow, head_at, heads, newest_head, put_head, unsigned};
pub use list::{Filter, MAX_ROWS, Which, get, last_row, rows, start};
pub use proof::{consistency, inclusion};
pub use prune::prune;
pub use reads::{Reads, count_reads, list_reads, trim_reads};

const WHAT: &str = "audit row";
/// Subtrees of fewer levels are not stored but made of their rows: 64 of them.
const STORED_LEVEL: u32 = 6;
/// Rows of the smallest subtree that is stored.
const BLOCK: u64 = 1 << STORED_LEVEL;

use crate::Error;

/// Numbers of rows are positive and far from the end of their type.
fn number(value: u64) -> i64 {
    i64::try_from(value).unwrap_or(i64::MAX)
}

fn size(value: i64) -> u64 {
    u64::try_from(value).unwrap_or(0)
}

fn damaged(what: &'static str, reason: impl Into<String>) -> Error {
    Error::Unreadable { column: what, reason: reason.into() }
}
