//! The local page: status, first configuration, and everybody who should not be able to configure.

use super::script::{CODE, Script, UUID};
use super::{anonymous, cloud, file, online, read};
use crate::rod::{Rod, Running};
use lightning_rod::Settings;
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

async fn settings() -> Settings {
    let mut settings = anonymous();
    settings.local.enabled = true;
    settings.local.listen = crate::ports::free_address();
    settings
}

async fn ask(at: SocketAddr, request: &str) -> (u16, String) {
    let mut stream = crate::eventually("the page is there", async || {
        TcpStream::connect(at).await.map_err(|error| error.to_string())
    })
    .await;
    stream.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap_or((&answer, ""));
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0);
    (status, body.to_owned())
}

async fn get(at: SocketAddr, path: &str) -> (u16, String) {
    ask(at, &format!("GET {path} HTTP/1.1\r\nHost: {at}\r\n\r\n")).await
}

async fn post(at: SocketAddr, fields: &str, body: &Value) -> (u16, String) {
    let body = body.to_string();
    let head =
        format!("POST /config HTTP/1.1\r\nHost: {at}\r\n{fields}Content-Length: {}", body.len());
    ask(at, &format!("{head}\r\n\r\n{body}")).await
}

const JSON: &str = "Content-Type: application/json\r\n";

fn configuration(script: &Script) -> Value {
    json!({"action": "configure", "urlwagent": script.url, "code": CODE, "hostname": ""})
}

async fn first_boot() -> (super::Crossroads, Script, Rod, Running, SocketAddr) {
    let (crossroads, script) = cloud().await;
    let (rod, settings) = (Rod::new(), settings().await);
    let template = json!({"iotronic": {
        "board": {"code": "<REGISTRATION-TOKEN>"},
        "wamp": {"registration-agent": {"url": "ws://<WAMP-SERVER>:<WAMP-PORT>/", "realm": "<IOTRONIC-REALM>"}}
    }});
    std::fs::write(file(&rod, "settings.json"), template.to_string()).unwrap();
    let at = settings.local.listen;
    let running = rod.run_with(settings);
    (crossroads, script, rod, running, at)
}

#[tokio::test]
async fn a_board_of_nobody_is_configured_once() {
    let (_crossroads, script, rod, running, at) = first_boot().await;
    let info: Value = serde_json::from_str(&get(at, "/info").await.1).unwrap();
    assert_eq!(
        (&info["board_id"], &info["board_reg_status"]),
        (&json!(null), &json!("first_boot"))
    );
    let (status, body) = post(at, JSON, &configuration(&script)).await;
    assert_eq!((status, body.contains("authenticating")), (200, true), "{body}");
    let session = script.online(1).await;
    let (status, body) = post(at, JSON, &configuration(&script)).await;
    assert_eq!((status, body.contains("already configured")), (403, true), "{body}");
    script.until("a sign of life", |heard| heard.alive.first().cloned()).await;
    crate::eventually("the page shows the board", async || {
        let info: Value = serde_json::from_str(&get(at, "/info").await.1).unwrap();
        let members: Vec<_> = info.as_object().unwrap().keys().cloned().collect();
        let wanted = [
            "board_id",
            "board_name",
            "board_reg_status",
            "iotronic_status",
            "lr_version",
            "nic",
            "serial_dev",
            "service_list",
            "session_id",
            "timestamp",
            "wagent",
            "webservice_list",
            "wstun_status",
        ];
        assert_eq!(members, wanted);
        let is_shown = info["board_id"] == UUID
            && info["session_id"] == session
            && info["board_reg_status"] == "operative"
            && info["iotronic_status"]
                .as_str()
                .is_some_and(|text| text.starts_with("Iotronic alive"));
        if is_shown { Ok(()) } else { Err(info.to_string()) }
    })
    .await;
    let (status, page) = get(at, "/").await;
    assert!(status == 200 && page.contains(UUID) && !page.contains("<script"), "{page}");
    assert_eq!(read(&rod, "settings.json")["iotronic"]["board"]["code"], CODE);
    running.stop().await;
}

#[tokio::test]
async fn other_sites_and_broken_requests_configure_nothing() {
    let (_crossroads, script, rod, running, at) = first_boot().await;
    let before = read(&rod, "settings.json");
    let good = configuration(&script);
    assert_eq!(post(at, "", &good).await.0, 415);
    assert_eq!(post(at, "Content-Type: text/plain\r\n", &good).await.0, 415);
    assert_eq!(post(at, &format!("{JSON}Origin: http://evil.example\r\n"), &good).await.0, 403);
    assert_eq!(post(at, &format!("{JSON}Origin: null\r\n"), &good).await.0, 403);
    for (member, value) in [
        ("action", json!("reset")),
        ("action", json!(null)),
        ("code", json!(5)),
        ("code", json!("")),
        ("code", json!("<REGISTRATION-TOKEN>")),
        ("code", json!("a b; reboot")),
        ("code", json!("x".repeat(500))),
        ("urlwagent", json!("http://h:1/")),
        ("urlwagent", json!("ws://h:1/\" ; reboot")),
        ("urlwagent", json!({})),
    ] {
        let mut body = good.clone();
        body[member] = value.clone();
        assert_eq!(post(at, JSON, &body).await.0, 400, "{member} {value}");
    }
    for request in [
        "POST /config HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: 99999999\r\n\r\n",
        "GARBAGE\r\n\r\n",
        "GET / HTTP/1.1\r\nContent-Length: x\r\n\r\n",
    ] {
        assert_eq!(ask(at, request).await.0, 400, "{request}");
    }
    assert_eq!(get(at, "/etc/passwd").await.0, 404);
    assert_eq!(ask(at, "DELETE /config HTTP/1.1\r\n\r\n").await.0, 405);
    assert_eq!(read(&rod, "settings.json"), before);
    running.stop().await;
}

#[tokio::test]
async fn a_page_that_may_not_join_anybodys_cloud_says_so() {
    let (_crossroads, script) = cloud().await;
    let (rod, mut settings) = (Rod::new(), settings().await);
    settings.upstream.allow_anonymous = false;
    let at = settings.local.listen;
    let running = rod.run_with(settings);
    let (status, body) = post(at, JSON, &configuration(&script)).await;
    assert!(status == 403 && body.contains("upstream.allow_anonymous"), "{status} {body}");
    assert!(!file(&rod, "settings.json").exists());
    running.stop().await;
}

#[tokio::test]
async fn an_enrolled_board_shows_its_page_too_and_there_is_none_by_default() {
    let cloud = crate::cloud::Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let settings = settings().await;
    let at = settings.local.listen;
    let running = rod.run_with(settings);
    cloud.online(board).await;
    let info: Value = serde_json::from_str(&get(at, "/info").await.1).unwrap();
    assert_eq!(info["board_id"], board.to_string());
    let body = json!({"action": "configure", "urlwagent": "ws://evil:1/", "code": "c"});
    assert_eq!(post(at, JSON, &body).await.0, 403);
    running.stop().await;
    let (_crossroads, script) = super::cloud().await;
    let (_rod, running, _) = online(&script, anonymous()).await;
    assert!(TcpStream::connect(at).await.is_err());
    running.stop().await;
}
