//! Plugins and services that are lent without the boards they are on.

use crate::machine::{self, Machine, obedient};
use crate::world::{Somebody, World, eventually};
use model::ProjectId;
use model::access::Role;
use serde_json::{Value, json};

const LATE: &str = "2999-01-01T00:00:00Z";

/// A project with a board, a plugin on it and a service, and somebody of another project with a board of their own.
struct Lending {
    world: World,
    owner: Somebody,
    borrower: Somebody,
    theirs: String,
    _lamp: Machine,
}

impl Lending {
    async fn begin() -> Self {
        let world = World::start().await;
        let owner = world.owner().await;
        let _lamp = machine::board(&world, "lamp", obedient()).await;
        world.board("fan").await;
        let plugin =
            json!({ "name": "count", "language": "python", "mode": "sync", "source": "x" });
        world.post(&owner, "/v2/plugins", plugin).await.expect(201);
        world.put(&owner, "/v2/boards/lamp/plugins/count?wait=10", json!({})).await;
        world.post(&owner, "/v2/services", json!({ "name": "ssh", "port": 22 })).await.expect(201);
        let elsewhere = ProjectId::new();
        world.make_project(&elsewhere).await;
        let borrower = world.somebody(&elsewhere, Role::AdminIotProject).await;
        let theirs = world.board_of(&elsewhere, "desk").await.to_string();
        Self { world, owner, borrower, theirs, _lamp }
    }

    async fn lend(&self, resource: &str, rights: &[&str]) -> Value {
        let wish = json!({
            "resource": resource, "to": self.borrower.user, "rights": rights, "until": LATE, "depth": 1
        });
        self.world.post(&self.owner, "/v2/delegations", wish).await.expect(201)
    }

    async fn revoke(&self, lent: &Value) {
        let path = format!("/v2/delegations/{}", lent["id"].as_str().unwrap());
        self.world.delete(&self.owner, &path).await.expect(200);
    }

