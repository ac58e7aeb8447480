//! Questions and commands to boards, from the request to what became of it.

use crate::machine::{self, Behaviour, Machine, obedient, silent};
use crate::world::{Somebody, World, eventually};
use axum::http::Method;
use futures_util::FutureExt as _;
use model::Kind;
use rpc::{Envelope, Fault};
use serde_json::{Value, json};
use std::net::TcpListener;
use std::sync::Arc;

/// A board of the world's project that is online.
async fn online(world: &World, name: &str, behaviour: Behaviour) -> Machine {
    machine::board(world, name, behaviour).await
}

fn refusing(kind: Kind) -> Behaviour {
    Arc::new(move |_, _, _| {
        async move { Envelope::fault(&Fault::new(kind, "no room left")).to_text().into() }.boxed()
    })
}

async fn plugin(world: &World, owner: &Somebody, name: &str, mode: &str) {
    let new = json!({ "name": name, "language": "python", "mode": mode, "source": "pass" });
    world.post(owner, "/v2/plugins", new).await.expect(201);
}

async fn service(world: &World, owner: &Somebody, name: &str) {
    world.post(owner, "/v2/services", json!({ "name": name, "port": 22 })).await.expect(201);
}

#[tokio::test]
async fn a_question_is_answered_at_once_or_says_that_the_board_is_away() {
    let world = World::start().await;
    let owner = world.owner().await;
    let lamp = online(&world, "lamp", obedient()).await;
    for (path, method, body, result) in [
        ("ping", Method::POST, Some(json!({})), "DevicePing"),
        ("echo", Method::POST, Some(json!({ "say": "hi" })), "DeviceEcho"),
        ("network", Method::GET, None, "DeviceNetConfig"),
    ] {
        let path = format!("/v2/boards/lamp/{path}");
        let answer = world.ask(&owner, method, &path, body, &[]).await;
        assert_eq!(answer.expect(200), json!({ "result": result }));
    }
    let long = json!({ "say": "x".repeat(65_537) });
    world.post(&owner, "/v2/boards/lamp/echo", long).await.expect(400);
    let id = lamp.id;
    lamp.leave().await;
    eventually("the board is away", || async {
        let board = world.get(&owner, &format!("/v2/boards/{id}")).await.expect(200);
        (board["status"] == "offline").then_some(()).ok_or(board)
    })
    .await;
    let problem = world.post(&owner, "/v2/boards/lamp/ping", json!({})).await.expect(503);
    assert_eq!(problem["kind"], "unreachable");
    assert!(problem["detail"].as_str().unwrap().contains("lamp"), "{problem}");
}

#[tokio::test]
async fn a_command_is_accepted_and_its_end_is_waited_for() {
    let world = World::start().await;
    let owner = world.owner().await;
    world.board("away").await;
    let given = world.post(&owner, "/v2/boards/away/reboot", json!({})).await.expect(202);
    assert_eq!((&given["state"], &given["method"]), (&json!("pending"), &json!("DeviceReboot")));

    let lamp = online(&world, "lamp", obedient()).await;
    let path = "/v2/boards/lamp/restart-agent?wait=20";
    let ended = world.post(&owner, path, json!({ "delay": 5 })).await.expect(200);
    assert_eq!(
        (&ended["state"], &ended["result"]),
        (&json!("succeeded"), &json!("DeviceRestartLR"))
    );
    let path = format!("/v2/operations/{}", ended["id"].as_str().unwrap());
    let detail = world.get(&owner, &path).await.expect(200);
    let states: Vec<_> =
        detail["history"].as_array().unwrap().iter().map(|step| step["state"].clone()).collect();
    assert_eq!(json!(states), json!(["pending", "running", "succeeded"]));
    assert_eq!(lamp.calls().len(), 1);
    for wrong in ["delay=2", "wait=61", "deadline=0", "deadline=99999999"] {
        let path = format!("/v2/boards/lamp/reboot?{wrong}");
        world.post(&owner, &path, json!({})).await.expect(400);
    }
    world.post(&owner, "/v2/boards/lamp/reboot", json!({ "delay": 2 })).await.expect(400);
}

