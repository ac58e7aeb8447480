//! The programs as files and as something a person waits for; and what they hold when the run is nearly over.

use crate::calls::timed;
use crate::figure::{Figure, Goal, short};
use crate::memory::mib;
use crate::stage::{BOARD, Stage};
use crate::statistics::{median, quantile};
use std::process::{Command, Stdio};
use testkit::program_path;

/// Starts of the command line.
const STARTS: usize = 40;

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    let sizes = ["iotronic", "s4t"].map(|name| format!("{name} {}", short(size(name))));
    let held = stage.memory_kib().map(mib);
    let version = starts(|| {
        stage.world.s4t_command().arg("--version").stdout(Stdio::null()).status().unwrap().code()
    });
    let show = starts(|| Some(stage.world.s4t(&["board", "show", BOARD]).code));
    let bare = starts(|| Command::new("true").status().unwrap().code());
    vec![
        Figure::new("the agent's binary, stripped", size("lightning-rod"), "MiB")
            .goal(Goal::AtMost(12.0))
            .upstream("84 MiB and the interpreter")
            .beside(format!("{} MiB", sizes.join(", "))),
        Figure::new("start of the command line (`s4t --version`), median", median(&version), "ms")
            .goal(Goal::AtMost(20.0))
            .beside(format!(
                "p99 {}; `true` takes {}",
                short(quantile(&version, 0.99)),
                short(median(&bare))
            )),
        Figure::new("`s4t board show`, signing in included, median", median(&show), "ms")
            .upstream("2,300 ms"),
        Figure::new("memory of the cloud after all of this", held[0], "MiB").upstream("1,182 MiB"),
        Figure::new("memory of the agent after all of this", held[1], "MiB").upstream("62 MiB"),
    ]
}

fn starts(run: impl Fn() -> Option<i32>) -> Vec<f64> {
    (0..STARTS).map(|_| timed(|| assert_eq!(run(), Some(0), "it ends well"))).collect()
}

fn size(program: &str) -> f64 {
    mib(std::fs::metadata(program_path(program)).unwrap().len() / 1024)
}
