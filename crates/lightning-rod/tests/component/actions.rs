//! What changes the machine itself: refused until its owner allows it, and never by a shell.

use crate::cloud::Cloud;
use crate::plugins::{inject, python};
use crate::rod::{Rod, settings};
use crate::upstream::rest::{json_answer, web};
use lightning_rod::{Outcome, Settings, State};
use model::{BoardId, Kind, PluginId};
use serde_json::{Value, json};

/// Words that a shell would run, or that a program would take for something else than a name.
fn evil(mark: &std::path::Path) -> Vec<String> {
    let mark = mark.display();
    [
        format!("$(touch {mark})"),
        format!("`touch {mark}`"),
        format!("x; touch {mark}"),
        format!("x && touch {mark}"),
        format!("x | touch {mark}"),
        format!("x\ntouch {mark}"),
        format!("x > {mark}"),
        format!("--target={mark}"),
        format!("-oDPkg::Pre-Invoke::=touch {mark}"),
        format!("{mark}"),
        format!("file://{mark}"),
        "../x".to_owned(),
        "a\0b".to_owned(),
        "\u{202e}x".to_owned(),
    ]
    .into()
}

fn allowing(dir: &std::path::Path, rest: &str) -> Settings {
    let mut settings = settings();
    let device = &mut settings.device;
    device.package_managers = ["apt", "apt-get", "pip", "pip3", "npm"].map(str::to_owned).into();
    device.upgrade_command = Some(format!("sh {} {{version}}", dir.join("upgrade").display()));
    device.mount_ro_command = Some("true".into());
    device.rest_prefixes = vec![rest.to_owned()];
    device.factory_reset = true;
    settings
}

#[tokio::test]
async fn nothing_of_it_is_done_until_the_owner_allows_it() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    cloud.online(board).await;
    for (method, argument, key) in [
        ("DeviceUpgradeLR", json!({}), "device.upgrade_command"),
        (
            "DevicePkgOperation",
            json!({ "manager": "apt", "command": "install", "package": "vim" }),
            "device.package_managers",
        ),
        ("DeviceMountFs", json!({ "mnt_cmd": "mount_rw" }), "device.mount_rw_command"),
        ("DeviceMountFs", json!({ "mnt_cmd": "mount_status" }), "device.mount_rw_command"),
        (
            "DeviceRestSubmit",
            json!({ "url": "http://127.0.0.1/", "method": "GET" }),
            "device.rest_prefixes",
        ),
        ("DeviceFactoryReset", json!({}), "device.factory_reset"),
    ] {
        let fault = cloud.call(board, method, &[argument]).await.unwrap_err();
        assert_eq!(fault.kind, Kind::Forbidden, "{method}: {fault}");
        assert!(fault.message.contains(key), "{method}: {fault}");
    }
    assert!(rod.home().identity().unwrap().is_some());
    running.stop().await;
}

#[tokio::test]
async fn words_that_would_do_something_else_are_refused_in_every_field() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let mark = rod.dir.path().join("mark");
    let running = rod.run_with(allowing(rod.dir.path(), "http://127.0.0.1:9/api"));
    cloud.online(board).await;
    let refused = async |method: &str, argument: Value| {
        let fault = cloud.call(board, method, std::slice::from_ref(&argument)).await.unwrap_err();
        let is_refusal = matches!(fault.kind, Kind::Invalid | Kind::Forbidden);
        assert!(is_refusal, "{method} {argument}: {fault}");
    };
    for word in evil(&mark) {
        let good = json!({
            "manager": "pip3", "command": "install", "package": "x", "version": "1", "options": "-q",
        });
        for field in ["manager", "command", "package", "version", "options"] {
            let mut argument = good.clone();
            argument[field] = json!(word);
            refused("DevicePkgOperation", argument).await;
        }
        refused("DeviceUpgradeLR", json!({ "version": word })).await;
        refused("DeviceMountFs", json!({ "mnt_cmd": word })).await;
        refused("DeviceRestSubmit", json!({ "url": word, "method": "GET" })).await;
        let url = "http://127.0.0.1:9/api";
        refused("DeviceRestSubmit", json!({ "url": url, "method": word })).await;
    }
    let url = "http://127.0.0.1:9/etc";
    refused("DeviceRestSubmit", json!({ "url": url, "method": "GET" })).await;
    refused("DeviceRestSubmit", json!({ "url": "http://127.0.0.1:9/api/../etc", "method": "GET" }))
        .await;
    assert!(!mark.exists());
    running.stop().await;
}

