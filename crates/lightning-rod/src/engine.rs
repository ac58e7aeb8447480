//! The life of the agent: find out who it is, bring up what works without the cloud, stay in touch with the cloud, drain.
//!
//! Invariants: one agent runs per home; plugins are up before and without the cloud; at the end what runs is stopped, what
//! is being done is finished or noted, and only then the session is closed.

use crate::actions::Actions;
use crate::agent_log::AgentLog;
use crate::clock::BoardClock;
use crate::cloud::{Cloud, Trust};
use crate::control::Control;
use crate::dispatch::Dispatch;
use crate::enrol::{enrol, may_pass};
use crate::epoch::Epoch;
use crate::error::Error;
use crate::forward::{self, LinkCredentials, Ports, Services, Targets};
use crate::handlers::RealBoard;
use crate::handlers::device::Device;
use crate::handlers::plugins::Plugins;
use crate::hearsay::Hearsay;
use crate::home::{Held, Home, Identity, Lock};
use crate::journal::Journal;
use crate::keys::Keys;
use crate::local::{Face, Page, Rights};
use crate::operations::Operations;
use crate::pinned::Pinned;
use crate::rotation::Rotation;
use crate::sensors::sensors;
use crate::settings::Settings;
use crate::table::Table;
use crate::terminal::{self, Terminals};
use crate::upstream;
use base::key::PublicKey;
use base::tasks::{Shutdown, Tasks};
use runtime::Runtime;
use serde_json::{Map, Value, json};
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::net::TcpListener;
use tokio::sync::watch;

/// How often a machine that is not enrolled looks for a claim or an identity.
const LOOK_EVERY: Duration = Duration::from_millis(250);
/// How often in a row upstream's settings may be found damaged.
const MAX_DAMAGED_LOOKS: u32 = 8;
/// How long a claim that the cloud refused is left alone.
const REFUSED_CLAIM_WAIT: Duration = Duration::from_secs(300);
/// Time that plugins get to end.
pub(crate) const PLUGIN_GRACE: Duration = Duration::from_secs(3);
/// Time that commands and links get to end.
pub(crate) const GRACE: Duration = Duration::from_secs(5);

/// Where the agent stands, for whoever runs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum State {
    /// It waits to be enrolled.
    Unenrolled,
    /// It is not connected; the text says why, once there is a reason.
    Offline(String),
    /// It can be called, on this session.
    Online(u64),
}

/// How the agent's run ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// It was told to stop.
    Stopped,
    /// It should be started again.
    Restart,
}

/// Who the agent is.
enum Found {
    /// A board of a cloud of ours.
    Identity(Identity),
    /// A board of an upstream cloud, or about to become one.
    Upstream(upstream::SettingsFile),
}

/// An agent that is about to run.
pub struct Agent {
    home: Home,
    settings: Settings,
    log: AgentLog,
    launcher: PathBuf,
    state: watch::Sender<State>,
    face: Face,
    rights: Arc<OnceLock<Rights>>,
    _alone: Held,
}

impl Agent {
    /// Takes the home for this agent. `launcher` is the binary that starts plugins: one whose `main` calls
    /// [`runtime::launcher::run_if_asked`].
    ///
    /// # Errors
    /// Another agent runs there.
    pub fn new(
        home: Home,
        settings: Settings,
        log: AgentLog,
        launcher: PathBuf,
    ) -> Result<Self, Error> {
        let _alone = home.lock(Lock::Run)?;
        let state = watch::Sender::new(State::Unenrolled);
        let (face, rights) = (Face::default(), Arc::default());
        Ok(Self { home, settings, log, launcher, state, face, rights, _alone })
    }

    /// Where it stands, from now on.
    #[must_use]
    pub fn state(&self) -> watch::Receiver<State> {
        self.state.subscribe()
    }

    /// Runs until `shutdown`, or until the cloud asks for a restart.
    ///
    /// # Errors
    /// The home's files are unusable.
    pub async fn run(self, shutdown: Shutdown) -> Result<Outcome, Error> {
        let page = self.open_page().await?;
        let outcome = self.run_found(shutdown).await;
        if let Some(page) = page {
            page.abort();
        }
        outcome
    }

    /// Shows the local page, where there is one.
    async fn open_page(&self) -> Result<Option<tokio::task::JoinHandle<()>>, Error> {
        let Settings { local, .. } = self.settings;
        if !local.enabled {
            return Ok(None);
        }
        let listener = TcpListener::bind(local.listen).await.map_err(|error| {
            Error::Setting(format!("local.listen: {} cannot be listened on: {error}", local.listen))
        })?;
        let page = Page {
            face: self.face.clone(),
            rights: Arc::clone(&self.rights),
            state: self.state.subscribe(),
            home: self.home.clone(),
            file: upstream::settings_file(&self.home, &self.settings),
            admission: upstream::allowed(
                &upstream::settings_file(&self.home, &self.settings),
                &self.settings,
            )
            .map_err(|error| error.to_string()),
        };
        let listen = listener.local_addr().unwrap_or(local.listen);
        tracing::info!(%listen, "local page");
        Ok(Some(tokio::spawn(page.serve(listener))))
    }

