//! What a test needs from the machine, and what happens when it is not there.
//!
//! Invariant: under `CI=true` a missing need is a failure; elsewhere the test is counted as skipped, never as passed: it
//! appends its reason to the file that `S4T_SKIPS` names.

use std::io::Write as _;
use std::process::{Command, Stdio};

/// Something a test needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Need {
    /// Root, `ip` and `iptables`: network namespaces and packet filters.
    Networks,
    /// A program on the path.
    Program(&'static str),
}

impl Need {
    fn is_met(self) -> bool {
        match self {
            Self::Networks => {
                rustix::process::geteuid().is_root() && runs("ip", "-V") && runs("iptables", "-V")
            }
            Self::Program(name) => runs(name, "--version"),
        }
    }
}

impl std::fmt::Display for Need {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Networks => f.write_str("root, ip and iptables, for networks of its own"),
            Self::Program(name) => write!(f, "the program {name}"),
        }
    }
}

fn runs(program: &str, argument: &str) -> bool {
    let mut command = Command::new(program);
    command.arg(argument).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    // Some do not know the argument; it is enough that they are there to say so.
    command.status().is_ok()
}

/// Whether the test must be left out; then it is noted as skipped.
///
/// # Panics
/// The need is not met and `CI` is `true`.
#[must_use]
pub fn lacks(need: Need) -> bool {
    if need.is_met() {
        return false;
    }
    let test = std::thread::current().name().unwrap_or("a test").to_owned();
    let is_ci = std::env::var("CI").is_ok_and(|value| value == "true");
    assert!(!is_ci, "{test} needs {need}, which this machine does not give");
    eprintln!("skipped: {test} needs {need}");
    if let Some(path) = std::env::var_os("S4T_SKIPS") {
        let mut file = std::fs::OpenOptions::new().append(true).open(path).unwrap();
        writeln!(file, "{test} needs {need}").unwrap();
    }
    true
}
