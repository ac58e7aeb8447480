//! The nouns: made, listed in pages, shown, changed under a condition, removed; keys that make repetition safe.

use crate::world::{Somebody, World};
use axum::http::Method;
use model::access::Role;
use serde_json::{Value, json};

async fn fleet(world: &World, who: &Somebody, name: &str) -> Value {
    world.post(who, "/v2/fleets", json!({ "name": name })).await.expect(201)
}

#[tokio::test]
async fn a_thing_is_found_by_id_and_by_name_and_its_name_is_taken() {
    let world = World::start().await;
    let owner = world.owner().await;
    for (path, new) in [
        ("/v2/fleets", json!({ "name": "x" })),
        ("/v2/services", json!({ "name": "x", "port": 22 })),
        (
            "/v2/plugins",
            json!({ "name": "x", "language": "python", "mode": "sync", "source": "pass" }),
        ),
    ] {
        let answer = world.post(&owner, path, new.clone()).await;
        let location = answer.header("location").to_owned();
        let made = answer.expect(201);
        assert_eq!(location, format!("{path}/{}", made["id"].as_str().unwrap()));
        assert_eq!(made["project"], world.project.as_str());
        assert_eq!(made["updated_at"], Value::Null);
        assert_eq!(world.get(&owner, &location).await.expect(200), made);
        assert_eq!(world.get(&owner, &format!("{path}/x")).await.expect(200), made);
        let text = world.post(&owner, path, new).await.expect(409)["detail"].to_string();
        assert!(text.contains("name already"), "{text}");
        world.delete(&owner, &location).await.expect(204);
        world.get(&owner, &location).await.expect(404);
    }
}

#[tokio::test]
async fn a_change_under_a_stale_condition_changes_nothing() {
    let world = World::start().await;
    let owner = world.owner().await;
    fleet(&world, &owner, "north").await;
    let tag = world.get(&owner, "/v2/fleets/north").await.header("etag").to_owned();
    let change = |text: &str| Some(json!({ "description": text }));
    let with = [("if-match", tag.as_str())];
    let path = "/v2/fleets/north";
    let answer = world.ask(&owner, Method::PATCH, path, change("first"), &with).await;
    assert_ne!(answer.header("etag"), tag);
    assert_ne!(answer.expect(200)["updated_at"], Value::Null);
    let answer = world.ask(&owner, Method::PATCH, path, change("second"), &with).await;
    assert_eq!(answer.expect(412)["kind"], "conflict");
    world.ask(&owner, Method::DELETE, path, None, &with).await.expect(412);
    let garbage = [("if-match", "garbage")];
    world.ask(&owner, Method::DELETE, path, None, &garbage).await.expect(412);
    let answer = world.get(&owner, path).await;
    let known = [("if-none-match", answer.header("etag"))];
    let same = world.ask(&owner, Method::GET, path, None, &known).await;
    assert_eq!((same.status.as_u16(), same.text.as_str()), (304, ""));
    assert_eq!(answer.expect(200)["description"], "first");
}

#[tokio::test]
async fn pages_lead_through_a_list_without_gap_or_repetition() {
    let world = World::start().await;
    let owner = world.owner().await;
    for index in 0..7 {
        fleet(&world, &owner, &format!("f{index}")).await;
    }
    let (mut names, mut path) = (Vec::new(), "/v2/fleets?limit=3".to_owned());
    loop {
        let page = world.get(&owner, &path).await.expect(200);
        names.extend(page["items"].as_array().unwrap().iter().map(|one| one["name"].clone()));
        let Some(next) = page["next"].as_str() else { break };
        path = format!("/v2/fleets?limit=3&marker={next}");
    }
    assert_eq!(json!(names), json!(["f0", "f1", "f2", "f3", "f4", "f5", "f6"]));
}

