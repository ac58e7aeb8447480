//! The agent on a cloud of upstream's: IoTronic 0.4 and 0.5 with their router, tunnel server and files.
//!
//! `settings.json` decides: where it lies in the agent's folder, or where `upstream.settings` says, and the folder is not
//! enrolled in a cloud of ours, the agent is an upstream board. Files, procedures and answers are upstream's (Lightning-Rod
//! 0.5.0), so that either agent can take the other's place on one folder.
//!
//! Invariants: nobody is joined who asks nobody, unless the settings allow it; nothing from the wire reaches a shell, and no
//! pickle is evaluated; what changes the machine is off until its owner allows it. Deliberately not here: virtual networks,
//! web proxies, loading of modules; the journal, because upstream's cloud sends nothing twice.

mod board;
mod book;
mod cloud;
mod control;
mod device;
mod method;
mod plugins;
mod reply;
mod request;
mod services;
mod settings_file;
mod tunnel;

pub(crate) use settings_file::{SettingsFile, Stage};

use crate::actions::Actions;
use crate::clock::BoardClock;
use crate::cloud::Cloud;
use crate::engine::{GRACE, Outcome, PLUGIN_GRACE, State, runtime};
use crate::error::Error;
use crate::home::Home;
use crate::local::Face;
use crate::sensors::sensors;
use crate::settings::Settings;
use base::tasks::{Shutdown, Tasks};
use board::{Shared, UpstreamBoard};
use control::Control;
use plugins::Plugins;
use runtime::Runtime;
use serde_json::{Map, Value, json};
use services::Services;
use settings_file::Board;
use std::path::PathBuf;
use std::sync::Arc;
use tokio::sync::watch;

/// Where the runtime keeps its copies of the sources.
const GUESTS: &str = "guests";

/// Longest registration code; upstream's database takes 36.
const MAX_CODE: usize = 128;

/// What an upstream board starts from.
pub(crate) struct Start {
    pub(crate) home: Home,
    pub(crate) settings: Settings,
    pub(crate) launcher: PathBuf,
    pub(crate) state: watch::Sender<State>,
    pub(crate) face: Face,
    pub(crate) file: SettingsFile,
}

/// Upstream's settings file of this agent, there or not.
pub(crate) fn settings_file(home: &Home, settings: &Settings) -> SettingsFile {
    let own = || home.path("settings.json");
    SettingsFile::new(settings.upstream.settings.clone().unwrap_or_else(own))
}

/// Who an upstream board is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    /// Its uuid.
    pub uuid: String,
    /// Its name.
    pub name: String,
    /// The router of its cloud.
    pub url: String,
}

/// Who the board in this folder is on an upstream cloud, if it is registered there.
///
/// # Errors
/// Its settings are unreadable or damaged.
pub fn board(home: &Home) -> Result<Option<Known>, Error> {
    match SettingsFile::new(home.path("settings.json")).read()? {
        Some(Stage::Registered(me)) => {
            Ok(Some(Known { uuid: me.uuid.to_string(), name: me.name, url: me.at.url }))
        }
        _ => Ok(None),
    }
}

/// Refuses a cloud that asks nobody who he is, unless the settings allow it.
pub(crate) fn allowed(file: &SettingsFile, settings: &Settings) -> Result<(), Error> {
    if settings.upstream.allow_anonymous {
        return Ok(());
    }
    Err(Error::Setting(format!(
        "{} names a cloud that lets anybody in and cannot be told from an impostor; set upstream.allow_anonymous = true \
         to join it anyway, or enrol this machine in a cloud of its own kind",
        file.path().display()
    )))
}

/// Whether this is the address of a router and a code to register with; a text says what is wrong.
pub(crate) fn check_registration(url: &str, code: &str) -> Result<(), String> {
    let at = settings_file::Router { url: url.to_owned(), realm: rpc::REALM.to_owned() };
    cloud::address(&at).map_err(|error| error.to_string())?;
    let is_code =
        !code.is_empty() && code.len() <= MAX_CODE && code.chars().all(|c| c.is_ascii_graphic());
    if is_code && code != settings_file::PLACEHOLDER {
        return Ok(());
    }
    Err(format!("the code is 1 to {MAX_CODE} printable characters without spaces"))
}

/// Puts upstream's files out of the way of an agent that was enrolled in a cloud of ours over them.
pub(crate) fn set_aside(home: &Home) -> Result<(), Error> {
    for noun in ["plugins", "services"] {
        let path = home.path(&format!("{noun}.json"));
        let Ok(bytes) = std::fs::read(&path) else { continue };
        let value: Value = serde_json::from_slice(&bytes).unwrap_or_default();
        if value.as_object().is_some_and(|map| map.len() == 1 && map.contains_key(noun)) {
            let aside = book::with_suffix(&path, ".upstream");
            tracing::info!(from = %path.display(), to = %aside.display(), "a file of upstream's agent is put aside");
            std::fs::rename(&path, &aside).map_err(crate::home::Error::at(&path))?;
        }
    }
    Ok(())
}

