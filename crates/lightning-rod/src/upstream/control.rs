//! The control channel of an upstream board: register once, connect, be called, and again when it breaks.
//!
//! Invariants: a registered board never registers again; the answer to a registration is on the disk before it is used; a
//! broken channel is built again with growing, jittered waits.

use super::board::UpstreamBoard;
use super::cloud;
use super::method::Method;
use super::settings_file::{Board, Router, SettingsFile, Stage, stage};
use crate::clock::BoardClock;
use crate::engine::State;
use crate::error::Error;
use crate::facts;
use crate::local::Face;
use crate::settings::Settings;
use base::backoff::Backoff;
use base::tasks::Shutdown;
use serde_json::json;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::sync::watch;
use wamp::uri::error::NOT_AUTHORISED;
use wamp::{Arguments, Handler, Match, RequestError, Session};

/// First and longest wait before connecting again.
const FIRST_WAIT: Duration = Duration::from_secs(1);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// Wait after the cloud refused the board or its code.
const REFUSED_WAIT: Duration = Duration::from_secs(60);
/// How long the router may take to register all procedures.
const REGISTER_PATIENCE: Duration = Duration::from_secs(20);
/// A session that lasted so long was a good one.
const GOOD_SESSION: Duration = Duration::from_secs(10);

/// What the control channel needs before there is a board.
pub(super) struct Control {
    pub(super) file: SettingsFile,
    pub(super) settings: Arc<Settings>,
    pub(super) clock: Arc<BoardClock>,
    pub(super) state: watch::Sender<State>,
    pub(super) face: Face,
}

impl Control {
    /// The registered board: the one in the file, or the one that the cloud makes of its code.
    pub(super) async fn registered(&self, shutdown: &Shutdown) -> Result<Option<Board>, Error> {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        loop {
            let error = match self.file.read()? {
                Some(Stage::Registered(board)) => return Ok(Some(*board)),
                Some(Stage::Unregistered { code, at }) => {
                    self.face.set_status("registering");
                    match shutdown.until(self.register(&code, &at)).await {
                        None => return Ok(None),
                        Some(Ok(())) => continue,
                        Some(Err(error)) => error,
                    }
                }
                Some(Stage::FirstBoot) | None => {
                    Error::Setting(format!("{} holds no code yet", self.file.path().display()))
                }
            };
            if matches!(error, Error::Refused(_)) {
                self.face.set_status("already-registered");
            }
            if self.pause(&error, &mut backoff, shutdown).await.is_none() {
                return Ok(None);
            }
        }
    }

    async fn register(&self, code: &str, at: &Router) -> Result<(), Error> {
        let (session, _) = cloud::join(at, &self.settings, &self.clock).await?;
        let answer = cloud::register(&session, code).await;
        session.close();
        let configuration = answer?;
        match stage(&configuration) {
            Ok(Stage::Registered(board)) => {
                self.file.write(&configuration)?;
                tracing::info!(board = %board.uuid, name = board.name, "registered");
                Ok(())
            }
            Ok(_) => Err(garbage("its configuration lacks members that a board needs")),
            Err(why) => Err(garbage(&why)),
        }
    }

    /// Stays in touch until `stop`; gives back the session that stands then, for the last answers.
    pub(super) async fn stay(&self, board: &UpstreamBoard, stop: &Shutdown) -> Option<Session> {
        let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
        loop {
            let began = Instant::now();
            let error = match stop.until(self.go_online(board)).await? {
                Ok((session, me)) => match stop.until(self.keep(&session, &me)).await {
                    None => return Some(session),
                    Some(ended) => {
                        board.set_line(None);
                        session.close();
                        ended
                    }
                },
                Err(error) => error,
            };
            if began.elapsed() > GOOD_SESSION {
                backoff.reset();
            }
            self.pause(&error, &mut backoff, stop).await?;
        }
    }

