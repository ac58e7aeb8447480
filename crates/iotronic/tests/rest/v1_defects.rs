//! What upstream's server gets wrong and its other clients ask for, answered right. Which of its faults are shown where is told
//! by the table in testkit's `upstream_defects`.

use crate::v1_errors::faultstring;
use crate::world::World;
use axum::http::Method;
use iotronic::settings::Settings;
use model::access::Role;
use serde_json::{Value, json};

fn place() -> Value {
    json!([{ "latitude": "1", "longitude": "2", "altitude": "3" }])
}

#[tokio::test]
async fn paths_of_another_sdk_that_upstream_lacks_too_are_not_found_in_upstreams_shape() {
    let world = World::start().await;
    let owner = world.owner().await;
    let board = world.board("lamp").await;
    for path in [format!("/v1/boards/{board}/conf"), format!("/v1/boards/{board}/position/")] {
        for method in [Method::GET, Method::POST] {
            let body = (method == Method::POST).then(|| json!({ "a": 1 }));
            let said = world.ask(&owner, method, &path, body, &[]).await.expect(404);
            assert!(said["error_message"].is_string(), "{path}: {said}");
        }
    }
    let said = world.get(&owner, "/v1/boards/sensors/").await.expect(404);
    assert_eq!(faultstring(&said), "Board sensors could not be found.");
    for path in ["boards", "plugins", "services", "fleets", "ports", "webservices", "requests"] {
        world.get(&owner, &format!("/v1/{path}/")).await.expect(200);
    }
}

#[tokio::test]
async fn what_upstream_lets_anybody_do_needs_a_role_and_the_own_project() {
    let world = World::start().await;
    let board = world.board("lamp").await;
    let member = world.somebody(&world.project, Role::UserIot).await;
    let elsewhere = model::ProjectId::new();
    world.make_project(&elsewhere).await;
    let stranger = world.somebody(&elsewhere, Role::AdminIotProject).await;
    let on = format!("/v1/boards/{board}");
    for (method, path, body) in [
        (
            Method::POST,
            "webservices/enable",
            Some(json!({ "dns": "d", "zone": "z", "email": "e" })),
        ),
        (Method::DELETE, "webservices/disable", None),
        (Method::GET, "webservices/renew", None),
        (Method::PUT, "ports", Some(json!({ "network": "n" }))),
        (Method::DELETE, "ports/11111111-2222-4333-8444-555555555555", None),
        (Method::GET, "services/restore", None),
    ] {
        let path = format!("{on}/{path}");
        let asked = |who| world.ask(who, method.clone(), &path, body.clone(), &[]);
        asked(&member).await.expect(403);
        asked(&stranger).await.expect(404);
    }
    world.delete(&member, "/v1/ports/11111111-2222-4333-8444-555555555555").await.expect(403);
}

#[tokio::test]
async fn a_refused_board_leaves_nothing_behind_and_its_code_is_free() {
    let world = World::start().await;
    let owner = world.owner().await;
    let board = |more: Value| {
        let mut body = json!({ "name": "lamp", "code": "CODE", "location": place() });
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    for (wrong, status) in [
        (json!({ "fleet": "11111111-2222-4333-8444-555555555555" }), 404),
        (json!({ "location": [{ "latitude": "north" }] }), 400),
        (json!({ "mobile": "perhaps" }), 400),
        (json!({ "extra": "text" }), 400),
        (json!({ "name": "two words" }), 400),
    ] {
        world.post(&owner, "/v1/boards", board(wrong)).await.expect(status);
    }
    assert_eq!(world.get(&owner, "/v1/boards").await.expect(200), json!({ "boards": [] }));
    world.post(&owner, "/v1/boards", board(json!({}))).await.expect(201);
}

#[tokio::test]
async fn the_configuration_of_a_board_holds_no_secret_but_its_code() {
    let world = World::start().await;
    let owner = world.owner().await;
    let body = json!({ "name": "lamp", "code": "CODE", "location": place() });
    let made = world.post(&owner, "/v1/boards", body).await.expect(201);
    let config = made["config"]["iotronic"].as_object().unwrap();
    assert_eq!(config["board"], json!({ "code": "CODE" }));
    let wamp = config["wamp"].as_object().unwrap();
    let members: Vec<_> = wamp["registration-agent"].as_object().unwrap().keys().collect();
    assert_eq!((config.len(), wamp.len()), (2, 1));
    assert_eq!(members, ["realm", "url"]);
}

#[tokio::test]
async fn a_pickle_that_is_no_text_is_refused_and_makes_and_changes_nothing() {
    let world = World::start().await;
    let owner = world.owner().await;
    let good = json!({ "name": "p", "code": "x = 1\n" });
    world.post(&owner, "/v1/plugins", good).await.expect(201);
    let before = world.get(&owner, "/v1/plugins/p").await.expect(200);
    for pickle in [
        "cos\nsystem\n(S'reboot'\ntR.",
        "Vx\np0\n(cos\nsystem\nVx\np0\n.",
        "S'x'\np0\n(S'y'\ntp1\nR.",
        "(dp0\n.",
        "(lp0\nVx\na.",
        "I1\n.",
        "N.",
        "\u{80}\u{3}cos\nsystem\nq\0X\u{1}\0\0\0xq\u{1}\u{85}q\u{2}Rq\u{3}.",
        "\u{80}\u{4}\u{95}\u{1}\0\0\0\0\0\0\0N.",
    ] {
        let new = json!({ "name": "q", "code": pickle });
        let made = world.post(&owner, "/v1/plugins", new).await;
        let changed = world.patch(&owner, "/v1/plugins/p", json!({ "code": pickle })).await;
        for answer in [made, changed] {
            let status = answer.status.as_u16();
            // What does not look like a pickle is source, kept and answered as the text that it is.
            if status < 300 {
                assert_eq!(answer.body["code"], rpc::pickle::emit(pickle), "{pickle:?}");
            } else {
                let said = answer.expect(400);
                assert!(!faultstring(&said).is_empty(), "{said}");
            }
        }
        let _ = world.delete(&owner, "/v1/plugins/q").await;
        world.patch(&owner, "/v1/plugins/p", json!({ "code": "x = 1\n" })).await.expect(200);
    }
    let after = world.get(&owner, "/v1/plugins/p").await.expect(200);
    assert_eq!(after["code"], before["code"]);
}

/// Upstream's client takes the characters of `/v1` off the end of its endpoint, and so a port that ends in 1.
#[test]
fn the_usual_port_of_the_api_is_one_that_upstreams_client_does_not_cut() {
    assert!(!Settings::default().api.listen.port().to_string().ends_with('1'));
}
