//! `/v1`'s boards, plugins, services and fleets: made, listed, shown, changed and removed as upstream does it.

use crate::v1_errors::faultstring;
use crate::world::{Somebody, World};
use model::access::Role;
use serde_json::{Value, json};

async fn board(world: &World, who: &Somebody, name: &str) -> Value {
    let new = json!({
        "name": name, "code": format!("CODE-{name}"), "type": "gateway", "mobile": "true", "extra": { "room": "cellar" },
        "location": [{ "latitude": "38.19", "longitude": "15.55", "altitude": "3" }],
    });
    world.post(who, "/v1/boards", new).await.expect(201)
}

fn names(list: &Value) -> Vec<&str> {
    list.as_array().unwrap().iter().map(|one| one["name"].as_str().unwrap()).collect()
}

#[tokio::test]
async fn a_board_is_made_with_its_code_and_a_config_that_brings_it_here() {
    let world = World::start().await;
    let owner = world.owner().await;
    let made = board(&world, &owner, "lamp").await;
    let id = made["uuid"].as_str().unwrap();
    let base = &world.cloud().public_url;
    for (field, value) in [
        ("code", json!("CODE-lamp")),
        ("status", json!("registered")),
        ("type", json!("gateway")),
        ("mobile", json!(true)),
        ("owner", json!(owner.user)),
        ("project", json!(owner.project)),
        ("session", Value::Null),
        ("agent", Value::Null),
        ("lr_version", Value::Null),
        ("fleet", Value::Null),
        ("connectivity", json!({})),
        ("extra", json!({ "room": "cellar" })),
        ("updated_at", Value::Null),
        (
            "location",
            json!([{ "latitude": "38.19", "longitude": "15.55", "altitude": "3", "updated_at": null }]),
        ),
    ] {
        assert_eq!(made[field], value, "{field}");
    }
    assert!(made["created_at"].as_str().unwrap().ends_with("+00:00"), "{made}");
    assert_eq!(made["links"][0]["href"], format!("{base}/v1/boards/{id}"));
    assert_eq!(made["links"][1]["href"], format!("{base}/boards/{id}"));
    let config = &made["config"]["iotronic"];
    assert_eq!(config["board"]["code"], "CODE-lamp");
    assert_eq!(config["wamp"]["registration-agent"]["realm"], "s4t");
    assert!(config["wamp"]["registration-agent"]["url"].as_str().unwrap().starts_with("ws://"));
    for path in ["/v1/boards/lamp", "/v1/boards/lamp/", "/boards/lamp", "/boards/lamp/"] {
        assert_eq!(world.get(&owner, path).await.expect(200), made, "{path}");
    }
}

#[tokio::test]
async fn lists_of_boards_have_pages_orders_fields_and_filters() {
    let world = World::start().await;
    let owner = world.owner().await;
    for name in ["b", "c", "a"] {
        board(&world, &owner, name).await;
    }
    let (mut path, mut seen) = ("/v1/boards?limit=2".to_owned(), Vec::new());
    loop {
        let page = world.get(&owner, &path).await.expect(200);
        seen.extend(names(&page["boards"]).into_iter().map(str::to_owned));
        let Some(next) = page["next"].as_str() else { break };
        assert!(next.contains("sort_key=id&sort_dir=asc&limit=2&marker="), "{next}");
        path = next.strip_prefix(&world.cloud().public_url).unwrap().to_owned();
    }
    assert_eq!(seen, ["b", "c", "a"]);
    for (query, expected) in [
        ("sort_key=name", vec!["a", "b", "c"]),
        ("sort_key=name&sort_dir=desc", vec!["c", "b", "a"]),
        ("sort_dir=desc", vec!["a", "c", "b"]),
        ("sort_key=name&limit=2", vec!["a", "b"]),
        ("status=registered", vec!["b", "c", "a"]),
        ("status=online", vec![]),
        ("status=colourful", vec![]),
    ] {
        let list = world.get(&owner, &format!("/v1/boards?{query}")).await.expect(200);
        assert_eq!(names(&list["boards"]), expected, "{query}");
    }
    let page = world.get(&owner, "/v1/boards?sort_key=name&limit=1").await.expect(200);
    let next = page["next"].as_str().unwrap().strip_prefix(&world.cloud().public_url).unwrap();
    assert_eq!(names(&world.get(&owner, next).await.expect(200)["boards"]), ["b"]);
    let list = world.get(&owner, "/v1/boards?fields=NAME,code").await.expect(200);
    let shown: Vec<_> = list["boards"][0].as_object().unwrap().keys().cloned().collect();
    assert_eq!(shown, ["code", "links", "location", "name", "session"]);
    let summary = world.get(&owner, "/v1/boards").await.expect(200);
    assert_eq!(summary["boards"][0].get("config"), None);
    let detail = world.get(&owner, "/v1/boards/detail?limit=1").await.expect(200);
    assert_eq!(detail["boards"][0]["config"]["iotronic"]["board"]["code"], "CODE-b");
    assert!(detail["next"].as_str().unwrap().contains("/v1/boards/detail?"), "{detail}");
    let missing = world.get(&owner, "/v1/boards?marker=11111111-2222-4333-8444-555555555555").await;
    assert!(faultstring(&missing.expect(404)).starts_with("Board 11111111"));
}

