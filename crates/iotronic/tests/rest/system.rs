//! How the cloud itself is; and lists as pages read them: newest first, with names, ten thousand boards at a time.

use crate::world::World;
use model::access::Role;
use serde_json::{Value, json};

fn column(list: &Value, pointer: &str) -> Vec<Value> {
    let items = list["items"].as_array().unwrap().iter();
    items.map(|item| item.pointer(pointer).cloned().unwrap_or(Value::Null)).collect()
}

#[tokio::test]
async fn an_administrator_of_the_cloud_sees_how_it_is_and_nobody_else_does() {
    let world = World::with(|settings| settings.retention.events = 77).await;
    let operator = world.somebody(&world.project, Role::Admin).await;
    world.board("lamp").await;
    let owner = world.owner().await;
    let refused = world.get(&owner, "/v2/system").await.expect(403);
    assert!(refused["detail"].as_str().unwrap().contains("needs the role"), "{refused}");

    let system = world.get(&operator, "/v2/system").await.expect(200);
    assert_eq!(system["version"], env!("CARGO_PKG_VERSION"));
    assert_eq!(system["public_url"], world.cloud().public_url);
    assert_eq!(system["boards"], json!({ "offline": 1 }));
    assert_eq!(system["operations"], json!({ "pending": 0, "running": 0 }));
    assert_eq!(system["listeners"][0]["address"], world.address.to_string());
    assert_eq!(system["tls"]["source"], "none");
    assert_eq!(system["settings"]["retention"]["events"], 77);
    assert_eq!(system["settings"]["services"]["ports"], "20000-29999");
    assert!(system["requests"]["by_kind"]["forbidden"].as_u64().unwrap() >= 1, "{system}");
    assert!(system["database"]["bytes"].as_u64().unwrap() > 0, "{system}");
    assert!(system["process"]["memory_bytes"].as_u64().unwrap() > 0, "{system}");
}

#[tokio::test]
async fn operations_are_listed_from_either_end_and_say_what_they_are_about() {
    let world = World::start().await;
    let owner = world.owner().await;
    world.board("lamp").await;
    let plugin = json!({ "name": "blink", "language": "python", "mode": "async", "source": "x" });
    let plugin = world.post(&owner, "/v2/plugins", plugin).await.expect(201);
    world.post(&owner, "/v2/services", json!({ "name": "web", "port": 80 })).await.expect(201);
    world.put(&owner, "/v2/boards/lamp/plugins/blink", json!({})).await.expect(202);
    world.put(&owner, "/v2/boards/lamp/services/web", json!({})).await.expect(202);
    world.post(&owner, "/v2/boards/lamp/reboot", json!({})).await.expect(202);

    let newest = world.get(&owner, "/v2/operations?order=desc").await.expect(200);
    let methods = column(&newest, "/method");
    assert_eq!(json!(methods), json!(["DeviceReboot", "ServiceEnable", "PluginInject"]));
    assert_eq!(json!(column(&newest, "/subject/name")), json!([null, "web", "blink"]));
    assert_eq!(json!(column(&newest, "/subject/noun")), json!([null, "service", "plugin"]));
    assert_eq!(newest["items"][2]["subject"]["id"], plugin["id"]);

    let mut seen = Vec::new();
    let mut path = "/v2/operations?order=desc&limit=1".to_owned();
    loop {
        let page = world.get(&owner, &path).await.expect(200);
        seen.extend(column(&page, "/method"));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v2/operations?order=desc&limit=1&marker={next}");
    }
    assert_eq!(seen, methods);
    let oldest = world.get(&owner, "/v2/operations").await.expect(200);
    let reversed: Vec<_> = methods.into_iter().rev().collect();
    assert_eq!(column(&oldest, "/method"), reversed);
    let id = newest["items"][1]["id"].as_str().unwrap();
    let shown = world.get(&owner, &format!("/v2/operations/{id}")).await.expect(200);
    assert_eq!(shown["subject"]["name"], "web");
    world.get(&owner, "/v2/operations?order=sideways").await.expect(400);
}

#[tokio::test]
async fn events_are_read_from_the_newest_back() {
    let world = World::start().await;
    let owner = world.owner().await;
    for name in ["a", "b", "c"] {
        world.post(&owner, "/v2/fleets", json!({ "name": name })).await.expect(201);
    }
    let page = world.get(&owner, "/v2/events?order=desc&limit=2").await.expect(200);
    assert_eq!(json!(column(&page, "/body/name")), json!(["c", "b"]));
    let next = page["next"].as_str().unwrap();
    let path = format!("/v2/events?order=desc&limit=2&before={next}");
    let page = world.get(&owner, &path).await.expect(200);
    assert_eq!(json!(column(&page, "/body/name")), json!(["a"]));
    for wrong in ["order=desc&after=1", "before=5", "order=asc&before=5"] {
        world.get(&owner, &format!("/v2/events?{wrong}")).await.expect(400);
    }
}

#[tokio::test]
async fn a_list_of_boards_shows_where_they_are_as_they_say_it_themselves() {
    let world = World::start().await;
    let owner = world.owner().await;
    let id = world.board("lamp").await;
    let position = model::board::Position { latitude: 38.19, longitude: 15.55, altitude: 3.0 };
    let facts = model::facts::Facts {
        hostname: "lamp".into(),
        position: Some(position),
        ..Default::default()
    };
    let job = world.cloud().store.write(move |tx| {
        Box::pin(async move { store::boards::record_facts(tx, id, &facts).await })
    });
    job.await.unwrap();
    let list = world.get(&owner, "/v2/boards").await.expect(200);
    assert_eq!(list["items"][0]["position"]["latitude"], 38.19);
    let shown = world.get(&owner, "/v2/boards/lamp").await.expect(200);
    assert_eq!(shown["position"], list["items"][0]["position"]);
    assert_eq!(shown["facts"]["hostname"], "lamp");
}
