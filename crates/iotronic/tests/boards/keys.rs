//! A board's key changes, and its rights grow old.

use crate::machine::{Machine, Proof, answering, ask, come_online, enrol, join};
use crate::world::{World, eventually};
use base::key::KeyPair;
use futures_util::FutureExt as _;
use model::{BoardId, Kind};
use rpc::handshake::{Intent, REFUSED_KEY};
use rpc::rotation::{RotateKey, Rotated};
use rpc::{Envelope, Method, uri};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use wamp::ConnectError;

fn success() -> Value {
    Envelope::success("done".into()).to_text().into()
}

async fn online(world: &World, name: &str) -> Machine {
    let (secret, key) = (world.claim(name, 1).await, KeyPair::generate());
    let id = enrol(world.address, &key, &secret).await.unwrap().uuid;
    come_online(world.address, id, &key, answering(success())).await
}

async fn rotate(machine: &Machine, asked: &RotateKey) -> Result<Rotated, rpc::Fault> {
    let procedure = uri::agent_procedure(crate::machine::AGENT, uri::ROTATE_KEY);
    let answer = ask(&machine.session, &procedure, json!(asked)).await?;
    Ok(serde_json::from_value(answer).unwrap())
}

#[tokio::test]
async fn a_new_key_proven_beside_the_old_one_takes_its_place_in_one_moment() {
    let world = World::start().await;
    let machine = online(&world, "lamp").await;
    let (old, new) = (machine.key.public(), KeyPair::generate());
    let asked = RotateKey::new(machine.id, machine.session.id(), &old, &new);
    let rotated = rotate(&machine, &asked).await.unwrap();
    assert_eq!(rotated.key, new.public().fingerprint());
    assert_eq!(world.board(machine.id).await.public_key, Some(new.public()));
    assert_eq!(rotate(&machine, &asked).await.unwrap(), rotated, "asked again, the same answer");
    // The session goes on, and may change the key again: it is known by the new one.
    let third = KeyPair::generate();
    let asked = RotateKey::new(machine.id, machine.session.id(), &new.public(), &third);
    rotate(&machine, &asked).await.unwrap();
    for key in [&machine.key, &new] {
        let refused = join(world.address, Proof::new(key, Intent::Work)).await.err().unwrap();
        assert!(
            matches!(&refused, ConnectError::Refused(abort) if abort.reason == REFUSED_KEY),
            "{refused}"
        );
    }
    let id = machine.id;
    machine.leave().await;
    let again = come_online(world.address, id, &third, answering(success())).await;
    assert_eq!(again.id, id);
}

#[tokio::test]
async fn a_key_that_is_not_proven_for_this_session_or_is_another_boards_changes_nothing() {
    let world = World::start().await;
    let (one, other) = (online(&world, "one").await, online(&world, "other").await);
    let (old, new, session) = (one.key.public(), KeyPair::generate(), one.session.id());
    let right = RotateKey::new(one.id, session, &old, &new);
    let wrong = [
        RotateKey::new(one.id, other.session.id(), &old, &new),
        RotateKey::new(one.id, session, &other.key.public(), &new),
        RotateKey::new(other.id, session, &old, &new),
        RotateKey { proof: RotateKey::new(one.id, session, &old, &other.key).proof, ..right },
        RotateKey::new(one.id, session, &old, &other.key),
    ];
    for asked in wrong {
        let fault = rotate(&one, &asked).await.unwrap_err();
        assert_ne!(fault.kind, Kind::Internal, "{fault}");
    }
    assert_eq!(world.board(one.id).await.public_key, Some(old));
}

#[tokio::test]
async fn a_raised_epoch_reaches_a_board_that_is_there_and_one_that_comes_back() {
    let world = World::start().await;
    let told = Arc::<Mutex<Vec<Value>>>::default();
    let heard = Arc::clone(&told);
    let (secret, key) = (world.claim("lamp", 1).await, KeyPair::generate());
    let id = enrol(world.address, &key, &secret).await.unwrap().uuid;
    let listening = Arc::new(move |_, method, arguments: Vec<Value>| {
        if method == Method::RightsEpoch {
            heard.lock().unwrap().extend(arguments);
        }
        std::future::ready(success()).boxed()
    });
    let machine = come_online(world.address, id, &key, listening).await;
    assert_eq!(machine.accepted.rights_epoch, 0);
    assert_eq!(world.cloud().boards.push_epoch(id).await.unwrap(), 1);
    eventually("the board to be told", || async {
        let told = told.lock().unwrap().clone();
        (told == [json!(1)]).then_some(()).ok_or(told)
    })
    .await;
    machine.leave().await;
    assert_eq!(world.cloud().boards.push_epoch(id).await.unwrap(), 2);
    let back = come_online(world.address, id, &key, answering(success())).await;
    assert_eq!(back.accepted.rights_epoch, 2);
    assert!(world.cloud().boards.push_epoch(BoardId::new()).await.is_err());
}