#[tokio::test]
async fn an_operator_sees_the_own_project_and_any_other_on_demand() {
    let world = World::start().await;
    let owner = world.owner().await;
    board(&world, &owner, "lamp").await;
    let elsewhere = model::ProjectId::new();
    world.make_project(&elsewhere).await;
    let admin = world.somebody(&elsewhere, Role::Admin).await;
    assert_eq!(world.get(&admin, "/v1/boards").await.expect(200), json!({ "boards": [] }));
    let path = format!("/v1/boards?project={}", world.project);
    assert_eq!(names(&world.get(&admin, &path).await.expect(200)["boards"]), ["lamp"]);
}

#[tokio::test]
async fn a_board_is_changed_flatly_and_deleted_for_good() {
    let world = World::start().await;
    let owner = world.owner().await;
    let made = board(&world, &owner, "lamp").await;
    let fleet = world.post(&owner, "/v1/fleets", json!({ "name": "north" })).await.expect(201);
    let change = json!({ "type": "server", "mobile": "no", "extra": { "a": 1 }, "uuid": "ignored", "fleet": fleet["uuid"] });
    let changed = world.patch(&owner, "/v1/boards/lamp", change).await.expect(200);
    assert_eq!((&changed["type"], &changed["mobile"]), (&json!("server"), &json!(false)));
    assert_eq!((&changed["fleet"], &changed["uuid"]), (&fleet["uuid"], &made["uuid"]));
    assert_ne!(changed["updated_at"], Value::Null);
    let path = format!("/v1/fleets/{}/boards/", fleet["uuid"].as_str().unwrap());
    assert_eq!(names(&world.get(&owner, &path).await.expect(200)["boards"]), ["lamp"]);
    assert_eq!(
        names(&world.get(&owner, "/fleets/north/boards").await.expect(200)["boards"]),
        ["lamp"]
    );
    let out = world.patch(&owner, "/v1/boards/lamp", json!({ "fleet": null })).await.expect(200);
    assert_eq!(out["fleet"], Value::Null);

    let gone = world.delete(&owner, "/v1/boards/lamp").await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    let path = format!("/v1/boards/{}", made["uuid"].as_str().unwrap());
    world.get(&owner, &path).await.expect(404);
    world.delete(&owner, &path).await.expect(404);
    board(&world, &owner, "lamp").await;
}

#[tokio::test]
async fn a_plugins_code_is_answered_pickled_and_kept_plain() {
    let world = World::start().await;
    let owner = world.owner().await;
    let source = "print(\"it's \u{4f60}\\n\")\n";
    let new = json!({
        "name": "echo", "code": source, "callable": true, "parameters": "{\"say\": \"hi\"}", "extra": { "by": "me" },
    });
    let made = world.post(&owner, "/v1/plugins", new).await.expect(201);
    assert_eq!(made["code"], "Vprint(\"it's \\u4f60\\u005cn\")\\u000a\np0\n.");
    assert_eq!(made["parameters"], json!({ "say": "hi" }));
    assert_eq!((&made["public"], &made["callable"]), (&json!(false), &json!(true)));
    assert_eq!(world.get(&owner, "/v2/plugins/echo").await.expect(200)["source"], source);
    // What a client was given it may give back.
    let same =
        world.patch(&owner, "/v1/plugins/echo", json!({ "code": made["code"] })).await.expect(200);
    assert_eq!(same["code"], made["code"]);
    let changed = world
        .patch(&owner, "/v1/plugins/echo", json!({ "code": "z = 1\n", "public": "true" }))
        .await;
    assert_eq!(changed.expect(200)["code"], "Vz = 1\\u000a\np0\n.");
    let evil = json!({ "code": "Vx\np0\n(cos\nsystem\nVx\np0\n." });
    world.patch(&owner, "/v1/plugins/echo", evil).await.expect(400);
    let one = world.get(&owner, "/v1/plugins/echo?fields=name,code").await.expect(200);
    assert_eq!((&one["name"], &one["code"]), (&json!("echo"), &json!("Vz = 1\\u000a\np0\n.")));
    assert_eq!(one.as_object().unwrap().len(), 3);
    world.delete(&owner, "/v1/plugins/echo").await.expect(204);
}

