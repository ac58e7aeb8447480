//! Services through a real link, end to end.

use crate::cloud::Cloud;
use crate::eventually;
use crate::rod::Rod;
use model::{BoardId, ServiceId};
use serde_json::{Value, json};
use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tunnel::{LinkError, ServiceKey, splice};

/// Echoes everything until the end of input, then says goodbye.
async fn echo() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            tokio::spawn(async move {
                let (mut from, mut to) = stream.split();
                if tokio::io::copy(&mut from, &mut to).await.is_ok() {
                    let _ = to.write_all(b"bye").await;
                }
            });
        }
    });
    address
}

fn service(uuid: ServiceId, port: u16) -> Value {
    json!({ "uuid": uuid, "name": "echo", "port": port, "protocol": "tcp" })
}

fn key(uuid: ServiceId) -> ServiceKey {
    ServiceKey::new(uuid.uuid().as_bytes().to_vec()).unwrap()
}

/// A client's socket whose other end is spliced to a channel of the board's link.
async fn dial(cloud: &Cloud, board: BoardId, uuid: ServiceId) -> Result<TcpStream, LinkError> {
    let channel = cloud.link(board).await.open(key(uuid)).await?;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (public, _) = listener.accept().await.unwrap();
    tokio::spawn(splice(channel, public));
    Ok(client)
}

#[tokio::test]
async fn a_service_is_reached_through_the_link_until_it_is_disabled() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    let (uuid, port) = (ServiceId::new(), echo().await.port());
    let arguments = [service(uuid, port), json!(20_000)];
    let said = cloud.call(board, "ServiceEnable", &arguments).await.unwrap();
    assert_eq!(said, "service echo enabled");

    let mut client = dial(&cloud, board, uuid).await.unwrap();
    let sent: Vec<u8> = (0..300_000u32).flat_map(u32::to_le_bytes).collect();
    let (mut from, mut to) = client.split();
    let mut received = Vec::new();
    let (written, read) = tokio::join!(
        async {
            to.write_all(&sent).await?;
            to.shutdown().await
        },
        from.read_to_end(&mut received)
    );
    written.unwrap();
    read.unwrap();
    assert!(received.strip_suffix(b"bye").unwrap() == sent);

    let mut held = dial(&cloud, board, uuid).await.unwrap();
    held.write_all(b"x").await.unwrap();
    assert_eq!(held.read_u8().await.unwrap(), b'x');
    eventually("one connection is counted", async || {
        let status = cloud.call(board, "ServicesStatus", &[]).await.unwrap();
        if status[0]["connections"] == 1 { Ok(()) } else { Err(status.to_string()) }
    })
    .await;
    cloud.call(board, "ServiceDisable", &[service(uuid, port)]).await.unwrap();
    assert!(
        matches!(held.read_u8().await, Err(error) if error.kind() == std::io::ErrorKind::ConnectionReset)
    );
    assert!(matches!(dial(&cloud, board, uuid).await, Err(LinkError::Refused(_))));
    assert_eq!(cloud.call(board, "ServicesStatus", &[]).await.unwrap(), json!([]));
    running.stop().await;
}

#[tokio::test]
async fn services_are_back_after_a_restart_of_the_agent_and_of_the_cloud() {
    let mut cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    let (uuid, port) = (ServiceId::new(), echo().await.port());
    let arguments = [service(uuid, port), json!(20_000)];
    cloud.call(board, "ServiceEnable", &arguments).await.unwrap();
    let works = async |cloud: &Cloud| {
        let mut client = dial(cloud, board, uuid).await.unwrap();
        client.write_all(b"x").await.unwrap();
        assert_eq!(client.read_u8().await.unwrap(), b'x');
    };
    works(&cloud).await;
    running.stop().await;
    cloud.forget_links();
    let running = rod.run();
    works(&cloud).await;
    cloud.crash().await;
    cloud.restart().await;
    works(&cloud).await;
    running.stop().await;
}

#[tokio::test]
async fn a_key_that_is_not_in_the_table_leads_nowhere() {
    let cloud = Cloud::start().await;
    let (rod, board) = Rod::enrolled(&cloud).await;
    let running = rod.run();
    let port = echo().await.port();
    let arguments = [service(ServiceId::new(), port), json!(20_000)];
    cloud.call(board, "ServiceEnable", &arguments).await.unwrap();
    let link = cloud.link(board).await;
    for wrong in
        [format!("127.0.0.1:{port}").into_bytes(), ServiceId::new().to_string().into_bytes()]
    {
        let refused = link.open(ServiceKey::new(wrong).unwrap()).await;
        assert!(matches!(refused, Err(LinkError::Refused(_))), "{refused:?}");
    }
    running.stop().await;
}
