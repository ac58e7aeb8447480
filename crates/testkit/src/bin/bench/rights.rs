//! Rights that hold without the cloud: what it costs a board to check one, and how long they are. What a decision costs the
//! cloud is in `decisions`.

use crate::decisions;
use crate::figure::{Figure, Goal, short};
use crate::stage::Stage;
use crate::statistics::quantile;
use base::key::KeyPair;
use model::{BoardId, PluginId, Timestamp};
use rpc::right::{Act, Acts, Grant, MAX_HOPS, Narrowing, Right, Thing};
use std::time::{Duration, Instant};

/// 2027-01-15T08:00:00Z, a whole second.
const NOW: i64 = 1_800_000_000_000_000;
/// Checks of each right in a round.
const CHECKS: u32 = 500;
/// Rounds; the quietest counts.
const ROUNDS: usize = 7;

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    let (cloud, board, now) = (KeyPair::generate(), BoardId::new(), Timestamp::from_micros(NOW));
    let acts: Acts = Act::ALL.into_iter().collect();
    let grant = Grant {
        board,
        holder: "7f2c9c2e51d94a2c8d5f0e6a4b7d9c31".into(),
        issued_at: now,
        life: Duration::from_secs(300),
        epoch: 1,
        depth: 8,
        acts,
        thing: Thing::Board,
    };
    let first = Right::issue(&cloud, &grant);
    let narrowing = Narrowing {
        acts: Some([Act::Call].into_iter().collect()),
        until_s: Some(200),
        thing: Some(Thing::Plugin(PluginId::new())),
        ..Narrowing::default()
    };
    let last = (0..MAX_HOPS).fold(first.clone(), |right, _| right.narrow(narrowing).unwrap());
    let check = |right: &Right| {
        let (bytes, root) = (right.to_bytes(), cloud.public());
        let rounds: Vec<f64> = (0..ROUNDS)
            .map(|_| {
                let began = Instant::now();
                for _ in 0..CHECKS {
                    let read = Right::from_bytes(&bytes).unwrap();
                    read.verify(&root, board, 1, now).unwrap();
                }
                began.elapsed().as_secs_f64() * 1e6 / f64::from(CHECKS)
            })
            .collect();
        quantile(&rounds, 0.0)
    };
    let (none, all) = (check(&first), check(&last));
    let hops = MAX_HOPS as f64;
    let (size, longest) = (first.to_bytes().len() as f64, last.to_bytes().len() as f64);
    let mut figures = vec![
        Figure::new("a right read and checked, quietest round", none, "us")
            .goal(Goal::AtMost(100.0))
            .upstream("biscuit: 56 us")
            .beside(format!("{} with eight narrowings", short(all))),
        Figure::new("the same, for each narrowing more", (all - none) / hops, "us")
            .goal(Goal::AtMost(75.0))
            .upstream("biscuit: 43 us"),
        Figure::new("length of a right with a holder of 32 characters", size, "bytes")
            .goal(Goal::AtMost(255.0))
            .upstream("biscuit: 255 bytes"),
        Figure::new("each narrowing of acts, time and plugin", (longest - size) / hops, "bytes")
            .goal(Goal::AtMost(233.0))
            .upstream("biscuit: 233 bytes"),
    ];
    figures.extend(decisions::figures(stage));
    figures
}
