//! A real board agent in a folder of its own.
//!
//! Invariant: a board knows of the cloud only what its claim says; the test looks at it through the cloud's API.

use crate::command_line::Said;
use crate::island::Island;
use crate::package_managers::PackageManagers;
use crate::program::{Program, program_path};
use crate::terminal::Terminal;
use crate::wait::{PATIENCE, until};
use crate::world::{board_path, command};
use crate::world_options::variable;
use api::client::{Client, Error, Method};
use api::operations::Operation;
use model::board::Status;
use model::operation::State;
use serde_json::{Value, json};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

/// How long an agent may take to stop in order.
const STOP: Duration = Duration::from_secs(15);

/// What a board is like.
#[derive(Debug, Clone, Default)]
pub struct BoardOptions {
    settings: Vec<(String, String)>,
    /// Its file of settings.
    file: Option<PathBuf>,
    island: Option<Arc<Island>>,
}

impl BoardOptions {
    /// A setting of the agent, such as `sensors.simulated`.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((variable("LIGHTNING_ROD", key), value.to_owned()));
        self
    }

    /// With this file of settings.
    #[must_use]
    pub fn file(mut self, path: &Path) -> Self {
        self.file = Some(path.to_owned());
        self
    }

    /// With these package managers first on its path, and allowed to use them.
    #[must_use]
    pub fn with(mut self, managers: &PackageManagers) -> Self {
        let path = managers.path().into_string().expect("the tests' path is text");
        self.settings.push(("PATH".to_owned(), path));
        self.file = Some(managers.settings());
        self
    }

    /// With terminals: as `nobody` where the tests run as root, as their own user otherwise.
    #[must_use]
    pub fn terminals(self) -> Self {
        let own = rustix::process::geteuid();
        let user = if own.is_root() { "nobody".to_owned() } else { user_name(own.as_raw()) };
        self.set("terminal.user", &user).set("terminal.shell", "/bin/sh")
    }

    /// In a network of its own.
    #[must_use]
    pub fn on(mut self, island: &Arc<Island>) -> Self {
        self.island = Some(Arc::clone(island));
        self
    }
}

/// A machine with an agent's home, and its agent when it runs.
#[derive(Debug)]
pub struct Board {
    name: Mutex<String>,
    home: PathBuf,
    log: PathBuf,
    options: BoardOptions,
    client: Client,
    agent: Mutex<Option<Program>>,
}

impl Board {
    pub(crate) fn new(name: &str, folder: &Path, options: BoardOptions, client: Client) -> Self {
        // Two machines may bear one name, when one takes over from the other.
        let number = std::fs::read_dir(folder).map_or(0, Iterator::count);
        let home = folder.join(format!("{name}-{number}"));
        std::fs::create_dir_all(&home).unwrap();
        let log = folder.join(format!("{name}-{number}.log"));
        let (name, agent) = (Mutex::new(name.to_owned()), Mutex::new(None));
        Self { name, home, log, options, client, agent }
    }

    /// Its name in the cloud.
    #[must_use]
    pub fn name(&self) -> String {
        lock(&self.name).clone()
    }

    /// It bears another name now.
    pub fn is_called(&self, name: &str) {
        name.clone_into(&mut lock(&self.name));
    }

    /// The agent's folder.
    #[must_use]
    pub fn home(&self) -> &Path {
        &self.home
    }

    /// `lightning-rod VERB --home …` with the board's settings, in the board's network.
    #[must_use]
    pub fn agent_command(&self, verb: &str) -> Command {
        let path = program_path("lightning-rod");
        let mut command = match &self.options.island {
            Some(island) => island.command(&path),
            None => Command::new(path),
        };
        command.arg(verb).arg("--home").arg(&self.home);
        command.envs(self.options.settings.iter().map(|(key, value)| (key, value)));
        if let Some(file) = &self.options.file {
            command.arg("--config").arg(file);
        }
        command
    }

