//! What upstream boards are sent, and what becomes of their answers.

use crate::rod::{self, Habit, Rod, habit, open_world, willing};
use crate::world::World;
use futures_util::FutureExt as _;
use model::operation::State;
use model::plugin::{Language, OnBoot};
use model::{Kind, PluginId};
use rpc::plugin::{Inject, Limits, Plugin, Run, Stop};
use rpc::{Call, logs, pickle};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use std::time::Duration;
use store::events;
use wamp::Serialiser;

const SOURCE: &str = "from iotronic_lightningrod import x\n# é 💡 \\n \"quoted\" 'too'\r\n\\\n";

fn plugin() -> Plugin {
    Plugin {
        uuid: PluginId::new(),
        name: "hello".parse().unwrap(),
        code: SOURCE.into(),
        callable: true,
        language: Language::Python,
        revision: 1,
        parameters: json!({}),
        limits: Limits::default(),
    }
}

fn inject(plugin: &Plugin) -> Call {
    Call::PluginInject(Box::new(Inject { plugin: plugin.clone(), on_boot: OnBoot::Start }))
}

#[tokio::test]
async fn calls_go_out_in_upstreams_shape() {
    let world = open_world().await;
    for serialiser in [Serialiser::Json, Serialiser::Cbor] {
        let name = serialiser.subprotocol();
        let rod = Rod::online_as(&world, name, (serialiser, "0.5.0"), willing()).await;
        let plugin = plugin();
        let id = world.command(rod.id, inject(&plugin)).await;
        let row = world.until_state(id, State::Succeeded).await;
        assert_eq!(row.result, Some(json!("PluginInject")));
        let sent = rod.calls("PluginInject").pop().unwrap();
        check_request(&world, &sent[0], &rod, id.to_string(), "PluginInject");
        assert_eq!(sent[1]["uuid"], json!(plugin.uuid));
        assert_eq!((&sent[1]["name"], &sent[1]["callable"]), (&json!("hello"), &json!(true)));
        let code = sent[1]["code"].as_str().unwrap();
        assert!(code.is_ascii() && code.starts_with('V') && code.ends_with("p0\n."), "{code}");
        assert_eq!(pickle::parse(code.as_bytes()).unwrap(), SOURCE);
        assert_eq!(sent[2], true);

        let run = Run { plugin: plugin.uuid, parameters: Value::Null };
        let id = world.command(rod.id, Call::PluginCall(run)).await;
        world.until_state(id, State::Succeeded).await;
        let sent = rod.calls("PluginCall").pop().unwrap();
        assert_eq!(sent[1..], [json!(plugin.uuid), json!({})]);

        let stop = Stop { plugin: plugin.uuid, delay: 4 };
        let id = world.command(rod.id, Call::PluginStop(stop)).await;
        world.until_state(id, State::Succeeded).await;
        let sent = rod.calls("PluginStop").pop().unwrap();
        assert_eq!(sent[1..], [json!(plugin.uuid), json!({ "delay": 4 })]);
    }
}

fn check_request(world: &World, request: &Value, rod: &Rod, id: String, action: &str) {
    assert!(request["id"].is_u64(), "{request}");
    assert_eq!(request["uuid"], id);
    assert_eq!(request["destination_uuid"], json!(rod.id));
    assert_eq!(request["project"], json!(world.project));
    assert_eq!((&request["type"], &request["status"]), (&json!(0), &json!("PENDING")));
    assert_eq!(request["action"], action);
    assert_eq!(request["pending_requests"], 0);
    assert!(request.as_object().unwrap().contains_key("main_request_uuid"));
    assert!(request["main_request_uuid"].is_null() && request["updated_at"].is_null());
    let created = request["created_at"].as_str().unwrap();
    assert!(created.ends_with(|last: char| last.is_ascii_digit()), "no zone: {created}");
}

#[tokio::test]
async fn boards_before_0_4_9_get_no_request() {
    let world = open_world().await;
    let rod = Rod::online_as(&world, "old", (Serialiser::Json, "0.4.8"), willing()).await;
    world.query(rod.id, Call::DeviceEcho(rpc::device::Echo { say: "hi".into() })).await.unwrap();
    assert_eq!(rod.calls("DeviceEcho"), [[json!({ "say": "hi" })]]);
}

