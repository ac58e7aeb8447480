//! Delegations in memory: found by whom they are to and what they are of, each with those it rests on.
//!
//! Invariant: what [`Links::chains`] gives is what the statements of `reach` give for the same rows. Rows that are over are
//! left out by whoever asks, and forgotten some time later.

use super::MAX_REACHING;
use model::delegation::{Delegation, MAX_DEPTH, Resource, Rights};
use model::{DelegationId, Timestamp, UserId};
use std::collections::hash_map::{Entry, RandomState};
use std::collections::{BTreeSet, HashMap, HashSet};
use std::hash::BuildHasher as _;
use std::time::Duration;
use uuid::Uuid;

/// What is over for so long is forgotten; a clock that is set back by less changes nothing.
const KEPT: Duration = Duration::from_secs(86_400);
/// As many are never looked through for what is over.
const NEVER_SWEPT: usize = 1024;

#[derive(Default)]
pub(super) struct Links {
    by_id: HashMap<DelegationId, Delegation>,
    /// By the hash of holder and thing.
    held: BTreeSet<(u64, DelegationId)>,
    /// How many of fleets somebody holds.
    of_fleets: HashMap<UserId, usize>,
    /// Most delegations give one of a few sets of rights, which are kept once.
    rights: HashSet<Rights>,
    hasher: RandomState,
    /// So many more make it worth to look for what is over.
    sweep_at: usize,
}

impl Links {
    pub(super) fn len(&self) -> usize {
        self.by_id.len()
    }

    /// Whether somebody holds a delegation of a fleet.
    pub(super) fn holds_fleets(&self, user: &UserId) -> bool {
        self.of_fleets.contains_key(user)
    }

    pub(super) fn insert(&mut self, mut new: Delegation) {
        self.remove(new.id);
        match self.rights.get(&new.rights) {
            Some(same) => new.rights = same.clone(),
            None => _ = self.rights.insert(new.rights.clone()),
        }
        if matches!(new.resource, Resource::Fleet(_)) {
            *self.of_fleets.entry(new.delegated.clone()).or_default() += 1;
        }
        self.held.insert((self.key(&new.delegated, &new.resource), new.id));
        self.by_id.insert(new.id, new);
    }

    pub(super) fn remove(&mut self, id: DelegationId) {
        let Some(old) = self.by_id.remove(&id) else { return };
        self.held.remove(&(self.key(&old.delegated, &old.resource), id));
        if matches!(old.resource, Resource::Fleet(_))
            && let Entry::Occupied(mut held) = self.of_fleets.entry(old.delegated)
        {
            match held.get().checked_sub(1) {
                None | Some(0) => _ = held.remove(),
                Some(fewer) => *held.get_mut() = fewer,
            }
        }
    }

    /// Forgets what is over, when there may be enough of it.
    pub(super) fn sweep(&mut self, now: Timestamp) {
        if self.len() < self.sweep_at.max(NEVER_SWEPT) {
            return;
        }
        let is_over = |link: &&Delegation| link.window.until().after(KEPT) <= now;
        let over: Vec<DelegationId> =
            self.by_id.values().filter(is_over).map(|link| link.id).collect();
        for id in over {
            self.remove(id);
        }
        let used: HashSet<Rights> = self.by_id.values().map(|link| link.rights.clone()).collect();
        self.rights = used;
        self.sweep_at = self.len().saturating_mul(2);
    }

    /// Those to somebody of these things that are not over, each with those it rests on, in order of their ids.
    pub(super) fn chains(
        &self,
        to: &UserId,
        things: &[Resource],
        now: Timestamp,
    ) -> Vec<Vec<Delegation>> {
        let held = things.iter().flat_map(|thing| self.held(to, thing));
        let mut leaves: Vec<&Delegation> = held.filter(|link| link.window.until() > now).collect();
        leaves.sort_unstable_by_key(|link| link.id);
        let mut chains = Vec::with_capacity(leaves.len());
        let mut room = MAX_REACHING as usize;
        for leaf in leaves {
            let chain: Vec<Delegation> = self.up(leaf).take(room).cloned().collect();
            room = room.saturating_sub(chain.len());
            if chain.is_empty() {
                break;
            }
            chains.push(chain);
        }
        chains
    }

    fn held<'s>(
        &'s self,
        to: &'s UserId,
        thing: &'s Resource,
    ) -> impl Iterator<Item = &'s Delegation> {
        let key = self.key(to, thing);
        let first = (key, DelegationId::from(Uuid::nil()));
        let ids = self.held.range(first..=(key, DelegationId::from(Uuid::max())));
        let links = ids.filter_map(|(_, id)| self.by_id.get(id));
        // Two may have one hash.
        links.filter(move |link| link.delegated == *to && link.resource == *thing)
    }

    fn up<'s>(&'s self, leaf: &'s Delegation) -> impl Iterator<Item = &'s Delegation> {
        let above = |link: &&Delegation| link.parent.and_then(|parent| self.by_id.get(&parent));
        // As deep as the statements go.
        std::iter::successors(Some(leaf), above).take(usize::from(MAX_DEPTH) + 2)
    }

    fn key(&self, user: &UserId, thing: &Resource) -> u64 {
        self.hasher.hash_one((user, thing))
    }
}