    async fn run_found(self, shutdown: Shutdown) -> Result<Outcome, Error> {
        let Some(found) = shutdown.until(self.found()).await else {
            return Ok(Outcome::Stopped);
        };
        let identity = match found? {
            Found::Identity(identity) => identity,
            Found::Upstream(file) => return self.run_upstream(file, &shutdown).await,
        };
        tracing::info!(board = %identity.uuid, name = %identity.name, cloud = identity.url, "agent starts");
        self.state.send_replace(State::Offline(String::new()));
        let parts = self.assemble(&identity)?;
        let outcome = parts.work(&shutdown).await;
        tracing::info!("agent ended");
        Ok(outcome)
    }

    async fn run_upstream(
        self,
        file: upstream::SettingsFile,
        shutdown: &Shutdown,
    ) -> Result<Outcome, Error> {
        upstream::allowed(&file, &self.settings)?;
        let Self { home, settings, launcher, state, face, _alone, .. } = self;
        let start = upstream::Start { home, settings, launcher, state, face, file };
        upstream::run(start, shutdown).await
    }

    /// Waits until there is an identity, upstream's too; uses a claim that was dropped in.
    async fn found(&self) -> Result<Found, Error> {
        let (mut is_told, mut damaged) = (false, 0);
        let upstream = upstream::settings_file(&self.home, &self.settings);
        loop {
            if let Some(identity) = self.home.identity()? {
                self.drop_claim()?;
                return Ok(Found::Identity(identity));
            }
            match upstream.read() {
                Ok(None | Some(upstream::Stage::FirstBoot)) => damaged = 0,
                Ok(Some(_)) => return Ok(Found::Upstream(upstream)),
                // Somebody may be writing it just now.
                Err(_) if damaged < MAX_DAMAGED_LOOKS => damaged += 1,
                Err(error) => return Err(error.into()),
            }
            if let Some(claim) = self.home.dropped_claim()? {
                self.use_claim(&claim).await;
                continue;
            }
            if !is_told {
                is_told = true;
                tracing::info!(home = %self.home.dir().display(), "not enrolled yet, waiting for a claim");
            }
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    /// A claim is kept nowhere once the machine is a board.
    fn drop_claim(&self) -> Result<(), Error> {
        if self.home.dropped_claim()?.is_some() {
            tracing::info!("this machine is enrolled; the file claim is removed");
            self.home.remove_dropped_claim()?;
        }
        Ok(())
    }

    async fn use_claim(&self, claim: &str) {
        let Err(error) = enrol(&self.home, &self.settings, claim).await else { return };
        if may_pass(&error) || matches!(error, Error::Home(crate::home::Error::Locked(_))) {
            tracing::warn!(%error, "enrolment failed, trying again");
            tokio::time::sleep(LOOK_EVERY).await;
            return;
        }
        tracing::error!(%error, "the claim was refused; replace the file claim by a good one");
        let until = tokio::time::Instant::now() + REFUSED_CLAIM_WAIT;
        let is_same = || self.home.dropped_claim().is_ok_and(|now| now.as_deref() == Some(claim));
        while tokio::time::Instant::now() < until && is_same() {
            tokio::time::sleep(LOOK_EVERY).await;
        }
    }

    fn assemble(self, identity: &Identity) -> Result<Parts, Error> {
        let Self { home, settings, log, launcher, state, face, rights, _alone } = self;
        let keys = Keys::open(&home)?;
        let pinned = Pinned::new(PublicKey::parse(&identity.cloud)?);
        let epoch = Epoch::open(&home.path("epoch"))?;
        let clock = Arc::new(BoardClock::open(&home.path("clock")));
        let trust = match &identity.authority {
            Some(pem) => Trust::Authority(pem.clone()),
            None => Trust::Public(settings.cloud.authorities.clone()),
        };
        let cloud = Cloud::new(&identity.url, &identity.pin, trust, Arc::clone(&clock))?;
        // What is near the board has no certificate of the cloud's authority.
        let near = Trust::Public(settings.cloud.authorities.clone());
        let actions = Actions::new(settings.device.grants(), near, Arc::clone(&clock));
        let commands = Tasks::new(Shutdown::new());
        let sensors = sensors(&settings.sensors, seed(identity));
        let runtime = runtime(home.path("plugins"), &settings, launcher.clone())?;
        upstream::set_aside(&home)?;
        let table = Table::open(&home.path("plugins.json"))?;
        let plugins = Plugins::new(
            runtime.clone(),
            table,
            Arc::clone(&sensors),
            context(identity, &settings),
            settings.runtime.clone(),
        );
        let services = Services::open(&home)?;
        let ports = Ports::new(settings.forward.clone());
        let shells = Tasks::new(Shutdown::new());
        let terminals = Terminals::new(settings.terminal.clone(), launcher, shells.clone());
        let shown = services.clone();
        face.set_board(
            &identity.uuid.to_string(),
            identity.name.as_str(),
            &identity.url,
            "operative",
        );
        face.set_services(move || shown.shown());
        let held = Rights {
            board: identity.uuid,
            cloud: pinned.clone(),
            clock: Arc::clone(&clock),
            epoch: epoch.clone(),
            plugins: plugins.clone(),
        };
        let _ = rights.set(held);
        let rotation = Rotation::new(
            identity.uuid,
            keys.clone(),
            Arc::clone(&clock),
            services.clone(),
            commands.clone(),
        );
        let operations = Operations::default();
        let device = Device::new(settings.device.reboot_command.clone(), commands.clone());
        let board = Arc::new(RealBoard {
            device: device.clone(),
            actions,
            home: home.clone(),
            plugins: plugins.clone(),
            services: services.clone(),
            ports: ports.clone(),
            terminals: terminals.clone(),
            operations: operations.clone(),
            log,
            clock: Arc::clone(&clock),
            rotation: rotation.clone(),
            epoch: epoch.clone(),
        });
        let journal = Journal::open(&home.path("journal"), clock.now())?;
        let dispatch = Dispatch::new(
            identity.uuid,
            board,
            journal,
            operations,
            Arc::clone(&clock),
            commands.clone(),
        );
        let link = LinkCredentials::new(identity.uuid, keys.clone(), pinned.clone());
        let layers = runtime.layers().into_iter();
        let present = layers.filter(|layer| layer.presence != runtime::Presence::Missing);
        let sandbox = present.map(|layer| layer.name.to_owned()).collect();
        let control = Control {
            board: identity.uuid,
            keys,
            pinned,
            rotation,
            epoch,
            cloud: cloud.clone(),
            clock,
            dispatch,
            services: services.clone(),
            sensors,
            sandbox,
            home: home.clone(),
            settings: settings.clone(),
            state,
            hearsay: Hearsay::new(home, face, identity.name.clone()),
        };
        Ok(Parts {
            control,
            plugins,
            targets: Targets { services, ports, terminals },
            shells,
            runtime,
            device,
            commands,
            cloud,
            link,
            settings,
            _alone,
        })
    }
}

/// The assembled agent.
struct Parts {
    control: Control,
    plugins: Plugins,
    targets: Targets,
    /// The tasks of the terminals.
    shells: Tasks,
    runtime: Runtime,
    device: Device,
    commands: Tasks,
    cloud: Cloud,
    link: LinkCredentials,
    settings: Settings,
    _alone: Held,
}

impl Parts {
    async fn work(self, shutdown: &Shutdown) -> Outcome {
        let own = Tasks::new(Shutdown::new());
        let plugins = self.plugins.clone();
        own.spawn("plugins at start", async move { plugins.start_wanted().await });
        let stop_link = own.shutdown().clone();
        let liveness = self.settings.liveness();
        own.spawn("link", forward::run(self.targets, self.cloud, self.link, liveness, stop_link));

        let stop_control = Shutdown::new();
        let device = self.device;
        let waiting = async {
            let outcome = tokio::select! {
                () = shutdown.begun() => Outcome::Stopped,
                () = device.restart_asked() => Outcome::Restart,
            };
            stop_control.begin();
            outcome
        };
        let (outcome, session) = tokio::join!(waiting, self.control.stay(&stop_control));
        // New commands are turned away, to be sent again; calls end with their guests, commands with their calls; then
        // their answers can leave.
        self.commands.shutdown().begin();
        tokio::join!(self.runtime.shutdown(PLUGIN_GRACE), self.shells.finish(terminal::GRACE));
        self.commands.finish(GRACE).await;
        if let Some(session) = session {
            session.close();
            let _ = tokio::time::timeout(GRACE, session.closed()).await;
        }
        own.finish(GRACE).await;
        outcome
    }
}

/// The runtime of plugins, with its files in `dir`.
pub(crate) fn runtime(
    dir: PathBuf,
    settings: &Settings,
    launcher: PathBuf,
) -> Result<Runtime, Error> {
    let mut own = runtime::Settings::new(dir, launcher);
    own.python = settings.runtime.python.clone();
    own.node = settings.runtime.node.clone();
    own.max_concurrent_calls = settings.runtime.concurrent_calls;
    Ok(Runtime::new(own)?)
}

/// What plugins are told about the board.
fn context(identity: &Identity, settings: &Settings) -> Map<String, Value> {
    let mut context = Map::new();
    context.insert("uuid".into(), json!(identity.uuid));
    context.insert("name".into(), json!(identity.name));
    context.insert("project".into(), json!(identity.project));
    context.insert("location".into(), json!(settings.position));
    context
}

/// Tells boards apart; the end of a UUIDv7 is its random part.
fn seed(identity: &Identity) -> u64 {
    let [.., a, b, c, d] = *identity.uuid.uuid().as_bytes();
    u64::from(u32::from_be_bytes([a, b, c, d]))
}
