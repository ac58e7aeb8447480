//! `cargo xtask soak`: the long runs, with the counts that are too large for every change.
//!
//! Invariant: each run is bounded in count or time, says what it did, and one that fails makes the chore fail. With `--write`
//! the results, with commit and date, become `docs/soak.md`. Deliberately not here: what `cargo xtask test` does anyway.

use std::fmt::Write as _;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};

use crate::command::{Fallible, capture, cargo, run as run_command};
use crate::workspace::Workspace;

/// Flags of a coverage-guided build for libFuzzer (see `fuzz/README.md`).
const FUZZ_FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Zsanitizer=address -Cdebug-assertions";
const FUZZ_HOST: &str = "x86_64-unknown-linux-gnu";
const FUZZ_TARGETS: [&str; 9] = [
    "claims",
    "identity_bodies",
    "right",
    "tokens",
    "tunnel_frames",
    "wamp_cbor",
    "wamp_json",
    "wamp_msgpack",
    "websocket_frames",
];

/// How much of each run.
#[derive(Clone, Copy)]
struct Counts {
    /// Inputs of each property.
    cases: u32,
    /// Chains of delegations.
    chains: u32,
    /// Simulated networks.
    seeds: u32,
    /// Kills of cloud and boards.
    kills: u32,
    /// Inputs of each fuzz target.
    inputs: u64,
}

const FULL: Counts =
    Counts { cases: 50_000, chains: 1_000_000, seeds: 100_000, kills: 1_000, inputs: 20_000_000 };
const SHORT: Counts =
    Counts { cases: 4_000, chains: 80_000, seeds: 8_000, kills: 60, inputs: 400_000 };

/// One run and how it ended.
struct Outcome {
    what: String,
    took: Duration,
    ended: Fallible<()>,
}

/// The chore.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Fallible<ExitCode> {
    let mut counts = FULL;
    let mut write = false;
    let mut only = None;
    for word in words {
        match word.as_str() {
            "--short" => counts = SHORT,
            "--write" => write = true,
            "properties" | "chains" | "simulation" | "kills" | "fuzz" | "packages" => {
                only = Some(word.as_str())
            }
            other => {
                return Err(format!(
                    "soak takes --short, --write and one of properties, chains, simulation, kills, fuzz, packages; not {other:?}"
                ));
            }
        }
    }
    let soak = Soak { workspace, counts };
    let outcomes = soak.all(only);
    let page = page(workspace, &outcomes)?;
    println!("{page}");
    if write {
        let file = workspace.root().join("docs/soak.md");
        std::fs::write(&file, page)
            .map_err(|error| format!("{} cannot be written: {error}", file.display()))?;
    }
    let failed = outcomes.iter().any(|outcome| outcome.ended.is_err());
    Ok(if failed { ExitCode::FAILURE } else { ExitCode::SUCCESS })
}

struct Soak<'a> {
    workspace: &'a Workspace,
    counts: Counts,
}

