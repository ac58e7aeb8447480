//! OpenStack's own command line client, python-openstackclient, with a `clouds.yaml` as people have it.
//!
//! Invariant: each command sees only the environment it is given and a home of this value's own.
//! Deliberately not here: what its answers should be.

use super::client::{Said, bare};
use super::environment::material;
use super::lines::Lines;
use serde_json::{Value, json};
use std::path::Path;
use std::time::Duration;
use tempfile::TempDir;

/// Longest time one command may take.
const DEADLINE: Duration = Duration::from_secs(180);

/// The client, ready to run many commands in one process.
#[derive(Debug)]
pub struct OpenStack {
    lines: Lines,
    folder: TempDir,
}

impl OpenStack {
    /// Starts the process in which the commands run. The first call on a machine makes the environment.
    ///
    /// # Panics
    /// It cannot be made or started.
    #[must_use]
    pub fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut command = bare("client", folder.path());
        command.arg(material("osc_driver.py")).current_dir(folder.path());
        command.env("OS_CLIENT_CONFIG_FILE", folder.path().join("clouds.yaml"));
        Self { lines: Lines::start(&mut command, folder.path().join("log")), folder }
    }

    /// Writes a `clouds.yaml` (JSON is YAML) of clouds by name, each with its `auth`.
    ///
    /// # Panics
    /// It cannot be written.
    pub fn clouds(&self, clouds: &[(&str, Value)]) {
        let entry = |(name, auth): &(&str, Value)| {
            let mut entry =
                json!({ "region_name": "RegionOne", "identity_api_version": 3, "auth": auth });
            if auth.get("application_credential_id").is_some() {
                entry["auth_type"] = "v3applicationcredential".into();
            }
            ((*name).to_owned(), entry)
        };
        let clouds: serde_json::Map<_, _> = clouds.iter().map(entry).collect();
        let text = json!({ "clouds": clouds }).to_string();
        std::fs::write(self.folder.path().join("clouds.yaml"), text).unwrap();
    }

    /// Runs one command at a cloud of the `clouds.yaml`.
    ///
    /// # Panics
    /// It does not end in time.
    pub fn run(&mut self, cloud: &str, args: &[&str]) -> Said {
        let said = self.lines.ask(&json!({ "args": args, "env": { "OS_CLOUD": cloud } }), DEADLINE);
        let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
        Said { code: said["code"].as_i64().unwrap_or(-1), out: text("out"), err: text("err") }
    }

    /// Runs a command that must succeed, and answers what it says as JSON, where it says something.
    ///
    /// # Panics
    /// It fails.
    #[track_caller]
    pub fn json(&mut self, cloud: &str, args: &[&str]) -> Value {
        let args = [args, &["-f", "json"]].concat();
        let said = self.run(cloud, &args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
        said.json()
    }

    /// Runs a command that must succeed and says nothing.
    ///
    /// # Panics
    /// It fails.
    #[track_caller]
    pub fn done(&mut self, cloud: &str, args: &[&str]) {
        let said = self.run(cloud, args);
        assert_eq!(said.code, 0, "{args:?}: {said:?}");
    }

    /// Runs a command that must fail, and answers why it says it did.
    ///
    /// # Panics
    /// It succeeds.
    #[track_caller]
    pub fn refused(&mut self, cloud: &str, args: &[&str]) -> String {
        let said = self.run(cloud, args);
        assert_ne!(said.code, 0, "{args:?}: {said:?}");
        said.err
    }

    /// Its folder, for files that commands read; gone with the value.
    #[must_use]
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}
