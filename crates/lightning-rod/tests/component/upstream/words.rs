//! Words for a shell in every field of everything that an upstream cloud says: nothing of them is ever run.
//!
//! The agent is a process that may do all that settings can allow, with programs on its path that note their arguments; a file
//! that none of the words may make is looked for at the end.

use super::script::{CODE, Script, UUID, configuration, request};
use super::services::tunnel_server;
use super::{cloud, file, plugin, read, with_code};
use crate::packages::Programs;
use crate::ports::free_port;
use crate::rod::{Rod, line_with};
use crate::words::{nothing_was_run, spoilt, words};
use serde_json::{Value, json};
use std::net::SocketAddr;

const PLUGIN: &str = "0192a5b0-0000-7000-8000-000000000001";
const SERVICE: &str = "0192a5b0-0000-7000-8000-000000000002";

/// Every call with right arguments.
fn calls(port: u16) -> Vec<(&'static str, Vec<Value>)> {
    let echo = plugin(PLUGIN, "def main(name, params, api):\n    return params\n", true);
    let service = json!({ "uuid": SERVICE, "name": "s", "port": 22, "protocol": "TCP", "project": "p", "extra": {} });
    let package = json!({ "manager": "apt", "command": "install", "package": "vim", "options": "-y", "version": "1" });
    let rest = json!({
        "url": "http://127.0.0.1:9/api", "method": "GET", "params": { "a": "b" }, "data": "d", "json": [1, { "b": "c" }],
        "headers": { "X-A": "y" }, "timeout": 1,
    });
    let named = |name: &str| vec![json!(name), json!(name), json!("22"), json!([name])];
    let mut all = vec![
        ("PluginInject", vec![echo, json!(false)]),
        ("PluginCall", vec![json!(PLUGIN), json!({ "say": "hi" })]),
        ("PluginStart", vec![json!(PLUGIN), json!({ "say": "hi" })]),
        ("PluginReboot", vec![json!(PLUGIN), json!({ "say": "hi" })]),
        ("PluginStop", vec![json!(PLUGIN), json!({ "delay": "0" })]),
        ("PluginStatus", vec![json!(PLUGIN)]),
        ("PluginRemove", vec![json!("0192a5b0-0000-7000-8000-00000000000f")]),
        ("DevicePing", vec![json!({})]),
        ("DeviceEcho", vec![json!({ "say": "hi" })]),
        ("DeviceNetConfig", vec![json!({})]),
        ("DeviceReboot", vec![json!({ "delay": "5" })]),
        ("DeviceUpgradeLR", vec![json!({ "version": "1.0", "update_conf": "true" })]),
        ("DevicePkgOperation", vec![package]),
        ("DeviceMountFs", vec![json!({ "mnt_cmd": "mount_rw" })]),
        ("DeviceFactoryReset", vec![json!([{}])]),
        ("DeviceRestSubmit", vec![rest]),
        ("ServiceEnable", vec![service.clone(), json!(port)]),
        ("ServiceRestore", vec![service.clone(), json!(port)]),
        ("ServiceDisable", vec![service]),
        ("ServicesStatus", vec![]),
    ];
    for method in [
        "Create_VIF",
        "Configure_VIF",
        "Remove_VIF",
        "EnableWebService",
        "DisableWebService",
        "ExposeWebservice",
        "UnexposeWebservice",
        "RenewWebservice",
        "NginxInfo",
        "NginxStatus",
        "NginxReload",
        "NginxRestart",
        "NginxIotronicConf",
        "hello",
        "plug_and_play",
        "changeConf",
        "destroyNode",
    ] {
        all.push((method, named("x")));
    }
    all
}

async fn start(
    rod: &Rod,
    programs: &Programs,
    script: &Script,
    tunnels: SocketAddr,
) -> (tokio::process::Child, u64) {
    let (child, mut lines) = rod.spawn_with(|command| {
        programs.allow(command);
        command.env("LIGHTNING_ROD__UPSTREAM__TUNNEL_PORT", tunnels.port().to_string());
    });
    line_with(&mut lines, "online").await;
    // Its log has to be read, or it would wait for a reader.
    tokio::spawn(async move { while let Ok(Some(_)) = lines.next_line().await {} });
    (child, script.online(1).await)
}

