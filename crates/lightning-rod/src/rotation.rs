//! Changing the board's key: the new one is made here, proven beside the old one, and used when the cloud has switched.
//!
//! Invariants: one change at a time; a lost answer is found out at the next connection, where the old key is refused and the
//! next one taken (`control`). Deliberately not here: the files (`keys`).

use crate::clock::BoardClock;
use crate::cloud_call::call;
use crate::error::Error;
use crate::forward::Services;
use crate::handlers::blocking;
use crate::keys::Keys;
use base::key::{KeyPair, PublicKey};
use base::tasks::Tasks;
use model::{BoardId, Kind};
use rpc::Fault;
use rpc::rotation::{RotateKey, Rotated};
use rpc::uri::{ROTATE_KEY, agent_procedure};
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::{Mutex, watch};
use wamp::Session;

/// How long a change that was begun waits for the cloud.
const PATIENCE: Duration = Duration::from_secs(120);
/// How long after an answer that did not come the cloud is asked again, where the connection did not end.
const PAUSE: Duration = Duration::from_secs(5);
/// How often the cloud is asked.
const ATTEMPTS: u32 = 5;
/// Seconds of a day.
const DAY_S: u64 = 86_400;

/// A session on which the cloud answers.
#[derive(Debug, Clone)]
pub(crate) struct Attached {
    pub(crate) session: Session,
    /// The cloud's agent, first part of its procedures.
    pub(crate) agent: String,
}

/// Changes the key. Clones share it.
#[derive(Clone)]
pub struct Rotation(Arc<Inner>);

struct Inner {
    board: BoardId,
    keys: Keys,
    clock: Arc<BoardClock>,
    services: Services,
    attached: watch::Sender<Option<Attached>>,
    alone: Mutex<()>,
    tasks: Tasks,
}

impl Rotation {
    pub(crate) fn new(
        board: BoardId,
        keys: Keys,
        clock: Arc<BoardClock>,
        services: Services,
        tasks: Tasks,
    ) -> Self {
        let (attached, alone) = (watch::Sender::new(None), Mutex::new(()));
        Self(Arc::new(Inner { board, keys, clock, services, attached, alone, tasks }))
    }

    /// There is a session, or none any more.
    pub(crate) fn attach(&self, attached: Option<Attached>) {
        self.0.attached.send_replace(attached);
    }

    /// Changes a key that is older than so many days, and ends a change that was begun, in a task of its own.
    pub(crate) fn rotate_if_due(&self, days: Option<u32>) {
        let this = self.clone();
        self.0.tasks.spawn("key", async move {
            let _alone = this.0.alone.lock().await;
            if !this.is_due(days).await {
                return;
            }
            if let Err(fault) = this.change().await {
                tracing::warn!(reason = fault.message, "the board's key was not changed");
            }
        });
    }

    async fn is_due(&self, days: Option<u32>) -> bool {
        if self.0.keys.next().is_some() {
            return true;
        }
        let Some(days) = days else { return false };
        let (keys, now) = (self.0.keys.clone(), self.0.clock.cloud_now());
        let since = tokio::task::spawn_blocking(move || keys.since(now)).await.unwrap_or(now);
        since.until(now) >= Duration::from_secs(u64::from(days).saturating_mul(DAY_S))
    }

    /// Changes the key; gives the new one's fingerprint.
    ///
    /// # Errors
    /// The cloud refuses, or is away for too long; a change that was begun goes on when it is back.
    pub(crate) async fn rotate(&self) -> Result<String, Fault> {
        let _alone = self.0.alone.lock().await;
        self.change().await
    }

    async fn change(&self) -> Result<String, Fault> {
        let old = self.0.keys.current().public();
        let keys = self.0.keys.clone();
        let new = blocking(move || keys.prepare()).await?.map_err(unwritten)?;
        for _ in 0..ATTEMPTS {
            let attached = tokio::time::timeout(PATIENCE, self.session()).await;
            let attached = attached.map_err(|_| {
                let text = "the cloud is away; the change of the key goes on when it is back";
                Fault::new(Kind::Unreachable, text)
            })?;
            // The connection may have shown that an answer that was lost had been yes.
            if self.0.keys.current().public() == new.public()
                || self.ask(&attached, &old, &new).await?
            {
                let fingerprint = new.public().fingerprint();
                tracing::info!(key = fingerprint, "the board has a new key");
                return Ok(fingerprint);
            }
            let gone = attached.session.id();
            let mut changes = self.0.attached.subscribe();
            let is_other =
                |now: &Option<Attached>| now.as_ref().is_none_or(|now| now.session.id() != gone);
            let _ = tokio::time::timeout(PAUSE, changes.wait_for(is_other)).await;
        }
        Err(Fault::new(
            Kind::Unreachable,
            "the connection broke too often; the change of the key goes on later",
        ))
    }

    async fn session(&self) -> Attached {
        let mut changes = self.0.attached.subscribe();
        loop {
            if let Some(attached) = changes.borrow_and_update().clone() {
                return attached;
            }
            if changes.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Asks once; no when the session ended before the answer.
    async fn ask(
        &self,
        attached: &Attached,
        old: &PublicKey,
        new: &KeyPair,
    ) -> Result<bool, Fault> {
        let asked = RotateKey::new(self.0.board, attached.session.id(), old, new);
        let procedure = agent_procedure(&attached.agent, ROTATE_KEY);
        match call::<Rotated>(&attached.session, &procedure, &asked).await {
            Ok(_) => {}
            Err(Error::Refused(fault)) => return Err(fault),
            Err(error) => {
                tracing::warn!(%error, "the cloud's answer to a new key was lost");
                return Ok(false);
            }
        }
        let (keys, now, public) = (self.0.keys.clone(), self.0.clock.cloud_now(), new.public());
        blocking(move || keys.promote(&public, now)).await?.map_err(|error| {
            Fault::new(Kind::Internal, format!("{error}; the next start of the agent does it"))
        })?;
        // A link that was opened in between was refused.
        self.0.services.retry_now();
        Ok(true)
    }
}

fn unwritten(error: base::key::Error) -> Fault {
    Fault::new(Kind::Internal, format!("no new key was made: {error}"))
}
