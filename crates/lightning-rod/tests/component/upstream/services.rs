//! Services through the wstun dialect, against the tunnel crate's own server.

use super::script::{CODE, UUID};
use super::{anonymous, cloud, online, read, with_code};
use crate::eventually;
use crate::ports::free_port;
use lightning_rod::Settings;
use serde_json::{Value, json};
use std::net::{Ipv4Addr, SocketAddr};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tunnel::wstun::{Allowed, Denied, Policy, Request, Server, Settings as ServerSettings};

const SERVICE: &str = "0192a5b0-0000-7000-8000-0000000000aa";

/// Lets the one board in, but not on port 1.
struct Gate;

impl Policy for Gate {
    async fn allow(&self, request: &Request) -> Result<Allowed, Denied> {
        assert_eq!(request.board.as_deref(), Some(UUID));
        match request.port.get() {
            1 => Err(Denied { reason: "port 1 is not on the allow list".into() }),
            _ => Ok(Allowed::Bind),
        }
    }
}

pub(super) async fn tunnel_server() -> (SocketAddr, JoinHandle<()>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let settings = ServerSettings { bind: Ipv4Addr::LOCALHOST.into(), ..ServerSettings::default() };
    let server = Server::new(settings, Gate);
    let task = tokio::spawn(async move {
        let mut connections = tokio::task::JoinSet::new();
        while let Ok((stream, peer)) = listener.accept().await {
            let server = server.clone();
            connections.spawn(async move {
                let _ = server.serve(stream, peer).await;
            });
        }
    });
    (address, task)
}

/// A service that speaks first and then echoes.
async fn service() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                let _ = to.write_all(b"hello ").await;
                let _ = tokio::io::copy(&mut from, &mut to).await;
            });
        }
    });
    address
}

fn settings(tunnels: SocketAddr) -> Settings {
    let mut settings = anonymous();
    settings.upstream.tunnel_port = tunnels.port();
    settings
}

fn wanted(local: u16) -> Value {
    json!({"uuid": SERVICE, "name": "echo", "port": local, "protocol": "TCP", "project": "p", "id": 4})
}

async fn ask(public: u16) -> Result<String, String> {
    let mut stream = TcpStream::connect(("127.0.0.1", public)).await.map_err(|e| e.to_string())?;
    stream.write_all(b"you").await.map_err(|error| error.to_string())?;
    let mut answer = [0; 9];
    stream.read_exact(&mut answer).await.map_err(|error| error.to_string())?;
    Ok(String::from_utf8_lossy(&answer).into_owned())
}

#[tokio::test]
async fn a_service_is_enabled_reached_restored_and_disabled() {
    let ((tunnels, _server), local) = (tunnel_server().await, service().await.port());
    let (_crossroads, script) = cloud().await;
    let (rod, running, session) = online(&script, settings(tunnels)).await;
    let public = free_port();
    let said = script.call(session, "ServiceEnable", &[wanted(local), json!(public)]).await;
    assert_eq!(said.text(), format!("Cloud service 'echo' exposed on port {public} on 127.0.0.1"));
    assert_eq!(ask(public).await.unwrap(), "hello you");
    let row = read(&rod, "services.json")["services"][SERVICE].clone();
    assert_eq!((&row["public_port"], &row["local_port"]), (&json!(public), &json!(local)));
    assert!(row["pid"].is_i64() && row["enabled_at"].as_str().is_some_and(|at| !at.is_empty()));
    let said = script.call(session, "ServicesStatus", &[]).await;
    let line = said.message["sockets"][0].as_str().unwrap();
    assert!(line.contains("echo") && line.contains("(open)"), "{line}");
    assert_eq!(said.message["procs"], json!([]));

    let other = free_port();
    let said =
        script.call(session, "ServiceRestore", &[wanted(local), json!(other.to_string())]).await;
    assert_eq!(said.text(), format!("service echo restored on port {other} on 127.0.0.1"));
    assert_eq!(ask(other).await.unwrap(), "hello you");
    eventually("the old port is closed", async || match ask(public).await {
        Err(_) => Ok(()),
        Ok(text) => Err(text),
    })
    .await;

    // Services outlive the agent.
    running.stop().await;
    let running = rod.run_with(settings(tunnels));
    let session = script.online(2).await;
    eventually("the service is reached again", async || ask(other).await.map(drop)).await;

    let mut open = TcpStream::connect(("127.0.0.1", other)).await.unwrap();
    open.read_exact(&mut [0; 6]).await.unwrap();
    let said = script.call(session, "ServiceDisable", &[wanted(local)]).await;
    assert_eq!(said.text(), "Cloud service 'echo' tunnel disabled.");
    assert!(!matches!(open.read(&mut [0; 8]).await, Ok(1..)), "its connections are cut");
    assert_eq!(read(&rod, "services.json"), json!({"services": {}}));
    let said = script.call(session, "ServiceDisable", &[wanted(local)]).await;
    assert_eq!(said.text(), format!("ServiceDisable result:  {SERVICE} already removed!"));
    running.stop().await;
}

#[tokio::test]
async fn a_service_whose_tunnel_does_not_stand_is_not_kept() {
    let (tunnels, server) = tunnel_server().await;
    let (_crossroads, script) = cloud().await;
    let (rod, running, session) = online(&script, settings(tunnels)).await;
    let said = script.call(session, "ServiceEnable", &[wanted(22), json!(1)]).await;
    assert!(said.result == "ERROR" && said.text().contains("Error spawning 'echo'"), "{said:?}");
    let taken = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = json!(taken.local_addr().unwrap().port());
    let said = script.call(session, "ServiceEnable", &[wanted(22), port]).await;
    assert_eq!(said.result, "ERROR", "{said:?}");
    server.abort();
    let said = script.call(session, "ServiceEnable", &[wanted(22), json!(free_port())]).await;
    assert_eq!(said.result, "ERROR", "{said:?}");
    assert_eq!(read(&rod, "services.json"), json!({"services": {}}));
    running.stop().await;
}

#[tokio::test]
async fn the_services_of_an_upstream_home_are_opened_and_its_other_members_kept() {
    let ((tunnels, _server), local) = (tunnel_server().await, service().await.port());
    let (_crossroads, script) = cloud().await;
    let (rod, public) = (with_code(&script, CODE), free_port());
    let book = json!({"services": {SERVICE: {
        "name": "echo", "public_port": public, "local_port": local, "pid": 1,
        "enabled_at": "2026-01-01T00:00:00.000000", "updated_at": "", "odd": true
    }}});
    std::fs::write(rod.dir.path().join("services.json"), book.to_string()).unwrap();
    let running = rod.run_with(settings(tunnels));
    let session = script.online(1).await;
    eventually("the service is reached", async || ask(public).await.map(drop)).await;
    script.call(session, "ServiceRestore", &[wanted(local), json!(public)]).await;
    let row = read(&rod, "services.json")["services"][SERVICE].clone();
    assert_eq!(
        (&row["odd"], &row["enabled_at"]),
        (&json!(true), &json!("2026-01-01T00:00:00.000000"))
    );
    running.stop().await;
}
