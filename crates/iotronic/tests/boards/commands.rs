//! Commands: rows first, then messages; none lost, none doubled, each with an end.

use crate::machine::{Behaviour, board, come_online, obedient, silent};
use crate::world::{World, eventually};
use base::clock::ManualClock;
use futures_util::FutureExt as _;
use model::board::Status;
use model::operation::State;
use model::{Kind, PluginId};
use rpc::envelope::End;
use rpc::{Call, Envelope, Method};
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;
use tokio::sync::Semaphore;

fn start() -> Call {
    Call::PluginStart(rpc::plugin::Run { plugin: PluginId::new(), parameters: json!({ "x": 1 }) })
}

#[tokio::test]
async fn a_command_reaches_the_board_once_and_its_answer_the_store() {
    let world = World::start().await;
    let machine = board(&world, "lamp", obedient()).await;
    let id = world.command(machine.id, start()).await;
    let ended = world.until_state(id, State::Succeeded).await;
    assert_eq!(ended.result, Some(json!("PluginStart")));
    assert_eq!(ended.attempts, 1);
    let calls = machine.calls();
    assert_eq!(calls.len(), 1);
    let (request, method) = &calls[0];
    assert_eq!((request.uuid, *method), (id, Method::PluginStart));
    assert_eq!(request.deadline, Some(ended.deadline));
    let history = store::operations::history(world.store(), id).await.unwrap();
    let states: Vec<_> = history.iter().map(|step| step.state).collect();
    assert_eq!(states, [State::Pending, State::Running, State::Succeeded]);
}

#[tokio::test]
async fn commands_for_a_board_that_is_away_wait_and_arrive_in_order() {
    let world = World::start().await;
    let machine = board(&world, "lamp", obedient()).await;
    let (id, key) = (machine.id, machine.key.clone());
    machine.leave().await;
    world.until_status(id, Status::Offline).await;
    let hour = Duration::from_secs(3600);
    let mut given = Vec::new();
    for _ in 0..5 {
        given.push(world.command_about(id, start(), Some("one"), hour).await);
    }
    assert_eq!(world.operation(given[0]).await.state, State::Pending);
    let machine = come_online(world.address, id, &key, obedient()).await;
    for id in &given {
        world.until_state(*id, State::Succeeded).await;
    }
    let arrived: Vec<_> = machine.calls().into_iter().map(|(request, _)| request.uuid).collect();
    assert_eq!(arrived, given);
}

/// Lets calls through one by one, and knows how many are inside.
fn gated(gate: Arc<Semaphore>, inside: Arc<AtomicUsize>, most: Arc<AtomicUsize>) -> Behaviour {
    Arc::new(move |_, method, _| {
        let (gate, inside, most) = (gate.clone(), inside.clone(), most.clone());
        async move {
            most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
            gate.acquire().await.unwrap().forget();
            inside.fetch_sub(1, Ordering::SeqCst);
            Value::from(Envelope::success(json!(method.word())).to_text())
        }
        .boxed()
    })
}

