//! The operator's hand in the demo: `s4t`, signed in with the cloud's own admin file.
//!
//! Invariant: every command ends within a bound of its own (`s4t` has deadlines) and a bad end carries what it said.
//! Deliberately not here: which commands are given (see `story`).

use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::scene::Scene;
use crate::command::{Fallible, capture};

/// Runs `s4t` commands.
pub(super) struct Client<'a> {
    scene: &'a Scene,
}

impl<'a> Client<'a> {
    pub(super) fn new(scene: &'a Scene) -> Self {
        Self { scene }
    }

    /// Where the cloud wrote the administrator's credentials.
    pub(super) fn admin_file(&self) -> PathBuf {
        self.scene.cloud_data().join("admin.json")
    }

    /// Runs a command and returns what it printed, without the line's end.
    pub(super) fn say(&self, words: &[&str]) -> Fallible<String> {
        Ok(capture(&mut self.command(words))?.trim_end().to_owned())
    }

    /// Runs a command with JSON output.
    pub(super) fn ask(&self, words: &[&str]) -> Fallible<Value> {
        let mut command = self.command(words);
        let text = capture(command.args(["-f", "json"]))?;
        serde_json::from_str(&text)
            .map_err(|error| format!("s4t {}: no JSON: {error}", words.join(" ")))
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = self.scene.program("s4t");
        command.env("S4T_ADMIN_FILE", self.admin_file()).args(words);
        command
    }
}
