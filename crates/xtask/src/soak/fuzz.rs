//! The fuzz targets of `fuzz/`, built with the flags of a coverage-guided build and run for a while.
//!
//! Invariant: every target that exists is run, and what is reported is the number of inputs that were really tried. What a run
//! found interesting is kept among the build output, so the next one goes on from there. Deliberately not here: what a target
//! asserts (see `fuzz/README.md`).

use std::io::{BufRead as _, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::{Outcome, WELL, outcome};
use crate::command::{Fallible, run as run_command, shown};
use crate::workspace::Workspace;

/// Flags of a coverage-guided build for libFuzzer (see `fuzz/README.md`).
const FLAGS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
    -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
    -Zsanitizer=address -Cdebug-assertions";
const HOST: &str = "x86_64-unknown-linux-gnu";
const TARGETS: [&str; 11] = [
    "claims",
    "identity_bodies",
    "right",
    "tokens",
    "tunnel_frames",
    "tunnel_machine",
    "wamp_cbor",
    "wamp_json",
    "wamp_msgpack",
    "websocket_frames",
    "wstun_words",
];
/// Those of the cloud's own readers, which alone need it built.
const OF_THE_CLOUD: [&str; 2] = ["identity_bodies", "tokens"];
/// Seconds after which one input is a hang: far beyond what any needs, even on a busy machine.
const HANG: u64 = 5;
/// Before the number of inputs, in what a fuzzer says at its end.
const TRIED: &str = "stat::number_of_executed_units:";

/// Runs every target, each for so many inputs or seconds, whatever ends first.
pub(super) fn all(workspace: &Workspace, inputs: u64, seconds: Option<u64>) -> Vec<Outcome> {
    let fuzz = Fuzz { workspace, output: workspace.target_dir().join("fuzz") };
    let at_most = seconds.map_or_else(String::new, |seconds| format!(" or {seconds} s"));
    let run = |target: &&str| {
        outcome(&format!("fuzz `{target}`"), format!("up to {inputs} inputs{at_most}"), || {
            fuzz.build(target)?;
            fuzz.run(target, inputs, seconds)
        })
    };
    let (last, first): (Vec<_>, Vec<_>) =
        TARGETS.iter().partition(|target| OF_THE_CLOUD.contains(target));
    // Those that are built soon come first.
    first.iter().chain(&last).map(run).collect()
}

struct Fuzz<'a> {
    workspace: &'a Workspace,
    output: PathBuf,
}

impl Fuzz<'_> {
    fn build(&self, target: &str) -> Fallible<()> {
        // The toolchain's own cargo, not the one that runs this chore.
        let mut cargo = Command::new("cargo");
        cargo.args(["+nightly", "build", "--release", "--target", HOST, "--bin", target]);
        if !OF_THE_CLOUD.contains(&target) {
            cargo.arg("--no-default-features");
        }
        cargo.current_dir(self.workspace.root().join("fuzz")).env("RUSTFLAGS", FLAGS);
        cargo.env("CARGO_TARGET_DIR", &self.output).env_remove("RUSTUP_TOOLCHAIN");
        run_command(&mut cargo)
    }

    fn run(&self, target: &str, inputs: u64, seconds: Option<u64>) -> Fallible<String> {
        let corpus = self.output.join("corpus").join(target);
        std::fs::create_dir_all(&corpus)
            .map_err(|error| format!("{} cannot be made: {error}", corpus.display()))?;
        let mut fuzzer = Command::new(self.program(target));
        fuzzer.arg(&corpus).current_dir(&self.output);
        fuzzer.args(["-max_len=4096", "-print_final_stats=1"]);
        fuzzer.args([format!("-runs={inputs}"), format!("-timeout={HANG}")]);
        fuzzer.args(seconds.map(|seconds| format!("-max_total_time={seconds}")));
        let tried = tried_by(&mut fuzzer)?;
        Ok(format!("{WELL}, {tried} inputs"))
    }

    fn program(&self, target: &str) -> PathBuf {
        Path::new(&self.output).join(HOST).join("release").join(target)
    }
}

/// Runs a fuzzer, shows what it says, and answers how many inputs it says it tried.
fn tried_by(fuzzer: &mut Command) -> Fallible<u64> {
    let mut child = fuzzer
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("`{}` cannot be started: {error}", shown(fuzzer)))?;
    let tried = child.stderr.take().and_then(tried_in);
    match child.wait() {
        Ok(status) if status.success() => {
            tried.ok_or_else(|| format!("`{}` did not say how many inputs it tried", shown(fuzzer)))
        }
        Ok(status) => Err(format!("`{}` ended with {status}", shown(fuzzer))),
        Err(error) => Err(format!("`{}` was lost: {error}", shown(fuzzer))),
    }
}

fn tried_in(said: impl Read) -> Option<u64> {
    let mut tried = None;
    // A fuzzer may quote its input, which need not be text.
    for line in BufReader::new(said).split(b'\n').map_while(Result::ok) {
        let line = String::from_utf8_lossy(&line);
        eprintln!("{line}");
        let number = line.strip_prefix(TRIED).and_then(|rest| rest.trim().parse().ok());
        tried = number.or(tried);
    }
    tried
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
        assert_eq!(names, TARGETS);
        let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
        let (manifest, page) = (read("Cargo.toml"), read("README.md"));
        for target in TARGETS {
            assert!(manifest.contains(&format!("name = \"{target}\"")), "{target}");
            assert!(page.contains(&format!("`{target}`")), "{target}");
        }
    }

    #[test]
    fn the_number_of_inputs_is_the_one_the_fuzzer_says() {
        let said =
            b"#2 INITED \xff\nstat::number_of_executed_units: 400123\nstat::peak_rss_mb: 9\n";
        assert_eq!(tried_in(said.as_slice()), Some(400_123));
        assert_eq!(tried_in(b"==1== ERROR\n".as_slice()), None);
    }
}
