//! A policy whose verdicts are remembered: for those that take long to make up their mind.
//!
//! Invariants: a verdict is remembered for one session, one action and one URI; at its bound a session's memory is
//! emptied; what a session was told is forgotten when it leaves, or when the owner says so. Not for a policy whose
//! verdicts have effects.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::policy::{Abort, Action, Authentication, Hello, Identity, Policy, Verdict, Welcome};
use crate::{Dict, Disclosure};

/// Verdicts that are remembered for one session.
const MOST_VERDICTS: usize = 1024;

/// By session, action and URI.
type Verdicts = HashMap<u64, HashMap<Action, HashMap<String, Verdict>>>;

/// A policy with a memory.
#[derive(Debug)]
pub struct Cached<P> {
    policy: P,
    verdicts: Mutex<Verdicts>,
}

impl<P> Cached<P> {
    /// Remembers what `policy` says.
    pub fn new(policy: P) -> Self {
        Self { policy, verdicts: Mutex::default() }
    }

    /// The policy that is asked.
    pub fn policy(&self) -> &P {
        &self.policy
    }

    /// Forgets what one session was told.
    pub fn forget(&self, session: u64) {
        self.lock().remove(&session);
    }

    /// Forgets everything: the rules have changed.
    pub fn forget_all(&self) {
        self.lock().clear();
    }

    fn lock(&self) -> MutexGuard<'_, Verdicts> {
        self.verdicts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remembered(&self, session: u64, action: Action, uri: &str) -> Option<Verdict> {
        self.lock().get(&session)?.get(&action)?.get(uri).cloned()
    }

    fn remember(&self, session: u64, action: Action, uri: &str, verdict: Verdict) {
        let mut verdicts = self.lock();
        let own = verdicts.entry(session).or_default();
        if own.values().map(HashMap::len).sum::<usize>() >= MOST_VERDICTS {
            own.clear();
        }
        own.entry(action).or_default().insert(uri.to_owned(), verdict);
    }
}

impl<P: Policy> Policy for Cached<P> {
    type Pending = P::Pending;

    async fn authenticate(&self, hello: Hello) -> Result<Authentication<Self::Pending>, Abort> {
        self.policy.authenticate(hello).await
    }

    async fn verify(
        &self,
        pending: Self::Pending,
        signature: &str,
        extra: &Dict,
    ) -> Result<Welcome, Abort> {
        self.policy.verify(pending, signature, extra).await
    }

    fn authorise(&self, session: &Identity, action: Action, uri: &str) -> Verdict {
        if let Some(verdict) = self.remembered(session.id, action, uri) {
            return verdict;
        }
        let verdict = self.policy.authorise(session, action, uri);
        self.remember(session.id, action, uri, verdict.clone());
        verdict
    }

    fn disclose(&self, session: &Identity, action: Action, uri: &str) -> Option<Disclosure> {
        self.policy.disclose(session, action, uri)
    }

    fn joined(&self, session: &Identity) {
        self.policy.joined(session);
    }

    fn left(&self, session: &Identity) {
        self.forget(session.id);
        self.policy.left(session);
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    #[derive(Default)]
    struct Counting(AtomicUsize);

    impl Policy for Counting {
        type Pending = ();

        async fn authenticate(&self, _: Hello) -> Result<Authentication<()>, Abort> {
            Err(Abort::denied("nobody"))
        }

        async fn verify(&self, (): (), _: &str, _: &Dict) -> Result<Welcome, Abort> {
            Err(Abort::denied("nobody"))
        }

        fn authorise(&self, _: &Identity, _: Action, _: &str) -> Verdict {
            self.0.fetch_add(1, Ordering::Relaxed);
            Verdict::Allow
        }
    }

    fn identity(id: u64) -> Identity {
        let text = String::new;
        Identity { id, authid: text(), role: text(), method: text(), key: None, peer: None }
    }

    #[test]
    fn a_verdict_is_asked_for_once_until_it_is_forgotten() {
        let cached = Cached::new(Counting::default());
        let (one, two) = (identity(1), identity(2));
        let ask = |who: &Identity, action, uri: &str| {
            cached.authorise(who, action, uri);
            cached.policy().0.load(Ordering::Relaxed)
        };
        assert_eq!((ask(&one, Action::Call, "a"), ask(&one, Action::Call, "a")), (1, 1));
        assert_eq!((ask(&one, Action::Publish, "a"), ask(&one, Action::Call, "b")), (2, 3));
        assert_eq!(ask(&two, Action::Call, "a"), 4, "another session");
        cached.forget(1);
        assert_eq!((ask(&two, Action::Call, "a"), ask(&one, Action::Call, "a")), (4, 5));
        cached.forget_all();
        assert_eq!(ask(&two, Action::Call, "a"), 6);
        cached.left(&two);
        assert_eq!(ask(&two, Action::Call, "a"), 7, "gone with the session");
    }

    #[test]
    fn the_memory_of_a_session_is_bounded() {
        let cached = Cached::new(Counting::default());
        for number in 0..3 * MOST_VERDICTS {
            cached.authorise(&identity(1), Action::Call, &format!("a.{number}"));
        }
        let kept: usize = cached.lock()[&1].values().map(HashMap::len).sum();
        assert!(kept <= MOST_VERDICTS, "{kept}");
    }
}
