//! What every use case needs, in one shared value.

use crate::app::looks::Looks;
use crate::boards::Boards;
use crate::identity::{SignIn, Tokens};
use crate::ingress::Ingress;
use crate::serve::Addresses;
use crate::settings::Settings;
use base::clock::Clock;
use base::key::KeyPair;
use base::tasks::Shutdown;
use model::Timestamp;
use std::net::SocketAddr;
use std::ops::Deref;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use store::Store;

/// The cloud of this process. Cloning is cheap.
#[derive(Clone)]
pub struct Cloud(Arc<Parts>);

/// Its parts.
pub struct Parts {
    /// The data folder.
    pub dir: PathBuf,
    /// When this process started serving.
    pub started_at: Timestamp,
    /// Where the API listener really listens.
    pub address: SocketAddr,
    /// Where upstream boards are let in, if they are.
    pub legacy: Option<Addresses>,
    /// State at rest.
    pub store: Store,
    /// The present moment.
    pub clock: Arc<dyn Clock>,
    /// Settings in force.
    pub settings: Settings,
    /// The cloud's identity, which boards pin.
    pub key: KeyPair,
    /// Where people and boards reach the cloud, without trailing slash.
    pub public_url: String,
    /// Fingerprint of the own certificate authority, when the certificate comes from there.
    pub authority: Option<String>,
    /// Makes and reads tokens.
    pub tokens: Tokens,
    /// What signing in shares: bounded password checks, counts of failures, roles looked up.
    pub sign_in: SignIn,
    /// The way to the boards.
    pub boards: Boards,
    /// Public ports.
    pub ingress: Ingress,
    /// Who looked at what how often.
    pub looks: Looks,
    /// Given when the cloud is told to stop; streams and long waits end then.
    pub shutdown: Shutdown,
}

impl Cloud {
    /// Puts the parts together.
    #[must_use]
    pub fn new(parts: Parts) -> Self {
        Self(Arc::new(parts))
    }

    /// The present moment.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::from_micros(self.clock.unix_micros())
    }

    /// How long a token is good.
    #[must_use]
    pub fn token_life(&self) -> Duration {
        Duration::from_secs(self.settings.identity.token_s)
    }
}

impl Deref for Cloud {
    type Target = Parts;
    fn deref(&self) -> &Parts {
        &self.0
    }
}
