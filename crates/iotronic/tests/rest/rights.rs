//! Rights that a board honours without its cloud: given for what one may do oneself, and for nothing else.

use crate::world::{Somebody, World};
use model::access::Role;
use model::{BoardId, ProjectId, Timestamp};
use rpc::right::{Act, Refusal, Right};
use serde_json::{Value, json};
use std::time::Duration;

/// A board whose agent honours rights.
async fn board(world: &World, capabilities: &[&str]) -> BoardId {
    let id = world.board("gate").await;
    let connection = store::boards::Connection {
        session: "1".into(),
        agent_version: "1".into(),
        protocol: 1,
        capabilities: capabilities.iter().map(|word| (*word).to_owned()).collect(),
        facts: Default::default(),
    };
    let job = world.cloud().store.write(move |tx| {
        Box::pin(async move { store::boards::record_connection(tx, id, connection).await })
    });
    job.await.unwrap();
    id
}

async fn ask(world: &World, who: &Somebody, board: BoardId, new: Value) -> crate::world::Answer {
    world.post(who, &format!("/v2/boards/{board}/rights"), new).await
}

#[tokio::test]
async fn one_gets_a_right_to_what_one_may_do_and_to_nothing_else() {
    let world = World::start().await;
    let owner = world.owner().await;
    let user = world.somebody(&world.project, Role::UserIot).await;
    let elsewhere = ProjectId::new();
    world.make_project(&elsewhere).await;
    let stranger = world.somebody(&elsewhere, Role::AdminIotProject).await;
    let id = board(&world, &["RightsEpoch"]).await;
    let given = ask(&world, &owner, id, json!({ "acts": ["call", "status"], "life_s": 60 })).await;
    let given = given.expect(201);
    let right: Right = given["right"].as_str().unwrap().parse().unwrap();
    let (root, now) = (world.cloud().key.public(), world.cloud().now());
    let allowed = right.verify(&root, id, 0, now).unwrap();
    assert_eq!(allowed.holder, owner.user.to_string());
    assert!(allowed.acts.contains(Act::Call) && !allowed.acts.contains(Act::Logs));
    let until: Timestamp = given["until"].as_str().unwrap().parse().unwrap();
    assert_eq!(allowed.until, until);
    assert!(until <= now.after(Duration::from_secs(60)));

    let looks = json!({ "acts": ["status", "logs"] });
    ask(&world, &user, id, looks.clone()).await.expect(201);
    ask(&world, &user, id, json!({ "acts": ["status", "call"] })).await.expect(403);
    ask(&world, &stranger, id, looks.clone()).await.expect(404);
    // What is lent counts as far as it goes.
    let lent = json!({
        "resource": format!("board:{id}"), "to": stranger.user, "rights": ["read"],
        "until": "2999-01-01T00:00:00Z"
    });
    world.post(&owner, "/v2/delegations", lent).await.expect(201);
    ask(&world, &stranger, id, looks).await.expect(201);
    ask(&world, &stranger, id, json!({ "acts": ["call"] })).await.expect(403);

    let friend = world.somebody(&elsewhere, Role::UserIot).await;
    let soon = world.cloud().now().after(Duration::from_secs(30));
    let lent = json!({
        "resource": format!("board:{id}"), "to": friend.user, "rights": ["read"], "until": soon
    });
    world.post(&owner, "/v2/delegations", lent).await.expect(201);
    let given = ask(&world, &friend, id, json!({ "acts": ["logs"] })).await.expect(201);
    let until: Timestamp = given["until"].as_str().unwrap().parse().unwrap();
    assert!(until <= soon, "it ends with what it rests on: {until}");
}

#[tokio::test]
async fn a_right_is_of_the_epoch_in_which_it_was_given() {
    let world = World::start().await;
    let owner = world.owner().await;
    let id = board(&world, &["RightsEpoch"]).await;
    let get = async || -> Right {
        let given = ask(&world, &owner, id, json!({ "acts": ["call"] })).await.expect(201);
        given["right"].as_str().unwrap().parse().unwrap()
    };
    let before = get().await;
    let epoch = world.cloud().boards.push_epoch(id).await.unwrap();
    let (root, now) = (world.cloud().key.public(), world.cloud().now());
    assert_eq!(before.verify(&root, id, epoch, now).err(), Some(Refusal::Revoked));
    assert!(get().await.verify(&root, id, epoch, now).is_ok());
}

#[tokio::test]
async fn a_revocation_makes_void_what_the_boards_concerned_would_honour_without_the_cloud() {
    let world = World::start().await;
    let owner = world.owner().await;
    let elsewhere = ProjectId::new();
    world.make_project(&elsewhere).await;
    let friend = world.somebody(&elsewhere, Role::UserIot).await;
    let id = board(&world, &["RightsEpoch"]).await;
    let other = world.board("other").await;
    world.post(&owner, "/v2/fleets", json!({ "name": "north" })).await.expect(201);
    world.patch(&owner, "/v2/boards/gate", json!({ "fleet": "north" })).await.expect(200);
    let epoch = async |id: BoardId| {
        store::boards::by_id(&world.cloud().store, None, id).await.unwrap().rights_epoch
    };
    let things =
        [format!("board:{id}"), "fleet:north".into(), format!("project:{}", world.project)];
    for (number, resource) in (1..).zip(things) {
        let lent = json!({
            "resource": resource, "to": friend.user, "rights": ["read"], "until": "2999-01-01T00:00:00Z"
        });
        let lent = world.post(&owner, "/v2/delegations", lent).await.expect(201);
        let given = ask(&world, &friend, id, json!({ "acts": ["status"] })).await.expect(201);
        let right: Right = given["right"].as_str().unwrap().parse().unwrap();
        let path = format!("/v2/delegations/{}", lent["id"].as_str().unwrap());
        world.delete(&owner, &path).await.expect(200);
        assert_eq!(epoch(id).await, number, "{resource}");
        let (root, now) = (world.cloud().key.public(), world.cloud().now());
        assert_eq!(right.verify(&root, id, number, now).err(), Some(Refusal::Revoked));
        world.delete(&owner, &path).await.expect(200);
        assert_eq!(epoch(id).await, number, "what has ended ends nothing");
    }
    assert_eq!(epoch(other).await, 1, "the project alone concerned it");
}

#[tokio::test]
async fn a_board_that_honours_none_and_words_that_mean_nothing_are_refused() {
    let world = World::start().await;
    let owner = world.owner().await;
    let id = board(&world, &["DevicePing"]).await;
    ask(&world, &owner, id, json!({ "acts": ["call"] })).await.expect(409);
    for wrong in [
        json!({ "acts": [] }),
        json!({ "acts": ["reboot"] }),
        json!({ "acts": ["call"], "life_s": 0 }),
        json!({ "acts": ["call"], "life_s": 301 }),
        json!({ "acts": ["call"], "depth": 9 }),
        json!({ "acts": ["call"], "for": "ever" }),
    ] {
        ask(&world, &owner, id, wrong).await.expect(400);
    }
}
