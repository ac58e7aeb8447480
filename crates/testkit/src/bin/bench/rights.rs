//! Rights that hold without the cloud: what it costs a board to check one, and how long they are. And what it costs the cloud
//! to decide by a chain of delegations among many.

use crate::figure::{Figure, Goal, short};
use crate::stage::Stage;
use crate::statistics::quantile;
use base::key::KeyPair;
use model::delegation::{Delegation, Hold, Resource, Rights, Target, Window, decide};
use model::{BoardId, DelegationId, PluginId, ProjectId, Timestamp, UserId};
use rpc::right::{Act, Acts, Grant, MAX_HOPS, Narrowing, Right, Thing};
use std::collections::BTreeSet;
use std::time::{Duration, Instant};
use store::delegations;

/// 2027-01-15T08:00:00Z, a whole second.
const NOW: i64 = 1_800_000_000_000_000;
/// Checks of each right in a round.
const CHECKS: u32 = 500;
/// Rounds; the quietest counts.
const ROUNDS: usize = 7;

/// Measures.
pub(crate) fn figures(_: &mut Stage) -> Vec<Figure> {
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
    figures.push(decision());
    figures
}

/// Delegations in the store, and how many one person gives, which has a bound.
const GRANTS: usize = 100_000;
const BY_ONE: usize = 5_000;
/// Delegations of one transaction, and decisions that are timed.
const TOGETHER: usize = 1_000;
const DECISIONS: usize = 5_000;

/// A borrower's decision as a request takes it: the chains of three that reach the board read from the store (fleets and hours
/// of the board in the same statement), then decided. The token's check is not in it.
fn decision() -> Figure {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let mut took = runtime.block_on(async {
        let dir = tempfile::tempdir().unwrap();
        let store = store::Store::open(dir.path(), store::Options::default()).await.unwrap();
        let leaves = fill(&store).await;
        let now = Timestamp::from_micros(NOW);
        let mut took = Vec::with_capacity(DECISIONS);
        for step in 0..DECISIONS {
            let (board, project, user) = &leaves[step * 7_919 % leaves.len()];
            let began = Instant::now();
            let at = (*board, project);
            let reaching = delegations::reaching_board(&store, user, at, None, now).await.unwrap();
            let decided = reaching
                .chains
                .iter()
                .any(|chain| decide(chain, user, ACTION, &reaching.target, now).is_ok());
            took.push(began.elapsed().as_secs_f64() * 1e6);
            assert!(decided);
        }
        store.close().await;
        took
    });
    took.sort_by(f64::total_cmp);
    let name = format!("a decision by a chain of three among {GRANTS} delegations, p99");
    Figure::new(name, quantile(&took, 0.99), "us")
        .goal(Goal::AtMost(20.0))
        .beside(format!("median {} us", short(quantile(&took, 0.5))))
}

const ACTION: &str = "plugin_action:call";

/// Chains of three; whom each last link reaches.
async fn fill(store: &store::Store) -> Vec<(BoardId, ProjectId, UserId)> {
    let rights: Rights =
        BTreeSet::from([ACTION.to_owned(), "board:get_one".to_owned()]).try_into().unwrap();
    let project = ProjectId::new();
    let window = Window::new(Timestamp::from_micros(NOW - 1), Timestamp::from_micros(i64::MAX / 2));
    let window = window.unwrap();
    let mut leaves = Vec::new();
    let mut giver = UserId::new();
    for batch in 0..GRANTS.div_ceil(TOGETHER) {
        if batch % (BY_ONE / TOGETHER) == 0 {
            giver = UserId::new();
        }
        let mut rows = Vec::with_capacity(TOGETHER);
        while rows.len() + 3 <= TOGETHER {
            let target = Target::board(BoardId::new(), Vec::new(), project.clone());
            let (mut from, mut parent) = (giver.clone(), None);
            for depth in [2, 1, 0] {
                let new = Delegation {
                    id: DelegationId::new(),
                    parent,
                    resource: target.resource.clone(),
                    delegator: from,
                    delegated: UserId::new(),
                    rights: rights.clone(),
                    window,
                    depth,
                    hold: Hold::Shared,
                    revoked: false,
                };
                (from, parent) = (new.delegated.clone(), Some(new.id));
                if let (0, Resource::Board(board)) = (depth, &target.resource) {
                    leaves.push((*board, project.clone(), from.clone()));
                }
                rows.push((new, target.clone()));
            }
        }
        let job = store.write(move |tx| {
            Box::pin(async move {
                for (new, target) in rows {
                    delegations::create(tx, new, &target).await?;
                }
                Ok(())
            })
        });
        job.await.unwrap();
    }
    leaves
}
