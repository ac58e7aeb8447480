//! One key, two machines: parked together, unless one of them is only what a restart or another network left behind.

use crate::machine::{Machine, Proof, answering, come_online_as, enrol, join, join_from, silent};
use crate::world::{World, eventually};
use base::key::KeyPair;
use model::BoardId;
use model::board::Parked;
use model::operation::State;
use rpc::handshake::{Intent, PARKED_KEY};
use rpc::{Call, Envelope};
use serde_json::Value;
use std::net::{IpAddr, Ipv4Addr};
use store::boards;
use wamp::{ConnectError, Session};

fn success(text: &str) -> Value {
    Envelope::success(text.into()).to_text().into()
}

async fn enrolled(world: &World) -> (BoardId, KeyPair) {
    let (secret, key) = (world.claim("twin", 1).await, KeyPair::generate());
    let id = enrol(world.address, &key, &secret).await.unwrap().uuid;
    (id, key)
}

async fn online(world: &World, instance: &str, id: BoardId, key: &KeyPair) -> Machine {
    come_online_as(instance, world.address, id, key, answering(success(instance))).await
}

fn proof(instance: &str, key: &KeyPair) -> Proof {
    Proof::new(key, Intent::Work).named(instance)
}

async fn knock(world: &World, instance: &str, key: &KeyPair) -> Result<Session, String> {
    joined(join(world.address, proof(instance, key)).await)
}

fn joined(result: Result<Session, ConnectError>) -> Result<Session, String> {
    result.map_err(|error| match error {
        ConnectError::Refused(abort) => abort.reason,
        other => panic!("{other}"),
    })
}

async fn parked(world: &World, id: BoardId) -> Option<Parked> {
    world.board(id).await.parked
}

async fn unpark(world: &World, id: BoardId, from: Option<IpAddr>) {
    let job =
        world.store().write(move |tx| Box::pin(async move { boards::unpark(tx, id, from).await }));
    job.await.unwrap();
}

#[tokio::test]
async fn two_machines_that_both_answer_are_parked_until_somebody_decides() {
    let world = World::start().await;
    let (id, key) = enrolled(&world).await;
    let first = online(&world, "first", id, &key).await;
    assert_eq!(knock(&world, "second", &key).await.err().unwrap(), PARKED_KEY);
    first.session.closed().await;
    let seen = parked(&world, id).await.unwrap();
    assert_eq!(seen.holder, Some(Ipv4Addr::LOCALHOST.into()));
    let events = store::events::after(world.store(), None, 0, 1000).await.unwrap();
    let alarms = events.iter().filter(|event| event.kind == "board.cloned").count();
    assert_eq!(alarms, 1);

    let waiting = world.command(id, Call::PluginRemove(model::PluginId::new())).await;
    for machine in ["first", "second", "third"] {
        assert_eq!(knock(&world, machine, &key).await.err().unwrap(), PARKED_KEY, "{machine}");
    }
    assert!(world.query(id, Call::DevicePing).await.is_err(), "it cannot be called");
    assert_eq!(world.operation(waiting).await.state, State::Pending);

    unpark(&world, id, None).await;
    let next = online(&world, "second", id, &key).await;
    assert_eq!(world.query(id, Call::DevicePing).await.unwrap(), "second");
    eventually("the command that waited to be done", || async {
        let state = world.operation(waiting).await.state;
        (state == State::Succeeded).then_some(()).ok_or(state)
    })
    .await;
    // The other one is there still.
    assert_eq!(knock(&world, "first", &key).await.err().unwrap(), PARKED_KEY);
    next.session.closed().await;
}

#[tokio::test]
async fn what_a_restart_or_another_network_left_behind_is_no_second_machine() {
    let world = World::start().await;
    let (id, key) = enrolled(&world).await;
    let before = come_online_as("before", world.address, id, &key, silent()).await;
    let _after = online(&world, "after", id, &key).await;
    before.session.closed().await;
    assert_eq!(world.query(id, Call::DevicePing).await.unwrap(), "after");
    // The same process again: its first connection is lost to it, however alive it looks.
    let again = online(&world, "after", id, &key).await;
    assert_eq!(parked(&world, id).await, None);
    again.leave().await;
    let _later = online(&world, "later", id, &key).await;
    assert_eq!(parked(&world, id).await, None);
}

#[tokio::test]
async fn a_decision_for_one_address_keeps_the_others_out_and_a_parked_board_survives_the_cloud() {
    let mut world = World::start().await;
    let (id, key) = enrolled(&world).await;
    let _first = online(&world, "first", id, &key).await;
    assert!(knock(&world, "second", &key).await.is_err());
    world.stop().await;
    world.resume().await;
    assert!(parked(&world, id).await.is_some());
    assert_eq!(knock(&world, "first", &key).await.err().unwrap(), PARKED_KEY);

    let right = Ipv4Addr::new(127, 0, 0, 12);
    unpark(&world, id, Some(right.into())).await;
    assert_eq!(knock(&world, "first", &key).await.err().unwrap(), PARKED_KEY);
    assert_eq!(parked(&world, id).await, None, "that raised no new alarm");
    joined(join_from(right, world.address, proof("second", &key)).await).unwrap();
}
