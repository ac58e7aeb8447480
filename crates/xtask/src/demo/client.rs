//! The operator's hand in the demo: `s4t`, signed in with the cloud's own admin file.
//!
//! Invariant: every command ends within a bound of its own (`s4t` has deadlines) and a bad end carries what it said.
//! Deliberately not here: which commands are given (see `story`).

use std::cell::RefCell;
use std::path::PathBuf;
use std::process::Command;

use serde_json::Value;

use super::scene::Scene;
use crate::command::{Fallible, capture};

/// Runs `s4t` commands.
pub(super) struct Client<'a> {
    scene: &'a Scene,
    typed: RefCell<Vec<String>>,
}

impl<'a> Client<'a> {
    pub(super) fn new(scene: &'a Scene) -> Self {
        Self { scene, typed: RefCell::default() }
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

    /// The commands since this was asked last, as a person would type them.
    pub(super) fn typed(&self) -> Vec<String> {
        self.typed.take()
    }

    /// A command that was typed into another program.
    pub(super) fn also_typed(&self, command: String) {
        self.typed.borrow_mut().push(command);
    }

    fn command(&self, words: &[&str]) -> Command {
        let words_typed: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        self.typed.borrow_mut().push(format!("s4t {}", words_typed.join(" ")));
        let mut command = self.scene.program("s4t");
        command.env("S4T_ADMIN_FILE", self.admin_file()).args(words);
        command
    }
}

/// A word as a shell reads it whole.
fn quoted(word: &str) -> String {
    let is_plain = |letter: char| letter.is_ascii_alphanumeric() || "-_./:=@%+,".contains(letter);
    if !word.is_empty() && word.chars().all(is_plain) {
        return word.to_owned();
    }
    format!("'{}'", word.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_only_where_a_shell_asks_for_it() {
        assert_eq!(quoted("--for=online"), "--for=online");
        assert_eq!(quoted("{\"a\": 1}"), "'{\"a\": 1}'");
        assert_eq!(quoted("it's"), "'it'\\''s'");
        assert_eq!(quoted(""), "''");
    }
}
