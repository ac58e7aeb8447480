//! `cargo xtask test`: every check and every test, with one closing line that sums them up.
//!
//! Invariant: the closing line is `N passed, N failed` (with `, N skipped` when there are any) and the exit code follows
//! it; a step that cannot run counts as failed, never as absent. With `CI=true` a skipped test is a failed one.
//! Deliberately not here: the long runs with full counts (`cargo xtask soak`).

mod again;
mod browser;
mod skips;
mod stream;
mod tally;

use std::process::{Command, ExitCode};
use std::time::Instant;

use crate::command::{Fallible, cargo, run as run_command};
use crate::dashboard;
use crate::demo;
use crate::needs;
use crate::node;
use crate::tidy;
use crate::workspace::Workspace;
use skips::SkipFile;
pub(crate) use tally::Tally;

/// How much of the tests a person asked for.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Extent {
    /// Formatting, lints, tidy and unit tests: what one runs while writing.
    Quick,
    /// All of it, system tests and the demo included.
    Full,
}

/// The chore.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Fallible<ExitCode> {
    let extent = match words {
        [] => Extent::Full,
        [word] if word == "--quick" => Extent::Quick,
        _ => return Err("test takes nothing but `--quick`".into()),
    };
    let started = Instant::now();
    let mut sum = Suite { workspace }.run(extent)?;
    if std::env::var_os("CI").is_some_and(|value| value == "true") {
        sum = sum.with_skipped_as_failed();
    }
    eprintln!("\nafter {} s", started.elapsed().as_secs());
    println!("{sum}");
    Ok(if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

struct Suite<'a> {
    workspace: &'a Workspace,
}

impl Suite<'_> {
    fn run(&self, extent: Extent) -> Fallible<Tally> {
        let mut sum = Tally::default();
        if extent == Extent::Full {
            sum += self.set_up();
        }
        sum += self
            .check("formatting", || run_command(cargo(self.workspace).args(["fmt", "--check"])));
        sum += self.check("tidy", || self.tidy());
        sum += self.check("lints", || run_command(&mut self.lints()));
        if extent == Extent::Full {
            // Before the programs, which take the pages in.
            sum += self.check("dashboard", || self.dashboard());
        }
        sum += match extent {
            Extent::Quick => self.tests(&["--lib", "--bins"])?,
            Extent::Full => self.built_and_tested()?,
        };
        Ok(sum)
    }

    /// One build makes the programs and the tests, so that both share every dependency as compiled.
    fn built_and_tested(&self) -> Fallible<Tally> {
        let mut sum = self.check("programs and tests built", || {
            let build = ["build", "--workspace", "--bins", "--tests"];
            run_command(cargo(self.workspace).args(build))
        });
        if sum.failed > 0 {
            return Ok(sum);
        }
        sum += self.tests(&[])?;
        sum += self.browser();
        announce("demo");
        sum += done("demo", demo::check(self.workspace));
        Ok(sum)
    }

    fn set_up(&self) -> Tally {
        announce("set-up");
        let prepared =
            needs::prepare(&needs::FOR_TESTS).and_then(|()| node::provide(self.workspace));
        match prepared {
            Ok(()) => done("set-up", Tally::PASSED),
            Err(reason) => {
                eprintln!("{reason}");
                done("set-up", Tally::SKIPPED)
            }
        }
    }

    fn check(&self, name: &str, work: impl FnOnce() -> Fallible<()>) -> Tally {
        announce(name);
        match work() {
            Ok(()) => done(name, Tally::PASSED),
            Err(reason) => {
                eprintln!("{reason}");
                done(name, Tally::FAILED)
            }
        }
    }

    fn dashboard(&self) -> Fallible<()> {
        dashboard::make(self.workspace, dashboard::Extent::Tested).map(drop)
    }

    fn browser(&self) -> Tally {
        announce("browser");
        match browser::run(self.workspace) {
            Ok(outcome) => {
                outcome.explain(&[]);
                // A test in a browser has no reason to skip itself.
                done("browser", outcome.tally().with_skipped_as_failed())
            }
            Err(reason) => {
                eprintln!("{reason}");
                done("browser", Tally::FAILED)
            }
        }
    }

    fn tidy(&self) -> Fallible<()> {
        match tidy::report(self.workspace)? {
            0 => Ok(()),
            1 => Err("one place breaks a rule of the house".into()),
            count => Err(format!("{count} places break a rule of the house")),
        }
    }

    fn lints(&self) -> Command {
        let mut command = cargo(self.workspace);
        command.args(["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
        command
    }

    fn tests(&self, targets: &[&str]) -> Fallible<Tally> {
        announce("tests");
        let skips = SkipFile::create(&self.workspace.target_dir())?;
        let ask = |names: &[&str]| {
            let mut command = cargo(self.workspace);
            command
                .args(["test", "--workspace", "--no-fail-fast"])
                .args(targets)
                .env("S4T_BIN_DIR", self.workspace.debug_dir())
                .env(skips::VARIABLE, skips.path());
            if !names.is_empty() {
                command.args(["--", "--exact"]).args(names);
            }
            stream::run_tests(&mut command, &mut std::io::stderr())
        };
        let outcome = again::steadied(ask(&[])?, ask)?;
        let skipped = skips.reasons()?;
        outcome.explain(&skipped);
        Ok(done("tests", outcome.tally().with_passed_turned_skipped(skipped.len())))
    }
}

fn announce(step: &str) {
    eprintln!("\n== {step}");
}

fn done(step: &str, tally: Tally) -> Tally {
    eprintln!("== {step}: {tally}");
    tally
}
