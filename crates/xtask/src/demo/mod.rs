//! `cargo xtask demo`: the cloud and three boards on this machine, and what one does with them.
//!
//! Invariant: the demo uses the programs as a person would, by their command lines, and looks at the result from outside;
//! whatever it started it stops, and its files are gone at the end. Deliberately not here: anything a test of one crate can
//! show better.

mod board;
mod client;
mod cloud;
mod fetch;
mod interrupt;
mod local;
mod scene;
mod story;

use std::process::ExitCode;

use crate::command::{Fallible, cargo, run as run_command};
use crate::dashboard;
use crate::needs;
use crate::test::Tally;
use crate::workspace::Workspace;
use interrupt::Interrupt;
use scene::Scene;
use story::Story;

/// The chore.
pub(crate) fn run(workspace: &Workspace, words: &[String]) -> Fallible<ExitCode> {
    match words {
        [] => {
            prepare(workspace)?;
            show(workspace)
        }
        [word] if word == "--check" => {
            prepare(workspace)?;
            let tally = check(workspace);
            Ok(if tally.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        _ => Err("demo takes nothing but `--check`".into()),
    }
}

fn prepare(workspace: &Workspace) -> Fallible<()> {
    needs::prepare(&needs::FOR_DEMO)?;
    dashboard::make_if_possible(workspace);
    eprintln!("building the programs");
    let packages = ["iotronic", "lightning-rod", "s4t"].map(|name| ["--package", name]);
    run_command(cargo(workspace).arg("build").args(packages.as_flattened()))
}

/// Tells the story and stays up until Ctrl-C.
fn show(workspace: &Workspace) -> Fallible<ExitCode> {
    let interrupt = Interrupt::watch()?;
    let scene = Scene::create(workspace)?;
    let mut story = Story::new(&scene);
    let told = story.tell(&interrupt, |told| {
        for command in told.commands {
            println!("    $ {command}");
        }
        match told.outcome {
            Ok(seen) => println!("{}: {seen}", told.step),
            Err(reason) => println!("{} FAILED: {reason}", told.step),
        }
    });
    if told.is_ok() {
        println!("{}", story.invitation());
        interrupt.wait();
        println!("\nstopping");
    }
    let ended = story.end().map(drop);
    // Ctrl-C in the middle of a step makes it fail; that is no failure of the demo.
    let told = if interrupt.is_raised() { Ok(()) } else { told };
    told.and(ended).map(|()| ExitCode::SUCCESS)
}

/// Tells the story, one `ok` or `FAILED` line for each step, and counts the steps. The programs must be built.
pub(crate) fn check(workspace: &Workspace) -> Tally {
    let mut tally = Tally::default();
    let mut count = |step: &str, outcome: &Fallible<String>| match outcome {
        Ok(seen) => {
            println!("ok      {step}: {seen}");
            tally += Tally::PASSED;
        }
        Err(reason) => {
            println!("FAILED  {step}: {reason}");
            tally += Tally::FAILED;
        }
    };
    let scene = Interrupt::watch().and_then(|interrupt| Ok((interrupt, Scene::create(workspace)?)));
    match scene {
        Err(reason) => count("a scene", &Err(reason)),
        Ok((interrupt, scene)) => {
            let mut story = Story::new(&scene);
            // A failed step is counted already; what was started must stop all the same.
            let _ = story.tell(&interrupt, |told| count(told.step, told.outcome));
            count("everything stops when told", &story.end());
        }
    }
    tally
}