#[tokio::test]
async fn no_word_of_a_call_is_ever_run() {
    let (_crossroads, script) = cloud().await;
    let (rod, programs) = (with_code(&script, CODE), Programs::new());
    let canary = programs.folder().join("canary");
    let (tunnels, _tunnels) = tunnel_server().await;
    let (mut child, session) = start(&rod, &programs, &script, tunnels).await;
    let mut carried = 0;
    for (method, arguments) in calls(free_port()) {
        // As it is right, so that what is refused later is refused for its words.
        let right = script.call(session, method, &arguments).await;
        for word in words(&canary) {
            for list in spoilt(&json!(arguments), &word) {
                let said = script.call(session, method, list.as_array().unwrap()).await;
                let is_known =
                    ["SUCCESS", "ERROR", "WARNING", "RUNNING"].contains(&said.result.as_str());
                assert!(is_known, "{method} {list}: {said:?}");
                if method == "PluginCall" && said.result == "SUCCESS" {
                    let back = said.message.to_string();
                    assert!(
                        back.contains(json!(word).to_string().trim_matches('"')),
                        "{word:?}: {back}"
                    );
                    carried += 1;
                }
                if said.result == "RUNNING" {
                    script.told(&said.req_id.unwrap()).await;
                }
            }
        }
        if right.result == "RUNNING" {
            script.told(&right.req_id.unwrap()).await;
        }
    }
    assert!(carried > 0, "parameters of plugins are data and come through");
    // In the request itself, too.
    for word in words(&canary) {
        for request in spoilt(
            &request("0192a5b0-0000-7000-8000-0000000000aa", "DeviceEcho", json!(null)),
            &word,
        ) {
            let list = vec![request, json!({ "say": "hi" })];
            let uri = format!("iotronic.{session}.{UUID}.DeviceEcho");
            let options = wamp::CallOptions::within(std::time::Duration::from_secs(60));
            // It may be a fault; what counts is what is not done.
            let _ = script.session.call(&uri, wamp::Arguments::list(list), options).await;
        }
    }
    let said = script.call(session, "DeviceEcho", &[json!({ "say": "still here" })]).await;
    assert!(said.text().starts_with("still here"), "{said:?}");
    assert!(child.try_wait().unwrap().is_none(), "the same process as in the beginning");
    nothing_was_run(&programs, &canary);
    assert!(!programs.done().is_empty(), "what was right was done");
}

#[tokio::test]
async fn no_word_of_the_settings_that_a_cloud_hands_out_is_ever_run() {
    let (_crossroads, script) = cloud().await;
    let programs = Programs::new();
    let canary = programs.folder().join("canary");
    let rod = Rod::new();
    let mut settings = configuration(&script.url);
    let board = settings.pointer_mut("/iotronic/board").unwrap();
    board["status"] = json!("operative");
    let all = words(&canary).concat();
    for field in
        ["name", "type", "owner", "project", "lr_version", "code", "created_at", "updated_at"]
    {
        board[field] = json!(all);
    }
    for field in ["extra", "connectivity"] {
        board[field] = json!({ (all.clone()): all });
    }
    for field in ["longitude", "latitude", "altitude"] {
        board["location"][field] = json!(all);
    }
    std::fs::write(file(&rod, "settings.json"), settings.to_string()).unwrap();
    let (tunnels, _tunnels) = tunnel_server().await;
    let (_child, session) = start(&rod, &programs, &script, tunnels).await;
    let source = "def main(name, params, api):\n    return 'ran'\n";
    let said =
        script.call(session, "PluginInject", &[plugin(PLUGIN, source, true), json!(true)]).await;
    assert_eq!(said.result, "SUCCESS", "{said:?}");
    let said = script.call(session, "PluginCall", &[json!(PLUGIN), json!({})]).await;
    assert_eq!(said.text(), "ran");
    nothing_was_run(&programs, &canary);
    assert_eq!(read(&rod, "settings.json"), settings, "kept as it came");
}
