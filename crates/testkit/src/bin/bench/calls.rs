//! A query to a board through REST: the board says something back.

use crate::figure::{Figure, Goal, short};
use crate::stage::{BOARD, Cost, Stage, costs_each};
use crate::statistics::{median, ms, quantile};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::time::Instant;

/// Rounds of calls one at a time; the quietest shows what an idle machine gives.
const ROUNDS: usize = 7;
/// Calls in a round.
const CALLS: usize = 1000;
/// Askers at one time.
const ASKERS: usize = 8;
/// Calls of each of them.
const CALLS_EACH: usize = 250;
/// What the board is to say.
pub(crate) const ECHO: &str = r#"{"say":"are you there?"}"#;

/// The same in upstream's words.
const UPSTREAM_ECHO: &str = r#"{"action":"DeviceEcho","parameters":{"say":"are you there?"}}"#;

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    let mut figures = one_at_a_time(stage);
    figures.extend(many_at_a_time(stage));
    figures.push(dialects(stage));
    figures
}

/// What upstream's API adds to the same question: paired rounds, each of both one after the other, in turns.
fn dialects(stage: &Stage) -> Figure {
    let (mut kept, own) = (stage.connect(), stage.on_board("POST", "/echo", ECHO));
    let path = format!("/v1/boards/{BOARD}/action");
    let upstream = stage.asker.request("POST", &path, UPSTREAM_ECHO);
    let mut each = |request: &[u8]| {
        let cost = stage.cost(|| {
            for _ in 0..CALLS {
                let _ = kept.ask(request);
            }
        });
        ms(cost.cloud) / CALLS as f64
    };
    let (mut ones, mut twos, mut more) = (Vec::new(), Vec::new(), Vec::new());
    for round in 0..ROUNDS {
        let (one, two) = if round % 2 == 0 {
            let one = each(&upstream);
            (one, each(&own))
        } else {
            let two = each(&own);
            (each(&upstream), two)
        };
        ones.push(one);
        twos.push(two);
        more.push(one - two);
    }
    Figure::new(
        "query by `/v1`, CPU of the cloud beyond `/v2`, median of paired rounds",
        median(&more),
        "ms",
    )
    .goal(Goal::AtMost(0.1))
    .beside(format!(
        "`/v1` {}, `/v2` {} (medians of {ROUNDS} rounds); differences {} to {}",
        short(median(&ones)),
        short(median(&twos)),
        short(quantile(&more, 0.0)),
        short(quantile(&more, 1.0)),
    ))
}

fn one_at_a_time(stage: &Stage) -> Vec<Figure> {
    let (mut kept, request) = (stage.connect(), stage.on_board("POST", "/echo", ECHO));
    let mut bare = Bare::start();
    let (mut rounds, mut costs, mut trips) = (Vec::new(), Vec::new(), Vec::new());
    for _ in 0..ROUNDS {
        let mut times = Vec::with_capacity(CALLS);
        costs.push(stage.cost(|| {
            for _ in 0..CALLS {
                times.push(timed(|| {
                    let _ = kept.ask(&request);
                }));
            }
        }));
        rounds.push(times);
        trips.extend((0..CALLS).map(|_| timed(|| bare.trip())));
    }
    let all = rounds.concat();
    let medians: Vec<f64> = rounds.iter().map(|round| median(round)).collect();
    let tails: Vec<f64> = rounds.iter().map(|round| quantile(round, 0.99)).collect();
    vec![
        costs_each(
            "query to a board (DeviceEcho), CPU, one at a time, quietest round",
            &costs,
            CALLS,
        )
        .goal(Goal::AtMost(0.3))
        .upstream("39 ms"),
        Figure::new("query, p50, one at a time, quietest round", quantile(&medians, 0.0), "ms")
            .goal(Goal::AtMost(1.5))
            .upstream("28 ms at best; p50 57-106")
            .beside(format!(
                "all {ROUNDS} rounds: p50 {}; bare loopback round trip p50 {}",
                short(median(&all)),
                short(median(&trips))
            )),
        Figure::new("query, p99, one at a time, quietest round", quantile(&tails, 0.0), "ms")
            .goal(Goal::AtMost(1.5))
            .upstream("177-421 ms")
            .beside(format!(
                "all rounds: p99 {}; bare loopback p99 {}",
                short(quantile(&all, 0.99)),
                short(quantile(&trips, 0.99))
            )),
    ]
}

fn many_at_a_time(stage: &Stage) -> Vec<Figure> {
    let ask = || {
        let (mut kept, request) = (stage.connect(), stage.on_board("POST", "/echo", ECHO));
        for _ in 0..CALLS_EACH {
            let _ = kept.ask(&request);
        }
    };
    let round = || {
        std::thread::scope(|scope| {
            for _ in 0..ASKERS {
                scope.spawn(ask);
            }
        });
    };
    let costs: Vec<Cost> = (0..ROUNDS).map(|_| stage.cost(round)).collect();
    let calls = ASKERS * CALLS_EACH;
    let rates: Vec<f64> = costs.iter().map(|cost| calls as f64 / cost.took.as_secs_f64()).collect();
    vec![
        costs_each(&format!("query, CPU, {ASKERS} at a time, quietest round"), &costs, calls)
            .goal(Goal::AtMost(0.3))
            .upstream("26 ms"),
        Figure::new(
            format!("queries, {ASKERS} at a time, quietest round"),
            quantile(&rates, 1.0),
            "calls/s",
        )
        .upstream("31-47 calls/s")
        .beside(format!("median round {}", short(median(&rates)))),
    ]
}

/// Milliseconds that some work takes.
pub(crate) fn timed(work: impl FnOnce()) -> f64 {
    let began = Instant::now();
    work();
    ms(began.elapsed())
}

/// A thread that says back what it hears: what this machine's loopback costs at this moment.
struct Bare(TcpStream);

impl Bare {
    fn start() -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        let stream = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        stream.set_nodelay(true).unwrap();
        std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            stream.set_nodelay(true).unwrap();
            let mut byte = [0; 64];
            while stream.read_exact(&mut byte).and_then(|()| stream.write_all(&byte)).is_ok() {}
        });
        Self(stream)
    }

    fn trip(&mut self) {
        let mut byte = [1; 64];
        self.0.write_all(&byte).unwrap();
        self.0.read_exact(&mut byte).unwrap();
    }
}