impl Soak<'_> {
    fn all(&self, only: Option<&str>) -> Vec<Outcome> {
        let wanted = |name: &str| only.is_none_or(|only| only == name);
        let mut outcomes = Vec::new();
        if wanted("properties") {
            outcomes.push(self.properties());
        }
        if wanted("chains") {
            outcomes.push(self.chains());
        }
        if wanted("simulation") {
            outcomes.push(self.simulation());
        }
        if wanted("kills") {
            outcomes.push(self.kills());
        }
        if wanted("fuzz") {
            outcomes.extend(FUZZ_TARGETS.iter().map(|target| self.fuzz(target)));
        }
        if wanted("packages") {
            outcomes.push(outcome(
                "packages installed, run and removed in a scratch root".into(),
                || {
                    let exe = std::env::current_exe().map_err(|error| error.to_string())?;
                    run_command(
                        Command::new(exe)
                            .args(["package", "--try"])
                            .current_dir(self.workspace.root()),
                    )
                },
            ));
        }
        outcomes
    }

    fn properties(&self) -> Outcome {
        let Counts { cases, .. } = self.counts;
        outcome(format!("properties of every codec, {cases} inputs each"), || {
            let packages =
                ["-p", "websocket", "-p", "wamp", "-p", "tunnel", "-p", "rpc", "-p", "model"];
            let mut command = cargo(self.workspace);
            command.args(["test", "--release", "--lib"]).args(packages);
            run_command(command.env("PROPTEST_CASES", cases.to_string()))
        })
    }

    fn chains(&self) -> Outcome {
        let Counts { chains, .. } = self.counts;
        outcome(format!("{chains} chains of delegations against the naive model"), || {
            let mut command = cargo(self.workspace);
            command.args(["test", "--release", "-p", "model", "--test", "delegation"]);
            run_command(command.env("S4T_DELEGATION_CHAINS", chains.to_string()))
        })
    }

    fn simulation(&self) -> Outcome {
        let Counts { seeds, .. } = self.counts;
        outcome(format!("two tunnel machines over {seeds} simulated networks"), || {
            let mut command = cargo(self.workspace);
            command.args(["test", "--release", "-p", "tunnel", "--lib", "simulation"]);
            run_command(command.env("S4T_SOAK_SEEDS", seeds.to_string()))
        })
    }

    fn kills(&self) -> Outcome {
        let Counts { kills, .. } = self.counts;
        outcome(format!("{kills} kills of cloud and boards while commands flow"), || {
            run_command(cargo(self.workspace).args([
                "build",
                "-p",
                "iotronic",
                "-p",
                "lightning-rod",
                "-p",
                "s4t",
            ]))?;
            let mut command = cargo(self.workspace);
            command.args([
                "test",
                "-p",
                "testkit",
                "--test",
                "system",
                "--",
                "crashes::",
                "keys::whoever_dies",
                "--nocapture",
            ]);
            command.env("S4T_BIN_DIR", self.workspace.debug_dir());
            run_command(command.env("S4T_SOAK_KILLS", kills.to_string()))
        })
    }

    fn fuzz(&self, target: &str) -> Outcome {
        let Counts { inputs, .. } = self.counts;
        outcome(format!("fuzz target {target}, {inputs} inputs"), || {
            let folder = self.workspace.root().join("fuzz");
            let build = ["+nightly", "build", "--release", "--target", FUZZ_HOST, "--bin", target];
            let output = self.workspace.target_dir().join("fuzz");
            // The toolchain's own cargo, not the one that runs this chore.
            let mut cargo = Command::new("cargo");
            cargo.args(build).current_dir(&folder).env("RUSTFLAGS", FUZZ_FLAGS);
            cargo.env("CARGO_TARGET_DIR", &output).env_remove("RUSTUP_TOOLCHAIN");
            run_command(&mut cargo)?;
            let corpus = output.join("corpus").join(target);
            std::fs::create_dir_all(&corpus).map_err(|error| error.to_string())?;
            let mut fuzzer = Command::new(output.join(FUZZ_HOST).join("release").join(target));
            fuzzer.arg(&corpus).args([
                "-max_len=4096",
                &format!("-runs={inputs}"),
                "-timeout=1",
                "-print_final_stats=1",
            ]);
            run_command(fuzzer.current_dir(&output))
        })
    }
}

fn outcome(what: String, work: impl FnOnce() -> Fallible<()>) -> Outcome {
    eprintln!("\n== {what}");
    let begun = Instant::now();
    let ended = work();
    Outcome { what, took: begun.elapsed(), ended }
}

fn page(workspace: &Workspace, outcomes: &[Outcome]) -> Fallible<String> {
    let root = workspace.root();
    let commit =
        capture(Command::new("git").args(["rev-parse", "--short", "HEAD"]).current_dir(root))?;
    let date = capture(Command::new("date").args(["-u", "+%Y-%m-%d"]))?;
    let mut page = String::from("# Long runs\n\nWritten by `cargo xtask soak --write`");
    let _ = writeln!(page, ", on {} at commit {}.\n", date.trim(), commit.trim());
    page.push_str("| run | took | ended |\n|---|---|---|\n");
    for Outcome { what, took, ended } in outcomes {
        let ended = ended
            .as_ref()
            .map_or_else(|reason| format!("FAILED: {reason}"), |()| "well".to_owned());
        let _ = writeln!(page, "| {what} | {} s | {ended} |", took.as_secs());
    }
    Ok(page)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_fuzz_target_is_run_built_and_described() {
        let folder = Workspace::find().unwrap().root().join("fuzz");
        let files = std::fs::read_dir(folder.join("fuzz_targets")).unwrap();
        let names = files.map(|file| file.unwrap().path().file_stem().unwrap().to_owned());
        let mut names: Vec<_> = names.map(|name| name.into_string().unwrap()).collect();
        names.sort_unstable();
        assert_eq!(names, FUZZ_TARGETS);
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let (manifest, page) = (read("Cargo.toml"), read("README.md"));
        for target in FUZZ_TARGETS {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
            assert!(page.contains(&format!("`{target}`")), "{target}");
        }
    }

    #[test]
    fn a_word_that_means_nothing_is_named() {
        let workspace = Workspace::find().unwrap();
        assert!(run(&workspace, &["--all".to_owned()]).unwrap_err().contains("--all"));
    }
}
