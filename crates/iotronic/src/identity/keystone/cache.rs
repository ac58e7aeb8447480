//! Tokens that a Keystone has said something about, for a short while and a bounded number.
//!
//! Invariant: what is in here was said no longer than [`FRESH`] ago, or is not given out. Tokens themselves are kept only as
//! long as their entry, so that a stream can ask again; nothing here is ever written down.

use super::Known;
use base::secret::Secret;
use model::Timestamp;
use sha2::{Digest as _, Sha256};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// For so long an answer is believed.
pub(super) const FRESH: Duration = Duration::from_secs(60);
/// Entries at one time; at the bound the oldest half goes.
const MAX_ENTRIES: usize = 10_000;

/// Names a token: the beginning of its hash.
pub(super) type Name = [u8; 16];

/// The entries.
#[derive(Default)]
pub(super) struct Cache(Mutex<HashMap<Name, Entry>>);

struct Entry {
    token: Arc<Secret>,
    known: Arc<Known>,
    asked_at: Timestamp,
}

/// What the cache has of a token.
pub(super) enum Found {
    /// An answer that is believed.
    Fresh(Arc<Known>),
    /// The token alone: what was said is too old.
    Stale(Arc<Secret>),
    /// Nothing.
    Nothing,
}

/// The name of a token.
pub(super) fn name(token: &str) -> Name {
    let digest = Sha256::digest(token);
    let mut name = Name::default();
    name.iter_mut().zip(digest.as_slice()).for_each(|(to, from)| *to = *from);
    name
}

impl Cache {
    pub(super) fn find(&self, name: &Name, now: Timestamp) -> Found {
        let entries = self.entries();
        match entries.get(name) {
            Some(entry) if entry.is_fresh(now) => Found::Fresh(Arc::clone(&entry.known)),
            Some(entry) => Found::Stale(Arc::clone(&entry.token)),
            None => Found::Nothing,
        }
    }

    pub(super) fn keep(&self, name: Name, token: &str, known: Arc<Known>, now: Timestamp) {
        let mut entries = self.entries();
        if entries.len() >= MAX_ENTRIES && !entries.contains_key(&name) {
            make_room(&mut entries, now);
        }
        let token = Arc::new(Secret::from(token.to_owned()));
        entries.insert(name, Entry { token, known, asked_at: now });
    }

    /// The token of an entry.
    pub(super) fn token(&self, name: &Name) -> Option<Arc<Secret>> {
        self.entries().get(name).map(|entry| Arc::clone(&entry.token))
    }

    pub(super) fn forget(&self, name: &Name) {
        self.entries().remove(name);
    }

    fn entries(&self) -> MutexGuard<'_, HashMap<Name, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn is_fresh(&self, now: Timestamp) -> bool {
        // An answer from the future of a clock that was set back is as good as none.
        self.asked_at <= now && self.asked_at.until(now) < FRESH
    }
}

/// First what is not believed any more, then the oldest half.
fn make_room(entries: &mut HashMap<Name, Entry>, now: Timestamp) {
    entries.retain(|_, entry| entry.is_fresh(now));
    if entries.len() < MAX_ENTRIES {
        return;
    }
    let mut moments: Vec<_> = entries.values().map(|entry| entry.asked_at).collect();
    moments.sort_unstable();
    let Some(middle) = moments.get(moments.len() / 2).copied() else { return };
    entries.retain(|_, entry| middle < entry.asked_at);
}

#[cfg(test)]
mod tests {
    use super::super::tests::known;
    use super::*;

    #[test]
    fn an_answer_is_believed_for_a_minute_and_then_asked_for_again() {
        let (cache, now) = (Cache::default(), Timestamp::from_micros(1_000_000));
        let name = name("a");
        cache.keep(name, "a", Arc::new(known()), now);
        let later = |seconds| now.after(Duration::from_secs(seconds));
        assert!(matches!(cache.find(&name, later(59)), Found::Fresh(_)));
        assert!(
            matches!(cache.find(&name, later(60)), Found::Stale(token) if token.expose() == "a")
        );
        assert!(matches!(cache.find(&name, Timestamp::default()), Found::Stale(_)));
        cache.forget(&name);
        assert!(matches!(cache.find(&name, now), Found::Nothing));
    }

    #[test]
    fn the_cache_is_bounded_and_keeps_the_youngest() {
        let (cache, now) = (Cache::default(), Timestamp::default());
        let known = Arc::new(known());
        for number in 0..=MAX_ENTRIES {
            let at = now.after(Duration::from_micros(number as u64));
            cache.keep((number as u128).to_be_bytes(), "t", Arc::clone(&known), at);
        }
        assert!(cache.entries().len() <= MAX_ENTRIES);
        let last = (MAX_ENTRIES as u128).to_be_bytes();
        let then = now.after(Duration::from_secs(1));
        assert!(matches!(cache.find(&last, then), Found::Fresh(_)));
        assert!(matches!(cache.find(&0_u128.to_be_bytes(), then), Found::Nothing));
    }
}
