//! The control channel: connect, be known, offer what the board can do, report, and again when it breaks.
//!
//! Invariants: the board says that it can be called only after its procedures are registered; a broken channel is built
//! again with growing, jittered waits; a cloud that refuses the key is asked only now and then.

use crate::clock::BoardClock;
use crate::cloud::{self, Cloud, Joined, Who, join};
use crate::cloud_call::call;
use crate::dispatch::Dispatch;
use crate::engine::State;
use crate::epoch::Epoch;
use crate::error::Error;
use crate::facts::{self, LoadMeter};
use crate::forward::Services;
use crate::handlers::{RealBoard, blocking};
use crate::hearsay::Hearsay;
use crate::home::Home;
use crate::keys::Keys;
use crate::pinned::Pinned;
use crate::rotation::{Attached, Rotation};
use crate::sensors::Sensors;
use crate::settings::Settings;
use crate::terminal;
use base::backoff::Backoff;
use base::tasks::Shutdown;
use model::BoardId;
use model::facts::Facts;
use rpc::connection::{Accepted, CloudCapability, Connection, Info, Report, Reported};
use rpc::uri::{CONNECTION, REPORT, agent_procedure, board_prefix, parse_board_procedure};
use rpc::{Method, OLDEST_PROTOCOL, PROTOCOL};
use serde::Deserialize as _;
use serde_json::Value;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use wamp::{Arguments, Handler, Match, Session};

/// First and longest wait before connecting again.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// How long the router may take to register the board's procedures.
const REGISTER_PATIENCE: Duration = Duration::from_secs(10);
/// Wait after the cloud refused the key.
const REFUSED_WAIT: Duration = Duration::from_secs(300);
/// Wait, more or less, while somebody has to decide between this machine and another one with its key.
const PARKED_WAIT: Duration = Duration::from_secs(10);
/// A session that lasted so long was a good one: waiting starts small again.
const GOOD_SESSION: Duration = Duration::from_secs(10);

/// What the control channel needs.
pub(crate) struct Control {
    pub(crate) board: BoardId,
    pub(crate) keys: Keys,
    pub(crate) pinned: Pinned,
    pub(crate) rotation: Rotation,
    pub(crate) epoch: Epoch,
    pub(crate) cloud: Cloud,
    pub(crate) clock: Arc<BoardClock>,
    pub(crate) dispatch: Dispatch<RealBoard>,
    pub(crate) services: Services,
    pub(crate) sensors: Arc<dyn Sensors>,
    pub(crate) sandbox: Vec<String>,
    pub(crate) home: Home,
    pub(crate) settings: Settings,
    pub(crate) state: watch::Sender<State>,
    pub(crate) hearsay: Hearsay,
}

/// A session on which the board can be called.
struct Online {
    session: Session,
    agent: String,
    report_every: Duration,
    local: Option<IpAddr>,
    facts: Facts,
    tells_name: TellsName,
}

/// Whether the answer to a report holds the board's name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum TellsName {
    Yes,
    No,
}

impl Control {
    /// Stays in touch until `stop`; gives back the session that stands then, for the last answers.
    pub(crate) async fn stay(&self, stop: &Shutdown) -> Option<Session> {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        let mut meter = LoadMeter::new(self.home.dir());
        loop {
            let began = Instant::now();
            let error = match stop.until(self.go_online(&mut meter)).await? {
                Ok(online) => match stop.until(self.keep(&online, &mut meter)).await {
                    None => return Some(online.session),
                    Some(ended) => {
                        self.rotation.attach(None);
                        online.session.close();
                        ended
                    }
                },
                Err(error) => error,
            };
            if began.elapsed() > GOOD_SESSION {
                backoff.reset();
            }
            let wait = wait_after(&error, &mut backoff);
            self.state.send_replace(State::Offline(error.to_string()));
            tracing::warn!(%error, retry_in_ms = wait.as_millis() as u64, "offline");
            stop.until(tokio::time::sleep(wait)).await?;
        }
    }

    async fn go_online(&self, meter: &mut LoadMeter) -> Result<Online, Error> {
        let Joined { session, welcome, local, .. } = self.join().await?;
        let prefix = board_prefix(session.id(), self.board);
        let registering = session.register(&prefix, Match::Prefix, self.handler());
        tokio::time::timeout(REGISTER_PATIENCE, registering)
            .await
            .map_err(|_| cloud::Error::Lost("the router did not answer in time".into()))?
            .map_err(|error| cloud::Error::Lost(error.to_string()))?;
        let facts = self.facts(local);
        let connection = Connection {
            uuid: self.board,
            session: session.id(),
            info: self.info(facts.clone(), meter),
        };
        let procedure = agent_procedure(&welcome.s4t_agent, CONNECTION);
        let accepted: Accepted = call(&session, &procedure, &connection).await?;
        if !(OLDEST_PROTOCOL..=PROTOCOL).contains(&accepted.protocol) {
            let text = format!("protocol {}, and this agent speaks {PROTOCOL}", accepted.protocol);
            return Err(cloud::Error::Garbage(text).into());
        }
        self.state.send_replace(State::Online(session.id()));
        // Where the control channel gets through the link does too.
        self.services.retry_now();
        let can = accepted.capabilities.join(" ");
        tracing::info!(board = %self.board, name = accepted.name, session = session.id(), cloud_can = can, "online");
        self.hearsay.accepted(&accepted).await;
        let (epoch, told) = (self.epoch.clone(), accepted.rights_epoch);
        blocking(move || epoch.raise(told)).await.map_err(Error::Refused)??;
        if accepted.can(CloudCapability::RotateKey) {
            let (session, agent) = (session.clone(), welcome.s4t_agent.clone());
            self.rotation.attach(Some(Attached { session, agent }));
            self.rotation.rotate_if_due(self.settings.cloud.rotate_key_days);
        }
        let tells_name = match accepted.can(CloudCapability::ReportName) {
            true => TellsName::Yes,
            false => TellsName::No,
        };
        let every = self.settings.cloud.report_every_s.unwrap_or(accepted.report_every_s);
        let report_every = Duration::from_secs(every.max(1).into());
        Ok(Online { session, agent: welcome.s4t_agent, report_every, local, facts, tells_name })
    }