#[tokio::test]
async fn a_failed_command_is_an_operation_that_says_why() {
    let world = World::start().await;
    let owner = world.owner().await;
    let _lamp = online(&world, "lamp", refusing(Kind::Exhausted)).await;
    let ended = world.post(&owner, "/v2/boards/lamp/reboot?wait=20", json!({})).await.expect(200);
    assert_eq!(ended["state"], "failed");
    assert_eq!(ended["fault"], json!({ "kind": "exhausted", "message": "no room left" }));
}

#[tokio::test]
async fn an_operation_is_withdrawn_once() {
    let world = World::start().await;
    let owner = world.owner().await;
    world.board("away").await;
    let given = world.post(&owner, "/v2/boards/away/reboot", json!({})).await.expect(202);
    let path = format!("/v2/operations/{}/cancel", given["id"].as_str().unwrap());
    assert_eq!(world.post(&owner, &path, json!({})).await.expect(200)["state"], "cancelled");
    world.post(&owner, &path, json!({})).await.expect(409);

    let _lamp = online(&world, "lamp", silent()).await;
    let given = world.post(&owner, "/v2/boards/lamp/reboot", json!({})).await.expect(202);
    let show = format!("/v2/operations/{}", given["id"].as_str().unwrap());
    eventually("it is on the board", || async {
        let now = world.get(&owner, &show).await.expect(200);
        (now["state"] == "running").then_some(()).ok_or(now)
    })
    .await;
    let asked = world.post(&owner, &format!("{show}/cancel"), json!({})).await.expect(200);
    assert_eq!((&asked["state"], &asked["cancel_requested"]), (&json!("running"), &json!(true)));
}

#[tokio::test]
async fn a_plugin_is_injected_called_and_removed() {
    let world = World::start().await;
    let owner = world.owner().await;
    let lamp = online(&world, "lamp", obedient()).await;
    plugin(&world, &owner, "hello", "sync").await;
    let on = "/v2/boards/lamp/plugins/hello";
    world.post(&owner, &format!("{on}/call"), json!({})).await.expect(404);
    let done = world.put(&owner, &format!("{on}?wait=20"), json!({})).await.expect(200);
    assert_eq!(done["state"], "succeeded");
    let list = world.get(&owner, "/v2/boards/lamp/plugins").await.expect(200);
    let on_board = &list["items"][0];
    assert_eq!((&on_board["state"], &on_board["mode"]), (&json!("injected"), &json!("sync")));
    assert_eq!(on_board["injected_revision"], 1);

    let call = json!({ "parameters": { "x": 1 } });
    let called = world.post(&owner, &format!("{on}/call?wait=20"), call).await.expect(200);
    assert_eq!(called["result"], "PluginCall");
    world.post(&owner, &format!("{on}/start"), json!({})).await.expect(409);
    world.post(&owner, &format!("{on}/call"), json!({ "parameters": 1 })).await.expect(400);
    world.put(&owner, on, json!({ "on_boot": "start" })).await.expect(400);
    world.delete(&owner, "/v2/plugins/hello").await.expect(409);

    world.delete(&owner, &format!("{on}?wait=20")).await.expect(200);
    let list = world.get(&owner, "/v2/boards/lamp/plugins").await.expect(200);
    assert_eq!(list, json!({ "items": [] }));
    world.delete(&owner, "/v2/plugins/hello").await.expect(204);
    assert_eq!(lamp.calls().len(), 3);
}