#[tokio::test]
async fn boards_are_listed_by_label_fleet_status_and_text_and_changed() {
    let world = World::start().await;
    let owner = world.owner().await;
    let north = fleet(&world, &owner, "north").await;
    for name in ["lamp-1", "lamp-2", "door-1"] {
        world.board(name).await;
    }
    let change = json!({ "labels": { "kind": "lamp" }, "fleet": "north",
        "position": { "latitude": 38.19, "longitude": 15.55 } });
    let changed = world.patch(&owner, "/v2/boards/lamp-1", change).await.expect(200);
    assert_eq!(
        (&changed["fleet"], &changed["position"]["longitude"]),
        (&north["id"], &json!(15.55))
    );
    for name in ["hello", "other"] {
        let plugin = json!({ "name": name, "language": "python", "mode": "sync", "source": "def main(p): pass" });
        world.post(&owner, "/v2/plugins", plugin).await.expect(201);
    }
    world.post(&owner, "/v2/services", json!({ "name": "web", "port": 80 })).await.expect(201);
    for path in ["plugins/hello", "services/web"] {
        let path = format!("/v2/boards/lamp-1/{path}");
        world.ask(&owner, Method::PUT, &path, Some(json!({})), &[]).await.expect(202);
    }
    world.get(&owner, "/v2/boards?plugin=none").await.expect(404);
    for (query, count) in [
        ("", 3),
        ("?selector=kind%3Dlamp", 1),
        ("?selector=!kind", 2),
        ("?fleet=north", 1),
        ("?status=offline", 3),
        ("?status=online", 0),
        ("?plugin=hello", 1),
        ("?plugin=other", 0),
        ("?service=web", 1),
        ("?service=web&plugin=hello&text=lamp-1", 1),
        ("?text=LAMP", 2),
        ("?text=lamp&selector=!kind&limit=1", 1),
    ] {
        let page = world.get(&owner, &format!("/v2/boards{query}")).await.expect(200);
        assert_eq!(page["items"].as_array().unwrap().len(), count, "{query}");
    }
    let members = world.get(&owner, "/v2/fleets/north/boards").await.expect(200);
    assert_eq!(members["items"][0]["name"], "lamp-1");
    let board = world.patch(&owner, "/v2/boards/lamp-1", json!({ "fleet": "" })).await.expect(200);
    assert_eq!(board["fleet"], Value::Null);
    assert_eq!(board["key"].as_str().unwrap().len(), 43);
}

#[tokio::test]
async fn a_rule_has_boards_in_a_fleet_from_the_moment_their_labels_fit() {
    let world = World::start().await;
    let owner = world.owner().await;
    let made = json!({ "name": "lamps", "rule": " kind = lamp , zone notin (south) " });
    let made = world.post(&owner, "/v2/fleets", made).await.expect(201);
    assert_eq!(made["rule"], "kind=lamp,zone!=south");
    for name in ["lamp-1", "lamp-2", "door-1"] {
        world.board(name).await;
    }
    let members = async || {
        let mut seen = Vec::new();
        for path in ["/v2/fleets/lamps/boards", "/v2/boards?fleet=lamps", "/v1/fleets/lamps/boards"]
        {
            let list = world.get(&owner, path).await.expect(200);
            let items = list.get("items").or(list.get("boards")).unwrap().as_array().unwrap();
            let names = items.iter().map(|board| board["name"].as_str().unwrap().to_owned());
            seen.push(names.collect::<Vec<_>>());
        }
        assert!(seen.windows(2).all(|pair| pair[0] == pair[1]), "{seen:?}");
        seen.swap_remove(0)
    };
    let change = async |board: &str, change: Value| {
        world.patch(&owner, &format!("/v2/boards/{board}"), change).await.expect(200)
    };
    assert!(members().await.is_empty());
    let ping = json!({ "action": "DevicePing" });
    world.post(&owner, "/v2/fleets/lamps/actions", ping.clone()).await.expect(409);
    change("lamp-1", json!({ "labels": { "kind": "lamp" } })).await;
    let board = change("lamp-2", json!({ "labels": { "kind": "lamp", "zone": "north" } })).await;
    assert_eq!(board["fleet"], Value::Null);
    change("door-1", json!({ "fleet": "lamps" })).await;
    assert_eq!(members().await, ["lamp-1", "lamp-2", "door-1"]);
    let asked = world.post(&owner, "/v2/fleets/lamps/actions", ping).await.expect(202);
    assert_eq!(asked["parts"].as_array().unwrap().len(), 3);
    change("lamp-2", json!({ "labels": { "kind": "lamp", "zone": "south" } })).await;
    assert_eq!(members().await, ["lamp-1", "door-1"]);

    let path = "/v2/fleets/lamps";
    for wrong in ["kind=", "zone in north", "a b", &vec!["k"; 17].join(",")] {
        let refused = world.patch(&owner, path, json!({ "rule": wrong })).await.expect(400);
        assert!(refused["detail"].as_str().unwrap().contains("rule: "), "{refused}");
        let new = json!({ "name": "other", "rule": wrong });
        world.post(&owner, "/v2/fleets", new).await.expect(400);
    }
    let same = world.patch(&owner, path, json!({ "description": "they glow" })).await.expect(200);
    assert_eq!(same["rule"], made["rule"]);
    world.patch(&owner, "/v1/fleets/lamps", json!({ "description": "brightly" })).await.expect(200);
    assert_eq!(members().await.len(), 2);
    let none = world.patch(&owner, path, json!({ "rule": "" })).await.expect(200);
    assert_eq!(none["rule"], Value::Null);
    assert_eq!(members().await, ["door-1"]);
}