#[tokio::test]
async fn what_the_owner_allows_is_done() {
    let (address, seen) = web(|_| json_answer(&json!({ "on": true }))).await;
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let upgraded = rod.dir.path().join("upgraded");
    let script = format!("printf '%s' \"$1\" > {}\n", upgraded.display());
    std::fs::write(rod.dir.path().join("upgrade"), script).unwrap();
    let running = rod.run_with(allowing(rod.dir.path(), &format!("http://{address}/")));
    cloud.online(board).await;
    let call =
        async |method: &str, argument: Value| cloud.call(board, method, &[argument]).await.unwrap();
    let asked =
        json!({ "url": format!("http://{address}/plug"), "method": "put", "json": { "on": true } });
    assert_eq!(call("DeviceRestSubmit", asked).await, json!({ "on": true }));
    assert!(seen.lock().unwrap()[0].starts_with("PUT /plug HTTP/1.1\r\n"));
    assert_eq!(call("DeviceMountFs", json!({ "mnt_cmd": "mount_ro" })).await, "");
    let mounts = call("DeviceMountFs", json!({ "mnt_cmd": "mount_status" })).await;
    assert!(mounts.as_str().unwrap().contains(" /proc "), "{mounts}");
    let said = call("DeviceUpgradeLR", json!({ "version": "1.2.3" })).await;
    assert_eq!(said, "LR upgraded");
    assert_eq!(std::fs::read_to_string(&upgraded).unwrap(), "1.2.3");
    assert_eq!(running.ended().await, Outcome::Restart, "it becomes what it was upgraded to");
}

#[tokio::test]
async fn an_upgrade_that_fails_leaves_the_agent_as_it_is() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let mut settings = settings();
    settings.device.upgrade_command = Some("false {version}".into());
    let running = rod.run_with(settings);
    cloud.online(board).await;
    let fault = cloud.call(board, "DeviceUpgradeLR", &[json!({})]).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Conflict);
    assert!(fault.message.contains("false failed"), "{fault}");
    assert_eq!(running.stop().await, Outcome::Stopped);
}

async fn has_plugins(cloud: &Cloud, board: BoardId) -> PluginId {
    let plugin = PluginId::new();
    inject(cloud, board, plugin, &python("return 1")).await;
    plugin
}

#[tokio::test]
async fn a_factory_reset_makes_the_machine_nobodys_and_ready_for_another_claim() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let key = std::fs::read(rod.dir.path().join("board.key")).unwrap();
    let running = rod.run_with(allowing(rod.dir.path(), "http://127.0.0.1:9/"));
    cloud.online(board).await;
    has_plugins(&cloud, board).await;
    let said = cloud.call(board, "DeviceFactoryReset", &[json!({})]).await.unwrap();
    assert_eq!(said, "Device reset completed");
    assert_eq!(running.ended().await, Outcome::Restart);
    assert_eq!(rod.home().identity().unwrap(), None);
    let left = std::fs::read_to_string(rod.dir.path().join("plugins.json")).unwrap();
    assert_eq!(left, "{}");

    let running = rod.run();
    assert_eq!(*running.state.borrow(), State::Unenrolled);
    running.stop().await;
    let again = rod.enrol(&cloud).await.unwrap();
    assert_ne!(again.uuid, board);
    assert_ne!(std::fs::read(rod.dir.path().join("board.key")).unwrap(), key);
}
