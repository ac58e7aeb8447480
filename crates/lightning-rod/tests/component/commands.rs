//! How calls are answered: repetition, cancellation, logs, restart, nonsense.

use crate::cloud::{Cloud, now, request};
use crate::eventually;
use crate::plugins::{inject, python};
use crate::rod::Rod;
use lightning_rod::Outcome;
use model::{BoardId, Kind, OperationId, PluginId};
use rpc::Envelope;
use rpc::envelope::{End, FaultKind, Verdict};
use rpc::logs::Lines;
use serde::Deserialize as _;
use serde_json::{Value, json};
use std::time::Duration;

fn fault(envelope: Envelope) -> (Kind, String) {
    let fault = envelope.into_value().unwrap_err();
    (fault.kind, fault.message)
}

#[tokio::test]
async fn a_repeated_operation_gets_its_first_answer_over_restarts_too() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    cloud.online(board).await;
    let plugin = PluginId::new();
    let counted = rod.dir.path().join("counted");
    inject(
        &cloud,
        board,
        plugin,
        &python(&format!(
            "open({:?}, 'a').write('x')\n    return len(open({:?}).read())",
            counted, counted
        )),
    )
    .await;
    let operation = OperationId::new();
    let call =
        async || cloud.repeat(operation, board, "PluginCall", &[json!(plugin), json!({})]).await;
    let (first, joined) = tokio::join!(call(), call());
    assert_eq!((&first.message, first.result), (&json!(1), Verdict::Success));
    assert_eq!(first.req_id, Some(operation.to_string()));
    assert_eq!(joined, first);
    assert_eq!(call().await, first);
    running.stop().await;
    let running = rod.run();
    cloud.online_fresh(board).await;
    assert_eq!(call().await, first);
    assert_eq!(std::fs::read_to_string(&counted).unwrap(), "x");
    running.stop().await;
}

#[tokio::test]
async fn a_running_call_is_cancelled_and_says_so() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    cloud.online(board).await;
    let plugin = PluginId::new();
    inject(&cloud, board, plugin, &python("import time; time.sleep(25)")).await;
    let operation = OperationId::new();
    let arguments = [json!(plugin), json!({})];
    let call = cloud.repeat(operation, board, "PluginCall", &arguments);
    let cancel = eventually("the call can be cancelled", async || {
        let cancel = cloud.call(board, "OperationCancel", &[json!(operation)]).await;
        cancel.map_err(|fault| fault.message)
    });
    let (envelope, _) = tokio::join!(call, cancel);
    assert_eq!(envelope.kind, Some(FaultKind::End(End::Cancelled)));
    let (kind, _) = fault(
        cloud.repeat(OperationId::new(), board, "OperationCancel", &[json!(operation)]).await,
    );
    assert_eq!(kind, Kind::NotFound);
    running.stop().await;
}

#[tokio::test]
async fn the_agents_log_is_read_and_followed() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    cloud.online(board).await;
    running.log.push(now(), "info", "one".into());
    let read = async |after: u64| {
        let read = json!({ "after": after, "limit": 10, "wait_ms": 20_000 });
        Lines::deserialize(cloud.call(board, "DeviceLogs", &[read]).await.unwrap()).unwrap()
    };
    let lines = read(0).await;
    assert_eq!(lines.lines.last().unwrap().text, "one");
    let follow = read(lines.next);
    let write = async {
        // The follower is waiting once the board has answered something else behind it.
        cloud.call(board, "DevicePing", &[]).await.unwrap();
        running.log.push(now(), "warn", "two".into());
    };
    let (followed, ()) = tokio::join!(follow, write);
    assert_eq!((followed.lines[0].text.as_str(), followed.next), ("two", lines.next + 1));
    running.stop().await;
}

#[tokio::test]
async fn a_restart_is_answered_first_and_a_repetition_is_answered_by_the_next_process() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    cloud.online(board).await;
    let operation = OperationId::new();
    let restart =
        async || cloud.repeat(operation, board, "DeviceRestartLR", &[json!({ "delay": 3 })]).await;
    let first = restart().await;
    assert_eq!(first.result, Verdict::Success);
    assert_eq!(running.ended().await, Outcome::Restart);
    let running = rod.run();
    cloud.online_fresh(board).await;
    assert_eq!(restart().await, first);
    running.stop().await;
}

#[tokio::test]
async fn a_reboot_that_the_owner_did_not_allow_is_refused() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    let fault = cloud.call(board, "DeviceReboot", &[json!({ "delay": 3 })]).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Forbidden);
    assert!(fault.message.contains("device.reboot_command"), "{fault}");
    running.stop().await;
}

#[tokio::test]
async fn nonsense_is_answered_with_faults_and_changes_nothing() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    cloud.online(board).await;
    let good = || json!(request(OperationId::new(), board, "x"));
    let stranger = json!(request(OperationId::new(), BoardId::new(), "x"));
    let mut late = request(OperationId::new(), board, "x");
    late.deadline = Some("2026-01-01T00:00:00Z".parse().unwrap());
    let plugin = json!(PluginId::new());
    let huge = json!({ "uuid": PluginId::new(), "name": "p", "code": "x".repeat(300_000), "callable": true });
    let cases: Vec<(&str, Vec<Value>, Kind, &str)> = vec![
        ("DevicePing", vec![], Kind::Invalid, "request object is missing"),
        ("DevicePing", vec![json!(7)], Kind::Invalid, "request object is wrong"),
        ("DevicePing", vec![stranger], Kind::Invalid, "this is board"),
        ("Nonsense", vec![good()], Kind::NotFound, "no method"),
        ("a.b.c", vec![good()], Kind::NotFound, "no method"),
        ("DeviceEcho", vec![good()], Kind::Invalid, "argument 1 is missing"),
        ("PluginCall", vec![good(), plugin.clone(), json!({})], Kind::NotFound, "inject it first"),
        ("PluginStatus", vec![good(), json!("x")], Kind::Invalid, "argument 1 is wrong"),
        ("PluginInject", vec![good(), huge, json!(false)], Kind::Invalid, "at most 262144"),
        ("PluginStop", vec![good(), plugin], Kind::NotFound, "inject it first"),
        ("ServiceEnable", vec![good(), json!({}), json!(1)], Kind::Invalid, "argument 1 is wrong"),
        ("PluginRemove", vec![json!(late), json!(PluginId::new())], Kind::Timeout, "deadline"),
    ];
    for (method, arguments, kind, text) in cases {
        let (got, message) = fault(cloud.raw(board, method, arguments).await.unwrap());
        assert_eq!(got, kind, "{method}: {message}");
        assert!(message.contains(text), "{method}: {message}");
    }
    cloud.call(board, "DevicePing", &[]).await.unwrap();
    running.stop().await;
}

#[tokio::test]
async fn the_network_interfaces_are_listed() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    let list = cloud.call(board, "DeviceNetConfig", &[json!({})]).await.unwrap();
    assert!(list.as_array().unwrap().iter().any(|i| i["name"] == "lo" && i["state"] == "up"));
    running.stop().await;
}

#[tokio::test]
async fn many_commands_at_once_are_all_answered() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    cloud.online(board).await;
    let calls = (0..50).map(|_| {
        let plugin = json!(PluginId::new());
        async { cloud.call(board, "PluginRemove", &[plugin]).await.unwrap() }
    });
    let all = async {
        let mut set = Vec::new();
        for call in calls {
            set.push(Box::pin(call));
        }
        for call in set {
            call.await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), all).await.unwrap();
    running.stop().await;
}
