//! On whose behalf something is written: carried along with a request, so that no use case can forget to say it.
//!
//! Invariant: a write made within [`scope`] is that scope's author's, whoever makes it; outside of any it is the cloud's own.
//! The first who is named stays: one request is one author's.

use model::audit::ActorKind;
use std::future::Future;
use std::sync::{Arc, OnceLock};

tokio::task_local! {
    static SCOPE: Scope;
}

/// Who writes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Author {
    /// What sort of actor.
    pub kind: ActorKind,
    /// Its id; empty for somebody unknown.
    pub id: String,
    /// From which address.
    pub address: Option<String>,
}

#[derive(Clone, Default)]
struct Scope(Arc<Inner>);

#[derive(Default)]
struct Inner {
    address: Option<String>,
    who: OnceLock<(ActorKind, String)>,
}

/// Runs what somebody at this address asked for; [`name`] says who it is, when that is known.
pub async fn scope<T>(address: Option<String>, work: impl Future<Output = T>) -> T {
    let inner = Inner { address, who: OnceLock::new() };
    SCOPE.scope(Scope(Arc::new(inner)), work).await
}

/// Runs work of a part of the cloud, or of a program beside it, that has a name.
pub async fn program<T>(name: &str, work: impl Future<Output = T>) -> T {
    let who = OnceLock::from((ActorKind::Cloud, name.to_owned()));
    SCOPE.scope(Scope(Arc::new(Inner { address: None, who })), work).await
}

/// Runs work in a task of its own on behalf of whoever is the author here.
pub fn carry<T, W: Future<Output = T>>(work: W) -> impl Future<Output = T> {
    let scope = SCOPE.try_with(Scope::clone).ok();
    async move {
        match scope {
            Some(scope) => SCOPE.scope(scope, work).await,
            None => work.await,
        }
    }
}

/// Says who it is that the present scope works for; outside of any scope it says nothing.
pub fn name(kind: ActorKind, id: &str) {
    // Already named, or no scope: nothing to do.
    let _ = SCOPE.try_with(|scope| scope.0.who.set((kind, id.to_owned())));
}

/// The author of what is written now; none is the cloud.
pub(crate) fn current() -> Option<Arc<Author>> {
    let author = |Scope(inner): &Scope| {
        let (kind, id) = match inner.who.get() {
            Some((kind, id)) => (*kind, id.clone()),
            None => (ActorKind::Anybody, String::new()),
        };
        Arc::new(Author { kind, id, address: inner.address.clone() })
    };
    SCOPE.try_with(author).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_who_is_named_is_the_author_in_other_tasks_too() {
        assert_eq!(current(), None);
        let seen = scope(Some("192.0.2.1".into()), async {
            assert_eq!(current().unwrap().kind, ActorKind::Anybody);
            name(ActorKind::User, "first");
            name(ActorKind::User, "second");
            tokio::spawn(carry(async { current() })).await.unwrap().unwrap()
        });
        let seen = seen.await;
        assert_eq!((seen.id.as_str(), seen.address.as_deref()), ("first", Some("192.0.2.1")));
        assert_eq!(current(), None);
    }
}
