//! `/v1`'s actions: the same operations as everywhere, waited for, and answered with what the board said.

use crate::machine::{self, Behaviour, obedient};
use crate::v1_errors::faultstring;
use crate::world::{Somebody, World, eventually};
use futures_util::FutureExt as _;
use model::Kind;
use rpc::{Envelope, Fault};
use serde_json::{Value, json};
use std::sync::Arc;

async fn things(world: &World, owner: &Somebody) {
    let plugin =
        json!({ "name": "echo", "code": "x", "callable": true, "parameters": { "say": "hi" } });
    world.post(owner, "/v1/plugins", plugin).await.expect(201);
    world.post(owner, "/v1/services", json!({ "name": "ssh", "port": 22 })).await.expect(201);
}

/// A board that answers `null` to everything, as ours does where upstream's has words.
fn quiet() -> Behaviour {
    Arc::new(|_, _, _| async move { Envelope::success(Value::Null).to_text().into() }.boxed())
}

fn refusing() -> Behaviour {
    Arc::new(|_, _, _| {
        async move { Envelope::fault(&Fault::new(Kind::Exhausted, "no room left")).to_text().into() }.boxed()
    })
}

#[tokio::test]
async fn an_action_is_answered_with_what_the_board_said() {
    let world = World::start().await;
    let owner = world.owner().await;
    let lamp = machine::board(&world, "lamp", obedient()).await;
    for (action, parameters) in [
        ("DevicePing", json!({})),
        ("DeviceEcho", json!({ "say": "hi" })),
        ("DeviceNetConfig", json!({})),
        ("DeviceReboot", json!({ "delay": "5" })),
        ("DeviceRestartLR", json!({})),
        ("DeviceUpgradeLR", json!({ "version": "0.5.0", "update_conf": "true" })),
        ("DevicePkgOperation", json!({ "manager": "pip3", "command": "install", "package": "x" })),
        ("DeviceRestSubmit", json!({ "url": "http://plug/", "method": "GET" })),
        ("DeviceMountFs", json!({ "mnt_cmd": "mount_status" })),
        ("DeviceFactoryReset", json!({})),
    ] {
        let body = json!({ "action": action, "parameters": parameters });
        let said = world.post(&owner, "/v1/boards/lamp/action", body).await.expect(200);
        assert_eq!(said, json!(action));
    }
    let body = json!({ "action": "DeviceExplode" });
    let said = world.post(&owner, "/v1/boards/lamp/action", body).await.expect(400);
    assert_eq!(faultstring(&said), "Invalid Action DeviceExplode for the board.");
    for (action, parameters) in [
        ("DeviceUpgradeLR", json!({ "version": ["; reboot"] })),
        ("DevicePkgOperation", json!({ "package": 5 })),
        ("DeviceMountFs", json!({ "mnt_cmd": "mount_rw; reboot" })),
        ("DeviceReboot", json!({ "delay": "3; reboot" })),
    ] {
        let body = json!({ "action": action, "parameters": parameters });
        world.post(&owner, "/v1/boards/lamp/action", body).await.expect(400);
    }
    assert_eq!(lamp.calls().len(), 10);
    let board = world.get(&owner, "/v1/boards/lamp").await.expect(200);
    assert_eq!((&board["status"], &board["agent"]), (&json!("online"), &json!("iotronic")));
    assert_eq!(board["wstun_ip"], "127.0.0.1");
    assert!(board["session"].is_string(), "{board}");
}

#[tokio::test]
async fn requests_and_results_are_what_became_of_actions() {
    let world = World::start().await;
    let owner = world.owner().await;
    let lamp = machine::board(&world, "lamp", obedient()).await;
    let body = json!({ "action": "DeviceReboot" });
    world.post(&owner, "/v1/boards/lamp/action", body).await.expect(200);
    let list = world.get(&owner, "/v1/requests?sort_dir=desc&limit=1").await.expect(200);
    let request = &list["requests"][0];
    for (field, value) in [
        ("destination_uuid", json!(lamp.id)),
        ("main_request_uuid", Value::Null),
        ("pending_requests", json!(0)),
        ("status", json!("COMPLETED")),
        ("type", json!(0)),
        ("action", json!("DeviceReboot")),
    ] {
        assert_eq!(request[field], value, "{field}");
    }
    let id = request["uuid"].as_str().unwrap();
    let one = world.get(&owner, &format!("/v1/requests/{id}")).await.expect(200);
    assert_eq!(one["project"], json!(world.project));
    let results = world.get(&owner, &format!("/v1/requests/{id}/results")).await.expect(200);
    let expected = json!({ "board_uuid": lamp.id, "request_uuid": id, "result": "SUCCESS", "message": "DeviceReboot" });
    assert_eq!(results, json!({ "results": [expected] }));
    world.get(&owner, "/v1/requests/nothing").await.expect(404);
}

