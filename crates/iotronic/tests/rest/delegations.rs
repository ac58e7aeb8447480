//! Delegations: what is lent can be used as it was lent, passed on within its bounds, and taken back as a whole.

use crate::world::{Somebody, World};
use futures_util::future::join_all;
use model::ProjectId;
use model::access::Role;
use serde_json::{Value, json};

const LATE: &str = "2999-01-01T00:00:00Z";

struct Lending {
    world: World,
    owner: Somebody,
    board: String,
}

impl Lending {
    async fn begin() -> Self {
        Self::begin_in(World::start().await).await
    }

    async fn begin_in(world: World) -> Self {
        let owner = world.owner().await;
        let board = world.board("lamp").await.to_string();
        Self { world, owner, board }
    }

    /// Somebody with the least role, in a project of their own.
    async fn stranger(&self) -> Somebody {
        let elsewhere = ProjectId::new();
        self.world.make_project(&elsewhere).await;
        self.world.somebody(&elsewhere, Role::UserIot).await
    }

    async fn lend(&self, giver: &Somebody, to: &Somebody, more: Value) -> crate::world::Answer {
        let mut body = json!({
            "resource": format!("board:{}", self.board), "to": to.user, "rights": ["read"], "until": LATE
        });
        let members = body.as_object_mut().unwrap();
        members.extend(more.as_object().unwrap().clone());
        self.world.post(giver, "/v2/delegations", body).await
    }

    async fn epoch(&self) -> u32 {
        let (store, id) = (&self.world.cloud().store, self.board.parse().unwrap());
        store::boards::by_id(store, None, id).await.unwrap().rights_epoch
    }

    async fn sees(&self, who: &Somebody) -> u16 {
        self.world.get(who, &format!("/v2/boards/{}", self.board)).await.status.as_u16()
    }

    async fn names(&self, who: &Somebody) -> Vec<String> {
        let list = self.world.get(who, "/v2/boards").await.expect(200);
        let items = list["items"].as_array().unwrap();
        items.iter().map(|board| board["name"].as_str().unwrap().to_owned()).collect()
    }

    async fn revoke(&self, who: &Somebody, lent: &Value) -> crate::world::Answer {
        let path = format!("/v2/delegations/{}", lent["id"].as_str().unwrap());
        self.world.delete(who, &path).await
    }
}

#[tokio::test]
async fn a_lent_board_is_listed_found_by_name_and_used_as_far_as_the_rights_go() {
    let lending = Lending::begin().await;
    let (world, borrower) = (&lending.world, lending.stranger().await);
    assert_eq!(lending.sees(&borrower).await, 404);
    assert!(lending.names(&borrower).await.is_empty());
    let lent = lending.lend(&lending.owner, &borrower, json!({ "rights": ["read"] })).await;
    let lent = lent.expect(201);
    assert_eq!(lending.sees(&borrower).await, 200);
    assert_eq!(lending.names(&borrower).await, ["lamp"]);
    let by_name = world.get(&borrower, "/v2/boards/lamp").await.expect(200);
    assert_eq!(by_name["id"], json!(lending.board));
    let change = json!({ "name": "mine-now" });
    let changed = world.patch(&borrower, "/v2/boards/lamp", change).await;
    assert_eq!(changed.status, 403, "{}", changed.text);
    assert!(changed.text.contains("does not give this right"), "{}", changed.text);

    let reboot = "/v2/boards/lamp/reboot";
    assert_eq!(world.post(&borrower, reboot, json!({})).await.status, 403);
    lending.lend(&lending.owner, &borrower, json!({ "rights": ["write"] })).await.expect(201);
    let operation = world.post(&borrower, reboot, json!({})).await.expect(202);
    let path = format!("/v2/operations/{}", operation["id"].as_str().unwrap());
    let seen = world.get(&borrower, &path).await.expect(200);
    assert_eq!(seen["created_by"], json!(borrower.user));
    world.post(&borrower, &format!("{path}/cancel"), json!({})).await.expect(200);
    let gone = world.delete(&borrower, "/v2/boards/lamp").await;
    assert_eq!(gone.status, 403, "giving up a board is never lent: {}", gone.text);
    let other = lending.stranger().await;
    assert_eq!(world.get(&other, &path).await.status, 404);
    assert_eq!(
        world
            .get(&other, &format!("/v2/delegations/{}", lent["id"].as_str().unwrap()))
            .await
            .status,
        404
    );
}

