//! Speed and size of the real programs, measured from outside: `cargo xtask bench` builds them and runs this.
//!
//! Prints a Markdown page on standard output and progress on standard error; words after `--only` pick groups.
//! Invariant: every figure is taken in this run on this machine, and the page says which machine, when and under what load;
//! rounds and counts are constants, so the whole takes a few minutes. What measures costs little and is never counted as
//! ours. Deliberately not here: building, and where the page is kept (`xtask`).

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::string_slice,
    reason = "a measurement that fails is a panic"
)]

mod audit;
mod calls;
mod commands;
mod connections;
mod decisions;
mod exposure;
mod figure;
mod http;
mod machine;
mod memory;
mod pages;
mod peers;
mod programs;
mod records;
mod rights;
mod router;
mod stage;
mod start;
mod statistics;
mod terminal;
mod throughput;
mod tokens;

use figure::Figure;
use machine::Machine;
use stage::Stage;
use std::time::Instant;

/// Measures one group.
type Measure = fn(&mut Stage) -> Vec<Figure>;

/// The group of the peers: what it measures stands in the lines of the others.
const PEERS: &str = "upstream";

/// The groups in the order in which they run: what needs a fresh cloud comes first, what fills it last.
const GROUPS: [(&str, Measure); 15] = [
    ("memory", memory::figures),
    ("query", calls::figures),
    ("command", commands::figures),
    ("audit", audit::figures),
    ("enable", exposure::figures),
    ("forward", throughput::figures),
    ("terminal", terminal::figures),
    ("start", start::figures),
    ("programs", programs::figures),
    ("tokens", tokens::figures),
    ("pages", pages::figures),
    ("rights", rights::figures),
    ("connections", connections::figures),
    ("records", records::figures),
    ("wamp", router::figures),
];

fn main() {
    let wanted = wanted();
    let machine = Machine::look();
    let began = Instant::now();
    let mut stage = Stage::set();
    let mut figures = Vec::new();
    for (name, measure) in GROUPS {
        if wanted.is_empty() || wanted.iter().any(|word| word == name) {
            eprintln!("measuring: {name} ({:.0} s so far)", began.elapsed().as_secs_f64());
            figures.extend(measure(&mut stage));
        }
    }
    // Nothing of ours runs beside them.
    drop(stage);
    let mut peers = Vec::new();
    if wanted.is_empty() || wanted.iter().any(|word| word == PEERS) {
        eprintln!("measuring: {PEERS} ({:.0} s so far)", began.elapsed().as_secs_f64());
        peers = peers::figures();
    }
    println!("{}", machine.described(began.elapsed()));
    print!("{}", figure::table(&figures, &peers));
}

/// The groups named on the command line; none means all.
fn wanted() -> Vec<String> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    match words.split_first() {
        None => Vec::new(),
        Some((first, names)) if first == "--only" => {
            let known =
                |name: &String| name == PEERS || GROUPS.iter().any(|(group, _)| group == name);
            let groups = GROUPS.map(|(name, _)| name);
            assert!(names.iter().all(known), "the groups are {groups:?} and {PEERS:?}");
            names.to_vec()
        }
        Some((first, _)) => panic!("bench takes only `--only GROUP…`, not `{first}`"),
    }
}
