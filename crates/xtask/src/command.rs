//! Running other programs: cargo with a clean environment, and commands whose failure names itself.
//!
//! Invariant: a child never inherits the variables cargo set for this very process, because build scripts that watch
//! them would build their crates again on every change between `cargo test` and `cargo xtask test`.
//! Deliberately not here: long-lived children (see `process`).

use std::process::{Command, Stdio};

use crate::node;
use crate::workspace::Workspace;

/// What a chore returns: its answer, or one sentence on what was wrong and how to mend it.
pub(crate) type Fallible<T> = Result<T, String>;

/// Variables that `cargo run` sets for the program it starts.
const SET_BY_CARGO_RUN: [&str; 5] =
    ["CARGO_MANIFEST_DIR", "CARGO_MANIFEST_PATH", "CARGO_BIN_NAME", "CARGO_CRATE_NAME", "OUT_DIR"];

/// Cargo, in the root of the workspace.
pub(crate) fn cargo(workspace: &Workspace) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(program);
    command.current_dir(workspace.root());
    node::on_path(workspace, &mut command);
    without_cargo_run_variables(&mut command);
    command
}

fn without_cargo_run_variables(command: &mut Command) {
    for name in SET_BY_CARGO_RUN {
        command.env_remove(name);
    }
    for (name, _) in std::env::vars_os() {
        if name.to_string_lossy().starts_with("CARGO_PKG_") {
            command.env_remove(name);
        }
    }
}

/// Runs a command and shows all it says as progress; a bad end is an error that names the command.
pub(crate) fn run(command: &mut Command) -> Fallible<()> {
    let status = command
        .stdout(std::io::stderr())
        .status()
        .map_err(|error| format!("`{}` cannot be started: {error}", shown(command)))?;
    if status.success() { Ok(()) } else { Err(format!("`{}` ended with {status}", shown(command))) }
}

/// Runs a command and returns its standard output; on a bad end the error carries its standard error.
pub(crate) fn capture(command: &mut Command) -> Fallible<String> {
    let output = command
        .stdin(Stdio::null())
        .output()
        .map_err(|error| format!("`{}` cannot be started: {error}", shown(command)))?;
    if output.status.success() {
        return Ok(String::from_utf8_lossy(&output.stdout).into_owned());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(format!("`{}` ended with {}: {}", shown(command), output.status, said.trim()))
}

/// The command as a person would type it, without quoting.
pub(crate) fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy().into_owned()];
    words.extend(command.get_args().map(|word| word.to_string_lossy().into_owned()));
    words.join(" ")
}

/// Whether a program of this name is on the search path (the administrator's folders included).
pub(crate) fn is_installed(program: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let administrators = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(std::path::PathBuf::from);
    std::env::split_paths(&path).chain(administrators).any(|folder| folder.join(program).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_cannot_be_started_is_named_in_the_error() {
        let error = run(&mut Command::new("/nowhere/at-all")).unwrap_err();
        assert!(error.contains("/nowhere/at-all"), "{error}");
    }

    #[test]
    fn a_bad_end_carries_what_the_program_said() {
        let error =
            capture(Command::new("sh").args(["-c", "echo broken >&2; exit 3"])).unwrap_err();
        assert!(error.contains("broken") && error.contains('3'), "{error}");
    }

    #[test]
    fn the_shell_is_installed_and_nonsense_is_not() {
        assert!(is_installed("sh"));
        assert!(!is_installed("no-such-program-at-all"));
    }
}
