//! The data links that stand now, one for each board.
//!
//! Invariant: a board's newer link replaces the older one, which is cut; who waits for a link is woken when it comes.

use model::BoardId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::watch;
use tunnel::Link;

/// Links by board. Cloning is cheap.
#[derive(Clone)]
pub struct Links(Arc<Inner>);

struct Inner {
    links: Mutex<HashMap<BoardId, (u64, Link)>>,
    arrivals: watch::Sender<u64>,
}

impl Default for Links {
    fn default() -> Self {
        Self(Arc::new(Inner { links: Mutex::default(), arrivals: watch::Sender::new(0) }))
    }
}

impl Links {
    fn links(&self) -> MutexGuard<'_, HashMap<BoardId, (u64, Link)>> {
        self.0.links.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Enters a board's new link; gives its number, and the link it replaces.
    pub(crate) fn insert(&self, board: BoardId, link: Link) -> (u64, Option<Link>) {
        let mut links = self.links();
        let number = self.0.arrivals.borrow().saturating_add(1);
        let old = links.insert(board, (number, link));
        // Numbered under the lock, so that no two links share a number.
        self.0.arrivals.send_replace(number);
        (number, old.map(|(_, link)| link))
    }

    /// Takes a link out after its end, unless a newer one has its place.
    pub(crate) fn remove(&self, board: BoardId, number: u64) {
        let mut links = self.links();
        if links.get(&board).is_some_and(|(current, _)| *current == number) {
            links.remove(&board);
        }
    }

    /// Takes a board's link out, whichever it is.
    pub(super) fn take(&self, board: BoardId) -> Option<Link> {
        self.links().remove(&board).map(|(_, link)| link)
    }

    /// Takes all links out.
    pub(super) fn take_all(&self) -> Vec<Link> {
        std::mem::take(&mut *self.links()).into_values().map(|(_, link)| link).collect()
    }

    /// A board's link, if it stands.
    #[must_use]
    pub fn get(&self, board: BoardId) -> Option<Link> {
        self.links().get(&board).map(|(_, link)| link.clone())
    }

    /// How many stand.
    #[must_use]
    pub fn count(&self) -> usize {
        self.links().len()
    }

    /// Channels open on all links.
    #[must_use]
    pub fn channels(&self) -> u64 {
        self.links()
            .values()
            .map(|(_, link)| u64::try_from(link.stats().channels).unwrap_or(0))
            .sum()
    }

    /// A board's link, waited for up to `patience`.
    pub(crate) async fn wait(&self, board: BoardId, patience: Duration) -> Option<Link> {
        let mut arrivals = self.0.arrivals.subscribe();
        let arrival = async {
            loop {
                if let Some(link) = self.get(board) {
                    return Some(link);
                }
                arrivals.changed().await.ok()?;
            }
        };
        tokio::time::timeout(patience, arrival).await.ok().flatten()
    }
}