#[tokio::test]
async fn a_board_that_is_given_up_keeps_its_id_and_frees_its_name() {
    let world = World::start().await;
    let owner = world.owner().await;
    let id = world.board("lamp").await;
    world.post(&owner, "/v2/boards/lamp/reboot", json!({})).await.expect(202);
    world.delete(&owner, "/v2/boards/lamp").await.expect(204);
    world.get(&owner, "/v2/boards/lamp").await.expect(404);
    let board = world.get(&owner, &format!("/v2/boards/{id}")).await.expect(200);
    assert_eq!(board["status"], "decommissioned");
    world.post(&owner, &format!("/v2/boards/{id}/reboot"), json!({})).await.expect(409);
    let operations = world.get(&owner, &format!("/v2/operations?board={id}")).await.expect(200);
    assert_eq!(operations["items"][0]["state"], "cancelled");
    world.board("lamp").await;
}

#[tokio::test]
async fn a_claim_shows_its_text_once_and_leads_to_this_cloud() {
    let world = World::start().await;
    let owner = world.owner().await;
    let north = fleet(&world, &owner, "north").await;
    let new = json!({ "name": "lamp", "uses": 3, "labels": { "kind": "lamp" }, "fleet": "north" });
    let made = world.post(&owner, "/v2/claims", new).await.expect(201);
    assert_eq!(made["fleet"], north["id"]);
    let text = made["claim"].as_str().unwrap();
    let claim: model::claim::Claim = text.parse().unwrap();
    assert_eq!(claim.url, world.cloud().public_url);
    assert_eq!(claim.pin, world.cloud().key.public().fingerprint());
    let id = made["id"].as_str().unwrap();
    let path = format!("/v2/claims/{id}");
    for answer in [world.get(&owner, &path).await, world.get(&owner, "/v2/claims").await] {
        assert!(!answer.text.contains(&claim.secret) && !answer.text.contains(text));
    }
    assert_eq!(world.get(&owner, &path).await.expect(200)["fleet"], north["id"]);
    let wrong = world.get(&owner, "/v2/claims/lamp").await.expect(404)["detail"].to_string();
    assert!(wrong.contains("a UUID, as GET /v2/claims shows"), "{wrong}");
    world.delete(&owner, &path).await.expect(204);
    assert!(world.get(&owner, &path).await.expect(200)["revoked_at"].is_string());

    world.board("door").await;
    let made = world.post(&owner, "/v2/boards/door/replace", json!({})).await.expect(201);
    assert!(made["claim"].as_str().unwrap().starts_with("s4t1."));
    let board = world.get(&owner, "/v2/boards/door").await.expect(200);
    assert_eq!((&board["status"], &board["id"]), (&json!("replacing"), &made["replaces"]));
}

