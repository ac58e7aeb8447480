//! A real Keystone, 30.0.0, set up by its own tools and served by the library it comes with.
//!
//! Invariants: it listens on loopback; it is gone with the value, and comes back on the same address after [`Keystone::back`].

use super::client::bare;
use super::environment::material;
use super::lines::Lines;
use crate::slot::Slot;
use serde_json::{Value, json};
use std::time::Duration;
use tempfile::TempDir;

/// Longest set-up and start on a busy machine.
const START: Duration = Duration::from_secs(300);
/// The administrator's password.
const PASSWORD: &str = "keystone of a test";

/// A running Keystone.
#[derive(Debug)]
pub struct Keystone {
    lines: Option<Lines>,
    slot: Slot,
    folder: TempDir,
}

impl Keystone {
    /// Sets one up and starts it. The first call on a machine makes the environment.
    ///
    /// # Panics
    /// It cannot be made or started.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut keystone = Self { lines: None, slot: Slot::take(), folder };
        keystone.back();
        keystone
    }

    /// Starts it again after [`Keystone::away`].
    ///
    /// # Panics
    /// It does not come up.
    pub fn back(&mut self) {
        let mut command = bare("keystone", self.folder.path());
        command.arg(material("keystone_server.py")).arg(self.folder.path());
        command.arg(self.slot.api_port().to_string()).arg(PASSWORD);
        let mut lines = Lines::start(&mut command, self.folder.path().join("log"));
        let _ = lines.next(START, "the start of Keystone");
        self.lines = Some(lines);
    }

    /// Stops it.
    pub fn away(&mut self) {
        self.lines = None;
    }

    /// Its address.
    #[must_use]
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}/v3", self.slot.api_port())
    }

    /// How somebody signs in, as `auth` of a `clouds.yaml`.
    #[must_use]
    pub fn auth(&self, user: &str, password: &str, project: &str) -> Value {
        json!({
            "auth_url": self.url(), "username": user, "password": password, "project_name": project,
            "user_domain_name": "Default", "project_domain_name": "Default",
        })
    }

    /// How its administrator signs in.
    #[must_use]
    pub fn admin(&self) -> Value {
        self.auth("admin", PASSWORD, "admin")
    }
}
