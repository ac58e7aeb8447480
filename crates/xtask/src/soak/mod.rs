//! `cargo xtask soak`: the long runs, with the counts that are too large for every change.
//!
//! Invariant: each run is bounded in count or time, says what it did, and one that fails makes the chore fail. With `--write`
//! the results become rows of `docs/soak.md` (see `page`). Deliberately not here: what `cargo xtask test` does anyway.

mod fuzz;
mod page;

use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::command::{Fallible, cargo, run as run_command};
use crate::workspace::Workspace;

const RUNS: [&str; 7] =
    ["properties", "chains", "simulation", "cycles", "kills", "fuzz", "packages"];
/// What a run that did all it set out to do says, when it has no more to say.
const WELL: &str = "well";

/// How much of each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Counts {
    /// Inputs of each property.
    cases: u64,
    /// Chains of delegations.
    chains: u64,
    /// Simulated networks.
    seeds: u64,
    /// Connections that come and go, over each transport.
    cycles: u64,
    /// Kills of cloud and boards, in each test of them.
    kills: u64,
    /// Inputs of each fuzz target.
    inputs: u64,
}

const FULL: Counts = Counts {
    cases: 50_000,
    chains: 1_000_000,
    seeds: 100_000,
    cycles: 10_000,
    kills: 1_000,
    inputs: 20_000_000,
};
const SHORT: Counts = Counts {
    cases: 4_000,
    chains: 80_000,
    seeds: 8_000,
    cycles: 2_000,
    kills: 60,
    inputs: 400_000,
};

/// What a person asked for.
#[derive(Debug, PartialEq, Eq)]
struct Wish {
    counts: Counts,
    /// The longest that one fuzz target runs.
    seconds: Option<u64>,
    /// One run; all of them when none is named.
    only: Option<String>,
    page: Page,
}

#[derive(Debug, PartialEq, Eq)]
enum Page {
    Shown,
    Written,
}

/// One run and how it ended.
struct Outcome {
    /// Its name, the same in every report.
    run: String,
    amount: String,
    took: Duration,
    ended: Fallible<String>,
}

/// The chore.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Fallible<ExitCode> {
    let wish = parse(words)?;
    let outcomes = Soak { workspace, wish: &wish }.all();
    let rows = page::rows(workspace, &outcomes)?;
    println!("{}", rows.join("\n"));
    if wish.page == Page::Written {
        page::write(workspace, &rows)?;
    }
    let failed = outcomes.iter().any(|outcome| outcome.ended.is_err());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

fn parse(words: &[String]) -> Fallible<Wish> {
    let mut wish = Wish { counts: FULL, seconds: None, only: None, page: Page::Shown };
    let mut count = None;
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match word.as_str() {
            "--short" => wish.counts = SHORT,
            "--write" => wish.page = Page::Written,
            "--count" => count = Some(number(word, words.next())?),
            "--seconds" => wish.seconds = Some(number(word, words.next())?),
            run if RUNS.contains(&run) && wish.only.is_none() => wish.only = Some(run.to_owned()),
            other => {
                return Err(format!(
                    "soak takes --short, --write, --seconds N, --count N and one of {}; not {other:?}",
                    RUNS.join(", ")
                ));
            }
        }
    }
    match (count, &wish.only) {
        (None, _) => {}
        // Only the field of the named run is read.
        (Some(n), Some(_)) => {
            wish.counts = Counts { cases: n, chains: n, seeds: n, cycles: n, kills: n, inputs: n };
        }
        (Some(_), None) => return Err("--count is of one run: name it".into()),
    }
    Ok(wish)
}

fn number(option: &str, word: Option<&String>) -> Fallible<u64> {
    word.and_then(|word| word.parse().ok())
        .filter(|number| *number > 0)
        .ok_or_else(|| format!("{option} takes a number above 0"))
}

struct Soak<'a> {
    workspace: &'a Workspace,
    wish: &'a Wish,
}

