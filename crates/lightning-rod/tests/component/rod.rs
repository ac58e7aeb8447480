//! An agent for tests: a home that goes away with it, and the engine as a task of the test or as a process of its own.

use crate::cloud::Cloud;
use base::tasks::Shutdown;
use lightning_rod::agent_log::AgentLog;
use lightning_rod::{Agent, Error, Home, Identity, Outcome, Settings, State};
use model::BoardId;
use std::path::PathBuf;
use std::process::Stdio;
use tokio::io::{AsyncBufReadExt as _, BufReader, Lines};
use tokio::process::{Child, ChildStderr, Command};
use tokio::sync::watch;
use tokio::task::JoinHandle;

pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_lightning-rod");

/// A home folder.
pub(crate) struct Rod {
    pub(crate) dir: tempfile::TempDir,
}

/// An agent that runs as a task.
pub(crate) struct Running {
    pub(crate) state: watch::Receiver<State>,
    pub(crate) log: AgentLog,
    shutdown: Shutdown,
    task: JoinHandle<Result<Outcome, Error>>,
}

impl Rod {
    pub(crate) fn new() -> Self {
        Self { dir: tempfile::tempdir().unwrap() }
    }

    /// A home that is enrolled already.
    pub(crate) async fn enrolled(cloud: &Cloud) -> (Self, BoardId) {
        let rod = Self::new();
        let identity = rod.enrol(cloud).await.unwrap();
        (rod, identity.uuid)
    }

    pub(crate) async fn enrol(&self, cloud: &Cloud) -> Result<Identity, Error> {
        let claim = cloud.claim().to_string();
        lightning_rod::enrol::enrol(&self.home(), &settings(), &claim).await
    }

    pub(crate) fn home(&self) -> Home {
        Home::open(self.dir.path()).unwrap()
    }

    pub(crate) fn run(&self) -> Running {
        self.run_with(settings())
    }

    pub(crate) fn run_with(&self, settings: Settings) -> Running {
        let log = AgentLog::default();
        let agent = Agent::new(self.home(), settings, log.clone(), PathBuf::from(BINARY)).unwrap();
        let (state, shutdown) = (agent.state(), Shutdown::new());
        let task = tokio::spawn(agent.run(shutdown.clone()));
        Running { state, log, shutdown, task }
    }

    /// The agent as a process; its log comes line by line.
    pub(crate) fn spawn(&self) -> (Child, Lines<BufReader<ChildStderr>>) {
        self.spawn_with(|_| {})
    }

    /// The same with more arguments or another environment.
    pub(crate) fn spawn_with(
        &self,
        change: impl FnOnce(&mut Command),
    ) -> (Child, Lines<BufReader<ChildStderr>>) {
        let mut command = Command::new(BINARY);
        command.args(["run", "--home"]).arg(self.dir.path());
        change(&mut command);
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stderr.take().unwrap()).lines();
        (child, lines)
    }
}

impl Running {
    pub(crate) async fn stop(self) -> Outcome {
        self.shutdown.begin();
        self.task.await.unwrap().unwrap()
    }

    /// Waits until the agent ends by itself.
    pub(crate) async fn ended(self) -> Outcome {
        self.task.await.unwrap().unwrap()
    }
}

pub(crate) fn settings() -> Settings {
    Settings {
        sensors: lightning_rod::settings::Sensors { simulated: true },
        ..Settings::default()
    }
}

/// Reads the log of a process until a line holds `text`.
pub(crate) async fn line_with(lines: &mut Lines<BufReader<ChildStderr>>, text: &str) -> String {
    let mut seen = Vec::new();
    let deadline = std::time::Duration::from_secs(60);
    let found = tokio::time::timeout(deadline, async {
        while let Some(line) = lines.next_line().await.unwrap() {
            if line.contains(text) {
                return Some(line);
            }
            seen.push(line);
        }
        None
    })
    .await;
    found.ok().flatten().unwrap_or_else(|| panic!("no line with {text:?} in {seen:#?}"))
}