#[tokio::test]
async fn a_refused_injection_says_why_and_can_be_tried_again() {
    let world = World::start().await;
    let owner = world.owner().await;
    let _lamp = online(&world, "lamp", refusing(Kind::Exhausted)).await;
    plugin(&world, &owner, "hello", "async").await;
    let on = "/v2/boards/lamp/plugins/hello";
    world.put(&owner, &format!("{on}?wait=20"), json!({ "on_boot": "start" })).await.expect(200);
    let list = world.get(&owner, "/v2/boards/lamp/plugins").await.expect(200);
    let on_board = &list["items"][0];
    assert_eq!(
        (&on_board["state"], &on_board["last_error"]),
        (&json!("failed"), &json!("no room left"))
    );
    let problem = world.post(&owner, &format!("{on}/start"), json!({})).await.expect(409);
    assert!(problem["detail"].as_str().unwrap().contains("no room left"));
    world.put(&owner, on, json!({})).await.expect(202);
}

#[tokio::test]
async fn many_boards_are_injected_by_one_selector() {
    let world = World::start().await;
    let owner = world.owner().await;
    plugin(&world, &owner, "hello", "sync").await;
    for name in ["a", "b", "c"] {
        world.board(name).await;
        let labels = json!({ "labels": { "kind": if name == "c" { "door" } else { "lamp" } } });
        world.patch(&owner, &format!("/v2/boards/{name}"), labels).await.expect(200);
    }
    let many = json!({ "plugin": "hello", "selector": "kind=lamp" });
    let begun = world.post(&owner, "/v2/injections", many).await.expect(202);
    assert_eq!(begun.as_array().unwrap().len(), 2);
    let list = world.get(&owner, "/v2/operations?method=PluginInject").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
}

#[tokio::test]
async fn a_service_is_enabled_once_restored_with_its_new_port_and_disabled() {
    let world = World::start().await;
    let owner = world.owner().await;
    let lamp = online(&world, "lamp", obedient()).await;
    service(&world, &owner, "ssh").await;
    let on = "/v2/boards/lamp/services/ssh";
    world.get(&owner, on).await.expect(404);
    world.put(&owner, &format!("{on}?wait=20"), json!({})).await.expect(200);
    let exposure = world.get(&owner, on).await.expect(200);
    assert_eq!((&exposure["state"], &exposure["local_port"]), (&json!("enabled"), &json!(22)));
    let port = u16::try_from(exposure["public_port"].as_u64().unwrap()).unwrap();
    assert!((20_000..30_000).contains(&port));
    assert!(TcpListener::bind(("127.0.0.1", port)).is_err(), "nobody listens at {port}");
    let problem = world.put(&owner, on, json!({})).await.expect(409);
    assert!(problem["detail"].as_str().unwrap().contains("enabled on this board already"));

    world.patch(&owner, "/v2/services/ssh", json!({ "port": 2222 })).await.expect(200);
    world.delete(&owner, "/v2/services/ssh").await.expect(409);
    world.post(&owner, &format!("{on}/restore?wait=20"), json!({})).await.expect(200);
    let exposure = world.get(&owner, on).await.expect(200);
    assert_eq!((&exposure["state"], &exposure["local_port"]), (&json!("enabled"), &json!(2222)));
    assert_eq!(exposure["public_port"], port);

    world.delete(&owner, &format!("{on}?wait=20")).await.expect(200);
    world.get(&owner, on).await.expect(404);
    world.delete(&owner, on).await.expect(404);
    eventually("the port is free", || async { TcpListener::bind(("127.0.0.1", port)) }).await;
    assert_eq!(lamp.calls().len(), 3);
}

#[tokio::test]
async fn a_port_that_somebody_else_has_is_refused_and_leaves_no_trace() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let world = World::with(|settings| {
        settings.services.ports = format!("{port}-{port}").try_into().unwrap();
    })
    .await;
    let owner = world.owner().await;
    world.board("lamp").await;
    service(&world, &owner, "ssh").await;
    let on = "/v2/boards/lamp/services/ssh";
    world.put(&owner, on, json!({ "public_port": 1 })).await.expect(400);
    let wanted = json!({ "public_port": port });
    let problem = world.put(&owner, on, wanted).await.expect(409);
    assert!(problem["detail"].as_str().unwrap().contains(&port.to_string()), "{problem}");
    world.put(&owner, on, json!({})).await.expect(429);
    let list = world.get(&owner, "/v2/boards/lamp/services").await.expect(200);
    assert_eq!(list, json!({ "items": [] }));
    let open = world.get(&owner, "/v2/operations?state=pending").await.expect(200);
    assert_eq!(open, json!({ "items": [] }));

    drop(taken);
    world.put(&owner, on, json!({})).await.expect(202);
    service(&world, &owner, "web").await;
    let problem = world.put(&owner, "/v2/boards/lamp/services/web", json!({})).await.expect(429);
    assert!(problem["detail"].as_str().unwrap().contains("services.ports"), "{problem}");
}

