//! How a command fails: what was wrong and how to mend it, on standard error, and the exit code of the kind.

use model::Kind;
use model::operation::State;
use std::fmt;
use std::io;
use std::process::ExitCode;

/// Exit code of an operation that ended `cancelled`.
const CANCELLED: u8 = 11;
/// Exit code of an operation that ended `unknown`.
const UNKNOWN: u8 = 12;

/// Why the command failed.
#[derive(Debug)]
pub(crate) struct Failure {
    text: String,
    help: Option<String>,
    code: u8,
}

impl Failure {
    pub(crate) fn new(kind: Kind, text: impl Into<String>) -> Self {
        Self { text: text.into(), help: None, code: kind.exit_code() }
    }

    pub(crate) fn invalid(text: impl Into<String>) -> Self {
        Self::new(Kind::Invalid, text)
    }

    pub(crate) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// An operation that did not succeed.
    pub(crate) fn operation(state: State, text: String) -> Self {
        let code = match state {
            State::Cancelled => CANCELLED,
            State::Unknown => UNKNOWN,
            State::Expired | State::Pending | State::Running => Kind::Timeout.exit_code(),
            State::Succeeded | State::Failed => Kind::Internal.exit_code(),
        };
        Self { text, help: None, code }
    }

    /// What ran on a board ended with this code; it said itself what there was to say.
    pub(crate) fn exit(code: u8) -> Self {
        Self { text: String::new(), help: None, code }
    }

    /// Standard output cannot be written; a closed pipe ends quietly.
    pub(crate) fn output(error: io::Error) -> Self {
        if error.kind() == io::ErrorKind::BrokenPipe {
            return Self { text: String::new(), help: None, code: 0 };
        }
        Self::new(Kind::Internal, format!("standard output cannot be written: {error}"))
    }

    /// Whether the same request may succeed a moment later.
    pub(crate) fn may_pass(&self) -> bool {
        let passing = [Kind::Unreachable, Kind::Timeout, Kind::Exhausted, Kind::Internal];
        passing.iter().any(|kind| kind.exit_code() == self.code)
    }

    /// Prints it and gives the exit code.
    pub(crate) fn report(self) -> ExitCode {
        let code = ExitCode::from(self.code);
        if !self.text.is_empty() {
            // Lines stay whole: a key or a path that is broken at a hyphen can be neither copied nor found. Set once in a
            // process; where it was, it was the same.
            let _ = miette::set_hook(Box::new(|_| {
                Box::new(miette::MietteHandlerOpts::new().wrap_lines(false).build())
            }));
            eprintln!("{:?}", miette::Report::new(self));
        }
        code
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&crate::output::harmless(&self.text))
    }
}

impl std::error::Error for Failure {}

impl miette::Diagnostic for Failure {
    fn help<'a>(&'a self) -> Option<Box<dyn fmt::Display + 'a>> {
        self.help.as_ref().map(|help| Box::new(help) as Box<dyn fmt::Display>)
    }
}

impl From<api::client::Error> for Failure {
    fn from(error: api::client::Error) -> Self {
        let failure = Self::new(error.kind(), error.problem.detail.clone());
        match (error.kind(), &error.problem.request_id) {
            (Kind::Unauthenticated, _) => failure
                .help("sign in with `s4t login`, or set OS_CLOUD, S4T_ADMIN_FILE or S4T_TOKEN"),
            (Kind::Internal, Some(id)) => {
                failure.help(format!("the cloud's log says more under request {id}"))
            }
            _ => failure,
        }
    }
}

impl From<model::Invalid> for Failure {
    fn from(invalid: model::Invalid) -> Self {
        Self::invalid(invalid.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_closed_pipe_and_a_refusal_are_final_and_a_lost_cloud_is_not() {
        let closed = Failure::output(io::ErrorKind::BrokenPipe.into());
        assert!(!closed.may_pass());
        assert!(!Failure::new(Kind::NotFound, "gone").may_pass());
        assert!(Failure::new(Kind::Unreachable, "away").may_pass());
    }
}
