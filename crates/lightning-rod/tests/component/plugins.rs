//! Plugins through the whole agent, in Python.

use crate::cloud::Cloud;
use crate::eventually;
use crate::rod::Rod;
use model::plugin::RunState;
use model::{BoardId, Kind, PluginId};
use rpc::logs::Lines;
use rpc::plugin::Status;
use serde::Deserialize as _;
use serde_json::{Value, json};

/// A function `main` with this body.
pub(crate) fn python(body: &str) -> String {
    format!("def main(params):\n    {body}\n")
}

pub(crate) async fn inject(cloud: &Cloud, board: BoardId, plugin: PluginId, code: &str) {
    let plugin =
        json!({ "uuid": plugin, "name": "p", "code": code, "callable": true, "revision": 1 });
    cloud.call(board, "PluginInject", &[plugin, json!(false)]).await.unwrap();
}

const SERVICE: &str = "
import time
from iotronic_lightningrod.modules.plugins import Plugin
class Worker(Plugin.Plugin):
    def __init__(self, uuid, name, q_result=None, params=None):
        super(Worker, self).__init__(uuid, name, q_result, params)
    def run(self):
        print('hello', self.params, flush=True)
        while self._is_running:
            time.sleep(0.05)
";

async fn inject_service(cloud: &Cloud, board: BoardId, plugin: PluginId, on_boot: bool) {
    let plugin = json!({
        "uuid": plugin, "name": "s", "code": SERVICE, "callable": false, "revision": 1,
        "parameters": { "n": 1 },
    });
    cloud.call(board, "PluginInject", &[plugin, json!(on_boot)]).await.unwrap();
}

async fn status(cloud: &Cloud, board: BoardId, plugin: PluginId) -> Status {
    let status = cloud.call(board, "PluginStatus", &[json!(plugin)]).await.unwrap();
    Status::deserialize(status).unwrap()
}

async fn log(cloud: &Cloud, board: BoardId, plugin: PluginId) -> Vec<String> {
    let read = json!({ "after": 0, "limit": 100 });
    let lines = cloud.call(board, "PluginLogs", &[json!(plugin), read]).await.unwrap();
    Lines::deserialize(lines).unwrap().lines.into_iter().map(|line| line.text).collect()
}

#[tokio::test]
async fn a_synchronous_plugin_is_injected_called_and_removed() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    let plugin = PluginId::new();
    inject(&cloud, board, plugin, &python("return {'got': params}")).await;
    let params = json!({ "text": "ü\n\"\\", "list": [1, null, true] });
    let result = cloud.call(board, "PluginCall", &[json!(plugin), params.clone()]).await.unwrap();
    assert_eq!(result, json!({ "got": params }));
    let fault = cloud.call(board, "PluginStart", &[json!(plugin), json!({})]).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Conflict);
    for _ in 0..2 {
        cloud.call(board, "PluginRemove", &[json!(plugin)]).await.unwrap();
    }
    let fault = cloud.call(board, "PluginCall", &[json!(plugin), Value::Null]).await.unwrap_err();
    assert_eq!(fault.kind, Kind::NotFound);
    running.stop().await;
}

#[tokio::test]
async fn an_older_revision_does_not_replace_a_newer_one() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    let plugin = PluginId::new();
    let revision = |revision: i64| {
        let code = python(&format!("return {revision}"));
        json!({ "uuid": plugin, "name": "p", "code": code, "callable": true, "revision": revision })
    };
    let inject = async |n| cloud.call(board, "PluginInject", &[revision(n), json!(false)]).await;
    inject(2).await.unwrap();
    assert_eq!(inject(1).await.unwrap_err().kind, Kind::Conflict);
    inject(3).await.unwrap();
    let result = cloud.call(board, "PluginCall", &[json!(plugin), Value::Null]).await.unwrap();
    assert_eq!(result, 3);
    running.stop().await;
}

#[tokio::test]
async fn a_plugin_that_raises_is_answered_with_its_traceback() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    let plugin = PluginId::new();
    inject(&cloud, board, plugin, &python("raise KeyError('gone')")).await;
    let fault = cloud.call(board, "PluginCall", &[json!(plugin), Value::Null]).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Invalid);
    assert!(fault.message.contains("KeyError") && fault.message.contains("line 2"), "{fault}");
    running.stop().await;
}

#[tokio::test]
async fn an_asynchronous_plugin_starts_logs_survives_the_agent_and_stops() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    cloud.online(board).await;
    let plugin = PluginId::new();
    inject_service(&cloud, board, plugin, false).await;
    assert_eq!(status(&cloud, board, plugin).await.state, RunState::Stopped);
    let fault = cloud.call(board, "PluginCall", &[json!(plugin), json!({})]).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Conflict);
    cloud.call(board, "PluginStart", &[json!(plugin), json!({ "n": 2 })]).await.unwrap();
    let fault = cloud.call(board, "PluginStart", &[json!(plugin), json!({})]).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Conflict);
    let said = async |times: usize| {
        eventually("it has said hello", async || {
            let lines = log(&cloud, board, plugin).await;
            let count = lines.iter().filter(|line| *line == "hello {'n': 2}").count();
            if count == times { Ok(()) } else { Err(format!("{lines:?}")) }
        })
        .await;
    };
    said(1).await;
    running.stop().await;

    let running = rod.run();
    cloud.online_fresh(board).await;
    eventually("it runs again", async || {
        let status = status(&cloud, board, plugin).await;
        if status.pid.is_some() { Ok(()) } else { Err(format!("{status:?}")) }
    })
    .await;
    said(2).await;
    cloud.call(board, "PluginReboot", &[json!(plugin), json!({ "n": 2 })]).await.unwrap();
    said(3).await;
    for _ in 0..2 {
        cloud.call(board, "PluginStop", &[json!(plugin), json!({ "delay": 1 })]).await.unwrap();
    }
    assert_eq!(status(&cloud, board, plugin).await.state, RunState::Stopped);
    running.stop().await;
}
