//! Reading records: one board, and a list of a thousand.

use crate::calls::timed;
use crate::figure::{Figure, Goal, short};
use crate::stage::{Cost, Stage, costs_each};
use crate::statistics::median;
use serde_json::{Value, json};
use testkit::SimulatedBoard;

/// Boards in the list.
const BOARDS: usize = 1000;
/// How many enrol at one time.
const ENROLLING: usize = 4;
/// Rounds of either.
const ROUNDS: usize = 7;
/// Reads of one board in a round.
const READS: usize = 2000;
/// Reads of the list in a round.
const LISTS: usize = 20;

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    let one = one_board(stage);
    fill(stage);
    vec![one, list(stage)]
}

fn one_board(stage: &Stage) -> Figure {
    let request = stage.on_board("GET", "", "");
    let (costs, times, _) = rounds(stage, &request, READS);
    costs_each("GET one board, CPU, quietest round", &costs, READS)
        .goal(Goal::AtMost(0.1))
        .upstream("8 ms")
        .beside(format!("p50 {} ms", short(median(&times))))
}

fn list(stage: &Stage) -> Figure {
    let path = format!("{}?limit={BOARDS}", api::boards::PATH);
    let request = stage.asker.request("GET", &path, "");
    let page: Value = stage.connect().ask_json(&request);
    assert_eq!(page["items"].as_array().map(Vec::len), Some(BOARDS), "the list is whole");
    let (costs, times, bytes) = rounds(stage, &request, LISTS);
    costs_each("GET a list of 1,000 boards, CPU, quietest round", &costs, LISTS)
        .goal(Goal::AtMost(20.0))
        .upstream("6,240 ms")
        .beside(format!("p50 {} ms, {} KiB", short(median(&times)), bytes / 1024))
}

/// Reads the same in rounds: costs, all times, and the length of an answer.
fn rounds(stage: &Stage, request: &[u8], reads: usize) -> (Vec<Cost>, Vec<f64>, usize) {
    let (mut kept, mut times, mut bytes) = (stage.connect(), Vec::new(), 0);
    let mut round = || times.extend((0..reads).map(|_| timed(|| bytes = kept.ask(request).len())));
    let costs = (0..ROUNDS).map(|_| stage.cost(&mut round)).collect();
    (costs, times, bytes)
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