#[tokio::test]
async fn answers_become_what_the_rest_of_the_cloud_reads() {
    let world = open_world().await;
    let rod = Rod::online(
        &world,
        "lamp",
        habit(|method, list| match (method.as_str(), list[1]["say"].as_str()) {
            ("PluginStatus", _) => json!({ "message": "ALIVE", "result": "SUCCESS" }),
            ("DeviceEcho", Some("warn")) => json!({ "message": "hm", "result": "WARNING" }),
            ("DeviceEcho", Some("garbage")) => json!(17),
            _ => json!({ "message": "no such thing", "result": "ERROR" }),
        }),
    )
    .await;
    let plugin = PluginId::new();
    let status = world.query(rod.id, Call::PluginStatus(plugin)).await.unwrap();
    assert_eq!(status, json!({ "plugin": plugin, "state": "running" }));
    let echo = |say: &str| Call::DeviceEcho(rpc::device::Echo { say: say.into() });
    assert_eq!(world.query(rod.id, echo("warn")).await.unwrap(), "hm");
    assert_eq!(world.query(rod.id, echo("garbage")).await.unwrap_err().kind, Kind::Internal);
    assert_eq!(world.query(rod.id, echo("x")).await.unwrap_err().message, "no such thing");
    // What its agent does not have is refused in words, without asking it.
    let logs = world.query(rod.id, Call::DeviceLogs(logs::Read::default())).await.unwrap_err();
    assert!(logs.message.contains("DeviceLogs"), "{logs}");
    let net = world.query(rod.id, Call::DeviceNetConfig).await.unwrap_err();
    assert!(net.message.contains("has no DeviceNetConfig"), "{net}");
    assert_eq!(net.kind, Kind::Conflict);
}

/// Says RUNNING, and gives the request's id away.
fn slow(asked: Arc<Mutex<Vec<String>>>) -> Habit {
    habit(move |method, list| {
        let id = list[0]["uuid"].as_str().unwrap_or_default().to_owned();
        if method != "DevicePing" {
            asked.lock().unwrap().push(id.clone());
        }
        json!({ "message": method, "result": "RUNNING", "req_id": id })
    })
}

async fn notify(rod: &Rod, message: Value) -> Value {
    let said = json!({ "board_uuid": rod.id, "wampmessage": message.to_string() });
    rod::ask(&rod.session, "iotronic.stack4things.notify_result", said).await
}

#[tokio::test]
async fn a_result_that_comes_later_ends_the_operation_it_belongs_to() {
    let world = open_world().await;
    let asked = Arc::<Mutex<Vec<String>>>::default();
    let rod = Rod::online(&world, "lamp", slow(Arc::clone(&asked))).await;
    let other = Rod::online(&world, "other", willing()).await;
    let id = world.command(rod.id, inject(&plugin())).await;
    rod.until_called("PluginInject").await;
    let message = json!({ "message": "at last", "result": "SUCCESS", "req_id": id });
    assert_eq!(notify(&other, message.clone()).await["result"], "ERROR", "not its request");
    let nobody = json!({ "message": "x", "result": "SUCCESS", "req_id": PluginId::new() });
    assert_eq!(notify(&rod, nobody).await["result"], "ERROR");
    assert_eq!(world.operation(id).await.state, State::Running);
    let answer = notify(&rod, message.clone()).await;
    assert_eq!(answer["message"], "notification_received");
    let row = world.until_state(id, State::Succeeded).await;
    assert_eq!(row.result, Some(json!("at last")));
    assert_eq!(notify(&rod, message).await["result"], "ERROR", "once");
    assert_eq!(asked.lock().unwrap().as_slice(), [id.to_string()]);
}

#[tokio::test]
async fn nothing_is_sent_twice_a_lost_answer_is_unknown() {
    let world = open_world().await;
    let mute: Habit = Arc::new(|_, _| std::future::pending().boxed());
    let rod = Rod::online(&world, "lamp", mute).await;
    let id = world.command(rod.id, inject(&plugin())).await;
    rod.until_called("PluginInject").await;
    rod.session.close();
    rod.session.closed().await;
    world.until_state(id, State::Unknown).await;
    let waiting = world.command(rod.id, inject(&plugin())).await;
    let back = Rod::back(&world, rod.id, (Serialiser::Json, "0.5.0"), willing()).await;
    world.until_state(waiting, State::Succeeded).await;
    assert_eq!(back.calls("PluginInject").len(), 1, "only what waited, not what was lost");
    let all = events::after(world.store(), None, 0, events::MAX_EVENTS).await.unwrap();
    let of_boards = all.iter().filter(|event| event.kind.starts_with("operation."));
    for event in of_boards {
        assert_eq!(event.body["legacy"], true, "{event:?}");
    }
}

#[tokio::test]
async fn what_was_on_a_board_when_the_cloud_went_down_is_unknown_afterwards() {
    let mut world = open_world().await;
    let mute: Habit = Arc::new(|_, _| std::future::pending().boxed());
    let rod = Rod::online(&world, "lamp", mute).await;
    let id = world.command(rod.id, inject(&plugin())).await;
    rod.until_called("PluginInject").await;
    world.stop().await;
    world.resume().await;
    let back = Rod::back(&world, rod.id, (Serialiser::Json, "0.5.0"), willing()).await;
    world.until_state(id, State::Unknown).await;
    assert!(back.calls("PluginInject").is_empty());
}

#[tokio::test]
async fn a_result_that_never_comes_leaves_the_operation_unknown_at_its_deadline() {
    let world = open_world().await;
    let rod = Rod::online(&world, "lamp", slow(Arc::default())).await;
    let within = Duration::from_millis(300);
    let id = world.command_about(rod.id, inject(&plugin()), None, within).await;
    world.until_state(id, State::Unknown).await;
    assert_eq!(rod.calls("PluginInject").len(), 1);
}