#[tokio::test]
async fn what_is_passed_on_only_shrinks_and_a_revocation_takes_all_below_along() {
    let lending = Lending::begin().await;
    let people = [lending.stranger().await, lending.stranger().await, lending.stranger().await];
    let [first, second, third] = &people;
    let more = json!({ "rights": ["write"], "depth": 2, "until": "2998-01-01T00:00:00Z" });
    let root = lending.lend(&lending.owner, first, more).await.expect(201);
    let refused = [
        (json!({ "rights": ["board:delete"], "until": "2997-01-01T00:00:00Z" }), "no right"),
        (json!({ "until": LATE }), "the time is not within"),
        (json!({ "until": "2997-01-01T00:00:00Z", "depth": 2 }), "depth 2 is not below 2"),
    ];
    for (more, why) in refused {
        let answer = lending.lend(first, second, more).await;
        assert_eq!(answer.status, 403, "{}", answer.text);
        assert!(answer.text.contains(why), "{why}: {}", answer.text);
    }
    let more = json!({ "rights": ["board:all"], "depth": 1, "until": "2997-01-01T00:00:00Z" });
    let below = lending.lend(first, second, more).await.expect(201);
    assert_eq!(below["parent"], root["id"]);
    let more = json!({ "rights": ["board:get_one"], "until": "2996-01-01T00:00:00Z" });
    lending.lend(second, third, more.clone()).await.expect(201);
    let end = lending.stranger().await;
    let refused = lending.lend(third, &end, more).await;
    assert!(refused.text.contains("cannot be passed on"), "{}", refused.text);
    for who in &people {
        assert_eq!(lending.sees(who).await, 200);
    }
    let theirs = lending.revoke(third, &root).await;
    assert_eq!(theirs.status, 404, "what is above one is none of one's business");
    let ended = lending.revoke(&lending.owner, &root).await.expect(200);
    assert_eq!(ended["ended"], json!(3));
    for who in &people {
        assert_eq!(lending.sees(who).await, 404);
    }
    let again = lending.revoke(&lending.owner, &root).await.expect(200);
    assert_eq!(again["ended"], json!(0));
}

#[tokio::test]
async fn a_delegation_is_worth_something_in_its_time_only() {
    let (world, clock) = World::standing_still().await;
    let lending = Lending::begin_in(world).await;
    let borrower = lending.stranger().await;
    let more = json!({ "from": "2998-01-01T00:00:00Z" });
    lending.lend(&lending.owner, &borrower, more).await.expect(201);
    assert_eq!(lending.sees(&borrower).await, 404);
    assert!(lending.names(&borrower).await.is_empty());
    let time = std::time::Duration::from_secs(20);
    let soon = json!({ "until": lending.world.cloud().now().after(time) });
    lending.lend(&lending.owner, &borrower, soon).await.expect(201);
    assert_eq!(lending.sees(&borrower).await, 200);
    clock.advance(time);
    assert_eq!(lending.sees(&borrower).await, 404);
}

#[tokio::test]
async fn of_a_thousand_bookings_of_one_hour_one_is_had() {
    let lending = Lending::begin().await;
    let borrower = lending.stranger().await;
    let window = json!({
        "hold": "exclusive", "from": "2990-01-01T09:00:00Z", "until": "2990-01-01T10:00:00Z"
    });
    let tries = (0..1000).map(|_| lending.lend(&lending.owner, &borrower, window.clone()));
    let answers = join_all(tries).await;
    let count = |status: u16| answers.iter().filter(|answer| answer.status == status).count();
    assert_eq!((count(201), count(409)), (1, 999));
    let refused = answers.iter().find(|answer| answer.status == 409).unwrap();
    assert!(refused.text.contains("is booked from"), "{}", refused.text);
    let next = json!({
        "hold": "exclusive", "from": "2990-01-01T10:00:00Z", "until": "2990-01-01T11:00:00Z"
    });
    lending.lend(&lending.owner, &borrower, next).await.expect(201);
    lending.lend(&lending.owner, &borrower, json!({})).await.expect(201);
}

