//! The project's chores, run as `cargo xtask …`.
//!
//! Invariant: a chore exits 0 only when everything it set out to do is done; progress goes to standard error, and only
//! what another program may read goes to standard output. Dependencies stay so few that the first chore starts within
//! seconds. Deliberately not here: anything a shipped program needs.

mod apt;
mod bench;
mod command;
mod dashboard;
mod demo;
mod needs;
mod node;
mod openapi;
mod package;
mod process;
mod screenshots;
mod soak;
mod test;
mod tidy;
mod workspace;

use std::process::ExitCode;

use command::Fallible;
use workspace::Workspace;

const HELP: &str = "\
The project's chores.

Usage: cargo xtask CHORE [OPTIONS]

Chores:
  demo [--check]
      start the cloud and three boards here, show what they do, stay up until Ctrl-C; `--check` verifies and ends
  test [--quick]
      run every check and test; `--quick` leaves out system tests, browser tests and the demo
  bench [--write] [--only GROUP…]
      measure speed and size of the programs as they are shipped; `--write` keeps the table in docs/benchmarks.md
  tidy
      check the rules of the house: arrows, module docs, unsafe, dependencies, forbidden words
  package [--target TRIPLE] [--out DIR] [--try]
      make the Debian packages and the agent's tarball (in dist/); `--try` installs them in a scratch root
  dashboard
      check, test and build the pages in dashboard/, which the next build of the cloud takes in
  screenshots
      take pictures of the dashboard's screens into docs/images, on a stage of simulated boards
  openapi
      write docs/openapi.json as the cloud describes itself
  soak [--short] [--write] [--seconds N] [properties|chains|simulation|cycles|kills|fuzz|packages [--count N]]
      the long runs with full counts; `--short` takes a fraction, `--count` as many as you say of one run, `--seconds` ends each
      fuzz target by then, `--write` keeps the rows in docs/soak.md
  help
      print this text
";

fn main() -> ExitCode {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match run(&words) {
        Ok(code) => code,
        Err(reason) => {
            eprintln!("error: {reason}");
            ExitCode::FAILURE
        }
    }
}

fn run(words: &[String]) -> Fallible<ExitCode> {
    let Some((chore, rest)) = words.split_first() else {
        eprint!("{HELP}");
        return Ok(ExitCode::from(2));
    };
    match chore.as_str() {
        "bench" => bench::run(&Workspace::find()?, rest),
        "dashboard" => dashboard::run(&Workspace::find()?, rest),
        "demo" => demo::run(&Workspace::find()?, rest),
        "openapi" => openapi::run(&Workspace::find()?, rest),
        "package" => package::run(&Workspace::find()?, rest),
        "screenshots" => screenshots::run(&Workspace::find()?, rest),
        "soak" => soak::run(&Workspace::find()?, rest),
        "test" => test::run(&Workspace::find()?, rest),
        "tidy" => tidy::run(&Workspace::find()?, rest),
        "help" | "--help" | "-h" => {
            print!("{HELP}");
            Ok(ExitCode::SUCCESS)
        }
        other => Err(format!("there is no chore `{other}`; `cargo xtask help` lists them")),
    }
}