#[tokio::test]
async fn lists_of_plugins_show_ones_own_and_public_ones_on_demand() {
    let world = World::start().await;
    let (owner, other) = (world.owner().await, world.owner().await);
    for (who, name, public) in
        [(&owner, "mine", false), (&other, "theirs", false), (&other, "open", true)]
    {
        let new = json!({ "name": name, "code": "x", "public": public });
        world.post(who, "/v1/plugins", new).await.expect(201);
    }
    let admin = world.somebody(&world.project, Role::Admin).await;
    for (who, path, expected) in [
        (&owner, "/v1/plugins", vec!["mine"]),
        (&owner, "/v1/plugins?with_public=true", vec!["mine", "open"]),
        (&owner, "/v1/plugins/public", vec!["open"]),
        (&other, "/v1/plugins/detail?sort_key=name", vec!["open", "theirs"]),
        (&other, "/v1/plugins?sort_dir=desc", vec!["open", "theirs"]),
        (&admin, "/v1/plugins?all_plugins=true", vec!["mine", "theirs", "open"]),
    ] {
        let list = world.get(who, path).await.expect(200);
        assert_eq!(names(&list["plugins"]), expected, "{path}");
    }
    let detail = world.get(&other, "/v1/plugins/detail?limit=1").await.expect(200);
    assert_eq!(detail["plugins"][0]["code"], "Vx\np0\n.");
    let page = world.get(&other, "/v1/plugins?limit=1").await.expect(200);
    let next = page["next"].as_str().unwrap().strip_prefix(&world.cloud().public_url).unwrap();
    assert_eq!(names(&world.get(&other, next).await.expect(200)["plugins"]), ["open"]);
}

#[tokio::test]
async fn services_and_fleets_keep_their_extra_and_read_ports_as_text() {
    let world = World::start().await;
    let owner = world.owner().await;
    let ssh = json!({ "name": "ssh", "port": "22", "protocol": "TCP", "extra": { "a": 1 } });
    let ssh = world.post(&owner, "/v1/services", ssh).await.expect(201);
    assert_eq!(
        (&ssh["port"], &ssh["protocol"], &ssh["extra"]),
        (&json!(22), &json!("TCP"), &json!({ "a": 1 }))
    );
    let changed =
        world.patch(&owner, "/v1/services/ssh", json!({ "port": "2222" })).await.expect(200);
    assert_eq!((&changed["port"], &changed["extra"]), (&json!(2222), &json!({ "a": 1 })));
    let odd = json!({ "name": "x", "port": 1, "protocol": "UDP" });
    world.post(&owner, "/v1/services", odd).await.expect(400);
    for path in ["/v1/services", "/v1/services/public", "/services/detail"] {
        assert_eq!(
            names(&world.get(&owner, path).await.expect(200)["services"]),
            ["ssh"],
            "{path}"
        );
    }
    let fleet = json!({ "name": "north", "extra": { "b": 2 } });
    let fleet = world.post(&owner, "/v1/fleets", fleet).await.expect(201);
    assert_eq!((&fleet["description"], &fleet["extra"]), (&Value::Null, &json!({ "b": 2 })));
    let changed =
        world.patch(&owner, "/v1/fleets/north", json!({ "description": "cold" })).await.expect(200);
    assert_eq!((&changed["description"], &changed["extra"]), (&json!("cold"), &json!({ "b": 2 })));
    assert_eq!(
        names(&world.get(&owner, "/v1/fleets/detail").await.expect(200)["fleets"]),
        ["north"]
    );
    for (path, list) in [
        ("/v1/ports", "ports"),
        ("/v1/ports/detail", "ports"),
        ("/v1/webservices", "webservices"),
        ("/v1/enabledwebservices", "EnabledWebservices"),
    ] {
        assert_eq!(world.get(&owner, path).await.expect(200), json!({ list: [] }));
    }
    for path in ["/v1/services/ssh", "/v1/fleets/north"] {
        assert_eq!(world.delete(&owner, path).await.text, "");
        world.get(&owner, path).await.expect(404);
    }
}