    /// Presents a claim.
    #[must_use]
    pub fn enrol(&self, claim: &str) -> Said {
        Said::of(self.agent_command("enrol").args(["--claim", claim]))
    }

    /// Starts the agent; it need not be enrolled.
    pub fn start(&self) {
        let mut agent = lock(&self.agent);
        assert!(agent.is_none(), "the agent runs already");
        *agent = Some(Program::start(&self.name(), &mut self.agent_command("run"), &self.log));
    }

    /// SIGKILL to the agent; nothing happens when it does not run.
    pub fn kill(&self) {
        if let Some(mut agent) = lock(&self.agent).take() {
            agent.kill();
        }
    }

    /// Stops the agent in order.
    ///
    /// # Panics
    /// It takes too long, or does not exit with 0.
    #[track_caller]
    pub fn stop(&self) {
        if let Some(mut agent) = lock(&self.agent).take() {
            assert_eq!(agent.stop(STOP).code(), Some(0), "the agent ends with 0 on SIGTERM");
        }
    }

    /// Kills the agent if it runs, starts it and waits until it is online.
    #[track_caller]
    pub fn restart(&self) {
        self.kill();
        self.start();
        self.wait_online();
    }

    /// Works with the agent's process.
    ///
    /// # Panics
    /// It does not run.
    #[track_caller]
    pub fn agent<T>(&self, work: impl FnOnce(&mut Program) -> T) -> T {
        work(lock(&self.agent).as_mut().expect("the agent runs"))
    }

    /// What the agent has said since it was started.
    #[track_caller]
    #[must_use]
    pub fn said(&self) -> String {
        self.agent(|agent| agent.said())
    }

    /// The path of one of its parts, such as `/plugins`.
    #[must_use]
    pub fn path(&self, rest: &str) -> String {
        board_path(&self.name(), rest)
    }

    /// Its record in the cloud.
    ///
    /// # Errors
    /// The cloud does not answer.
    pub fn try_record(&self) -> Result<api::boards::Board, Error> {
        self.client.get(&self.path(""))
    }

    /// Its record in the cloud.
    #[track_caller]
    #[must_use]
    pub fn record(&self) -> api::boards::Board {
        self.try_record().unwrap()
    }

    /// Its id.
    #[track_caller]
    #[must_use]
    pub fn id(&self) -> model::BoardId {
        self.record().summary.id
    }

    /// Waits for a status.
    #[track_caller]
    pub fn wait_status(&self, status: Status, within: Duration) {
        until(&format!("{} to be {status}", self.name()), within, || {
            let record = self.try_record().map_err(|error| error.to_string())?;
            let is = record.summary.status;
            if is == status { Ok(()) } else { Err(format!("it is {is}")) }
        });
    }

    /// Waits until it is online, the agent that runs now and not one that was killed a moment ago: it has said so itself
    /// and answers.
    #[track_caller]
    pub fn wait_online(&self) {
        until(&format!("{} to be online", self.name()), PATIENCE, || {
            let said = self.said();
            if !said.lines().any(is_online) {
                return Err(format!("its agent says {said}"));
            }
            self.ask("/ping", &json!({})).map(drop).map_err(|error| error.to_string())
        });
        self.wait_status(Status::Online, PATIENCE);
    }

    /// How often the agent that runs now came online.
    #[track_caller]
    #[must_use]
    pub fn times_online(&self) -> usize {
        self.said().lines().filter(|line| is_online(line)).count()
    }

    /// Waits until the agent itself knows that its cloud is away.
    #[track_caller]
    pub fn wait_offline_by_itself(&self) {
        until(&format!("{} to notice that the cloud is away", self.name()), PATIENCE, || {
            let said = self.said();
            let is_offline = |line: &str| line.split_whitespace().any(|word| word == "offline");
            if said.lines().any(is_offline) { Ok(()) } else { Err(said) }
        });
    }

