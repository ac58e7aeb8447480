//! What the audit keeps of a connection to a service: who came from where, to which board, when, and how many bytes passed.
//!
//! Invariants: nobody is let in whose begin cannot be queued for the audit; whatever ends a connection, its task dropped
//! included, its end is written.

use model::audit::ActorKind;
use model::{BoardId, ProjectId, ServiceId};
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Instant;
use store::audit::Entry;
use store::{Error, Store};
use tunnel::{Account, Count};
use uuid::Uuid;

/// What is exposed, and where.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) project: ProjectId,
    pub(super) board: BoardId,
    pub(super) service: ServiceId,
    pub(super) port: u16,
    pub(super) legacy: bool,
}

/// A connection under way; its end is written when this is dropped.
pub(super) struct Session {
    store: Store,
    place: Place,
    id: Uuid,
    began: Instant,
    /// Of the client's connection.
    count: Arc<Count>,
    outcome: &'static str,
}

impl Session {
    /// Writes the begin, behind.
    ///
    /// # Errors
    /// It cannot be queued: the connection must be turned away.
    pub(super) fn begin(store: &Store, place: &Place, from: IpAddr) -> Result<Self, Error> {
        let id = Uuid::now_v7();
        let entry = entry("service:connect", place, id, json!({ "port": place.port }));
        let entry = entry.by(ActorKind::Anybody, "").personal("address", None, from);
        store.write_behind_or_refuse(move |tx| Box::pin(tx.audit(entry)))?;
        Ok(Self {
            store: store.clone(),
            place: place.clone(),
            id,
            began: Instant::now(),
            count: Arc::default(),
            outcome: "cut",
        })
    }

    pub(super) fn count(&self) -> Arc<Count> {
        Arc::clone(&self.count)
    }

    /// How it ends, unless it is dropped before.
    pub(super) fn ends(&mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

/// For a connection that takes its session along: unless it is aborted, it ended in order.
impl Account for Session {
    fn count(&self) -> &Count {
        &self.count
    }

    fn aborted(&mut self) {
        self.ends("reset");
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let more = json!({
            "sent": self.count.read(),
            "received": self.count.written(),
            "ms": u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        let entry = entry("service:disconnect", &self.place, self.id, more).ending(self.outcome);
        let entry = entry.by(ActorKind::Anybody, "");
        // Bounded by the connections that there may be.
        self.store.write_at_last(move |tx| Box::pin(tx.audit(entry)));
    }
}

fn entry(verb: &'static str, place: &Place, id: Uuid, mut detail: serde_json::Value) -> Entry {
    if let Some(detail) = detail.as_object_mut() {
        detail.insert("board".into(), place.board.to_string().into());
        detail.insert("session".into(), id.to_string().into());
        if place.legacy {
            detail.insert("legacy".into(), true.into());
        }
    }
    Entry::new(verb, "service", place.service).of(&place.project).with(detail)
}