/// Runs until `shutdown`, or until the cloud asks for a restart.
pub(crate) async fn run(start: Start, shutdown: &Shutdown) -> Result<Outcome, Error> {
    start.state.send_replace(State::Offline(String::new()));
    let settings = Arc::new(start.settings);
    let clock = Arc::new(BoardClock::open(&start.home.path("clock")));
    let control = Control {
        file: start.file,
        settings: Arc::clone(&settings),
        clock: Arc::clone(&clock),
        state: start.state,
        face: start.face,
    };
    let Some(me) = control.registered(shutdown).await? else { return Ok(Outcome::Stopped) };
    tracing::info!(board = %me.uuid, name = me.name, cloud = me.at.url, "agent starts");
    let commands = Tasks::new(Shutdown::new());
    let native = crate::handlers::device::Device::new(
        settings.device.reboot_command.clone(),
        commands.clone(),
    );
    let runtime = runtime(start.home.path(GUESTS), &settings, start.launcher)?;
    let board = assemble(&control, &me, &start.home, native.clone(), runtime.clone(), &commands)?;
    let services = board.services().clone();
    let wstun = services.clone();
    control.face.set_board(&me.uuid.to_string(), &me.name, &me.agent, &me.status);
    control.face.set_services(move || (services.list(), services.is_any_up()));
    wstun.restore_all();
    let outcome = work(&control, &board, native, shutdown).await;
    commands.shutdown().begin();
    runtime.shutdown(PLUGIN_GRACE).await;
    commands.finish(GRACE).await;
    if let Some(session) = outcome.1 {
        board.set_line(None);
        session.close();
        let _ = tokio::time::timeout(GRACE, session.closed()).await;
    }
    wstun.close();
    tracing::info!("agent ended");
    Ok(outcome.0)
}

async fn work(
    control: &Control,
    board: &UpstreamBoard,
    device: crate::handlers::device::Device,
    shutdown: &Shutdown,
) -> (Outcome, Option<wamp::Session>) {
    let plugins = board.plugins().clone();
    let starting = tokio::spawn(async move { plugins.start_wanted().await });
    let stop_control = Shutdown::new();
    let waiting = async {
        let outcome = tokio::select! {
            () = shutdown.begun() => Outcome::Stopped,
            () = device.restart_asked() => Outcome::Restart,
        };
        stop_control.begin();
        outcome
    };
    let done = tokio::join!(waiting, control.stay(board, &stop_control));
    starting.abort();
    done
}

fn assemble(
    control: &Control,
    me: &Board,
    home: &Home,
    native: crate::handlers::device::Device,
    runtime: Runtime,
    commands: &Tasks,
) -> Result<UpstreamBoard, Error> {
    let (settings, clock) = (Arc::clone(&control.settings), Arc::clone(&control.clock));
    let [.., a, b, c, d] = *me.uuid.as_bytes();
    let sensors = sensors(&settings.sensors, u64::from(u32::from_be_bytes([a, b, c, d])));
    let plugins =
        Plugins::open(home.dir(), runtime, sensors, context(me), settings.runtime.clone())?;
    let router = cloud::address(&me.at)?;
    let tunnels = tunnel::address(&router, settings.upstream.tunnel_port);
    let trust = cloud::trust(&settings);
    let server = Cloud::new(&tunnels, "", trust.clone(), Arc::clone(&clock))?;
    let address = tunnels.parse().map_err(crate::cloud::Error::Address)?;
    let actions = Actions::new(settings.upstream.grants(), trust, Arc::clone(&clock));
    let way = tunnel::Way::new(server, address, me.uuid.to_string(), settings.liveness());
    Ok(UpstreamBoard::new(Shared {
        uuid: me.uuid.to_string(),
        agent: me.agent.clone(),
        device: device::Device::new(actions, native),
        plugins,
        services: Services::open(home.dir(), way)?,
        file: control.file.clone(),
        clock,
        tasks: commands.clone(),
        line: watch::Sender::new(None),
        later: Shared::places(),
    }))
}

/// What plugins are told about the board.
fn context(me: &Board) -> Map<String, Value> {
    let mut context = Map::new();
    context.insert("uuid".into(), json!(me.uuid.to_string()));
    context.insert("name".into(), json!(me.name));
    context.insert("location".into(), me.location.clone());
    context.insert("extra".into(), me.extra.clone());
    context
}
