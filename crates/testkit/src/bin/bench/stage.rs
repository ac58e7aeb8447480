//! What is measured: one cloud and one board, real programs on loopback, with their default settings.
//!
//! Invariant: the memory of the cloud is taken before anybody but the administrator has come.

use crate::figure::{Figure, short};
use crate::http::{Asker, Kept};
use crate::statistics::{median, ms, processor_time};
use std::time::{Duration, Instant};
use testkit::{Board, BoardOptions, World, WorldOptions};

/// The load comes from one person here, who is not to be slowed down.
const UNLIMITED: &str = "1000000";
/// Public ports, below the kernel's own range and away from those of tests.
const SERVICE_PORTS: &str = "31300-31499";
/// The board on which most is measured.
pub(crate) const BOARD: &str = "bench";
/// How long the load of preparations may take to settle.
const SETTLE: Duration = Duration::from_millis(500);

/// Cloud, board, and whom to ask.
pub(crate) struct Stage {
    pub(crate) board: Board,
    pub(crate) asker: Asker,
    /// Memory of the cloud before the first board, in KiB.
    pub(crate) fresh_cloud_kib: u64,
    // Last: the board goes before its cloud.
    pub(crate) world: World,
}

impl Stage {
    /// Starts both.
    pub(crate) fn set() -> Self {
        let world = World::start(
            WorldOptions::default()
                .set("services.ports", SERVICE_PORTS)
                .set("limits.requests_per_s", UNLIMITED)
                .set("limits.requests_burst", UNLIMITED),
        );
        let token = world.admin().token().expect("signed in");
        let asker = Asker { at: world.at(), token };
        let _ = asker.connect().ask(&asker.request("GET", api::boards::PATH, ""));
        let fresh_cloud_kib = world.cloud(|cloud| cloud.memory_kib().0);
        let board = world.board_with(BOARD, BoardOptions::default().terminals());
        board.answers();
        Self { board, asker, fresh_cloud_kib, world }
    }

    /// A connection of its own.
    pub(crate) fn connect(&self) -> Kept {
        self.asker.connect()
    }

    /// A request about the board; `rest` is such as `/echo`.
    pub(crate) fn on_board(&self, method: &str, rest: &str, body: &str) -> Vec<u8> {
        self.asker.request(method, &format!("{}/{BOARD}{rest}", api::boards::PATH), body)
    }

    /// The cloud's process and the agent's.
    pub(crate) fn pids(&self) -> [u32; 2] {
        [self.world.cloud(|cloud| cloud.pid()), self.board.agent(|agent| agent.pid())]
    }

    /// Processor time that all our processes spend on this work, and how long it took.
    pub(crate) fn cost(&self, work: impl FnOnce()) -> Cost {
        // What was begun before, such as records written behind, must not be counted here.
        std::thread::sleep(SETTLE);
        let now = || self.pids().map(processor_time);
        let (before, began) = (now(), Instant::now());
        work();
        let took = began.elapsed();
        let after = now();
        Cost { cloud: after[0] - before[0], agent: after[1] - before[1], took }
    }

    /// Memory of cloud and agent now, in KiB.
    pub(crate) fn memory_kib(&self) -> [u64; 2] {
        let agent = self.board.agent(|agent| agent.memory_kib().0);
        [self.world.cloud(|cloud| cloud.memory_kib().0), agent]
    }

    /// Makes a service that boards have at `port`.
    pub(crate) fn service(&self, name: &str, port: u16) {
        let _ = self.world.service(name, port);
    }
}

/// What some work cost.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Cost {
    pub(crate) cloud: Duration,
    pub(crate) agent: Duration,
    pub(crate) took: Duration,
}

impl Cost {
    /// Both processes.
    pub(crate) fn processor(&self) -> Duration {
        self.cloud + self.agent
    }

    /// Together with another.
    pub(crate) fn and(self, other: Self) -> Self {
        Self {
            cloud: self.cloud + other.cloud,
            agent: self.agent + other.agent,
            took: self.took + other.took,
        }
    }
}

/// What one of `calls` costs in the quietest round: others at work on the machine make each one dearer, never cheaper.
pub(crate) fn costs_each(what: &str, rounds: &[Cost], calls: usize) -> Figure {
    let each = |time: Duration| ms(time) / calls as f64;
    let all: Vec<f64> = rounds.iter().map(|cost| each(cost.processor())).collect();
    let quietest = rounds.iter().min_by_key(|cost| cost.processor()).expect("there are rounds");
    Figure::new(what, each(quietest.processor()), "ms").beside(format!(
        "cloud {}, agent {}; median of {} rounds {}",
        short(each(quietest.cloud)),
        short(each(quietest.agent)),
        rounds.len(),
        short(median(&all)),
    ))
}