    /// Joins by the board's key, or by the next one where an answer was lost that had said that it counts.
    async fn join(&self) -> Result<Joined, Error> {
        let who = Who::Board(self.board);
        let (current, next) = (self.keys.current(), self.keys.next());
        let joined = match (join(&self.cloud, who, &current, &self.settings).await, next) {
            (Err(error), Some(next)) if error.is_refusal() => {
                let joined = join(&self.cloud, who, &next, &self.settings).await?;
                let (keys, now) = (self.keys.clone(), self.clock.cloud_now());
                let public = next.public();
                tracing::info!(
                    key = public.fingerprint(),
                    "the cloud knows the board by its new key already"
                );
                blocking(move || keys.promote(&public, now)).await.map_err(Error::Refused)??;
                joined
            }
            (joined, _) => joined?,
        };
        // On the disk before anything follows from it: time must not go back, and a new key of the cloud is followed once.
        let (clock, pinned, home) =
            (Arc::clone(&self.clock), self.pinned.clone(), self.home.clone());
        let taken = blocking(move || {
            joined.teach(&clock);
            pinned.follow(&home, joined.cloud).map(|()| joined)
        });
        let joined = taken.await.map_err(Error::Refused)??;
        self.cloud.repin(&joined.cloud);
        Ok(joined)
    }

    /// Reports until the session ends; why it did.
    async fn keep(&self, online: &Online, meter: &mut LoadMeter) -> Error {
        let mut told = online.facts.clone();
        loop {
            let wait = tokio::time::timeout(online.report_every, online.session.closed());
            if let Ok(ended) = wait.await {
                return cloud::Error::Lost(ended.to_string()).into();
            }
            let facts = self.facts(online.local);
            let report = Report {
                board_uuid: self.board,
                load: meter.read(self.sensors.read()),
                facts: (facts != told).then(|| facts.clone()),
            };
            let procedure = agent_procedure(&online.agent, REPORT);
            match call::<Value>(&online.session, &procedure, &report).await {
                Ok(answer) => {
                    told = facts;
                    self.hear(online.tells_name, answer).await;
                }
                Err(error) => tracing::warn!(%error, "report was not taken"),
            }
        }
    }

    async fn hear(&self, tells_name: TellsName, answer: Value) {
        if tells_name == TellsName::No {
            return;
        }
        match Reported::deserialize(answer) {
            Ok(Reported { name }) => self.hearsay.named(&name).await,
            Err(error) => tracing::warn!(%error, "the answer to a report cannot be read"),
        }
    }

    fn handler(&self) -> Handler {
        let dispatch = self.dispatch.clone();
        Arc::new(move |invocation| {
            let dispatch = dispatch.clone();
            Box::pin(async move {
                let method = parse_board_procedure(&invocation.uri).map_or("", |(_, _, m)| m);
                dispatch.answer(method, &invocation.arguments.list).await.map(Arguments::one)
            })
        })
    }

    fn facts(&self, local: Option<IpAddr>) -> Facts {
        let sensors = self.sensors.names();
        facts::facts(&self.settings, self.home.dir(), local, self.sandbox.clone(), sensors)
    }

    fn info(&self, facts: Facts, meter: &mut LoadMeter) -> Info {
        let runtimes = facts.interpreters.keys().map(|language| format!("plugin:{language}"));
        let methods = Method::ALL.iter().map(|method| method.word().to_owned());
        let terminal =
            self.settings.terminal.user.is_some().then(|| terminal::CAPABILITY.to_owned());
        Info {
            lr_version: env!("CARGO_PKG_VERSION").to_owned(),
            connectivity: facts::connectivity(facts.link.as_ref()),
            protocol: PROTOCOL,
            capabilities: methods.chain(runtimes).chain(terminal).collect(),
            load: meter.read(self.sensors.read()),
            facts,
        }
    }
}

fn wait_after(error: &Error, backoff: &mut Backoff) -> Duration {
    match error {
        Error::Cloud(error) if error.is_refusal() => {
            tracing::error!(
                "the cloud does not know this board's key any more; enrol it anew or replace it"
            );
            REFUSED_WAIT
        }
        Error::Cloud(error) if error.is_parked() => {
            tracing::error!(
                "another machine has this board's key; if this one is the board, let it go on by \
                 s4t board unpark, else wipe it"
            );
            // Not all at once when many copies of one image wait.
            PARKED_WAIT.mul_f64(0.5 + base::secret::random_unit())
        }
        _ => backoff.next_delay(base::secret::random_unit()),
    }
}
