//! The upstream server, iotronic 0.4.17: API and conductor in one process, an in-memory bus, SQLite in a folder of its own.
//!
//! Invariants: it listens on loopback, on a port that does not end in 1 (its client cuts such a digit off); it is gone
//! with the value. Behind it, in the place of router, agent and boards, a script answers every call as a healthy board
//! would; boards come online by [`Server::board_online`].
//! Deliberately not here: changes to the package.

use super::client::bare;
use super::environment::material;
use super::lines::Lines;
use super::play::{Cloud, Who};
use crate::slot::Slot;
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;

/// Longest start on a busy machine.
const START: Duration = Duration::from_secs(120);
/// Longest wait for the database.
const STATEMENT: Duration = Duration::from_secs(60);
/// The agent that boards are given, and the registration agent.
const AGENT: &str = "agent-a";
/// The user of most requests. The server wants ids that look like UUIDs.
const USER: &str = "0a5e0a5e0a5e0a5e0a5e0a5e0a5e0a5e";
/// The project of most requests.
const PROJECT: &str = "0b60b60b60b60b60b60b60b60b60b60b";

/// How the server learns who asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Identity {
    /// Its own `noauth`: whoever the request says it is, everything allowed.
    Trusting,
    /// Its policies decide; the token `user:project:role,role` stands in for the identity service.
    Roles,
}

/// A running server.
#[derive(Debug)]
pub struct Server {
    lines: Lines,
    url: String,
    sessions: u32,
    _slot: Slot,
    _folder: TempDir,
}

impl Server {
    /// Starts one, empty but for its agent. The first call on a machine makes the environment.
    ///
    /// # Panics
    /// It cannot be made or started.
    #[must_use]
    pub fn start(identity: Identity) -> Self {
        let (folder, slot) = (tempfile::tempdir().unwrap(), Slot::take());
        let settings = folder.path().join("iotronic.conf");
        let database = folder.path().join("iotronic.sqlite");
        let strategy = match identity {
            Identity::Trusting => "noauth",
            Identity::Roles => "keystone",
        };
        let text = format!(
            "[DEFAULT]\ntransport_url = fake://\nauth_strategy = {strategy}\n\
             [database]\nconnection = sqlite:///{}?timeout=30\n\
             [s4t_test]\nport = {}\nagent_url = ws://127.0.0.1:8181/\n",
            database.display(),
            slot.api_port(),
        );
        std::fs::write(&settings, text).unwrap();
        let mut command = bare("server", folder.path());
        command.arg(material("server.py")).arg("--config-file").arg(&settings);
        let mut lines = Lines::start(&mut command, folder.path().join("log"));
        let ready = lines.next(START, "the start of the upstream server");
        let url = ready["ready"].as_str().unwrap().to_owned();
        Self { lines, url, sessions: 1000, _slot: slot, _folder: folder }
    }

    /// Runs a statement in its database; answers the rows.
    ///
    /// # Panics
    /// The statement is wrong.
    pub fn sql(&mut self, statement: &str, args: &[&str]) -> Vec<Value> {
        let said = self.lines.ask(&json!({"sql": statement, "args": args}), STATEMENT);
        assert!(said["error"].is_null(), "{statement}: {said}");
        said["rows"].as_array().cloned().unwrap_or_default()
    }

    /// Adds an agent to which new boards can be given.
    pub fn add_agent(&mut self, hostname: &str, url: &str) {
        self.sql(
            "INSERT INTO wampagents (hostname, wsurl, online, ragent) VALUES (?, ?, 1, 0)",
            &[hostname, url],
        );
    }

    /// Sets a board's status without anything else.
    pub fn set_status(&mut self, board: &str, status: &str) {
        self.sql("UPDATE boards SET status = ? WHERE uuid = ?", &[status, board]);
    }

    /// Its process number.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.lines.pid()
    }

    /// Its memory now, in KiB.
    #[must_use]
    pub fn memory_kib(&self) -> u64 {
        crate::memory_kib(self.pid()).0
    }

    /// What it said last.
    #[must_use]
    pub fn said(&self) -> String {
        self.lines.said()
    }
}

/// A user of another project.
fn stranger() -> String {
    USER.replace('5', "6")
}

/// That project.
fn foreign() -> String {
    PROJECT.replace('6', "7")
}

impl Cloud for Server {
    fn url(&self) -> &str {
        &self.url
    }

    fn token(&self, who: Who) -> Option<String> {
        Some(match who {
            Who::Operator => format!("{USER}:{PROJECT}:admin,admin_iot_project"),
            Who::Member => format!("{USER}:{PROJECT}:user_iot"),
            Who::Stranger => format!("{}:{}:user_iot", stranger(), foreign()),
            Who::Roleless => format!("{USER}:{PROJECT}:guest"),
            Who::Nobody => return None,
        })
    }

    fn known(&self) -> Vec<(String, String)> {
        let (stranger, foreign) = (stranger(), foreign());
        [
            (USER, "<user>"),
            (PROJECT, "<project>"),
            (&stranger, "<stranger>"),
            (&foreign, "<foreign-project>"),
        ]
        .map(|(id, name)| (id.to_owned(), name.to_owned()))
        .to_vec()
    }

    fn board_online(&mut self, board: &str) {
        self.sessions += 1;
        let session = self.sessions.to_string();
        self.sql(
            "UPDATE boards SET status = 'online', agent = ?, lr_version = '0.5.0' WHERE uuid = ?",
            &[AGENT, board],
        );
        self.sql("UPDATE sessions SET valid = 0 WHERE board_uuid = ?", &[board]);
        self.sql(
            "INSERT INTO sessions (valid, session_id, board_uuid, board_id) \
             SELECT 1, ?, uuid, id FROM boards WHERE uuid = ?",
            &[&session, board],
        );
    }

    fn board_offline(&mut self, board: &str) {
        self.sql("UPDATE sessions SET valid = 0 WHERE board_uuid = ?", &[board]);
        self.set_status(board, "offline");
    }
}
