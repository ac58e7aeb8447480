//! A machine becomes a board, once, and stays it.

use crate::machine::{self, Proof, answering, enrol, join, obedient};
use crate::world::{PATIENCE, World, eventually};
use base::clock::ManualClock;
use base::key::KeyPair;
use model::board::Status;
use model::claim::Claim;
use model::{BoardId, Kind};
use rpc::handshake::{Intent, REFUSED_KEY, UNKNOWN_KEY};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wamp::{Arguments, CallError, CallOptions, ConnectError};

#[tokio::test]
async fn a_claim_makes_a_machine_a_board_and_the_same_key_gets_the_same_answer_again() {
    let world = World::start().await;
    let secret = world.claim("lamp-1", 1).await;
    let key = KeyPair::generate();
    let first = enrol(world.address, &key, &secret).await.unwrap();
    assert_eq!(first.name.to_string(), "lamp-1");
    assert_eq!(first.project, world.project);
    assert_eq!(world.board(first.uuid).await.status, Status::Offline);
    let again = enrol(world.address, &key, &secret).await.unwrap();
    assert_eq!(again, first);
}

#[tokio::test]
async fn another_key_does_not_get_a_claim_that_was_used() {
    let world = World::start().await;
    let secret = world.claim("lamp-1", 1).await;
    enrol(world.address, &KeyPair::generate(), &secret).await.unwrap();
    let fault = enrol(world.address, &KeyPair::generate(), &secret).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Forbidden);
    assert!(fault.message.contains("used up"), "{fault}");
}

#[tokio::test]
async fn a_claim_that_expired_enrols_nobody_new_and_answers_whom_it_enrolled() {
    let clock = Arc::new(ManualClock::at(1_800_000_000_000_000));
    let world = World::at(clock.clone()).await;
    let secret = world.claim("lamp", 9).await;
    let key = KeyPair::generate();
    let enrolled = enrol(world.address, &key, &secret).await.unwrap();
    clock.advance(Duration::from_secs(3601));
    let fault = enrol(world.address, &KeyPair::generate(), &secret).await.unwrap_err();
    assert!(fault.message.contains("expired"), "{fault}");
    assert_eq!(enrol(world.address, &key, &secret).await.unwrap(), enrolled);
}

#[tokio::test]
async fn an_image_enrols_as_many_boards_as_its_claim_says_each_with_a_name_of_its_own() {
    let world = World::start().await;
    let secret = world.claim("lamp", 3).await;
    let mut names = Vec::new();
    for _ in 0..3 {
        let board = enrol(world.address, &KeyPair::generate(), &secret).await.unwrap();
        names.push(board.name.to_string());
    }
    names.dedup();
    assert_eq!(names.len(), 3);
    assert!(names.iter().all(|name| name.starts_with("lamp-")), "{names:?}");
    assert!(enrol(world.address, &KeyPair::generate(), &secret).await.is_err());
}

#[tokio::test]
async fn an_invented_secret_enrols_nobody_and_says_what_to_do() {
    let world = World::start().await;
    let fault = enrol(world.address, &KeyPair::generate(), "invented").await.unwrap_err();
    assert_eq!(fault.kind, Kind::Unauthenticated);
    assert!(fault.message.contains("s4t board claim"), "{fault}");
}

#[tokio::test]
async fn a_machine_that_enrols_may_call_nothing_else() {
    let world = World::start().await;
    let session =
        join(world.address, Proof::new(&KeyPair::generate(), Intent::Enrol)).await.unwrap();
    let options = CallOptions::within(crate::world::PATIENCE);
    for procedure in ["iotronic.stack4things.connection", "wamp.session.list", "a.b"] {
        let called = session.call(procedure, Arguments::default(), options).await;
        let Err(CallError::Fault(fault)) = called else { panic!("{procedure}: {called:?}") };
        assert_eq!(fault.uri, wamp::uri::error::NOT_AUTHORISED, "{procedure}");
    }
    let prefix = "iotronic.1.";
    let handler = |_: wamp::Invocation| -> wamp::BoxFuture<_> {
        Box::pin(async { Ok(Arguments::default()) })
    };
    assert!(session.register(prefix, wamp::Match::Prefix, Arc::new(handler)).await.is_err());
}

#[tokio::test]
async fn keyword_arguments_that_make_no_sense_get_a_fault_that_names_them() {
    let world = World::start().await;
    let session =
        join(world.address, Proof::new(&KeyPair::generate(), Intent::Enrol)).await.unwrap();
    for wrong in [json!({}), json!({ "secret": 7 }), json!({ "hostname": "x" })] {
        let fault = machine::ask(&session, rpc::uri::ENROL, wrong).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Invalid);
        assert!(fault.message.contains("secret") || fault.message.contains("string"), "{fault}");
    }
}

#[tokio::test]
async fn unknown_keys_wrong_signatures_and_keys_of_boards_given_up_stay_outside() {
    let world = World::start().await;
    let refused = |proof| async {
        match join(world.address, proof).await {
            Err(ConnectError::Refused(abort)) => abort.reason,
            Err(other) => panic!("{other}"),
            Ok(_) => panic!("was let in"),
        }
    };
    let stranger = KeyPair::generate();
    assert_eq!(refused(Proof::new(&stranger, Intent::Work)).await, UNKNOWN_KEY);

    let board = machine::board(&world, "lamp", obedient()).await;
    let mut forger = Proof::new(&board.key, Intent::Work);
    forger.forged = Some(stranger);
    assert_eq!(refused(forger).await, wamp::uri::error::AUTHENTICATION_FAILED);

    let id = board.id;
    let job = world.store().write(move |tx| {
        Box::pin(async move { store::boards::decommission(tx, None, id, None).await })
    });
    job.await.unwrap();
    world.cloud().boards.disconnect(id, "given up").await;
    board.session.closed().await;
    assert_eq!(refused(Proof::new(&board.key, Intent::Work)).await, REFUSED_KEY);
    assert_eq!(refused(Proof::new(&board.key, Intent::Enrol)).await, REFUSED_KEY);
}

