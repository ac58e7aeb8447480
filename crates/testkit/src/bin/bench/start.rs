//! From the start of the agent to the moment at which the cloud says that the board can be called.

use crate::figure::{Figure, Goal, short};
use crate::http::Kept;
use crate::stage::Stage;
use crate::statistics::{median, ms, processor_time, quantile};
use api::boards::Board;
use model::board::Status;
use std::time::{Duration, Instant};
use testkit::BoardOptions;

/// Starts of either sort.
const STARTS: usize = 9;
/// Between two looks at the board's record; short against what is measured, long against what a look costs.
const LOOK: Duration = Duration::from_millis(2);
/// Longest wait.
const PATIENCE: Duration = Duration::from_secs(20);

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    let mut kept = stage.connect();
    let (known, processor): (Vec<f64>, Vec<f64>) =
        (0..STARTS).map(|_| known(stage, &mut kept)).unzip();
    let new: Vec<f64> = (0..STARTS).map(|number| new(stage, &mut kept, number)).collect();
    let range = |times: &[f64]| {
        format!("{} to {}", short(quantile(times, 0.0)), short(quantile(times, 1.0)))
    };
    vec![
        Figure::new(
            "`lightning-rod` start to online, enrolled before, median of 9",
            median(&known),
            "s",
        )
        .goal(Goal::AtMost(0.15))
        .upstream("2.0 s")
        .beside(format!("{}; its CPU {} s", range(&known), short(median(&processor)))),
        Figure::new("the same, new (`enrol`, then `run`), median of 9", median(&new), "s")
            .goal(Goal::AtMost(0.3))
            .upstream("3.4 s")
            .beside(range(&new)),
    ]
}

/// Seconds until online, and processor seconds of the agent.
fn known(stage: &Stage, kept: &mut Kept) -> (f64, f64) {
    stage.board.stop();
    stage.board.wait_offline();
    let request = stage.on_board("GET", "", "");
    let began = Instant::now();
    stage.board.start();
    wait_online(kept, &request, began);
    let took = ms(began.elapsed()) / 1000.0;
    let spent = stage.board.agent(|agent| processor_time(agent.pid()));
    (took, spent.as_secs_f64())
}

fn new(stage: &Stage, kept: &mut Kept, number: usize) -> f64 {
    let name = format!("bench-new-{number}");
    let claim = stage.world.claim(&name);
    let board = stage.world.machine(&name, BoardOptions::default());
    let request = stage.asker.request("GET", &format!("{}/{name}", api::boards::PATH), "");
    let began = Instant::now();
    let _ = board.enrol(&claim).ok();
    board.start();
    wait_online(kept, &request, began);
    let took = ms(began.elapsed()) / 1000.0;
    board.stop();
    took
}

fn wait_online(kept: &mut Kept, request: &[u8], began: Instant) {
    while kept.ask_json::<Board>(request).summary.status != Status::Online {
        assert!(began.elapsed() < PATIENCE, "the board does not come online");
        std::thread::sleep(LOOK);
    }
}