#[tokio::test]
async fn a_fleet_lends_its_boards_and_what_leaves_it_or_is_given_up_is_lent_no_more() {
    let lending = Lending::begin().await;
    let (world, owner) = (&lending.world, &lending.owner);
    let [first, second] = [lending.stranger().await, lending.stranger().await];
    world.post(owner, "/v2/fleets", json!({ "name": "north" })).await.expect(201);
    world.patch(owner, "/v2/boards/lamp", json!({ "fleet": "north" })).await.expect(200);
    let fleet = json!({ "resource": "fleet:north", "depth": 1 });
    lending.lend(owner, &first, fleet).await.expect(201);
    assert_eq!(lending.sees(&first).await, 200);
    let part = json!({ "until": "2998-01-01T00:00:00Z" });
    lending.lend(&first, &second, part).await.expect(201);
    assert_eq!(lending.names(&second).await, ["lamp"]);
    world.patch(owner, "/v2/boards/lamp", json!({ "fleet": "" })).await.expect(200);
    for who in [&first, &second] {
        assert_eq!(lending.sees(who).await, 404);
        assert!(lending.names(who).await.is_empty());
    }
    let whole = json!({ "resource": format!("project:{}", world.project) });
    lending.lend(owner, &first, whole).await.expect(201);
    lending.lend(owner, &second, json!({})).await.expect(201);
    assert_eq!((lending.sees(&first).await, lending.sees(&second).await), (200, 200));
    world.delete(owner, "/v2/boards/lamp").await.expect(204);
    assert_eq!(lending.sees(&second).await, 404);
}

#[tokio::test]
async fn a_right_on_a_fleet_reaches_the_boards_that_its_rule_picks_now() {
    let lending = Lending::begin().await;
    let (world, owner) = (&lending.world, &lending.owner);
    let [first, second] = [lending.stranger().await, lending.stranger().await];
    let fleet = json!({ "name": "lamps", "rule": "kind=lamp" });
    world.post(owner, "/v2/fleets", fleet).await.expect(201);
    let fleet = json!({ "resource": "fleet:lamps", "depth": 1 });
    lending.lend(owner, &first, fleet).await.expect(201);
    assert_eq!((lending.sees(&first).await, lending.names(&first).await.len()), (404, 0));

    let label = async |value: &str| {
        let change = json!({ "labels": { "kind": value } });
        world.patch(owner, "/v2/boards/lamp", change).await.expect(200);
    };
    let rule = async |rule: &str| {
        world.patch(owner, "/v2/fleets/lamps", json!({ "rule": rule })).await.expect(200);
    };
    label("lamp").await;
    let part = json!({ "until": "2998-01-01T00:00:00Z" });
    lending.lend(&first, &second, part.clone()).await.expect(201);
    for who in [&first, &second] {
        assert_eq!((lending.sees(who).await, lending.names(who).await.len()), (200, 1));
    }
    // What was passed on of a board that left does not come back with it; what is lent of the fleet does.
    label("fan").await;
    assert_eq!((lending.sees(&first).await, lending.sees(&second).await), (404, 404));
    label("lamp").await;
    assert_eq!((lending.sees(&first).await, lending.sees(&second).await), (200, 404));
    lending.lend(&first, &second, part).await.expect(201);
    rule("kind=fan").await;
    assert_eq!((lending.sees(&first).await, lending.sees(&second).await), (404, 404));
    rule("kind").await;
    assert_eq!((lending.sees(&first).await, lending.sees(&second).await), (200, 404));
}

#[tokio::test]
async fn what_a_deleted_user_held_ends_with_all_that_rested_on_it() {
    let lending = Lending::begin().await;
    let (world, owner) = (&lending.world, &lending.owner);
    let [first, second] = [lending.stranger().await, lending.stranger().await];
    lending.lend(owner, &first, json!({ "depth": 1 })).await.expect(201);
    let part = json!({ "until": "2998-01-01T00:00:00Z" });
    let below = lending.lend(&first, &second, part).await.expect(201);
    assert_eq!(lending.sees(&second).await, 200);
    let before = lending.epoch().await;
    let admin = world.somebody(&world.project, Role::Admin).await;
    world.delete(&admin, &format!("/identity/v3/users/{}", first.user)).await.expect(204);
    assert_eq!(lending.sees(&second).await, 404);
    assert!(lending.epoch().await > before);
    let path = format!("/v2/delegations/{}", below["id"].as_str().unwrap());
    assert!(world.get(&second, &path).await.expect(200)["revoked_at"].is_string());
}

