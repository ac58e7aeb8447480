//! What it costs the cloud to decide by a chain of delegations among many, and what part of a call goes into knowing who asks
//! and whether they may.
//!
//! Invariant: what is timed is what a request does, from the question to the answer, each about another board and person.

use crate::calls::ECHO;
use crate::figure::{Figure, Goal, short};
use crate::stage::{Cost, Stage};
use crate::statistics::{ms, quantile};
use model::delegation::{Delegation, Hold, Resource, Rights, Target, Window, decide};
use model::facts::Facts;
use model::label::Labels;
use model::{BoardId, DelegationId, FleetId, ProjectId, Timestamp, UserId};
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use store::boards::NewBoard;
use store::delegations::{self, Reaching};
use store::fleets::NewFleet;
use store::{Options, Store};
use testkit::{Said, program_path};

/// 2027-01-15T08:00:00Z, a whole second.
const NOW: i64 = 1_800_000_000_000_000;
/// Delegations in the store, and how many one person gives, which has a bound.
const GRANTS: usize = 100_000;
const BY_ONE: usize = 5_000;
/// Rows of one transaction, and decisions that are timed.
const TOGETHER: usize = 1_000;
const DECISIONS: usize = 5_000;
/// Those that are asked of the database, which takes longer.
const FEWER: usize = 500;
/// Boards of a fleet that picks them by a rule.
const MEMBERS: usize = 2_000;
/// Calls of a round, and rounds; the quietest counts.
const CALLS: usize = 1_000;
const ROUNDS: usize = 3;
const ACTION: &str = "plugin_action:call";

/// Somebody who was lent a board.
type Leaf = (BoardId, ProjectId, UserId);

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let (mut figures, median_us) = runtime.block_on(decisions());
    figures.push(share(stage, median_us));
    figures
}

/// A borrower's decision as a request takes it: the chains of three that reach the board (fleets and hours of the board
/// with them), then decided. The token's check is not in it.
async fn decisions() -> (Vec<Figure>, f64) {
    let dir = tempfile::tempdir().unwrap();
    let store = open(dir.path()).await;
    let leaves = fill(&store).await;
    let lamps = fill_fleet(&store).await;
    store.close().await;
    drop(store);
    let before = resident_kib();
    let store = open(dir.path()).await;
    store.flush().await.unwrap();
    let held_mib = resident_kib().saturating_sub(before) as f64 / 1024.0;
    let (mut held, mut read, mut first, mut again) = (vec![], vec![], vec![], vec![]);
    for step in 0..DECISIONS {
        held.push(decided(&store, &leaves[step * 7_919 % leaves.len()]).await);
    }
    for step in 0..FEWER {
        read.push(asked_of_the_database(&store, &leaves[step * 7_919 % leaves.len()]).await);
    }
    for lamp in &lamps {
        first.push(decided(&store, lamp).await);
    }
    for lamp in &lamps {
        again.push(decided(&store, lamp).await);
    }
    store.close().await;
    let median_us = quantile(&held, 0.5);
    let both = |times: &[f64]| {
        format!("median {}, p99 {} us", short(quantile(times, 0.5)), short(quantile(times, 0.99)))
    };
    let name = format!("a decision by a chain of three among {GRANTS} delegations, p99");
    let decision = Figure::new(name, quantile(&held, 0.99), "us")
        .goal(Goal::AtMost(20.0))
        .beside(format!("median {} us; asked of the database: {}", short(median_us), both(&read)));
    let name = format!("the same by a fleet whose rule picks {MEMBERS} boards, p99");
    let by_fleet = Figure::new(name, quantile(&again, 0.99), "us")
        .goal(Goal::AtMost(20.0))
        .beside(format!("the first time about each board: {}", both(&first)));
    let memory = Figure::new("memory of these delegations in the cloud", held_mib, "MiB");
    (vec![decision, by_fleet, memory], median_us)
}

async fn open(dir: &Path) -> Store {
    Store::open(dir, Options::default()).await.unwrap()
}

/// Microseconds.
async fn decided(store: &Store, (board, project, user): &Leaf) -> f64 {
    let now = Timestamp::from_micros(NOW);
    let began = Instant::now();
    let at = (*board, project);
    let reaching = delegations::reaching_board(store, user, at, None, now).await.unwrap();
    let is_allowed = allows(&reaching, user, now);
    let took = began.elapsed();
    assert!(is_allowed);
    ms(took) * 1e3
}

