//! The link on which the cloud reaches the services of this board.
//!
//! Invariants: both ends prove their keys before the first channel; the link is opened when the table of services has
//! something in it or a terminal or a port is asked for, and stands from then on; it comes back by itself, with growing waits.

mod connection;
mod ports;
mod services;
mod target;

pub use connection::Connection;
pub use ports::Ports;
pub use services::{LinkState, MAX_SERVICES, Services};
pub use target::{Target, Targets};

use crate::cloud::{Cloud, Error};
use crate::keys::Keys;
use crate::pinned::Pinned;
use base::backoff::Backoff;
use base::tasks::Shutdown;
use model::BoardId;
use std::time::{Duration, Instant};
use tunnel::Link;
use tunnel::handshake::{Credentials, Failure, HANDSHAKE_DEADLINE, HandshakeError};

/// Where links are opened, below the cloud's address.
pub const PATH: &str = "/tunnel";
/// A link that stood so long was a good one: waiting starts small again.
const GOOD_LINK: Duration = Duration::from_secs(10);
/// Wait after the cloud refused the board; the control channel ends it when it is let in.
const REFUSED_WAIT: Duration = Duration::from_secs(300);
/// Time that channels get to finish when the agent ends.
const GRACE: Duration = Duration::from_secs(1);

/// Who the board is on a link, and whom it expects there.
#[derive(Clone)]
pub struct LinkCredentials {
    identity: String,
    keys: Keys,
    cloud: Pinned,
}

impl LinkCredentials {
    /// The board proves its present key; the other end must prove the pinned one.
    #[must_use]
    pub fn new(board: BoardId, keys: Keys, cloud: Pinned) -> Self {
        Self { identity: board.to_string(), keys, cloud }
    }
}

impl Credentials for LinkCredentials {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn sign(&self, transcript: &[u8]) -> [u8; 64] {
        self.keys.current().sign(transcript)
    }

    fn check_peer(&self, transcript: &[u8], signature: &[u8; 64]) -> bool {
        self.cloud.key().verifies(transcript, signature)
    }
}

/// Keeps the link until `shutdown`.
pub async fn run(
    targets: Targets,
    cloud: Cloud,
    credentials: LinkCredentials,
    liveness: websocket::Settings,
    shutdown: Shutdown,
) {
    let services = targets.services.clone();
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
    loop {
        if shutdown.until(services.needs_link()).await.is_none() {
            return;
        }
        let started = Instant::now();
        let ended = one_link(&targets, &cloud, &credentials, liveness, &shutdown).await;
        services.link.send_replace(LinkState::Down);
        if shutdown.has_begun() {
            return;
        }
        if started.elapsed() > GOOD_LINK {
            backoff.reset();
        }
        let wait = match ended {
            LinkEnd::Lost(_) => backoff.next_delay(base::secret::random_unit()),
            LinkEnd::Refused(_) => REFUSED_WAIT,
        };
        tracing::warn!(
            reason = ended.text(),
            retry_in_ms = wait.as_millis() as u64,
            "tunnel link lost"
        );
        let woken = shutdown.until(tokio::time::timeout(wait, services.wake.notified()));
        if woken.await.is_none() {
            return;
        }
    }
}

/// Why there is no link any more.
enum LinkEnd {
    /// It broke, or could not be opened.
    Lost(String),
    /// The cloud does not take this board.
    Refused(String),
}

impl LinkEnd {
    fn text(&self) -> &str {
        match self {
            Self::Lost(text) | Self::Refused(text) => text,
        }
    }
}

/// Opens a link and stays on it; gives back why it ended.
async fn one_link(
    targets: &Targets,
    cloud: &Cloud,
    credentials: &LinkCredentials,
    liveness: websocket::Settings,
    shutdown: &Shutdown,
) -> LinkEnd {
    let opened = shutdown.until(open(cloud, credentials)).await;
    let connection = match opened {
        Some(Ok(connection)) => connection,
        Some(Err(error)) => return error,
        None => return LinkEnd::Lost("the agent is stopping".into()),
    };
    let settings = tunnel::Settings { liveness, ..tunnel::Settings::default() };
    let (link, driver) = Link::new(connection, targets.clone(), settings);
    tracing::info!("tunnel link up");
    targets.services.link.send_replace(LinkState::Up);
    let ended = {
        let running = driver.run();
        let leaving = async {
            shutdown.begun().await;
            link.shutdown(GRACE).await
        };
        tokio::select! {
            ended = running => ended,
            ended = leaving => ended,
        }
    };
    LinkEnd::Lost(ended.to_string())
}

async fn open(
    cloud: &Cloud,
    credentials: &LinkCredentials,
) -> Result<tunnel::Authenticated<Box<dyn crate::cloud::Stream>>, LinkEnd> {
    let lost = |error: Error| LinkEnd::Lost(error.to_string());
    let opened = cloud.open(PATH, &[], tunnel::handshake::limits()).await.map_err(lost)?;
    let dialled = tunnel::handshake::dial(opened.socket, credentials, HANDSHAKE_DEADLINE).await;
    dialled.map_err(|error| match error {
        HandshakeError::Failed(Failure::Refused(_)) => LinkEnd::Refused(error.to_string()),
        error => LinkEnd::Lost(error.to_string()),
    })
}
