//! Waiting for the end of an operation.
//!
//! Invariants: whoever waits is woken after the commit that ends the operation, and only for that one, so a thousand who
//! wait cost nothing while others' operations end; one who stops waiting leaves nothing behind.

use super::{OperationRow, get};
use crate::{Error, Store};
use model::OperationId;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use tokio::sync::Notify;

/// Who waits for what. One for each store.
#[derive(Default)]
pub(crate) struct Endings(Mutex<HashMap<OperationId, Waiting>>);

struct Waiting {
    bell: Arc<Notify>,
    count: usize,
}

impl Endings {
    /// Wakes those who wait for this one; its end is committed.
    pub(crate) fn tell(&self, id: OperationId) {
        if let Some(waiting) = self.waiting().get(&id) {
            waiting.bell.notify_waiters();
        }
    }

    fn waiting(&self) -> MutexGuard<'_, HashMap<OperationId, Waiting>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits.
struct Place<'a> {
    endings: &'a Endings,
    id: OperationId,
    bell: Arc<Notify>,
}

impl<'a> Place<'a> {
    fn take(endings: &'a Endings, id: OperationId) -> Self {
        let mut all = endings.waiting();
        let waiting = all.entry(id).or_insert_with(|| Waiting { bell: Arc::default(), count: 0 });
        waiting.count = waiting.count.saturating_add(1);
        Self { endings, id, bell: Arc::clone(&waiting.bell) }
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        let mut all = self.endings.waiting();
        if let Some(waiting) = all.get_mut(&self.id) {
            waiting.count = waiting.count.saturating_sub(1);
            if waiting.count == 0 {
                all.remove(&self.id);
            }
        }
    }
}

/// The operation once it has ended. Drop it to stop waiting.
///
/// # Errors
/// There is none of this id, or the database failed.
pub async fn ended(store: &Store, id: OperationId) -> Result<OperationRow, Error> {
    let place = Place::take(store.endings(), id);
    loop {
        // Listening begins before the look, so that no end falls between the two.
        let bell = place.bell.notified();
        tokio::pin!(bell);
        bell.as_mut().enable();
        let row = get(store, None, id).await?;
        if row.state.has_ended() {
            return Ok(row);
        }
        bell.await;
    }
}
