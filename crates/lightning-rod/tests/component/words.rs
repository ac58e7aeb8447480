//! Words for a shell in every field of every call of a cloud of ours: nothing of them is ever run. What an upstream cloud says is
//! tried in `upstream::words`, with the same words in the same places.

use crate::cloud::Cloud;
use crate::packages::Programs;
use crate::rod::Rod;
use model::PluginId;
use serde_json::{Value, json};
use std::path::Path;

/// What a shell would do something else with.
pub(crate) fn words(canary: &Path) -> [String; 8] {
    let touch = format!("touch {}", canary.display());
    [
        format!("; {touch} ;"),
        format!("`{touch}`"),
        format!("$({touch})"),
        format!("| {touch}"),
        format!("\n{touch}\n"),
        format!("' ; {touch} ; '"),
        format!("\" ; {touch} ; \""),
        format!("&& {touch}"),
    ]
}

/// Everything that a word may be put into: the same value with one leaf longer or one member more.
pub(crate) fn spoilt(value: &Value, word: &str) -> Vec<Value> {
    match value {
        Value::Object(members) => {
            let mut all: Vec<_> = members
                .iter()
                .flat_map(|(name, member)| {
                    spoilt(member, word).into_iter().map(|changed| {
                        let mut members = members.clone();
                        members.insert(name.clone(), changed);
                        members.into()
                    })
                })
                .collect();
            let mut more = members.clone();
            more.insert(word.to_owned(), word.into());
            all.push(more.into());
            all
        }
        Value::Array(list) => {
            let change = |(i, member): (usize, &Value)| {
                let put = move |changed| {
                    let mut list = list.clone();
                    list[i] = changed;
                    Value::from(list)
                };
                spoilt(member, word).into_iter().map(put).collect::<Vec<_>>()
            };
            list.iter().enumerate().flat_map(change).collect()
        }
        other => vec![format!("{}{word}", other.as_str().unwrap_or_default()).into()],
    }
}

const PLUGIN: &str = "0192a5b0-0000-7000-8000-000000000001";

/// Every call with right arguments.
fn calls() -> Vec<(&'static str, Vec<Value>)> {
    let plugin = json!({
        "uuid": PLUGIN, "name": "p", "code": crate::plugins::python("return params"), "callable": true, "language": "python",
        "revision": 1, "parameters": { "a": "b" }, "limits": { "wall_s": 20 },
    });
    let service = json!({ "uuid": PLUGIN, "name": "s", "port": 22, "protocol": "tcp" });
    let package = json!({
        "manager": "apt", "command": "install", "package": "vim", "options": "-y", "version": "1",
    });
    let rest = json!({
        "url": "http://127.0.0.1:9/api", "method": "GET", "params": { "a": "b" }, "data": "d", "json": [1, { "b": "c" }],
        "headers": { "X-A": "y" }, "timeout": 1,
    });
    let terminal = json!({ "cols": 80, "rows": 24, "mode": "pipe", "command": "true" });
    vec![
        ("PluginInject", vec![plugin, json!(false)]),
        ("PluginCall", vec![json!(PLUGIN), json!({ "say": "hi" })]),
        ("PluginStart", vec![json!(PLUGIN), json!({ "say": "hi" })]),
        ("PluginStop", vec![json!(PLUGIN), json!({ "delay": 0 })]),
        ("PluginStatus", vec![json!(PLUGIN)]),
        ("PluginLogs", vec![json!(PLUGIN), json!({ "after": 0, "limit": 5 })]),
        ("PluginRemove", vec![json!(PluginId::new())]),
        ("DevicePing", vec![]),
        ("DeviceEcho", vec![json!({ "say": "hi" })]),
        ("DeviceNetConfig", vec![]),
        ("DeviceLogs", vec![json!({ "after": 0, "limit": 5 })]),
        ("DeviceReboot", vec![json!({ "delay": 5 })]),
        ("DeviceUpgradeLR", vec![json!({ "version": "1.0", "update_conf": true })]),
        ("DevicePkgOperation", vec![package]),
        ("DeviceMountFs", vec![json!({ "mnt_cmd": "mount_rw" })]),
        ("DeviceFactoryReset", vec![json!({})]),
        ("DeviceRestSubmit", vec![rest]),
        ("ServiceEnable", vec![service.clone(), json!(20_001)]),
        ("ServiceRestore", vec![service.clone(), json!(20_001)]),
        ("ServiceDisable", vec![service]),
        ("ServicesStatus", vec![]),
        ("OperationCancel", vec![json!(PluginId::new())]),
        // No user is set, so no shell is opened for anybody.
        ("TerminalOpen", vec![terminal]),
        ("ForwardOpen", vec![json!({ "port": 9 })]),
    ]
}

#[tokio::test]
async fn no_word_of_a_call_of_our_cloud_is_ever_run() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let programs = Programs::new();
    let canary = programs.folder().join("canary");
    let (mut child, mut lines) = rod.spawn_with(|command| programs.allow(command));
    // Its log has to be read, or it would wait for a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    cloud.online(board).await;
    let (mut carried, mut refused) = (0, 0);
    for (method, arguments) in calls() {
        let _ = cloud.call(board, method, &arguments).await;
        for word in words(&canary) {
            for list in spoilt(&json!(arguments), &word) {
                let said = cloud.call(board, method, list.as_array().unwrap()).await;
                let comes_back = |value: &Value| {
                    value.to_string().contains(json!(word).to_string().trim_matches('"'))
                };
                match (method, said) {
                    ("PluginCall" | "DeviceEcho", Ok(value)) => {
                        carried += usize::from(comes_back(&value))
                    }
                    (_, Ok(_)) => {}
                    (_, Err(_)) => refused += 1,
                }
            }
        }
    }
    assert!(carried > 0, "what plugins and echoes are told is data and comes back");
    assert!(refused > 0);
    assert!(cloud.call(board, "DevicePing", &[]).await.is_ok());
    assert!(child.try_wait().unwrap().is_none(), "the same process as in the beginning");
    nothing_was_run(&programs, &canary);
}

/// The programs were started with nothing but what was right.
pub(crate) fn nothing_was_run(programs: &Programs, canary: &Path) {
    assert!(!canary.exists(), "a word was run");
    let right = ["apt <-y> <install> <vim=1>", "mount-rw", "upgrade-agent <1.0>"];
    for line in programs.done() {
        assert!(right.contains(&line.as_str()), "{line:?} was run");
    }
}
