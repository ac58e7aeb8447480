//! Reading records: one board, and a list of a thousand.

use crate::calls::timed;
use crate::figure::{Figure, Goal, short};
use crate::stage::Stage;
use crate::statistics::{median, ms};
use serde_json::{Value, json};
use testkit::SimulatedBoard;

/// Boards in the list.
const BOARDS: usize = 1000;
/// How many enrol at one time.
const ENROLLING: usize = 4;
/// Reads of one board.
const READS: usize = 3000;
/// Reads of the list.
const LISTS: usize = 40;

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    let one = one_board(stage);
    fill(stage);
    vec![one, list(stage)]
}

fn one_board(stage: &Stage) -> Figure {
    let (mut kept, request) = (stage.connect(), stage.on_board("GET", "", ""));
    let mut times = Vec::with_capacity(READS);
    let read = |_| {
        timed(|| {
            let _ = kept.ask(&request);
        })
    };
    let cost = stage.cost(|| times.extend((0..READS).map(read)));
    Figure::new("GET one board, CPU", ms(cost.processor()) / READS as f64, "ms")
        .goal(Goal::AtMost(0.1))
        .upstream("8 ms")
        .beside(format!("p50 {} ms", short(median(&times))))
}

fn list(stage: &Stage) -> Figure {
    let path = format!("{}?limit={BOARDS}", api::boards::PATH);
    let (mut kept, request) = (stage.connect(), stage.asker.request("GET", &path, ""));
    let page: Value = kept.ask_json(&request);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(BOARDS), "the list is whole");
    let mut times = Vec::with_capacity(LISTS);
    let mut bytes = 0;
    let cost =
        stage.cost(|| times.extend((0..LISTS).map(|_| timed(|| bytes = kept.ask(&request).len()))));
    Figure::new("GET a list of 1,000 boards, CPU", ms(cost.processor()) / LISTS as f64, "ms")
        .goal(Goal::AtMost(20.0))
        .upstream("6,240 ms")
        .beside(format!("p50 {} ms, {} KiB", short(median(&times)), bytes / 1024))
}

/// Boards that enrol, are online once and leave, as real ones do.
fn fill(stage: &Stage) {
    let claim = stage.world.claim_with(&json!({ "name": "many", "uses": BOARDS })).claim;
    std::thread::scope(|scope| {
        for _ in 0..ENROLLING {
            scope.spawn(|| {
                for _ in 0..BOARDS / ENROLLING {
                    let board = SimulatedBoard::enrol(&claim);
                    drop(board.connect().unwrap());
                }
            });
        }
    });
}