    async fn go_online(&self, board: &UpstreamBoard) -> Result<(Session, Board), Error> {
        let me = match self.file.read()? {
            Some(Stage::Registered(me)) => *me,
            _ => return Err(Error::Setting("this board was reset; the agent starts again".into())),
        };
        let (session, local) = cloud::join(&me.at, &self.settings, &self.clock).await?;
        let connectivity = connectivity(local);
        // Upstream's agent announces itself first, and can be asked for what it has not yet.
        let offered = offer_in_time(&session, &me, board).await?;
        let (agent, uuid) = (me.agent.as_str(), me.uuid.to_string());
        cloud::announce(&session, agent, &uuid, connectivity.clone()).await?;
        if offered == Offered::Nothing {
            let offered = offer_in_time(&session, &me, board).await?;
            if offered == Offered::Nothing {
                return Err(lost("the router lets this board register nothing".into()));
            }
        }
        if me.status == "registered" {
            self.file.set_operative()?;
        }
        board.set_line(Some(session.clone()));
        self.face.set_link(&connectivity);
        self.face.set_status("operative");
        self.state.send_replace(State::Online(session.id()));
        tracing::info!(board = %me.uuid, name = me.name, session = session.id(), "online");
        Ok((session, me))
    }

    /// Asks for signs of life until the session ends; why it did.
    async fn keep(&self, session: &Session, me: &Board) -> Error {
        let every = Duration::from_secs(self.settings.upstream.alive_every_s.into());
        loop {
            match cloud::alive(session, &me.agent, &me.uuid.to_string(), &me.name).await {
                Ok(said) => self.face.set_alive(&said),
                // The router lives and the cloud behind it does not.
                Err(error) => return error,
            }
            if let Ok(ended) = tokio::time::timeout(every, session.closed()).await {
                return lost(ended.to_string());
            }
        }
    }

    async fn pause(&self, error: &Error, backoff: &mut Backoff, stop: &Shutdown) -> Option<()> {
        let wait = match error {
            Error::Refused(fault) if fault.kind == model::Kind::Internal => REFUSED_WAIT,
            _ => backoff.next_delay(base::secret::random_unit()),
        };
        self.state.send_replace(State::Offline(error.to_string()));
        tracing::warn!(%error, retry_in_ms = wait.as_millis() as u64, "offline");
        stop.until(tokio::time::sleep(wait)).await
    }
}

/// What a router lets a board register.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Offered {
    All,
    /// A cloud that asks who somebody is wants to hear that first.
    Nothing,
}

async fn offer_in_time(
    session: &Session,
    me: &Board,
    board: &UpstreamBoard,
) -> Result<Offered, Error> {
    let offered = tokio::time::timeout(REGISTER_PATIENCE, offer(session, me, board)).await;
    offered.unwrap_or_else(|_| Err("the router did not answer in time".into())).map_err(lost)
}

/// Registers all procedures under the session's id.
async fn offer(session: &Session, me: &Board, board: &UpstreamBoard) -> Result<Offered, String> {
    for (i, method) in Method::ALL.iter().copied().enumerate() {
        let uri = format!("iotronic.{}.{}.{}", session.id(), me.uuid, method.word());
        let handler = handler(method, board.clone());
        match session.register(&uri, Match::Exact, handler).await {
            Ok(_) => {}
            Err(RequestError::Refused(fault)) if i == 0 && fault.uri == NOT_AUTHORISED => {
                return Ok(Offered::Nothing);
            }
            Err(error) => return Err(format!("{uri} cannot be registered: {error}")),
        }
    }
    Ok(Offered::All)
}

fn handler(method: Method, board: UpstreamBoard) -> Handler {
    Arc::new(move |invocation| {
        let board = board.clone();
        Box::pin(async move {
            Ok(Arguments::one(board.answer(method, &invocation.arguments.list).await))
        })
    })
}

fn connectivity(local: Option<IpAddr>) -> serde_json::Value {
    json!(facts::connectivity(local.and_then(facts::network::link_of).as_ref()))
}

fn lost(why: String) -> Error {
    crate::cloud::Error::Lost(why).into()
}

fn garbage(why: &str) -> Error {
    crate::cloud::Error::Garbage(why.to_owned()).into()
}