    /// Waits until it is offline.
    #[track_caller]
    pub fn wait_offline(&self) {
        self.wait_status(Status::Offline, PATIENCE);
    }

    /// Asks for a terminal as `client`; `query` is such as `?cols=100`.
    ///
    /// # Errors
    /// The status and the beginning of the body with which the cloud refuses the upgrade.
    pub fn ask_terminal(&self, client: &Client, query: &str) -> Result<Terminal, (u16, String)> {
        let at = client.url().trim_start_matches("http://");
        let path = self.path(&format!("/terminal{query}"));
        Terminal::ask(at, &client.token().unwrap_or_default(), &path)
    }

    /// A terminal of the administrator, with its shell up.
    #[track_caller]
    #[must_use]
    pub fn terminal(&self, query: &str) -> Terminal {
        let mut terminal = self.ask_terminal(&self.client, query).unwrap();
        let _ = terminal.ready();
        terminal
    }

    /// Gives a command and waits up to a minute for its end; `rest` is such as `/plugins/hello/call`.
    ///
    /// # Errors
    /// The cloud refuses it.
    pub fn command(&self, method: &Method, rest: &str, body: &Value) -> Result<Operation, Error> {
        command(&self.client, method, &self.path(rest), body)
    }

    /// Gives a command that succeeds, and answers its result.
    ///
    /// # Panics
    /// It does not succeed.
    #[track_caller]
    pub fn done(&self, method: &Method, rest: &str, body: &Value) -> Value {
        let operation = self.command(method, rest, body).unwrap();
        assert_eq!(operation.state, State::Succeeded, "{operation:?}");
        operation.result.unwrap_or_default()
    }

    /// Puts a plugin on it.
    #[track_caller]
    pub fn inject(&self, plugin: &str) {
        self.done(&Method::PUT, &format!("/plugins/{plugin}"), &json!({}));
    }

    /// Calls a synchronous plugin and waits for the end.
    #[track_caller]
    #[must_use]
    pub fn call(&self, plugin: &str, parameters: &Value) -> Operation {
        let body = json!({ "parameters": parameters });
        self.command(&Method::POST, &format!("/plugins/{plugin}/call"), &body).unwrap()
    }

    /// A question to the board, POST.
    ///
    /// # Errors
    /// The cloud refuses, or the board.
    pub fn ask(&self, rest: &str, body: &Value) -> Result<Value, Error> {
        let answer: api::boards::Answer = self.client.post(&self.path(rest), body)?;
        Ok(answer.result)
    }

    /// A question to the board that it answers.
    #[track_caller]
    pub fn answers(&self) {
        let said = self.ask("/echo", &json!({ "say": "are you there?" })).unwrap();
        assert!(said.to_string().contains("are you there?"), "{said}");
    }

    /// Exposes a service and answers its public port.
    #[track_caller]
    #[must_use]
    pub fn expose(&self, service: &str) -> u16 {
        self.done(&Method::PUT, &format!("/services/{service}"), &json!({}));
        self.exposure(service).public_port.number()
    }

    /// An exposed service.
    #[track_caller]
    #[must_use]
    pub fn exposure(&self, service: &str) -> api::services::Exposure {
        self.client.get(&self.path(&format!("/services/{service}"))).unwrap()
    }
}

/// The name of a local user.
fn user_name(number: u32) -> String {
    let passwd = std::fs::read_to_string("/etc/passwd").unwrap();
    let mut lines = passwd.lines().map(|line| line.split(':').collect::<Vec<_>>());
    let line = lines.find(|fields| fields.get(2) == Some(&number.to_string().as_str()));
    line.and_then(|fields| fields.first().map(|name| (*name).to_owned())).expect("it has a name")
}

/// The agent's line once the cloud has accepted it.
fn is_online(line: &str) -> bool {
    line.split_whitespace().any(|word| word == "online")
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
