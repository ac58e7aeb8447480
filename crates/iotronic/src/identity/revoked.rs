//! Tokens that were ended before their time: in the store, and in a bounded memory in front of it.
//!
//! Invariant: an ended token is refused at once and until it would have ended by itself, also after a restart. Memory holds
//! those that live longest; while it had to leave some out, a token that it does not hold is looked up in the store.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Timestamp;
use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::identity::{self, RevokedRow};
use store::{Error as StoreError, Store};

/// Ended tokens in memory at one time.
const MAX_KNOWN: usize = 10_000;

/// Names a token without giving it away.
pub type Audit = [u8; 16];

/// The ended tokens.
#[derive(Default)]
pub(crate) struct Revoked(Mutex<Known>);

#[derive(Default)]
struct Known {
    until: HashMap<Audit, Timestamp>,
    /// Until when memory lacks one.
    lacking: Option<Timestamp>,
}

impl Revoked {
    /// Reads what was ended before the last stop.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn load(&self, store: &Store, now: Timestamp) -> Result<(), StoreError> {
        let most = u32::try_from(MAX_KNOWN).unwrap_or(u32::MAX).saturating_add(1);
        for row in identity::list_revoked(store, now, most).await? {
            let bytes = URL_SAFE_NO_PAD.decode(&row.audit).unwrap_or_default();
            if let Ok(audit) = Audit::try_from(bytes.as_slice()) {
                self.known().add(audit, row.until, now);
            }
        }
        Ok(())
    }

    /// Ends one; it is refused when this returns, and even if the store fails, for as long as this process lives.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn add(
        &self,
        store: &Store,
        audit: Audit,
        until: Timestamp,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.known().add(audit, until, now);
        let row = RevokedRow { audit: text(&audit), until };
        let job =
            store.write(move |tx| Box::pin(async move { identity::revoke_token(tx, &row).await }));
        job.await
    }

    /// Whether this one was ended.
    ///
    /// # Errors
    /// The store failed.
    pub(crate) async fn holds(
        &self,
        store: &Store,
        audit: &Audit,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let known = self.known().look(audit, now);
        match known {
            Some(known) => Ok(known),
            None => identity::is_revoked(store, &text(audit)).await,
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The audit id as it stands in tokens' meanings and in the store.
#[must_use]
pub fn text(audit: &Audit) -> String {
    URL_SAFE_NO_PAD.encode(audit)
}

impl Known {
    fn add(&mut self, audit: Audit, until: Timestamp, now: Timestamp) {
        if self.until.len() >= MAX_KNOWN {
            self.until.retain(|_, until| now < *until);
        }
        if self.until.len() >= MAX_KNOWN {
            let first = self.until.iter().min_by_key(|(_, until)| **until);
            if let Some((audit, until)) = first.map(|(audit, until)| (*audit, *until)) {
                self.until.remove(&audit);
                self.lacking = self.lacking.max(Some(until));
            }
        }
        self.until.insert(audit, until);
    }

    /// None when only the store knows.
    fn look(&self, audit: &Audit, now: Timestamp) -> Option<bool> {
        if self.until.contains_key(audit) {
            return Some(true);
        }
        let is_whole = self.lacking.is_none_or(|until| until <= now);
        is_whole.then_some(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: usize) -> Timestamp {
        Timestamp::from_micros(i64::try_from(seconds).unwrap() * 1_000_000)
    }

    #[test]
    fn memory_is_bounded_and_knows_what_it_does_not_hold() {
        let mut known = Known::default();
        let audit = |number: usize| u128::try_from(number).unwrap().to_be_bytes();
        for number in 0..MAX_KNOWN {
            known.add(audit(number), at(number + 1), at(0));
        }
        assert_eq!(known.look(&audit(MAX_KNOWN), at(0)), Some(false));
        known.add(audit(MAX_KNOWN), at(MAX_KNOWN), at(0));
        assert_eq!(known.until.len(), MAX_KNOWN);
        assert_eq!(known.look(&audit(MAX_KNOWN), at(0)), Some(true));
        assert_eq!(known.look(&audit(0), at(0)), None, "the store is asked");
        assert_eq!(known.look(&audit(0), at(1)), Some(false), "it has ended by itself");
    }

    #[test]
    fn what_has_ended_by_itself_makes_room() {
        let mut known = Known::default();
        for number in 0..MAX_KNOWN {
            known.add(u128::try_from(number).unwrap().to_be_bytes(), at(1), at(0));
        }
        known.add([255; 16], at(9), at(2));
        assert_eq!((known.until.len(), known.lacking), (1, None));
    }
}