async fn asked_of_the_database(store: &Store, (board, project, user): &Leaf) -> f64 {
    let (board, project, user) = (*board, project.clone(), user.clone());
    let now = Timestamp::from_micros(NOW);
    let job = store.write(move |tx| {
        Box::pin(async move {
            let began = Instant::now();
            let at = (board, &project);
            let reaching = delegations::reaching_board(&mut *tx, &user, at, None, now).await?;
            let is_allowed = allows(&reaching, &user, now);
            Ok((is_allowed, began.elapsed()))
        })
    });
    let (is_allowed, took) = job.await.unwrap();
    assert!(is_allowed);
    ms(took) * 1e3
}

fn allows(reaching: &Reaching, user: &UserId, now: Timestamp) -> bool {
    let Reaching { target, chains } = reaching;
    chains.iter().any(|chain| decide(chain, user, ACTION, target, now).is_ok())
}

/// Of the processor time of a whole query (cloud and agent), what the token's check and a decision by a chain take.
fn share(stage: &mut Stage, decision_us: f64) -> Figure {
    let said: Value = Said::of(&mut Command::new(program_path("token_check"))).json();
    let token_us = said["own_us"].as_f64().unwrap();
    let (mut kept, request) = (stage.connect(), stage.on_board("POST", "/echo", ECHO));
    let rounds = (0..ROUNDS).map(|_| {
        stage.cost(|| {
            for _ in 0..CALLS {
                let _ = kept.ask(&request);
            }
        })
    });
    let quietest = rounds.map(|cost: Cost| cost.processor()).min().unwrap();
    let query_us = ms(quietest) * 1e3 / CALLS as f64;
    Figure::new(
        "authentication's part of a query's CPU: token's check and a decision by a chain",
        (token_us + decision_us) / query_us * 100.0,
        "%",
    )
    .goal(Goal::AtMost(10.0))
    .beside(format!(
        "token {} us, decision {} us, query {} us",
        short(token_us),
        short(decision_us),
        short(query_us)
    ))
}

/// What this process has in memory.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Chains of three; whom each last link reaches.
async fn fill(store: &Store) -> Vec<Leaf> {
    let rights: Rights =
        BTreeSet::from([ACTION.to_owned(), "board:get_one".to_owned()]).try_into().unwrap();
    let project = ProjectId::new();
    let window = window();
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

/// A fleet that picks its boards by a rule, lent to one person; boards of the fleet.
async fn fill_fleet(store: &Store) -> Vec<Leaf> {
    let (project, giver, taker) = (ProjectId::new(), UserId::new(), UserId::new());
    let fleet = NewFleet {
        id: FleetId::new(),
        name: "lamps".parse().unwrap(),
        project: project.clone(),
        description: String::new(),
        rule: Some("kind=lamp".parse().unwrap()),
        extra: json!({}),
    };
    let target = Target::new(Resource::Fleet(fleet.id), project.clone());
    let lent = Delegation {
        id: DelegationId::new(),
        parent: None,
        resource: target.resource.clone(),
        delegator: giver.clone(),
        delegated: taker.clone(),
        rights: BTreeSet::from([ACTION.to_owned()]).try_into().unwrap(),
        window: window(),
        depth: 0,
        hold: Hold::Shared,
        revoked: false,
    };
    let labels = BTreeMap::from([("kind".to_owned(), "lamp".to_owned())]);
    let labels: Labels = labels.try_into().unwrap();
    let boards: Vec<NewBoard> = (0..MEMBERS)
        .map(|number| NewBoard {
            id: BoardId::new(),
            name: format!("lamp-{number}").parse().unwrap(),
            project: project.clone(),
            owner: giver.clone(),
            fleet: None,
            public_key: None,
            labels: labels.clone(),
            position: None,
            facts: Facts::default(),
        })
        .collect();
    let ids: Vec<BoardId> = boards.iter().map(|board| board.id).collect();
    let job = store.write(move |tx| {
        Box::pin(async move {
            store::fleets::create(tx, fleet).await?;
            delegations::create(tx, lent, &target).await?;
            for board in boards {
                store::boards::create(tx, board).await?;
            }
            Ok(())
        })
    });
    job.await.unwrap();
    ids.into_iter().map(|board| (board, project.clone(), taker.clone())).collect()
}

fn window() -> Window {
    let from = Timestamp::from_micros(NOW - 1);
    Window::new(from, Timestamp::from_micros(i64::MAX / 2)).unwrap()
}