#[tokio::test]
async fn another_machine_takes_over_a_board_and_the_old_one_is_put_out() {
    let world = World::start().await;
    let old = machine::board(&world, "lamp", obedient()).await;
    let lasting = Duration::from_secs(3600);
    let secret = world.claim_of("lamp", 1, Some(old.id), lasting).await;
    let key = KeyPair::generate();
    let enrolled = enrol(world.address, &key, &secret).await.unwrap();
    assert_eq!(enrolled.uuid, old.id);
    old.session.closed().await;
    match join(world.address, Proof::new(&old.key, Intent::Work)).await {
        Err(ConnectError::Refused(abort)) => assert_eq!(abort.reason, REFUSED_KEY),
        other => panic!("{other:?}"),
    }
    let new = machine::come_online(world.address, old.id, &key, answering(Value::Null)).await;
    assert_eq!(new.accepted.name, "lamp");
}

#[tokio::test]
async fn a_board_that_pinned_another_cloud_signs_nothing() {
    let world = World::start().await;
    let mut proof = Proof::new(&KeyPair::generate(), Intent::Enrol);
    proof.pin = Some(KeyPair::generate().public().fingerprint());
    assert!(matches!(join(world.address, proof).await, Err(ConnectError::Credentials(_))));
    let mut proof = Proof::new(&KeyPair::generate(), Intent::Enrol);
    proof.pin = Some(world.cloud().key.public().fingerprint());
    assert!(join(world.address, proof).await.is_ok());
}

#[tokio::test]
async fn no_more_machines_enrol_at_one_time_than_the_limit() {
    let world = World::with(|settings| settings.limits.enrolling = 2).await;
    let enter = || join(world.address, Proof::new(&KeyPair::generate(), Intent::Enrol));
    let (_first, _second) = (enter().await.unwrap(), enter().await.unwrap());
    match enter().await {
        Err(ConnectError::Refused(abort)) => {
            assert_eq!(abort.reason, wamp::uri::error::UNAVAILABLE);
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn one_address_cannot_hold_all_the_places_and_who_stays_silent_is_put_out() {
    let world = World::with(|settings| {
        settings.limits.enrolling = 8;
        settings.limits.enrolling_per_address = 3;
    })
    .await;
    let (first, second) = ([127, 0, 0, 11].into(), [127, 0, 0, 12].into());
    let enter = |from| {
        let proof = Proof::new(&KeyPair::generate(), Intent::Enrol);
        machine::join_from(from, world.address, proof)
    };
    let all = futures_util::future::join_all((0..8).map(|_| enter(first))).await;
    let all: Vec<_> = all.into_iter().flatten().collect();
    // All eight found a place at the same moment, perhaps; three at most keep one.
    eventually("three at most are left", || async {
        let left = all.iter().filter(|session| !session.is_closed()).count();
        if left <= 3 { Ok(()) } else { Err(left) }
    })
    .await;
    let mut silent: Vec<_> = all.into_iter().filter(|session| !session.is_closed()).collect();
    while silent.len() < 3 {
        silent.push(enter(first).await.unwrap());
    }
    match enter(first).await {
        Err(ConnectError::Refused(abort)) => {
            assert_eq!(abort.reason, wamp::uri::error::UNAVAILABLE);
        }
        other => panic!("{other:?}"),
    }
    enter(second).await.unwrap();
    for session in silent {
        tokio::time::timeout(PATIENCE, session.closed()).await.expect("who says nothing must go");
    }
    let secret = world.claim("lamp", 1).await;
    enrol(world.address, &KeyPair::generate(), &secret).await.unwrap();
}

/// Binds a new key to a board as the store does it, and tells nobody.
async fn rebind(world: &World, board: BoardId) {
    let secret = world.claim_of("lamp", 1, Some(board), Duration::from_secs(3600)).await;
    let (hash, key) = (Claim::hash(&secret), KeyPair::generate().public());
    let job = world.store().write(move |tx| {
        Box::pin(async move {
            let now = tx.now();
            store::claims::redeem(tx, &hash, &key, now, None).await
        })
    });
    job.await.unwrap();
}

#[tokio::test]
async fn a_key_replaced_while_its_machine_comes_in_does_not_bring_it_online() {
    let world = World::start().await;
    let old = machine::board(&world, "lamp", obedient()).await;
    let (id, key) = (old.id, old.key.clone());
    old.leave().await;
    let session = join(world.address, Proof::new(&key, Intent::Work)).await.unwrap();
    rebind(&world, id).await;
    machine::register(&session, id, obedient(), Arc::default()).await;
    let fault = machine::connection(&session, id, rpc::PROTOCOL).await.unwrap_err();
    assert!(fault.message.contains("another machine"), "{fault}");
    assert!(!world.cloud().boards.is_online(id));
    tokio::time::timeout(PATIENCE, session.closed()).await.expect("it is put out");
    assert_ne!(world.board(id).await.status, Status::Online);
}
