//! Requests in which a second one is hidden, or a header that two readers would read in two ways: refused, or the hidden part
//! is never done.

use crate::world::{PATIENCE, World};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Everything that is answered until the connection ends.
async fn answered(world: &World, said: &str) -> String {
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    stream.write_all(said.as_bytes()).await.unwrap();
    let mut text = Vec::new();
    let read = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut text)).await;
    read.expect("the connection is ended").unwrap();
    String::from_utf8(text).unwrap()
}

#[tokio::test]
async fn a_request_hidden_behind_two_lengths_is_never_done() {
    let world = World::start().await;
    let owner = world.owner().await;
    let (host, token) = (world.address, &owner.token);
    let hidden = r#"{"name":"hidden"}"#;
    let inner = format!(
        "POST /v2/fleets HTTP/1.1\r\nhost: {host}\r\nx-auth-token: {token}\r\ncontent-type: application/json\r\n\
         content-length: {}\r\n\r\n{hidden}",
        hidden.len()
    );
    let head = format!("POST /v2/fleets HTTP/1.1\r\nhost: {host}\r\nx-auth-token: {token}\r\n");
    // One reader goes by the length, the other by the pieces.
    let both = format!(
        "{head}content-length: {}\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n{inner}",
        inner.len() + 5
    );
    let text = answered(&world, &both).await;
    assert_eq!(text.matches("HTTP/1.1").count(), 1, "{text}");
    let two = format!("{head}content-length: 0\r\ncontent-length: {}\r\n\r\n{inner}", inner.len());
    let text = answered(&world, &two).await;
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    assert_eq!(text.matches("HTTP/1.1").count(), 1, "{text}");
    let odd = format!("{head}transfer-encoding: chunked, identity\r\n\r\n0\r\n\r\n{inner}");
    let text = answered(&world, &odd).await;
    assert!(text.starts_with("HTTP/1.1 400"), "{text}");
    assert_eq!(world.get(&owner, "/v2/fleets").await.expect(200)["items"], json!([]));
}

#[tokio::test]
async fn a_token_in_a_header_that_is_no_header_is_refused() {
    let world = World::start().await;
    let owner = world.owner().await;
    let (host, token) = (world.address, &owner.token);
    for header in [
        format!("x-auth-token : {token}"),
        format!("x-auth-token: x\r\n {token}"),
        format!("x-auth-token: {token}\0"),
        format!(" x-auth-token: {token}"),
    ] {
        let asked = format!(
            "GET /v2/boards HTTP/1.1\r\nhost: {host}\r\n{header}\r\nconnection: close\r\n\r\n"
        );
        let text = answered(&world, &asked).await;
        assert!(text.starts_with("HTTP/1.1 400"), "{header:?}: {text}");
    }
}