#[tokio::test]
async fn a_public_plugin_is_seen_by_all_and_changed_by_its_own() {
    let world = World::start().await;
    let owner = world.owner().await;
    let new = json!({ "name": "hello", "language": "python", "mode": "sync", "source": "1", "visibility": "public" });
    let made = world.post(&owner, "/v2/plugins", new).await.expect(201);
    let path = format!("/v2/plugins/{}", made["id"].as_str().unwrap());
    let elsewhere = model::ProjectId::new();
    world.make_project(&elsewhere).await;
    let stranger = world.somebody(&elsewhere, Role::AdminIotProject).await;
    assert_eq!(world.get(&stranger, &path).await.expect(200)["source"], "1");
    let listed = world.get(&stranger, "/v2/plugins").await;
    assert!(!listed.text.contains("source"));
    assert_eq!(listed.expect(200)["items"][0]["name"], "hello");
    world.patch(&stranger, &path, json!({ "source": "2" })).await.expect(404);
    world.delete(&stranger, &path).await.expect(404);
    let changed = world.patch(&owner, &path, json!({ "source": "2" })).await.expect(200);
    assert_eq!((&changed["source"], &changed["revision"]), (&json!("2"), &json!(2)));
}

#[tokio::test]
async fn a_repeated_request_with_the_same_key_does_nothing_again() {
    let world = World::start().await;
    let owner = world.owner().await;
    world.board("lamp").await;
    let key = [("idempotency-key", "once")];
    let reboot = async |path: &str, body: Value| {
        world.ask(&owner, Method::POST, path, Some(body), &key).await
    };
    let first = reboot("/v2/boards/lamp/reboot", json!({})).await;
    let location = first.header("location").to_owned();
    let first = first.expect(202);
    let again = reboot("/v2/boards/lamp/reboot", json!({})).await;
    assert_eq!(again.header("location"), location);
    assert_eq!(again.header("idempotency-replayed"), "true");
    assert_eq!(again.expect(202), first);
    reboot("/v2/boards/lamp/reboot", json!({ "delay": 9 })).await.expect(409);
    let list = world.get(&owner, "/v2/operations").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
    // Another user's key is another key.
    let other = world.owner().await;
    let path = "/v2/boards/lamp/reboot";
    let answer = world.ask(&other, Method::POST, path, Some(json!({})), &key).await;
    assert_ne!(answer.expect(202)["id"], first["id"]);
}

#[tokio::test]
async fn a_repeated_answer_says_again_where_the_thing_is_and_which_revision_it_has() {
    let world = World::start().await;
    let owner = world.owner().await;
    let key = [("idempotency-key", "made-once")];
    let make = || {
        let new = json!({ "name": "north" });
        world.ask(&owner, Method::POST, "/v2/fleets", Some(new), &key)
    };
    let (first, again) = (make().await, make().await);
    assert_eq!(again.header("idempotency-replayed"), "true");
    for name in ["location", "etag"] {
        assert_ne!(first.header(name), "");
        assert_eq!(again.header(name), first.header(name));
    }
    assert_eq!(again.expect(201), first.expect(201));
}

#[tokio::test]
async fn a_key_is_free_after_a_failure_and_never_keeps_a_secret() {
    let world = World::start().await;
    let owner = world.owner().await;
    let key = [("idempotency-key", "k1")];
    let post = async |path: &str, body: Value, key: &[(&str, &str)]| {
        world.ask(&owner, Method::POST, path, Some(body), key).await
    };
    let new = json!({ "name": "c", "fleet": "north" });
    post("/v2/claims", new.clone(), &key).await.expect(404);
    fleet(&world, &owner, "north").await;
    let made = post("/v2/claims", new.clone(), &key).await.expect(201);
    let again = post("/v2/claims", new, &key).await;
    assert!(!again.text.contains(made["claim"].as_str().unwrap()));
    again.expect(409);
    let claims = world.get(&owner, "/v2/claims").await.expect(200);
    assert_eq!(claims["items"].as_array().unwrap().len(), 1);
    let bad = [("idempotency-key", "")];
    post("/v2/fleets", json!({ "name": "f" }), &bad).await.expect(400);
}

#[tokio::test]
async fn a_key_at_the_same_time_gives_one_command() {
    let world = World::start().await;
    let owner = world.owner().await;
    world.board("lamp").await;
    let key = [("idempotency-key", "race")];
    let one = || world.ask(&owner, Method::POST, "/v2/boards/lamp/reboot", Some(json!({})), &key);
    let answers = futures_util::future::join_all((0..20).map(|_| one())).await;
    assert!(answers.iter().all(|answer| [202, 409].contains(&answer.status.as_u16())));
    let list = world.get(&owner, "/v2/operations").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 1);
}
