//! Transfers: both sides decide, and what was one's own ends with it.

use crate::machine::{self, Machine, obedient};
use crate::world::{Somebody, World, eventually};
use model::ProjectId;
use model::access::Role;
use rpc::Method;
use serde_json::{Value, json};

const LATE: &str = "2999-01-01T00:00:00Z";

struct Giving {
    world: World,
    owner: Somebody,
    receiver: Somebody,
    lamp: Machine,
}

impl Giving {
    /// A board that is online, in a fleet, lent, with a plugin and an open service; somebody who administers another project.
    async fn begin() -> Self {
        let world = World::start().await;
        let owner = world.owner().await;
        let lamp = machine::board(&world, "lamp", obedient()).await;
        let elsewhere = ProjectId::new();
        world.make_project(&elsewhere).await;
        let receiver = world.somebody(&elsewhere, Role::AdminIotProject).await;
        Self { world, owner, receiver, lamp }
    }

    async fn furnish(&self) {
        let (world, owner) = (&self.world, &self.owner);
        let plugin =
            json!({ "name": "count", "language": "python", "mode": "async", "source": "x" });
        world.post(owner, "/v2/plugins", plugin).await.expect(201);
        world.put(owner, "/v2/boards/lamp/plugins/count?wait=10", json!({})).await;
        world.post(owner, "/v2/services", json!({ "name": "ssh", "port": 22 })).await.expect(201);
        world.put(owner, "/v2/boards/lamp/services/ssh?wait=10", json!({})).await;
        world.post(owner, "/v2/fleets", json!({ "name": "north" })).await.expect(201);
        world.patch(owner, "/v2/boards/lamp", json!({ "fleet": "north" })).await.expect(200);
        let given = json!({ "caps": { "cpu_s": 1 } });
        world.put(owner, "/v2/boards/lamp/contribution", given).await.expect(200);
        world.post(owner, "/v2/boards/lamp/replace", json!({})).await.expect(201);
    }

    async fn lend(&self, resource: &str, to: &Somebody) {
        let wish =
            json!({ "resource": resource, "to": to.user, "rights": ["read"], "until": LATE });
        self.world.post(&self.owner, "/v2/delegations", wish).await.expect(201);
    }

    async fn give(&self, who: &Somebody) -> crate::world::Answer {
        let new = json!({ "project": self.receiver.project });
        self.world.post(who, "/v2/boards/lamp/transfer", new).await
    }