impl Soak<'_> {
    fn all(&self) -> Vec<Outcome> {
        let wanted = |name: &&str| self.wish.only.as_deref().is_none_or(|only| only == *name);
        RUNS.iter().filter(|name| wanted(name)).flat_map(|name| self.one(name)).collect()
    }

    fn one(&self, name: &str) -> Vec<Outcome> {
        let Counts { cases, chains, seeds, cycles, kills, inputs } = self.wish.counts;
        match name {
            "properties" => vec![outcome(
                name,
                format!("every codec's properties, {cases} inputs each"),
                || self.properties(cases),
            )],
            "chains" => vec![outcome(
                name,
                format!("{chains} chains of delegations against the naive model"),
                || self.chains(chains),
            )],
            "simulation" => vec![outcome(
                name,
                format!("two tunnel machines over {seeds} simulated networks"),
                || self.simulation(seeds),
            )],
            "cycles" => vec![outcome(
                name,
                format!(
                    "{cycles} connections come and go over each transport, memory afterwards as before"
                ),
                || self.cycles(cycles),
            )],
            "kills" => vec![outcome(
                name,
                format!(
                    "{kills} kills of cloud and boards while commands flow, and {kills} while keys change"
                ),
                || self.kills(kills),
            )],
            "fuzz" => fuzz::all(self.workspace, inputs, self.wish.seconds),
            _ => vec![outcome(name, "installed, run and removed in a scratch root".into(), || {
                self.packages()
            })],
        }
    }

    fn properties(&self, cases: u64) -> Fallible<String> {
        let packages =
            ["-p", "websocket", "-p", "wamp", "-p", "tunnel", "-p", "rpc", "-p", "model"];
        let mut command = cargo(self.workspace);
        command.args(["test", "--release", "--lib"]).args(packages);
        well(command.env("PROPTEST_CASES", cases.to_string()))
    }

    fn chains(&self, chains: u64) -> Fallible<String> {
        let mut command = cargo(self.workspace);
        command.args(["test", "--release", "-p", "model", "--test", "delegation"]);
        well(command.env("S4T_DELEGATION_CHAINS", chains.to_string()))
    }

    fn simulation(&self, seeds: u64) -> Fallible<String> {
        let mut command = cargo(self.workspace);
        command.args(["test", "--release", "-p", "tunnel", "--lib", "simulation"]);
        well(command.env("S4T_SOAK_SEEDS", seeds.to_string()))
    }

    fn cycles(&self, cycles: u64) -> Fallible<String> {
        let mut command = cargo(self.workspace);
        // One after the other: each judges the memory of the process.
        command.args(["test", "--release", "-p", "tunnel", "--test", "transports", "--"]);
        command.args(["short_connections", "--test-threads=1"]);
        well(command.env("S4T_SOAK_CYCLES", cycles.to_string()))
    }

    fn kills(&self, kills: u64) -> Fallible<String> {
        let programs = ["-p", "iotronic", "-p", "lightning-rod", "-p", "s4t"];
        run_command(cargo(self.workspace).arg("build").args(programs))?;
        let mut command = cargo(self.workspace);
        command.args(["test", "-p", "testkit", "--test", "system", "--"]);
        command.args(["crashes::", "keys::whoever_dies", "--nocapture"]);
        command.env("S4T_BIN_DIR", self.workspace.debug_dir());
        well(command.env("S4T_SOAK_KILLS", kills.to_string()))
    }

    fn packages(&self) -> Fallible<String> {
        let exe = std::env::current_exe().map_err(|error| error.to_string())?;
        well(Command::new(exe).args(["package", "--try"]).current_dir(self.workspace.root()))
    }
}

fn well(command: &mut Command) -> Fallible<String> {
    run_command(command).map(|()| WELL.to_owned())
}

fn outcome(run: &str, amount: String, work: impl FnOnce() -> Fallible<String>) -> Outcome {
    eprintln!("\n== {run}: {amount}");
    let begun = Instant::now();
    let ended = work();
    Outcome { run: run.to_owned(), amount, took: begun.elapsed(), ended }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parsed(line: &str) -> Fallible<Wish> {
        parse(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn a_word_that_means_nothing_is_named() {
        assert!(parsed("--all").unwrap_err().contains("--all"));
        assert!(parsed("kills fuzz").unwrap_err().contains("fuzz"), "one run or all");
    }

    #[test]
    fn a_count_is_of_the_run_that_is_named() {
        assert_eq!(parsed("kills --count 300").unwrap().counts.kills, 300);
        assert_eq!(parsed("--short --write").unwrap().counts, SHORT);
        for wrong in ["--count 300", "kills --count", "kills --count 0", "fuzz --seconds x"] {
            assert!(parsed(wrong).is_err(), "{wrong}");
        }
    }
}