#[tokio::test]
async fn a_new_rule_and_a_board_that_leaves_void_what_was_honoured_by_the_fleet() {
    let lending = Lending::begin().await;
    let (world, owner) = (&lending.world, &lending.owner);
    let borrower = lending.stranger().await;
    let fleet = json!({ "name": "lamps", "rule": "kind=lamp" });
    world.post(owner, "/v2/fleets", fleet).await.expect(201);
    let label = async |value: &str| {
        let change = json!({ "labels": { "kind": value } });
        world.patch(owner, "/v2/boards/lamp", change).await.expect(200);
    };
    label("lamp").await;
    label("fan").await;
    assert_eq!(lending.epoch().await, 0, "a fleet that nobody was lent");
    lending.lend(owner, &borrower, json!({ "resource": "fleet:lamps" })).await.expect(201);
    label("lamp").await;
    label("fan").await;
    assert_eq!(lending.epoch().await, 1);
    label("lamp").await;
    world.patch(owner, "/v2/fleets/lamps", json!({ "rule": "kind=fan" })).await.expect(200);
    assert_eq!(lending.epoch().await, 2);
    world.patch(owner, "/v2/fleets/lamps", json!({ "rule": "kind" })).await.expect(200);
    world.delete(owner, "/v2/fleets/lamps").await.expect(204);
    assert_eq!(lending.epoch().await, 3);
}

#[tokio::test]
async fn giver_holder_and_the_projects_administrators_see_and_end_a_delegation_others_do_not() {
    let lending = Lending::begin().await;
    let world = &lending.world;
    let borrower = lending.stranger().await;
    let looker = world.somebody(&world.project, Role::UserIot).await;
    let lent = lending.lend(&lending.owner, &borrower, json!({})).await.expect(201);
    assert_eq!(lent["resource_name"], "lamp");
    assert!(lent["delegator_name"].is_string() && lent["delegated_name"].is_string(), "{lent}");
    for who in [&lending.owner, &looker] {
        let list = world.get(who, "/v2/delegations").await.expect(200);
        assert_eq!(list["items"], json!([lent]));
    }
    let mine = world.get(&borrower, "/v2/delegations?of=mine").await.expect(200);
    assert_eq!(mine["items"], json!([lent]));
    let none = world.get(&borrower, "/v2/delegations").await.expect(200);
    assert_eq!(none["items"], json!([]));
    assert_eq!(lending.revoke(&looker, &lent).await.status, 403);
    assert_eq!(lending.revoke(&lending.stranger().await, &lent).await.status, 404);
    lending.revoke(&borrower, &lent).await.expect(200);
    assert_eq!(lending.sees(&borrower).await, 404);
    let past = world.get(&lending.owner, "/v2/delegations?past=true").await.expect(200);
    assert_eq!(past["items"][0]["revoked_by"], json!(borrower.user));
}

#[tokio::test]
async fn a_delegation_that_makes_no_sense_is_refused_with_a_cure() {
    let lending = Lending::begin().await;
    let borrower = lending.stranger().await;
    let refused = [
        (json!({ "until": "2001-01-01T00:00:00Z" }), 400),
        (json!({ "until": "2001-01-01T00:00:00Z", "from": "2000-01-01T00:00:00Z" }), 400),
        (json!({ "rights": [] }), 400),
        (json!({ "rights": ["board:fly"] }), 400),
        (json!({ "rights": ["board:delete"] }), 400),
        (json!({ "depth": 9 }), 400),
        (json!({ "to": lending.owner.user }), 400),
        (json!({ "to": "nobody" }), 404),
        (json!({ "resource": "board:none" }), 404),
        (json!({ "resource": "moon:1" }), 400),
        (json!({ "resource": "lamp" }), 400),
        (json!({ "resource": "fleet:none" }), 404),
        (json!({ "resource": "project:elsewhere" }), 404),
        (json!({ "parent": model::DelegationId::new() }), 404),
        (json!({ "wishes": 3 }), 400),
    ];
    for (more, status) in refused {
        let answer = lending.lend(&lending.owner, &borrower, more.clone()).await;
        assert_eq!(answer.status, status, "{more}: {}", answer.text);
    }
    let theirs = lending.lend(&borrower, &lending.owner, json!({})).await;
    assert_eq!(theirs.status, 404, "one gives only what one has: {}", theirs.text);
    let looker = lending.world.somebody(&lending.world.project, Role::ManagerIotProject).await;
    let not_theirs = lending.lend(&looker, &borrower, json!({})).await;
    assert!([403, 404].contains(&not_theirs.status.as_u16()), "{}", not_theirs.text);
    assert_eq!(lending.sees(&borrower).await, 404);
}
