//! Quotas over both APIs: what is shown, who may change it, and what a refusal says.

use crate::world::World;
use futures_util::future::join_all;
use model::ProjectId;
use model::access::Role;
use serde_json::{Value, json};

fn path(project: &ProjectId) -> String {
    format!("/v2/projects/{project}/quota")
}

#[tokio::test]
async fn a_project_sees_what_it_has_and_the_operator_says_what_it_may_have() {
    let world = World::with(|settings| {
        settings.quota.services = model::quota::Limit::AtMost(3);
    })
    .await;
    let (owner, admin) = (world.owner().await, world.somebody(&world.project, Role::Admin).await);
    world.board("lamp").await;
    let plugin = json!({ "name": "p", "language": "python", "mode": "async", "source": "12345" });
    world.post(&owner, "/v2/plugins", plugin).await.expect(201);
    let shown = world.get(&owner, &path(&world.project)).await.expect(200);
    assert_eq!(shown["boards"], json!({ "used": 1, "limit": 20_000, "own": false }));
    assert_eq!(shown["services"], json!({ "used": 0, "limit": 3, "own": false }));
    assert_eq!(shown["plugins"]["used"], 1);
    assert_eq!(shown["plugin_bytes"]["used"], 5 + "{}{}".len());
    let change = json!({ "boards": 1, "plugins": "unlimited" });
    let refused = world.patch(&owner, &path(&world.project), change.clone()).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    let name = format!("/v2/projects/project-{}/quota", world.project);
    let after = world.patch(&admin, &name, change).await.expect(200);
    assert_eq!(after["boards"], json!({ "used": 1, "limit": 1, "own": true }));
    assert_eq!(after["plugins"], json!({ "used": 1, "limit": "unlimited", "own": true }));
    let back = json!({ "plugins": "default" });
    let after = world.patch(&admin, &name, back).await.expect(200);
    assert_eq!(after["plugins"], json!({ "used": 1, "limit": 1000, "own": false }));
    assert_eq!(after["boards"]["limit"], 1);
    for wrong in [json!({ "boards": -1 }), json!({ "boards": "few" }), json!({ "lamps": 1 })] {
        assert_eq!(world.patch(&admin, &name, wrong).await.status, 400);
    }
    assert_eq!(world.get(&admin, "/v2/projects/nowhere/quota").await.status, 404);
    let rows = world.get(&admin, "/v2/audit?verb=quota:update").await.expect(200);
    let told = &rows["items"][0];
    assert_eq!((&told["actor"], &told["subject"]), (&json!(admin.user), &json!(world.project)));
    let rows = world.get(&owner, "/v2/audit?verb=plugin:create").await.expect(200);
    assert_eq!(rows["items"][0]["actor"], json!(owner.user));
}

#[tokio::test]
async fn of_many_requests_at_once_as_many_are_done_as_the_quota_admits() {
    let world = World::with(|settings| {
        settings.quota.services = model::quota::Limit::AtMost(7);
    })
    .await;
    let owner = world.owner().await;
    let names: Vec<Value> =
        (0..64).map(|number| json!({ "name": format!("s-{number}"), "port": 22 })).collect();
    let asked = names.into_iter().map(|body| world.post(&owner, "/v2/services", body));
    let answers = join_all(asked).await;
    assert_eq!(answers.iter().filter(|answer| answer.status == 201).count(), 7);
    let refused = answers.into_iter().find(|answer| answer.status != 201).unwrap();
    let text = refused.expect(409)["detail"].as_str().unwrap().to_owned();
    for said in ["7 services of the 7", "delete one", "s4t quota set"] {
        assert!(text.contains(said), "{text}");
    }
    // Upstream's client repeats a 409.
    let body = json!({ "name": "one-more", "port": 22, "protocol": "TCP" });
    let refused = world.post(&owner, "/v1/services", body).await;
    assert_eq!(refused.status, 403, "{}", refused.text);
    assert!(refused.text.contains("7 services of the 7"), "{}", refused.text);
}
