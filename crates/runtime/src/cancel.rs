//! A token by which whoever asked for a call takes the request back.
//!
//! Invariant: once cancelled, always cancelled, for every clone. Not here: deadlines (see `Limits::wall`).

use std::sync::Arc;
use tokio::sync::watch;

/// Cancels a call from another task; clones share one state.
#[derive(Debug, Clone)]
pub struct Cancel {
    state: Arc<watch::Sender<bool>>,
}

impl Cancel {
    /// A token that nobody has cancelled yet.
    #[must_use]
    pub fn new() -> Self {
        Self { state: Arc::new(watch::Sender::new(false)) }
    }

    /// Takes the request back; the guest is killed at once.
    pub fn cancel(&self) {
        self.state.send_replace(true);
    }

    /// Returns once [`Cancel::cancel`] was called; never otherwise.
    pub async fn cancelled(&self) {
        let mut seen = self.state.subscribe();
        // The sender lives in `self`, so waiting cannot fail.
        let _ = seen.wait_for(|cancelled| *cancelled).await;
    }
}

impl Default for Cancel {
    fn default() -> Self {
        Self::new()
    }
}
