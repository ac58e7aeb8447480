//! Why a guest could not be installed, run or stopped.
//!
//! Invariant: each text says what was wrong and how to mend it, and none carries more than a bounded
//! tail of what the guest wrote. Not here: the mapping to REST or board faults (the agent's).

use serde::{Deserialize, Serialize};
use std::fmt;
use std::time::Duration;

/// Which of a guest's outputs a log line came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Stream {
    /// What the guest printed.
    Stdout,
    /// Errors, warnings and log calls of the guest.
    Stderr,
    /// What the runtime says about the guest: started, crashed, lines dropped.
    Runtime,
}

/// How a process ended that gave no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Exit {
    /// It ended by itself with this code.
    Code(i32),
    /// This signal ended it.
    Signal(i32),
}

impl fmt::Display for Exit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Code(code) => write!(f, "exit code {code}"),
            Self::Signal(signal) => write!(f, "signal {signal}"),
        }
    }
}

/// Why a guest could not do what was asked.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[serde(tag = "failure", rename_all = "snake_case")]
#[non_exhaustive]
pub enum Failure {
    /// Nothing is installed under this id.
    #[error("plugin {id} is not installed on this board: inject it first")]
    NotInstalled {
        /// The id that was asked for.
        id: String,
    },
    /// The guest to install is malformed.
    #[error("plugin refused: {what}")]
    BadGuest {
        /// What is wrong with it.
        what: String,
    },
    /// The parameters do not fit into one request.
    #[error("parameters are larger than {limit} bytes: pass a reference instead of the data")]
    Parameters {
        /// Largest accepted request.
        limit: usize,
    },
    /// The interpreter is missing or does not start.
    #[error("{program} was not found: install it or set {setting} ({reason})")]
    Interpreter {
        /// What was looked for.
        program: String,
        /// The setting that names it.
        setting: String,
        /// What the search met.
        reason: String,
    },
    /// The board could not start or confine the process.
    #[error("the board could not start the plugin: {reason}")]
    Launch {
        /// The step that failed and why.
        reason: String,
    },
    /// Too many calls wait already.
    #[error("{waiting} calls wait already on this board: try again later")]
    Busy {
        /// Calls in the queue.
        waiting: usize,
    },
    /// Too many services run already.
    #[error(
        "this board runs {limit} plugins already: stop one first or raise runtime.max_services"
    )]
    Full {
        /// Services that may run at one time.
        limit: usize,
    },
    /// No result in time.
    #[error(
        "no result after {after:?}: make the plugin faster, raise its wall limit, or make it asynchronous"
    )]
    Timeout {
        /// The limit.
        after: Duration,
    },
    /// More memory than allowed.
    #[error(
        "the plugin used more than {limit} bytes of memory: use less or raise its memory limit"
    )]
    Memory {
        /// The limit in bytes.
        limit: u64,
    },
    /// More CPU time than allowed.
    #[error("the plugin used more than {limit} s of CPU time: compute less or raise its CPU limit")]
    Cpu {
        /// The limit in seconds.
        limit: u64,
    },
    /// A result larger than allowed.
    #[error("the result is larger than {limit} bytes: return less or raise the output limit")]
    Output {
        /// The limit in bytes.
        limit: u64,
    },
    /// More processes than allowed.
    #[error(
        "the plugin started more than {limit} processes: start fewer or raise its process limit"
    )]
    Processes {
        /// The limit.
        limit: u32,
    },
    /// The process ended without an answer, and not orderly.
    #[error("the plugin crashed with {exit}: {}", tail_text(.tail))]
    Crashed {
        /// How it ended.
        exit: Exit,
        /// The last lines it wrote.
        tail: Vec<String>,
    },
    /// The plugin's code raised an error.
    #[error("the plugin raised {kind}: {message}")]
    Raised {
        /// The class of the exception or error.
        kind: String,
        /// Its message.
        message: String,
        /// The last lines of the traceback, innermost last.
        traceback: Vec<String>,
    },
    /// The result cannot be written as JSON.
    #[error(
        "the result is not JSON: {reason}; return only null, booleans, numbers, strings, lists and objects"
    )]
    NotJson {
        /// What the encoder said.
        reason: String,
    },
    /// The plugin ended in order but gave no result.
    #[error(
        "the plugin ended without a result: return a value, put one into q_result, or call the callback"
    )]
    NoResult,
    /// Whoever asked took the request back.
    #[error("the call was cancelled")]
    Cancelled,
    /// The service runs already.
    #[error("plugin {id} is running already: stop it first")]
    AlreadyRunning {
        /// The guest.
        id: String,
    },
    /// The service does not run.
    #[error("plugin {id} is not running: start it first")]
    NotRunning {
        /// The guest.
        id: String,
    },
    /// The runtime is being shut down.
    #[error("the board agent is stopping: try again when it is back")]
    ShuttingDown,
    /// The disk failed.
    #[error("cannot {what}: {reason}")]
    Disk {
        /// The file operation.
        what: String,
        /// What the system said.
        reason: String,
    },
}

impl Failure {
    /// A stable word for metrics and tests.
    #[must_use]
    pub fn label(&self) -> &'static str {
        match self {
            Self::NotInstalled { .. } => "not_installed",
            Self::BadGuest { .. } => "bad_guest",
            Self::Parameters { .. } => "parameters",
            Self::Interpreter { .. } => "interpreter",
            Self::Launch { .. } => "launch",
            Self::Busy { .. } => "busy",
            Self::Full { .. } => "full",
            Self::Timeout { .. } => "timeout",
            Self::Memory { .. } => "memory",
            Self::Cpu { .. } => "cpu",
            Self::Output { .. } => "output",
            Self::Processes { .. } => "processes",
            Self::Crashed { .. } => "crashed",
            Self::Raised { .. } => "raised",
            Self::NotJson { .. } => "not_json",
            Self::NoResult => "no_result",
            Self::Cancelled => "cancelled",
            Self::AlreadyRunning { .. } => "already_running",
            Self::NotRunning { .. } => "not_running",
            Self::ShuttingDown => "shutting_down",
            Self::Disk { .. } => "disk",
        }
    }

    pub(crate) fn disk(what: impl Into<String>, error: &std::io::Error) -> Self {
        Self::Disk { what: what.into(), reason: error.to_string() }
    }

    pub(crate) fn launch(reason: impl fmt::Display) -> Self {
        Self::Launch { reason: reason.to_string() }
    }
}

fn tail_text(tail: &[String]) -> String {
    if tail.is_empty() { "it wrote nothing".to_owned() } else { tail.join(" | ") }
}