#[tokio::test]
async fn a_request_to_many_boards_stands_among_the_others_with_its_parts() {
    let world = World::start().await;
    let owner = world.owner().await;
    let lamps = [
        machine::board(&world, "one", obedient()).await,
        machine::board(&world, "two", obedient()).await,
    ];
    things(&world, &owner).await;
    world
        .post(&owner, "/v1/boards/one/action", json!({ "action": "DeviceReboot" }))
        .await
        .expect(200);
    for lamp in &lamps {
        let path = format!("/v2/boards/{}", lamp.id);
        world.patch(&owner, &path, json!({ "labels": { "kind": "lamp" } })).await.expect(200);
    }
    let many = json!({ "plugin": "echo", "selector": "kind=lamp" });
    let begun = world.post(&owner, "/v2/injections", many).await.expect(202);
    let main = begun[0]["main"].as_str().unwrap();
    assert_eq!(begun[1]["main"], main);
    let path = format!("/v1/requests/{main}");
    let done = eventually("all boards have it", || async {
        let shown = world.get(&owner, &path).await.expect(200);
        if shown["pending_requests"] == 0 { Ok(shown) } else { Err(shown) }
    })
    .await;
    for (field, value) in [
        ("action", json!("PluginInject")),
        ("destination_uuid", Value::Null),
        ("main_request_uuid", Value::Null),
        ("status", json!("COMPLETED")),
        ("type", json!(1)),
        ("project", json!(world.project)),
    ] {
        assert_eq!(done[field], value, "{field}");
    }
    let results = world.get(&owner, &format!("{path}/results")).await.expect(200);
    assert_eq!(results["results"].as_array().unwrap().len(), 2, "{results}");

    // Page by page, and sorted, everything is there once.
    let all = world.get(&owner, "/v1/requests").await.expect(200);
    let all = all["requests"].as_array().unwrap();
    assert_eq!(all.len(), 4);
    let mut seen = Vec::new();
    let mut next = "/v1/requests?limit=1".to_owned();
    loop {
        let page = world.get(&owner, &next).await.expect(200);
        seen.extend(page["requests"].as_array().unwrap().iter().cloned());
        let Some(url) = page["next"].as_str() else { break };
        next = format!("/v1/{}", url.split_once("/v1/").unwrap().1);
    }
    assert_eq!(&seen, all);
    let sorted = world.get(&owner, "/v1/requests?sort_key=action").await.expect(200);
    assert_eq!(sorted["requests"][0]["action"], "DeviceReboot");
    let children = all.iter().filter(|row| row["main_request_uuid"] == main).count();
    assert_eq!(children, 2);

    let elsewhere = model::ProjectId::new();
    world.make_project(&elsewhere).await;
    let stranger = world.somebody(&elsewhere, model::access::Role::UserIot).await;
    world.get(&stranger, &path).await.expect(404);
    world.get(&stranger, &format!("{path}/results")).await.expect(404);
}