    async fn accept(&self, who: &Somebody, offer: &Value) -> crate::world::Answer {
        let path = format!("/v2/transfers/{}/accept", offer["id"].as_str().unwrap());
        self.world.post(who, &path, json!({})).await
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_is_offered_and_arrives_empty_with_no_right_of_the_old_project() {
    let giving = Giving::begin().await;
    giving.furnish().await;
    let Giving { world, owner, receiver, lamp } = &giving;
    let borrower = world.somebody(&receiver.project, Role::UserIot).await;
    giving.lend("board:lamp", &borrower).await;
    giving.lend("fleet:north", &borrower).await;
    let (cloud, at) = (world.cloud(), world.cloud().now());
    store::load::append(&cloud.store, lamp.id, &model::facts::Load::default(), at);
    cloud.store.flush().await.unwrap();
    let load = world.get(owner, "/v2/boards/lamp/load").await.expect(200);
    assert!(!load["items"].as_array().unwrap().is_empty(), "{load}");
    let epoch = store::boards::by_id(&world.cloud().store, None, lamp.id).await.unwrap();
    let offer = giving.give(owner).await.expect(201);
    assert_eq!(offer["state"], "offered");
    let listed = world.get(receiver, "/v2/transfers").await.expect(200);
    assert_eq!(listed["items"], json!([offer]));
    assert_eq!(giving.accept(owner, &offer).await.status, 403, "one side does not decide for both");
    assert_eq!(giving.accept(&borrower, &offer).await.status, 403, "nor a mere user of the other");
    let stranger = ProjectId::new();
    world.make_project(&stranger).await;
    let stranger = world.somebody(&stranger, Role::AdminIotProject).await;
    assert_eq!(giving.accept(&stranger, &offer).await.status, 404);

    let board = giving.accept(receiver, &offer).await.expect(200);
    assert_eq!(board["project"], json!(receiver.project));
    assert_eq!(board["owner"], json!(receiver.user));
    assert_eq!(board["fleet"], Value::Null);
    let load = world.get(receiver, "/v2/boards/lamp/load").await.expect(200);
    assert_eq!(load["items"], json!([]), "what it reported before is not theirs");
    assert_eq!(giving.accept(receiver, &offer).await.status, 404, "an offer is good once");
    assert_eq!(world.get(owner, "/v2/boards/lamp").await.status, 404);
    assert_eq!(world.get(&borrower, "/v2/boards/lamp").await.status, 200, "by their role now");
    let past = world.get(owner, "/v2/delegations?past=true").await.expect(200);
    let lent: Vec<_> = past["items"].as_array().unwrap().iter().collect();
    for one in lent.iter().filter(|one| one["resource"].as_str().unwrap().starts_with("board:")) {
        assert!(one["revoked_at"].is_string(), "{one}");
    }
    eventually("the board to be empty", async || {
        let plugins = world.get(receiver, "/v2/boards/lamp/plugins").await.expect(200);
        let services = world.get(receiver, "/v2/boards/lamp/services").await.expect(200);
        let told: Vec<Method> = lamp.calls().iter().map(|(_, method)| *method).collect();
        let is_told = [Method::PluginRemove, Method::ServiceDisable, Method::RightsEpoch]
            .iter()
            .all(|method| told.contains(method));
        let is_empty = plugins["items"] == json!([]) && services["items"] == json!([]);
        if is_empty && is_told { Ok(()) } else { Err((plugins, services, told)) }
    })
    .await;
    let row = store::boards::by_id(&world.cloud().store, None, lamp.id).await.unwrap();
    assert!(row.rights_epoch > epoch.rights_epoch);
    let said = store::contributions::of(&world.cloud().store, lamp.id).await.unwrap();
    assert_eq!(said, None);
    let claims = world.get(owner, "/v2/claims").await.expect(200);
    assert_eq!(
        claims["items"].as_array().unwrap().iter().filter(|it| it["replaces"].is_string()).count(),
        0
    );
    for who in [owner, receiver] {
        let rows = world.get(who, "/v2/audit?limit=1000").await.expect(200);
        let verbs: Vec<_> =
            rows["items"].as_array().unwrap().iter().map(|row| &row["verb"]).collect();
        assert!(verbs.contains(&&json!("board:transfer")), "{verbs:?}");
    }
    giving.world.finish().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_administers_both_projects_gives_a_board_at_once_and_others_cannot() {
    let giving = Giving::begin().await;
    let Giving { world, owner, receiver, .. } = &giving;
    let manager = world.somebody(&world.project, Role::ManagerIotProject).await;
    assert_eq!(giving.give(&manager).await.status, 403);
    assert_eq!(giving.give(receiver).await.status, 404);
    let (user, place) = (owner.user.clone(), receiver.project.clone());
    let job = world.cloud().store.write(move |tx| {
        Box::pin(
            async move { store::identity::assign(tx, &user, &place, Role::AdminIotProject).await },
        )
    });
    job.await.unwrap();
    let done = giving.give(owner).await.expect(200);
    assert_eq!((done["state"].as_str(), &done["id"]), (Some("done"), &Value::Null));
    assert_eq!(done["offered_by"], json!(owner.user));
    assert!(done["offered_at"].is_string(), "{done}");
    world.get(receiver, "/v2/boards/lamp").await.expect(200);
    giving.world.finish().await;
}

#[tokio::test]
async fn an_offer_is_withdrawn_or_declined_and_a_board_that_cannot_arrive_stays() {
    let giving = Giving::begin().await;
    let Giving { world, owner, receiver, .. } = &giving;
    for who in [owner, receiver] {
        let offer = giving.give(owner).await.expect(201);
        let path = format!("/v2/transfers/{}", offer["id"].as_str().unwrap());
        world.delete(who, &path).await.expect(204);
        assert_eq!(giving.accept(receiver, &offer).await.status, 404);
    }
    let own = json!({ "project": world.project });
    assert_eq!(world.post(owner, "/v2/boards/lamp/transfer", own).await.status, 400);
    // A newer offer replaces the older one, and a name that is taken is no harm to anybody.
    let first = giving.give(owner).await.expect(201);
    let second = giving.give(owner).await.expect(201);
    assert_eq!(giving.accept(receiver, &first).await.status, 404);
    world.board_of(&receiver.project, "lamp").await;
    let taken = giving.accept(receiver, &second).await;
    assert_eq!(taken.status, 409, "{}", taken.text);
    world.patch(owner, "/v2/boards/lamp", json!({ "name": "light" })).await.expect(200);
    giving.accept(receiver, &second).await.expect(200);
    giving.world.finish().await;
}
