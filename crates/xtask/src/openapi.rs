//! `cargo xtask openapi`: writes `docs/openapi.json` as the cloud describes itself.
//!
//! Invariant: the file is what `iotronic openapi` prints, byte for byte; a test of the cloud fails when it is not.

use std::process::ExitCode;

use crate::command::{Fallible, capture, cargo};
use crate::workspace::Workspace;

/// The chore.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Fallible<ExitCode> {
    if !words.is_empty() {
        return Err("openapi takes no words".into());
    }
    let document =
        capture(cargo(workspace).args(["run", "--quiet", "-p", "iotronic", "--", "openapi"]))?;
    let file = workspace.root().join("docs/openapi.json");
    std::fs::write(&file, document)
        .map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
    eprintln!("wrote docs/openapi.json");
    Ok(ExitCode::SUCCESS)
}