#[tokio::test]
async fn plugins_and_services_go_onto_a_board_and_off_it() {
    let world = World::start().await;
    let owner = world.owner().await;
    let _lamp = machine::board(&world, "lamp", quiet()).await;
    things(&world, &owner).await;
    let (on, at) = ("/v1/boards/lamp/plugins", "/v1/boards/lamp/plugins/echo");
    let said = world.post(&owner, at, json!({ "action": "PluginStatus" })).await.expect(404);
    assert!(faultstring(&said).starts_with("InjectionPlugin could not"));
    let said = world.put(&owner, on, json!({ "plugin": "echo", "onboot": true })).await.expect(200);
    assert_eq!(said, "PluginInject result: INJECTED");
    let list = world.get(&owner, on).await.expect(200);
    assert_eq!(list["injections"][0]["status"], "injected");
    assert_eq!(list["injections"][0]["updated_at"], Value::Null);
    for (body, status, text) in [
        (json!({ "action": "PluginCall" }), 400, "Parameters are different from the valid ones"),
        (json!({ "action": "PluginExplode" }), 400, "Invalid Action PluginExplode for the plugin."),
        (json!({}), 400, "Action is not specified."),
    ] {
        assert_eq!(faultstring(&world.post(&owner, at, body).await.expect(status)), text);
    }
    let call = json!({ "action": "PluginCall", "parameters": { "say": "you" } });
    assert_eq!(world.post(&owner, at, call).await.expect(200), "");
    let gone = world.delete(&owner, at).await;
    assert_eq!((gone.status.as_u16(), gone.text.as_str()), (204, ""));
    assert_eq!(world.get(&owner, on).await.expect(200), json!({ "injections": [] }));

    let (on, act) = ("/v1/boards/lamp/services", "/v1/boards/lamp/services/ssh/action");
    for (action, status, text) in [
        ("ServiceDisable", 404, "ExposedService"),
        ("ServiceEnable", 200, "Cloud service exposed."),
        ("ServiceEnable", 409, "enabled on this board already"),
        ("ServiceRestore", 200, "service restored."),
        ("ServiceExplode", 400, "Invalid Action"),
    ] {
        let answer = world.post(&owner, act, json!({ "action": action })).await;
        assert!(answer.text.contains(text), "{action}: {}", answer.text);
        answer.expect(status);
    }
    let list = world.get(&owner, on).await.expect(200);
    assert!(list["exposed"][0]["public_port"].is_u64(), "{list}");
    assert_eq!(world.get(&owner, &format!("{on}/restore")).await.expect(200), list);
    let said = world.post(&owner, act, json!({ "action": "ServiceDisable" })).await.expect(200);
    assert_eq!(said, "Cloud service disabled.");
    assert_eq!(world.get(&owner, on).await.expect(200), json!({ "exposed": [] }));
}

#[tokio::test]
async fn what_a_board_refuses_is_told_with_its_reason() {
    let world = World::start().await;
    let owner = world.owner().await;
    let lamp = machine::board(&world, "lamp", refusing()).await;
    things(&world, &owner).await;
    for (path, body, action) in [
        ("/v1/boards/lamp/action", json!({ "action": "DevicePing" }), "DevicePing"),
        ("/v1/boards/lamp/action", json!({ "action": "DeviceReboot" }), "DeviceReboot"),
        (
            "/v1/boards/lamp/services/ssh/action",
            json!({ "action": "ServiceEnable" }),
            "ServiceEnable",
        ),
    ] {
        let said = world.post(&owner, path, body).await.expect(500);
        let expected = format!("Error in the execution of {action} on {}: no room left", lamp.id);
        assert_eq!(faultstring(&said), expected);
    }
}

#[tokio::test]
async fn what_is_asked_of_a_board_that_is_away_is_refused_and_never_done() {
    let world = World::start().await;
    let owner = world.owner().await;
    world.board("lamp").await;
    things(&world, &owner).await;
    for (path, body) in [
        ("/v1/boards/lamp/action", json!({ "action": "DeviceReboot" })),
        ("/v1/boards/lamp/plugins/echo", json!({ "action": "PluginStatus" })),
        ("/v1/boards/lamp/services/ssh/action", json!({ "action": "ServiceEnable" })),
    ] {
        let said = world.post(&owner, path, body).await.expect(400);
        assert!(faultstring(&said).ends_with(" is not connected."), "{path}");
    }
    world.put(&owner, "/v1/boards/lamp/plugins", json!({ "plugin": "echo" })).await.expect(400);
    world.get(&owner, "/v1/boards/lamp/services/restore").await.expect(400);
    assert_eq!(world.get(&owner, "/v1/requests").await.expect(200), json!({ "requests": [] }));
    let list = world.get(&owner, "/v1/boards/lamp/plugins").await.expect(200);
    assert_eq!(list, json!({ "injections": [] }));
}
