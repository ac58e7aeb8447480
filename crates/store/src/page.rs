//! A page of a list: ordered by id, which is the order of creation (UUIDv7), so a page stays stable under writes.

use model::Invalid;
use uuid::Uuid;

/// Most rows of one page.
pub const MAX_LIMIT: u32 = 1000;

/// Which end of a list comes first.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Direction {
    /// The oldest.
    #[default]
    OldestFirst,
    /// The newest.
    NewestFirst,
}

/// Which part of a list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Most rows wanted, 1 to 1000; other values are moved to the nearest end.
    pub limit: u32,
    /// The id of the last row of the page before; none for the first page.
    pub marker: Option<Uuid>,
}

impl Default for Page {
    fn default() -> Self {
        Self { limit: MAX_LIMIT, marker: None }
    }
}

impl Page {
    /// Checked page.
    ///
    /// # Errors
    /// The limit is not 1 to 1000.
    pub fn new(limit: u32, marker: Option<Uuid>) -> Result<Self, Invalid> {
        if !(1..=MAX_LIMIT).contains(&limit) {
            return Err(Invalid::new(format!("limit {limit} is not 1 to {MAX_LIMIT}")));
        }
        Ok(Self { limit, marker })
    }

    pub(crate) fn rows(self) -> u32 {
        self.limit.clamp(1, MAX_LIMIT)
    }
}
