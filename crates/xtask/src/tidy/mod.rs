//! `cargo xtask tidy`: the rules of the house that would decay if nobody checked them.
//!
//! Invariant: a rule is a pure function from the files of the tree to findings, so each is tested on bad input without a
//! disk. Deliberately not here: what rustfmt, clippy and the compiler check already.

mod architecture;
mod arrows;
mod claims;
mod code;
mod manifests;
mod sources;
mod tree;
mod words;

use std::fmt;
use std::process::ExitCode;

use crate::command::Fallible;
use crate::workspace::Workspace;
use tree::Tree;

/// One place that breaks a rule.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Finding {
    place: String,
    what: String,
}

impl Finding {
    fn new(place: impl Into<String>, what: impl Into<String>) -> Self {
        Self { place: place.into(), what: what.into() }
    }

    /// A finding in a line, counted from 1.
    fn at_line(path: &str, line: usize, what: impl Into<String>) -> Self {
        Self::new(format!("{path}:{line}"), what)
    }
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.place, self.what)
    }
}

type Rule = fn(&Tree) -> Vec<Finding>;

const RULES: [(&str, Rule); 6] = [
    ("arrows point down as drawn", arrows::check),
    ("sources open with their purpose, unsafe stays where it is declared", sources::check),
    ("dependencies stand in the root with a reason", manifests::check),
    ("nothing is left open", words::check_left_open),
    ("what is claimed about security is shown by tests", claims::check),
    ("nothing names this machine or a foreign registry", words::check_foreign),
];

/// The chore: prints every finding, exits 1 when there is one.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Fallible<ExitCode> {
    if let Some(word) = words.first() {
        return Err(format!("tidy takes no `{word}`; it has no options"));
    }
    let count = report(workspace)?;
    Ok(if count == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Checks every rule, prints the findings to standard error and returns how many there are.
pub(crate) fn report(workspace: &Workspace) -> Fallible<usize> {
    let tree = Tree::read(workspace.root())?;
    let mut count = 0;
    for (name, rule) in RULES {
        let findings = rule(&tree);
        eprintln!("{} {name}", if findings.is_empty() { "ok     " } else { "FAILED " });
        for finding in &findings {
            eprintln!("        {finding}");
        }
        count += findings.len();
    }
    Ok(count)
}
