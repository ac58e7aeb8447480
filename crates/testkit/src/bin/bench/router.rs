//! The WAMP router alone beside Crossbar, the router of upstream's clouds: calls, fan-out, and what an idle session holds.
//!
//! Invariant: both are loaded by the same program in turns, round by round, so that a ratio is of one moment. What loads
//! them runs on the same cores and is not counted. Deliberately not here: boards.

use crate::figure::{Figure, Goal, short};
use crate::stage::Stage;
use crate::statistics::{median, quantile};
use serde_json::Value;
use std::io::{BufRead as _, BufReader};
use std::process::{Child, Command, Stdio};
use testkit::program_path;
use testkit::upstream::crossbar::Crossbar;

/// Rounds of each measurement, both routers in turns.
const ROUNDS: usize = 3;
/// Seconds that one measurement counts.
const SECONDS: &str = "2";
/// Calls in flight.
const WINDOW: &str = "64";
/// Sessions that hold nothing.
const IDLE: &str = "10000";
/// Seconds after the last of them has joined.
const SETTLE: &str = "5";
const SERIALISERS: [&str; 3] = ["json", "msgpack", "cbor"];

/// Our router, stopped with the value.
struct Ours {
    child: Child,
    address: String,
}

impl Ours {
    fn start() -> Self {
        let mut command = Command::new(program_path("wamp_router"));
        command.args(["--listen", "127.0.0.1:0"]).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let mut line = String::new();
        BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
        let address = line.trim().strip_prefix("websocket ").unwrap().to_owned();
        Self { child, address }
    }

    fn load(&self, words: &[&str]) -> Value {
        let (what, rest) = words.split_first().unwrap();
        let pid = self.child.id().to_string();
        let mut all = vec![*what, self.address.as_str(), "realm1"];
        all.extend_from_slice(rest);
        all.push(&pid);
        load(&all)
    }
}

impl Drop for Ours {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn load(words: &[&str]) -> Value {
    let output = Command::new(program_path("wamp_load")).args(words).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout).into_owned();
    let complaints = String::from_utf8_lossy(&output.stderr).into_owned();
    serde_json::from_str(&said).unwrap_or_else(|error| panic!("{words:?}: {error}: {complaints}"))
}

fn number(said: &Value, name: &str) -> f64 {
    said[name].as_f64().unwrap_or_else(|| panic!("no {name} in {said}"))
}

/// Measures.
pub(crate) fn figures(_: &mut Stage) -> Vec<Figure> {
    let crossbar = Crossbar::start();
    let ours = Ours::start();
    let theirs = |words: &[&str]| {
        let (what, rest) = words.split_first().unwrap();
        let address = crossbar.address();
        let mut all = vec![*what, address.as_str(), "s4t"];
        all.extend_from_slice(rest);
        load(&all)
    };
    let mut figures = Vec::new();
    for serialiser in SERIALISERS {
        figures.extend(calls(&ours, &theirs, serialiser));
    }
    for count in ["10", "100", "1000"] {
        figures.extend(fanout(&ours, &theirs, count));
    }
    drop((ours, crossbar));
    figures.push(idle());
    figures
}

fn calls(ours: &Ours, theirs: &impl Fn(&[&str]) -> Value, serialiser: &str) -> Vec<Figure> {
    let (mut rates, mut ratios, mut costs, mut trips) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let words = ["calls", serialiser, WINDOW, SECONDS];
        let (own, other) = (ours.load(&words), theirs(&words));
        rates.push(number(&own, "per_second"));
        ratios.push(number(&own, "per_second") / number(&other, "per_second"));
        costs.push(number(&own, "us_each"));
        let one = ours.load(&["calls", serialiser, "1", SECONDS]);
        trips.push(number(&one, "p50_us"));
    }
    let calls = short(median(&rates));
    vec![
        Figure::new(
            format!("WAMP calls a second by {serialiser}, {WINDOW} in flight, as a multiple of Crossbar's"),
            median(&ratios),
            "x",
        )
        .goal(Goal::AtLeast(12.0))
        .beside(format!("{calls} calls a second; multiples {}", spread(&ratios))),
        Figure::new(format!("WAMP call by {serialiser}, CPU of the router"), median(&costs), "µs")
            .goal(Goal::AtMost(12.0))
            .beside(spread(&costs)),
        Figure::new(
            format!("WAMP call by {serialiser}, one in flight, median, quietest round"),
            quantile(&trips, 0.0),
            "µs",
        )
        .goal(Goal::AtMost(60.0))
        .beside(spread(&trips)),
    ]
}

fn fanout(ours: &Ours, theirs: &impl Fn(&[&str]) -> Value, count: &str) -> Vec<Figure> {
    let (mut rates, mut ratios, mut costs, mut bare) = (vec![], vec![], vec![], vec![]);
    for _ in 0..ROUNDS {
        let words = ["fanout", "json", count, SECONDS];
        let (own, other) = (ours.load(&words), theirs(&words));
        rates.push(number(&own, "per_second"));
        ratios.push(number(&own, "per_second") / number(&other, "per_second"));
        let loops = number(&load(&["bare", count, SECONDS]), "us_each");
        bare.push(loops);
        costs.push(number(&own, "us_each") / loops);
    }
    vec![
        Figure::new(
            format!("WAMP events to {count} subscribers, as a multiple of Crossbar's"),
            median(&ratios),
            "x",
        )
        .goal(Goal::AtLeast(4.0))
        .beside(format!(
            "{} events a second; multiples {}",
            short(median(&rates)),
            spread(&ratios)
        )),
        Figure::new(
            format!(
                "WAMP event to {count} subscribers, CPU as a multiple of a bare loop of writes"
            ),
            median(&costs),
            "x",
        )
        .goal(Goal::AtMost(1.5))
        .beside(format!(
            "the loop {} µs an event; multiples {}",
            short(median(&bare)),
            spread(&costs)
        )),
    ]
}

/// A router of its own, whose memory was not used before.
fn idle() -> Figure {
    let said = Ours::start().load(&["sessions", "cbor", IDLE, SETTLE]);
    Figure::new(
        format!("memory of an idle WAMP session, of {IDLE}"),
        number(&said, "kib_each"),
        "KiB",
    )
    .goal(Goal::AtMost(15.0))
    .beside(format!("{} joins a second", short(number(&said, "joins_per_second"))))
}

fn spread(values: &[f64]) -> String {
    format!("{} to {}", short(quantile(values, 0.0)), short(quantile(values, 1.0)))
}