#[tokio::test]
async fn commands_about_different_things_run_side_by_side_and_about_one_thing_in_turn() {
    let world = World::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let (inside, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let behaviour = gated(gate.clone(), inside.clone(), most.clone());
    let machine = board(&world, "lamp", behaviour).await;
    let hour = Duration::from_secs(3600);
    let mut given = Vec::new();
    for subject in ["a", "a", "b", "b", "c"] {
        given.push(world.command_about(machine.id, start(), Some(subject), hour).await);
    }
    eventually("three are inside", || async {
        let now = inside.load(Ordering::SeqCst);
        (now == 3).then_some(()).ok_or(now)
    })
    .await;
    gate.add_permits(5);
    for id in given {
        world.until_state(id, State::Succeeded).await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 3);
}

#[tokio::test]
async fn no_more_commands_run_on_a_board_at_one_time_than_the_bound() {
    let world = World::start().await;
    let gate = Arc::new(Semaphore::new(0));
    let (inside, most) = (Arc::<AtomicUsize>::default(), Arc::<AtomicUsize>::default());
    let machine = board(&world, "lamp", gated(gate.clone(), inside.clone(), most.clone())).await;
    let mut given = Vec::new();
    for _ in 0..40 {
        given.push(world.command(machine.id, start()).await);
    }
    eventually("the bound is reached", || async {
        let now = inside.load(Ordering::SeqCst);
        (now == 16).then_some(()).ok_or(now)
    })
    .await;
    gate.add_permits(40);
    for id in given {
        world.until_state(id, State::Succeeded).await;
    }
    assert_eq!(most.load(Ordering::SeqCst), 16);
}

#[tokio::test]
async fn a_board_that_drops_off_in_the_middle_is_asked_again_under_the_same_id() {
    let world = World::start().await;
    let machine = board(&world, "lamp", silent()).await;
    let (board, key) = (machine.id, machine.key.clone());
    let id = world.command(board, start()).await;
    eventually("it has begun", || async {
        let begun = machine.calls().len();
        (begun == 1).then_some(()).ok_or(begun)
    })
    .await;
    machine.leave().await;
    world.until_status(board, Status::Offline).await;
    assert_eq!(world.operation(id).await.state, State::Running);
    let machine = come_online(world.address, board, &key, obedient()).await;
    let ended = world.until_state(id, State::Succeeded).await;
    assert_eq!(machine.calls()[0].0.uuid, id);
    assert!(ended.attempts >= 1);
}

#[tokio::test]
async fn a_cloud_that_is_started_again_keeps_commands_and_asks_for_those_that_were_out() {
    let mut world = World::start().await;
    let machine = board(&world, "lamp", silent()).await;
    let (board, key) = (machine.id, machine.key.clone());
    let out = world.command(board, start()).await;
    world.until_state(out, State::Running).await;
    world.stop().await;
    machine.session.closed().await;
    world.resume().await;
    assert_eq!(world.board(board).await.status, Status::Offline);
    let waiting = world.command(board, start()).await;
    let machine = come_online(world.address, board, &key, obedient()).await;
    world.until_state(out, State::Succeeded).await;
    world.until_state(waiting, State::Succeeded).await;
    let mut arrived: Vec<_> = machine.calls().into_iter().map(|(call, _)| call.uuid).collect();
    arrived.sort();
    assert_eq!(arrived, [out, waiting]);
}

#[tokio::test]
async fn each_end_of_a_command_is_told_apart() {
    let world = World::start().await;
    let fault = rpc::Fault::new(Kind::NotFound, "no such plugin here");
    let cases = [
        (Envelope::success(json!({ "a": 1 })).to_text().into(), State::Succeeded),
        (Envelope::fault(&fault).to_text().into(), State::Failed),
        (Envelope::end(End::Cancelled, "stopped").to_text().into(), State::Cancelled),
        (Envelope::end(End::Unknown, "died").to_text().into(), State::Unknown),
        (json!("garbage"), State::Failed),
    ];
    for (index, (answer, state)) in cases.into_iter().enumerate() {
        let behaviour = crate::machine::answering(answer);
        let machine = board(&world, &format!("lamp-{index}"), behaviour).await;
        let id = world.command(machine.id, start()).await;
        let ended = world.until_state(id, state).await;
        match index {
            0 => assert_eq!(ended.result, Some(json!({ "a": 1 }))),
            1 => assert_eq!(ended.fault, Some(fault.clone())),
            4 => assert!(ended.fault.unwrap().message.contains("not a WampMessage")),
            _ => assert_eq!(ended.fault, None),
        }
    }
}

#[tokio::test]
async fn a_deadline_expires_what_waits_and_leaves_undecided_what_is_out() {
    let clock = Arc::new(ManualClock::at(1_800_000_000_000_000));
    let world = World::at(clock.clone()).await;
    let machine = board(&world, "lamp", silent()).await;
    let minute = Duration::from_secs(60);
    let out = world.command_about(machine.id, start(), Some("one"), minute).await;
    let waiting = world.command_about(machine.id, start(), Some("one"), minute).await;
    world.until_state(out, State::Running).await;
    assert_eq!(world.operation(waiting).await.state, State::Pending);
    clock.advance(minute);
    world.until_state(out, State::Unknown).await;
    world.until_state(waiting, State::Expired).await;
    assert_eq!(machine.calls().len(), 1);
}

#[tokio::test]
async fn stopping_a_command_that_is_out_asks_the_board_and_its_answer_decides() {
    let world = World::start().await;
    let stopped = Arc::new(Semaphore::new(0));
    let behaviour: Behaviour = {
        let stopped = stopped.clone();
        Arc::new(move |_, method, arguments| {
            let stopped = stopped.clone();
            async move {
                if method == Method::OperationCancel {
                    assert!(arguments[0].is_string());
                    stopped.add_permits(1);
                    return Envelope::success(json!("stopping")).to_text().into();
                }
                stopped.acquire().await.unwrap().forget();
                Envelope::end(End::Cancelled, "stopped").to_text().into()
            }
            .boxed()
        })
    };
    let machine = board(&world, "lamp", behaviour).await;
    let id = world.command(machine.id, start()).await;
    world.until_state(id, State::Running).await;
    let job = world.store().write(move |tx| {
        Box::pin(async move {
            let now = tx.now();
            store::operations::request_cancel(tx, None, id, now).await
        })
    });
    job.await.unwrap();
    world.cloud().boards.ring(machine.id);
    world.until_state(id, State::Cancelled).await;
    let asked: Vec<_> = machine.calls().into_iter().map(|(_, method)| method).collect();
    assert_eq!(asked, [Method::PluginStart, Method::OperationCancel]);
}

#[tokio::test]
async fn a_command_withdrawn_in_time_never_reaches_the_board() {
    let world = World::start().await;
    let machine = board(&world, "lamp", obedient()).await;
    let (board, key) = (machine.id, machine.key.clone());
    machine.leave().await;
    world.until_status(board, Status::Offline).await;
    let id = world.command(board, start()).await;
    let job = world.store().write(move |tx| {
        Box::pin(async move {
            let now = tx.now();
            store::operations::request_cancel(tx, None, id, now).await
        })
    });
    job.await.unwrap();
    let machine = come_online(world.address, board, &key, obedient()).await;
    let later = world.command(board, start()).await;
    world.until_state(later, State::Succeeded).await;
    assert_eq!(machine.calls().len(), 1);
    assert_eq!(world.operation(id).await.state, State::Cancelled);
}

#[tokio::test]
async fn a_board_that_is_too_busy_is_asked_again() {
    let world = World::start().await;
    let secret = world.claim("lamp", 1).await;
    let key = base::key::KeyPair::generate();
    let enrolled = crate::machine::enrol(world.address, &key, &secret).await.unwrap();
    let proof = crate::machine::Proof::new(&key, rpc::handshake::Intent::Work);
    let session = crate::machine::join(world.address, proof).await.unwrap();
    let count = Arc::<AtomicUsize>::default();
    let handler = {
        let count = count.clone();
        move |_: wamp::Invocation| -> wamp::BoxFuture<Result<wamp::Arguments, wamp::Fault>> {
            let first = count.fetch_add(1, Ordering::SeqCst) == 0;
            Box::pin(async move {
                if first {
                    return Err(wamp::Fault::new(wamp::uri::error::UNAVAILABLE, "busy"));
                }
                Ok(wamp::Arguments::one(Envelope::success(json!("done")).to_text()))
            })
        }
    };
    let prefix = rpc::uri::board_prefix(session.id(), enrolled.uuid);
    session.register(&prefix, wamp::Match::Prefix, Arc::new(handler)).await.unwrap();
    crate::machine::connection(&session, enrolled.uuid, rpc::PROTOCOL).await.unwrap();
    let id = world.command(enrolled.uuid, start()).await;
    world.until_state(id, State::Succeeded).await;
    assert_eq!(count.load(Ordering::SeqCst), 2);
}
