//! What the cloud tells the board about both of them: how the board is called now, and what the cloud can do.
//!
//! Invariants: the files change only when something is new, and never on the reactor's thread; what cannot be kept is logged
//! and stops nothing. Deliberately not here: what follows from a capability (its user asks [`Accepted::can`]).

use crate::home::{CloudSaid, Error, Home};
use crate::local::Face;
use model::Name;
use rpc::connection::Accepted;
use std::sync::{Mutex, PoisonError};

/// Most words of a cloud that are kept.
const MAX_CAPABILITIES: usize = 64;

/// What was heard.
pub(crate) struct Hearsay {
    home: Home,
    face: Face,
    name: Mutex<Name>,
}

impl Hearsay {
    /// The board is called `name` so far.
    pub(crate) fn new(home: Home, face: Face, name: Name) -> Self {
        Self { home, face, name: Mutex::new(name) }
    }

    /// The cloud has let the board in.
    pub(crate) async fn accepted(&self, accepted: &Accepted) {
        self.named(&accepted.name).await;
        let mut capabilities = accepted.capabilities.clone();
        capabilities.truncate(MAX_CAPABILITIES);
        let said = CloudSaid { protocol: accepted.protocol, capabilities };
        self.write(move |home| match home.cloud_said() {
            Some(before) if before == said => Ok(()),
            _ => home.save_cloud_said(&said),
        })
        .await;
    }

    /// The cloud calls the board so.
    pub(crate) async fn named(&self, said: &str) {
        let Ok(name) = said.parse::<Name>() else {
            tracing::warn!(
                name = said,
                "the cloud's name for this board is none; the old one stays"
            );
            return;
        };
        let before = {
            let mut known = self.name.lock().unwrap_or_else(PoisonError::into_inner);
            std::mem::replace(&mut *known, name.clone())
        };
        if before == name {
            return;
        }
        tracing::info!(name = %name, before = %before, "the board has a new name");
        self.face.set_name(name.as_str());
        self.write(move |home| match home.identity()? {
            Some(identity) => home.save_identity(&crate::Identity { name, ..identity }),
            None => Ok(()),
        })
        .await;
    }

    async fn write(&self, work: impl FnOnce(&Home) -> Result<(), Error> + Send + 'static) {
        let home = self.home.clone();
        let written = tokio::task::spawn_blocking(move || work(&home)).await;
        if let Ok(Err(error)) = written {
            tracing::warn!(%error, "what the cloud said cannot be kept");
        }
    }
}
