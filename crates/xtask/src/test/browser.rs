//! The dashboard in a real browser: the tests of `dashboard/tests/browser`, which drive the programs as they were just built.
//!
//! Invariant: every test of theirs is counted; where pages, npm or Chromium are missing, that is a failure that says what to
//! do. Deliberately not here: what is tested (each file there), and the pages' own build (see `dashboard`).

use crate::command::Fallible;
use crate::dashboard::npm_script;
use crate::workspace::Workspace;

use super::again;
use super::stream::{self, Outcome};

/// The script of `dashboard/package.json`.
const SCRIPT: &str = "test:browser";

/// Runs them all.
pub(super) fn run(workspace: &Workspace) -> Fallible<Outcome> {
    let ask = |names: &[&str]| {
        let mut command = npm_script(workspace, SCRIPT)?;
        command.env("S4T_BIN_DIR", workspace.debug_dir());
        if !names.is_empty() {
            command.arg("--").args(files(names));
        }
        stream::run_tests(&mut command, &mut std::io::stderr())
    };
    again::steadied(ask(&[])?, ask)
}

/// The files of these tests: each is named `file: what happens`.
fn files(names: &[&str]) -> Vec<String> {
    let file = |name: &&str| Some(format!("{}.browser", name.split_once(": ")?.0));
    let mut files: Vec<String> = names.iter().filter_map(file).collect();
    files.dedup();
    files
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_files_of_tests_are_named_once() {
        let names = ["live: a page heals", "live: nothing is missed: ever", "map: tiles"];
        assert_eq!(files(&names), ["live.browser", "map.browser"]);
    }
}