#[tokio::test]
async fn a_board_that_refuses_a_service_gives_its_port_back() {
    let world = World::start().await;
    let owner = world.owner().await;
    let _lamp = online(&world, "lamp", refusing(Kind::Invalid)).await;
    service(&world, &owner, "ssh").await;
    let on = "/v2/boards/lamp/services/ssh";
    let ended = world.put(&owner, &format!("{on}?wait=20"), json!({})).await.expect(200);
    assert_eq!(ended["state"], "failed");
    world.get(&owner, on).await.expect(404);
    eventually("the port is closed", || async {
        let ports = world.cloud().ingress.ports();
        (ports == 0).then_some(()).ok_or(ports)
    })
    .await;
}

#[tokio::test]
async fn what_a_plugin_does_is_asked_of_the_board() {
    let world = World::start().await;
    let owner = world.owner().await;
    let behaviour: Behaviour = Arc::new(|_, method, list: Vec<Value>| {
        async move {
            let answer = match method {
                rpc::Method::PluginStatus => {
                    json!({ "plugin": list[0], "state": "running", "pid": 7 })
                }
                _ => json!("ok"),
            };
            Envelope::success(answer).to_text().into()
        }
        .boxed()
    });
    let _lamp = online(&world, "lamp", behaviour).await;
    plugin(&world, &owner, "hello", "async").await;
    let on = "/v2/boards/lamp/plugins/hello";
    world.put(&owner, &format!("{on}?wait=20"), json!({})).await.expect(200);
    world.post(&owner, &format!("{on}/start?wait=20"), json!({})).await.expect(200);
    let status = world.get(&owner, on).await.expect(200);
    assert_eq!((&status["state"], &status["pid"]), (&json!("running"), &json!(7)));
    world.post(&owner, &format!("{on}/stop?wait=20"), json!({ "grace_s": 1 })).await.expect(200);
    world.post(&owner, &format!("{on}/stop"), json!({ "grace_s": 301 })).await.expect(400);
    // An answer in the wrong shape is the board's fault, and said to be.
    let answer = world.get(&owner, &format!("{on}/logs")).await.expect(500);
    assert!(answer["detail"].as_str().unwrap().contains("wrong shape"), "{answer}");
}

#[tokio::test]
async fn a_machine_that_takes_a_board_over_gets_what_the_old_one_had() {
    let world = World::start().await;
    let owner = world.owner().await;
    let lamp = online(&world, "lamp", obedient()).await;
    plugin(&world, &owner, "hello", "async").await;
    service(&world, &owner, "ssh").await;
    let on = "/v2/boards/lamp";
    let start = json!({ "on_boot": "start" });
    world.put(&owner, &format!("{on}/plugins/hello?wait=20"), start).await.expect(200);
    world.put(&owner, &format!("{on}/services/ssh?wait=20"), json!({})).await.expect(200);
    let board = store::boards::by_id(&world.cloud().store, None, lamp.id).await.unwrap();
    lamp.leave().await;
    let job = world.cloud().store.write(move |tx| {
        Box::pin(async move { iotronic::app::replacement::refill(tx, &board).await })
    });
    job.await.unwrap();
    let open = world.get(&owner, "/v2/operations?state=pending").await.expect(200);
    let methods: Vec<_> =
        open["items"].as_array().unwrap().iter().map(|one| one["method"].clone()).collect();
    assert_eq!(json!(methods), json!(["PluginInject", "ServiceRestore"]));
    assert_eq!(open["items"][0]["created_by"], "cloud");
}
