//! Signing in and being refused, in the audit: who, from where, for which project.
//!
//! Invariants: the first of its sort within a minute is a row at once, further ones are counted and told in one row at the
//! minute's end; so whoever guesses by the million leaves a few rows a minute, and none goes uncounted. Beyond
//! [`MAX_REFUSED`] sorts of refusals, and [`MAX_DONE`] of successes, further ones are counted together, by nobody in particular.
//! What was typed as a name is kept beside the chain, where it can be erased: some type their password there.

use crate::identity::sign_in::Attempt;
use crate::identity::tokens::{Method, Statement};
use model::audit::ActorKind;
use model::{ProjectId, UserId};
use serde_json::json;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use store::Store;
use store::audit::Entry;

/// Sorts of refusals that are told apart within a minute.
const MAX_REFUSED: usize = 100;
/// Sorts of successes.
const MAX_DONE: usize = 1000;
const VERB: &str = "user:sign_in";

/// The sorts of this minute, each with how often it came after its first row.
#[derive(Default)]
pub(super) struct Told(Mutex<HashMap<Sort, u64>>);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Sort {
    Done {
        user: UserId,
        project: ProjectId,
        method: &'static str,
        address: Option<IpAddr>,
    },
    Refused {
        said: String,
        address: Option<IpAddr>,
    },
    /// Those beyond the bounds.
    OthersDone,
    OthersRefused,
}

impl Told {
    /// Somebody signed in.
    pub(super) fn done(&self, store: &Store, said: &Statement, attempt: Attempt) {
        let method = match said.method {
            Method::Password => "password",
            Method::Credential => "application_credential",
            Method::Token => "token",
            Method::Session => "session",
        };
        let (user, project, address) = (said.user.clone(), said.project.clone(), attempt.address);
        self.count(store, Sort::Done { user, project, method, address });
    }

    /// Somebody who says to be this was refused.
    pub(super) fn refused(&self, store: &Store, said: &str, attempt: Attempt) {
        let said = said.to_owned();
        self.count(store, Sort::Refused { said, address: attempt.address });
    }

    fn count(&self, store: &Store, sort: Sort) {
        let mut sorts = self.sorts();
        let sort =
            if sorts.contains_key(&sort) || has_room(&sorts, &sort) { sort } else { sort.others() };
        match sorts.get_mut(&sort) {
            Some(count) => *count = count.saturating_add(1),
            None => {
                let entry = sort.entry(1);
                sorts.insert(sort, 0);
                store.write_behind(move |tx| Box::pin(tx.audit(entry)));
            }
        }
    }

    /// Writes what was counted, and begins anew. To be called every minute, and at the end.
    pub(super) fn flush(&self, store: &Store) {
        let sorts = std::mem::take(&mut *self.sorts());
        for (sort, times) in sorts.into_iter().filter(|(_, times)| *times > 0) {
            let entry = sort.entry(times);
            // Bounded by the sorts that are told apart.
            store.write_at_last(move |tx| Box::pin(tx.audit(entry)));
        }
    }

    fn sorts(&self) -> MutexGuard<'_, HashMap<Sort, u64>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn has_room(sorts: &HashMap<Sort, u64>, wanted: &Sort) -> bool {
    let most = if wanted.is_refused() { MAX_REFUSED } else { MAX_DONE };
    sorts.keys().filter(|sort| sort.is_refused() == wanted.is_refused()).take(most).count() < most
}

impl Sort {
    fn is_refused(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::OthersRefused)
    }

    fn others(&self) -> Self {
        if self.is_refused() { Self::OthersRefused } else { Self::OthersDone }
    }

    fn entry(&self, times: u64) -> Entry {
        match self {
            Self::Done { user, project, method, address } => {
                let entry = Entry::new(VERB, "user", user).by(ActorKind::User, user);
                let entry = entry.with(json!({ "method": method, "times": times }));
                let entry = if project.is_nowhere() { entry } else { entry.of(project) };
                at(entry, Some(user), *address)
            }
            Self::Refused { said, address } => {
                let entry = refused(times).personal("name", None, said);
                at(entry, None, *address)
            }
            Self::OthersDone => {
                let entry = Entry::new(VERB, "user", "").by(ActorKind::Anybody, "");
                entry.with(json!({ "times": times, "others": true }))
            }
            Self::OthersRefused => refused(times).with(json!({ "times": times, "others": true })),
        }
    }
}

fn refused(times: u64) -> Entry {
    let entry = Entry::new(VERB, "user", "").by(ActorKind::Anybody, "").ending("refused");
    entry.with(json!({ "times": times }))
}

fn at(entry: Entry, user: Option<&UserId>, address: Option<IpAddr>) -> Entry {
    match address {
        Some(address) => entry.personal("address", user, address),
        None => entry,
    }
}
