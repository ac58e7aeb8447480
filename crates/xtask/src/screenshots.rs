//! `cargo xtask screenshots`: pictures of the dashboard's screens in docs/images, which the README and docs/dashboard.md show.
//!
//! Invariant: they show the pages and programs of this very tree, on a stage whose content is made up and says so.
//! Deliberately not here: what is on the pictures (dashboard/tests/browser/screenshots.ts).

use std::process::ExitCode;

use crate::command::{Fallible, cargo, run as run_command};
use crate::dashboard::{self, Extent, Made};
use crate::needs;
use crate::workspace::Workspace;

/// The script of `dashboard/package.json`.
const SCRIPT: &str = "screenshots";
/// The programs on the stage.
const PROGRAMS: [&str; 6] = ["-p", "iotronic", "-p", "lightning-rod", "-p", "s4t"];

/// The chore.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Fallible<ExitCode> {
    if !words.is_empty() {
        return Err("screenshots takes no words".into());
    }
    needs::prepare(&needs::FOR_SCREENSHOTS)?;
    if dashboard::make(workspace, Extent::Pages)? == Made::Nothing {
        return Err("there is no dashboard in this tree: nothing to take pictures of".into());
    }
    run_command(cargo(workspace).arg("build").args(PROGRAMS))?;
    let mut command = dashboard::npm_script(workspace, SCRIPT)?;
    run_command(command.env("S4T_BIN_DIR", workspace.debug_dir()))?;
    eprintln!("the pictures are in docs/images");
    Ok(ExitCode::SUCCESS)
}