    async fn names(&self, path: &str) -> Vec<String> {
        let list = self.world.get(&self.borrower, path).await.expect(200);
        let items = list["items"].as_array().unwrap();
        items.iter().map(|item| item["name"].as_str().unwrap().to_owned()).collect()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lent_plugin_is_seen_and_called_where_it_is_and_the_board_stays_unseen() {
    let lending = Lending::begin().await;
    let (world, who) = (&lending.world, &lending.borrower);
    let call = "/v2/boards/lamp/plugins/count/call?wait=10";
    assert_eq!(world.post(who, call, json!({})).await.status, 404);
    assert_eq!(world.get(who, "/v2/plugins/count").await.status, 404);
    assert_eq!(world.get(who, "/v2/boards?plugin=count").await.status, 404);
    let lent = lending.lend("plugin:count", &["all:all"]).await;
    assert_eq!(lent["resource_name"], "count");
    assert_eq!(lending.names("/v2/plugins").await, ["count"]);
    assert_eq!(world.get(who, "/v2/plugins/count").await.expect(200)["source"], "x");
    let called = world.post(who, call, json!({})).await;
    assert_eq!(called.body["state"], "succeeded", "{}", called.text);
    let path = format!("/v2/operations/{}", called.body["id"].as_str().unwrap());
    world.get(who, &path).await.expect(200);
    for path in ["/v2/boards/lamp", "/v2/boards/lamp/plugins", "/v2/boards/lamp/services/ssh"] {
        assert_eq!(world.get(who, path).await.status, 404, "{path}");
    }
    assert_eq!(lending.names("/v2/boards").await, ["desk"]);
    assert!(lending.names("/v2/boards?plugin=count").await.is_empty(), "lamp stays unseen");
    let seen = lending.lend("board:lamp", &["board:get"]).await;
    assert_eq!(lending.names("/v2/boards?plugin=count").await, ["lamp"]);
    lending.revoke(&seen).await;
    let update = world.patch(who, "/v2/plugins/count", json!({ "source": "y" })).await;
    assert_eq!(update.status, 403, "what is lent is not changed: {}", update.text);
    let removed = world.delete(who, "/v2/boards/lamp/plugins/count").await;
    assert_eq!(removed.status, 403, "{}", removed.text);
    lending.revoke(&lent).await;
    assert_eq!(world.post(who, call, json!({})).await.status, 404);
    assert!(lending.names("/v2/plugins").await.is_empty());
    lending.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lent_plugin_goes_on_boards_of_ones_own_and_comes_off_when_it_is_taken_back() {
    let lending = Lending::begin().await;
    let (world, who) = (&lending.world, &lending.borrower);
    let put = format!("/v2/boards/{}/plugins/count", lending.theirs);
    assert_eq!(world.put(who, &put, json!({})).await.status, 404);
    let read = lending.lend("plugin:count", &["read"]).await;
    assert_eq!(world.put(who, &put, json!({})).await.status, 403, "it may be looked at only");
    lending.revoke(&read).await;
    let lent = lending.lend("plugin:count", &["plugin_inject:put"]).await;
    let injected = world.put(who, &put, json!({})).await.expect(202);
    let elsewhere = world.put(who, "/v2/boards/fan/plugins/count", json!({})).await;
    assert_eq!(elsewhere.status, 404, "not on boards that are not theirs: {}", elsewhere.text);
    // It is on their board, so it is theirs to use there.
    world.post(who, &format!("{put}/call"), json!({})).await.expect(202);
    lending.revoke(&lent).await;
    eventually("the plugin to be taken off", async || {
        let path = format!("/v2/operations/{}", injected["id"].as_str().unwrap());
        let operation = world.get(who, &path).await.expect(200);
        let open = world.get(who, "/v2/operations?state=pending").await.expect(200);
        let methods: Vec<_> =
            open["items"].as_array().unwrap().iter().map(|open| open["method"].clone()).collect();
        match (operation["state"].as_str(), json!(methods)) {
            (Some("cancelled"), methods) if methods == json!(["PluginRemove"]) => Ok(()),
            other => Err((other.0.map(str::to_owned), other.1)),
        }
    })
    .await;
    lending.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lent_service_is_opened_and_closed_and_closes_when_it_is_taken_back() {
    let lending = Lending::begin().await;
    let (world, who) = (&lending.world, &lending.borrower);
    let lent = lending.lend("service:ssh", &["all:all"]).await;
    assert_eq!(lending.names("/v2/services").await, ["ssh"]);
    for board in ["lamp", "fan"] {
        let path = format!("/v2/boards/{board}/services/ssh");
        world.put(who, &path, json!({})).await.expect(202);
        world.get(who, &path).await.expect(200);
    }
    world.delete(who, "/v2/boards/fan/services/ssh").await.expect(202);
    lending.revoke(&lent).await;
    eventually("the service to be closed", async || {
        let open = world.get(&lending.owner, "/v2/boards/lamp/services").await.expect(200);
        if open["items"] == json!([]) { Ok(()) } else { Err(open) }
    })
    .await;
    lending.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_part_of_one_board_is_lent_on_that_board_alone_and_goes_with_it() {
    let lending = Lending::begin().await;
    let (world, who) = (&lending.world, &lending.borrower);
    let lent = lending.lend("service:ssh@fan", &["service_action:all"]).await;
    assert_eq!(lent["resource_name"], "ssh@fan");
    let path = |board: &str| format!("/v2/boards/{board}/services/ssh");
    world.put(who, &path("fan"), json!({})).await.expect(202);
    assert_eq!(world.put(who, &path("lamp"), json!({})).await.status, 404);
    assert!(lending.names("/v2/services").await.is_empty());
    // It can be passed on, and the whole service cannot.
    let third = world.somebody(&who.project, Role::UserIot).await;
    let pass_on = async |resource: &str| {
        let wish = json!({
            "resource": resource, "to": third.user, "rights": ["service_action:enable"],
            "until": "2998-01-01T00:00:00Z"
        });
        world.post(who, "/v2/delegations", wish).await
    };
    let whole = pass_on("service:ssh").await;
    assert_eq!(whole.status, 404, "{}", whole.text);
    let part = pass_on("service:ssh@fan").await.expect(201);
    assert_eq!(part["parent"], lent["id"]);
    for wrong in ["service:ssh@none", "service:none@fan", "fleet:x@fan", "service:@"] {
        let wish = json!({ "resource": wrong, "to": who.user, "rights": ["read"], "until": LATE });
        let refused = world.post(&lending.owner, "/v2/delegations", wish).await;
        assert!([400, 404].contains(&refused.status.as_u16()), "{wrong}: {}", refused.text);
    }
    world.delete(&lending.owner, "/v2/boards/fan").await.expect(204);
    let past = world.get(who, "/v2/delegations?of=mine&past=true").await.expect(200);
    let items = past["items"].as_array().unwrap();
    assert!(items.iter().all(|item| item["revoked_at"].is_string()), "{past}");
    assert_eq!(items.len(), 2);
    lending.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_thing_that_is_deleted_is_lent_no_more() {
    let lending = Lending::begin().await;
    let (world, owner) = (&lending.world, &lending.owner);
    world.post(owner, "/v2/services", json!({ "name": "web", "port": 80 })).await.expect(201);
    lending.lend("service:web", &["read"]).await;
    lending.lend("service:web@fan", &["service_on_board:get_one"]).await;
    world.delete(owner, "/v2/services/web").await.expect(204);
    let left = world.get(&lending.borrower, "/v2/delegations?of=mine").await.expect(200);
    assert_eq!(left["items"], json!([]));
    lending.world.finish().await;
}
