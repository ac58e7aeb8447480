//! The program itself: exit codes, words, restart in place, a kill in the middle.

use crate::cloud::Cloud;
use crate::eventually;
use crate::plugins::{inject, python};
use crate::rod::{BINARY, Rod, line_with};
use model::{OperationId, PluginId};
use rpc::envelope::{End, FaultKind};
use serde_json::json;
use std::process::Output;
use std::time::Duration;
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

async fn rod(arguments: &[&str]) -> Output {
    Command::new(BINARY).args(arguments).output().await.unwrap()
}

fn texts(output: &Output) -> (Option<i32>, String) {
    let text = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    (output.status.code(), String::from_utf8(text).unwrap())
}

#[tokio::test]
async fn enrol_and_status_print_who_the_board_is() {
    let cloud = Cloud::start().await;
    let home = Rod::new();
    let dir = home.dir.path().to_str().unwrap();
    let (code, text) = texts(&rod(&["status", "--home", dir]).await);
    assert_eq!(code, Some(6), "{text}");
    assert!(text.contains("lightning-rod enrol"), "{text}");
    let claim = cloud.claim().to_string();
    for _ in 0..2 {
        let (code, text) = texts(&rod(&["enrol", "--home", dir, "--claim", &claim]).await);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains(&cloud.boards()[0].to_string()), "{text}");
    }
    let (code, text) = texts(&rod(&["status", "--home", dir]).await);
    assert!(code == Some(0) && text.contains(&cloud.url()), "{text}");
    assert!(text.contains("agent:   stopped"), "{text}");
    let other = cloud.claim().to_string();
    let (code, text) = texts(&rod(&["enrol", "--home", dir, "--claim", &other]).await);
    assert!(code == Some(7) && text.contains("enrolled already"), "{text}");
    let (code, text) = texts(&rod(&["enrol", "--home", dir, "--claim", "s4t1.x"]).await);
    assert!(code == Some(3) && text.contains("not a claim"), "{text}");
}

#[tokio::test]
async fn a_claim_comes_in_unseen_and_status_shows_the_cloud_and_makes_nothing() {
    let cloud = Cloud::start().await;
    cloud.call_it("lamp-7");
    let home = Rod::new();
    let missing = home.dir.path().join("not-there");
    let (code, text) = texts(&rod(&["status", "--home", missing.to_str().unwrap()]).await);
    assert_eq!((code, missing.exists()), (Some(6), false), "{text}");
    let dir = home.dir.path().to_str().unwrap();
    let mut child = Command::new(BINARY)
        .args(["enrol", "--home", dir, "--claim", "-"])
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    let claim = format!("{}\n", cloud.claim());
    child.stdin.take().unwrap().write_all(claim.as_bytes()).await.unwrap();
    assert_eq!(child.wait().await.unwrap().code(), Some(0));
    let (_child, mut lines) = home.spawn();
    line_with(&mut lines, "new name").await;
    eventually("status shows it", async || {
        let (code, text) = texts(&rod(&["status", "--home", dir]).await);
        let shown = ["lamp-7", "report-name", "agent:   running"];
        let all = code == Some(0) && shown.iter().all(|word| text.contains(word));
        if all { Ok(()) } else { Err(text) }
    })
    .await;
}

#[tokio::test]
async fn settings_are_checked_and_a_second_agent_is_refused() {
    let home = Rod::new();
    let dir = home.dir.path().to_str().unwrap();
    let config = home.dir.path().join("settings.toml");
    let check = async || {
        texts(
            &rod(&["run", "--home", dir, "--config", config.to_str().unwrap(), "--check-config"])
                .await,
        )
    };
    std::fs::write(&config, "[sensors]\nsimulated = true\n").unwrap();
    assert_eq!(check().await.0, Some(0));
    std::fs::write(&config, "[sensors]\ncolour = 1\n").unwrap();
    let (code, text) = check().await;
    assert!(code == Some(3) && text.contains("colour"), "{text}");
    let (_first, mut lines) = home.spawn();
    line_with(&mut lines, "waiting for a claim").await;
    let (code, text) = texts(&rod(&["run", "--home", dir]).await);
    assert!(code == Some(7) && text.contains("another agent"), "{text}");
}

#[tokio::test]
async fn the_process_restarts_in_place_and_ends_on_a_signal() {
    let cloud = Cloud::start().await;
    let (home, board) = Rod::enrolled(&cloud).await;
    let (mut child, mut lines) = home.spawn();
    line_with(&mut lines, "online").await;
    let before = cloud.online(board).await;
    let pid = child.id().unwrap();
    cloud.call(board, "DeviceRestartLR", &[json!({ "delay": 3 })]).await.unwrap();
    line_with(&mut lines, "agent starts").await;
    cloud.online_again(&before).await;
    assert_eq!(child.id(), Some(pid));
    let pid = rustix::process::Pid::from_raw(i32::try_from(pid).unwrap()).unwrap();
    rustix::process::kill_process(pid, rustix::process::Signal::TERM).unwrap();
    let status =
        tokio::time::timeout(Duration::from_secs(60), child.wait()).await.unwrap().unwrap();
    assert_eq!(status.code(), Some(0));
}

#[tokio::test]
async fn a_call_that_was_killed_with_the_agent_ends_as_unknown_and_is_not_run_again() {
    let cloud = Cloud::start().await;
    let (home, board) = Rod::enrolled(&cloud).await;
    let (mut child, mut lines) = home.spawn();
    line_with(&mut lines, "online").await;
    let before = cloud.online(board).await;
    let plugin = PluginId::new();
    let counted = home.dir.path().join("counted");
    inject(
        &cloud,
        board,
        plugin,
        &python(&format!("open({counted:?}, 'a').write('x')\n    import time; time.sleep(25)")),
    )
    .await;
    let operation = OperationId::new();
    let list = vec![
        json!(crate::cloud::request(operation, board, "PluginCall")),
        json!(plugin),
        json!({}),
    ];
    let call = cloud.raw(board, "PluginCall", list);
    let kill = async {
        eventually("the call runs", async || {
            if counted.exists() { Ok(()) } else { Err("not yet".to_owned()) }
        })
        .await;
        child.kill().await.unwrap();
    };
    let (lost, ()) = tokio::join!(call, kill);
    lost.unwrap_err();
    let (_child, mut lines) = home.spawn();
    line_with(&mut lines, "online").await;
    cloud.online_again(&before).await;
    let answer = cloud.repeat(operation, board, "PluginCall", &[json!(plugin), json!({})]).await;
    assert_eq!(answer.kind, Some(FaultKind::End(End::Unknown)));
    assert_eq!(std::fs::read_to_string(&counted).unwrap(), "x");
}
