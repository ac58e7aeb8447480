//! A command to a board: durable before it is acknowledged, journalled on the board before it is carried out.

use crate::calls::timed;
use crate::figure::{Figure, Goal, short};
use crate::http::Kept;
use crate::stage::Stage;
use crate::statistics::{median, ms, quantile};
use api::operations::{Detail, Operation};
use model::operation::State;
use std::fs::File;
use std::io::Write as _;
use std::path::Path;

/// Rounds; between them the disk is measured.
const ROUNDS: usize = 5;
/// Commands in a round.
const COMMANDS: usize = 30;
/// Goal beyond one synced commit.
const BEYOND_COMMIT_MS: f64 = 1.5;
/// The service that the board is told about again and again.
const SERVICE: &str = "bench-restored";

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    stage.service(SERVICE, 9);
    let mut kept = stage.connect();
    let path = format!("/services/{SERVICE}");
    let enabled: Operation =
        kept.ask_json(&stage.on_board("PUT", &format!("{path}?wait=10"), "{}"));
    assert_eq!(enabled.state, State::Succeeded, "{enabled:?}");
    let accept = stage.on_board("POST", &format!("{path}/restore"), "");
    let carry_out = stage.on_board("POST", &format!("{path}/restore?wait=10"), "");
    let (mut accepted, mut ended, mut synced) = (Vec::new(), Vec::new(), Vec::new());
    let mut processor = std::time::Duration::ZERO;
    for _ in 0..ROUNDS {
        synced.push(sync_times(stage.world.folder()));
        let cost = stage.cost(|| {
            ended.push(times(|| {
                let operation: Operation = kept.ask_json(&carry_out);
                assert_eq!(operation.state, State::Succeeded, "{operation:?}");
            }))
        });
        processor += cost.processor();
        accepted.push((0..COMMANDS).map(|_| acceptance(stage, &mut kept, &accept)).collect());
    }
    let quietest = |rounds: &[Vec<f64>]| {
        quantile(&rounds.iter().map(|round| median(round)).collect::<Vec<_>>(), 0.0)
    };
    let (commit, accepted_ms, ended_ms) =
        (quietest(&synced), quietest(&accepted), quietest(&ended));
    let spread = |rounds: &[Vec<f64>]| {
        let all = rounds.concat();
        format!("all rounds: p50 {}, p99 {}", short(median(&all)), short(quantile(&all, 0.99)))
    };
    let goal = Goal::AtMost(commit + BEYOND_COMMIT_MS);
    vec![
        Figure::new("one synced write of 4 KiB on this disk, p50, quietest round", commit, "ms")
            .beside(spread(&synced)),
        Figure::new(
            "command, accepted (its commit is synced), p50, quietest round",
            accepted_ms,
            "ms",
        )
        .goal(goal)
        .upstream("41 ms at best")
        .beside(spread(&accepted)),
        Figure::new("command, carried out and its end known, p50, quietest round", ended_ms, "ms")
            .goal(goal)
            .upstream("41 ms at best")
            .beside(format!("{}; {} synced writes", spread(&ended), short(ended_ms / commit))),
        Figure::new("command, CPU", ms(processor) / (ROUNDS * COMMANDS) as f64, "ms")
            .upstream("39 ms"),
    ]
}

fn times(mut work: impl FnMut()) -> Vec<f64> {
    (0..COMMANDS).map(|_| timed(&mut work)).collect()
}

/// Milliseconds until a command is acknowledged; returns when it has ended, so that the next one is alone too.
fn acceptance(stage: &Stage, kept: &mut Kept, request: &[u8]) -> f64 {
    let mut id = None;
    let took = timed(|| id = Some(kept.ask_json::<Operation>(request).id));
    let path = format!("{}/{}?wait=10", api::operations::PATH, id.expect("asked"));
    let ended: Detail = kept.ask_json(&stage.asker.request("GET", &path, ""));
    assert_eq!(ended.operation.state, State::Succeeded, "{ended:?}");
    took
}

/// How long an appended page takes to be on the disk.
fn sync_times(folder: &Path) -> Vec<f64> {
    let mut file = File::create(folder.join("sync")).unwrap();
    times(|| {
        file.write_all(&[7; 4096]).unwrap();
        file.sync_data().unwrap();
    })
}
