//! The dashboard in a real browser: the tests of `dashboard/tests/browser`, which drive the programs as they were just built.
//!
//! Invariant: every test of theirs is counted; where pages, npm or Chromium are missing, that is a failure that says what to
//! do. Deliberately not here: what is tested (each file there), and the pages' own build (see `dashboard`).

use crate::command::Fallible;
use crate::dashboard::npm_script;
use crate::workspace::Workspace;

use super::stream::{self, Outcome};

/// The script of `dashboard/package.json`.
const SCRIPT: &str = "test:browser";

/// Runs them all.
pub(super) fn run(workspace: &Workspace) -> Fallible<Outcome> {
    let mut command = npm_script(workspace, SCRIPT)?;
    command.env("S4T_BIN_DIR", workspace.debug_dir());
    stream::run_tests(&mut command, &mut std::io::stderr())
}
