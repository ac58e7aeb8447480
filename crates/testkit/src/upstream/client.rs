//! The upstream command line client, python-iotronicclient 0.4.7.
//!
//! Invariant: each command sees only the environment it is given and a home of this value's own.
//! Deliberately not here: what its answers should be.

use super::environment::{material, python};
use super::lines::Lines;
use serde_json::{Value, json};
use std::path::Path;
use std::process::{Command, Output};
use std::time::Duration;
use tempfile::TempDir;

/// Longest time one command may take; conflicts are tried five times two seconds apart unless it is told not to.
const DEADLINE: Duration = Duration::from_secs(180);
/// So wide are its tables and help texts.
const COLUMNS: &str = "100";

/// What a command said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Exit code.
    pub code: i64,
    /// Standard output.
    pub out: String,
    /// Standard error.
    pub err: String,
}

/// The client, ready to run many commands in one process.
#[derive(Debug)]
pub struct Client {
    lines: Lines,
    folder: TempDir,
}

impl Client {
    /// Starts the process in which the commands run. The first call on a machine makes the environment.
    ///
    /// # Panics
    /// It cannot be made or started.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = bare("client", folder.path());
        command.arg(material("driver.py"));
        Self { lines: Lines::start(&mut command, folder.path().join("log")), folder }
    }

    /// Runs one command.
    ///
    /// # Panics
    /// It does not end in time.
    pub fn run(&mut self, args: &[&str], env: &[(&str, &str)]) -> Said {
        let env: serde_json::Map<_, _> =
            env.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        let said = self.lines.ask(&json!({"args": args, "env": env}), DEADLINE);
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        Said { code: said["code"].as_i64().unwrap_or(-1), out: text("out"), err: text("err") }
    }

    /// Its folder, for files that commands read; gone with the value.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Said {
    /// Standard output as JSON, for commands with `--json`.
    ///
    /// # Panics
    /// It is something else.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error}: {self:?}"))
    }
}

/// Runs one command as a process of its own, as a person would; costs seconds.
///
/// # Panics
/// It cannot be started.
#[must_use]
pub fn run(args: &[&str], env: &[(&str, &str)]) -> Output {
    let folder = tempfile::tempdir().unwrap();
    let mut command = bare("client", folder.path());
    let start = "import sys; from iotronicclient.shell import main; sys.exit(main())";
    command.args(["-c", start]).args(args).envs(env.iter().copied());
    command.output().unwrap()
}

/// The Python of an environment with nothing of ours in its environment variables.
pub(super) fn bare(name: &str, home: &Path) -> Command {
    let mut command = Command::new(python(name).join("bin/python"));
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command.env("HOME", home).env("LANG", "C.UTF-8").env("COLUMNS", COLUMNS);
    command
}
