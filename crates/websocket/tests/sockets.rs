//! The shell on real loopback sockets, against itself and against tungstenite in both directions.

// The lints' exception for tests does not reach the helpers of an integration test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use std::net::TcpListener as StdListener;
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use tokio::net::{TcpListener, TcpStream};
use tungstenite::protocol::CloseFrame;
use tungstenite::protocol::frame::coding::CloseCode;
use websocket::handshake::{self, HandshakeError, Refusal};
use websocket::{CloseReason, Error, Limits, Message, WebSocket};

const LIMITS: Limits = Limits { max_message: 8 * 1024 * 1024 };
const DEADLINE: Duration = Duration::from_secs(60);

async fn within<T>(future: impl Future<Output = T>) -> T {
    tokio::time::timeout(DEADLINE, future).await.expect("done before the deadline")
}

/// Echoes messages until the other side closes; gives back how it ended.
async fn echo(socket: WebSocket<TcpStream>) -> Result<(), Error> {
    let (mut reader, mut writer) = socket.split();
    loop {
        let message = reader.next().await?;
        let is_close = matches!(message, Message::Close(_));
        match message.reply() {
            Some(reply) => writer.feed(&reply),
            None if matches!(message, Message::Pong(_)) => {}
            None => writer.feed(&message),
        }
        writer.flush().await?;
        if is_close {
            return writer.shutdown().await;
        }
    }
}

async fn pair(limits: Limits) -> (WebSocket<TcpStream>, WebSocket<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = async {
        let (io, _) = listener.accept().await.unwrap();
        handshake::server(io, limits, |_| Ok(None)).await.unwrap().0
    };
    let client = async {
        let io = TcpStream::connect(address).await.unwrap();
        handshake::client(io, "localhost", "/", &[], &[], limits).await.unwrap().0
    };
    within(async { tokio::join!(client, server) }).await
}

fn samples() -> Vec<Vec<u8>> {
    [0, 1, 125, 126, 65_535, 65_536, 70_000, 1_000_000, 5_000_000, 3]
        .iter()
        .map(|&length: &usize| (0..length).map(|n| (n * 7) as u8).collect())
        .collect()
}

#[tokio::test]
async fn both_ends_of_ours_exchange_messages_of_every_length_class() {
    let (client, server) = pair(LIMITS).await;
    let server = tokio::spawn(echo(server));
    let (mut reader, mut writer) = client.split();
    for body in samples() {
        writer.feed_binary_with(&body[..body.len() / 3], &body[body.len() / 3..]);
        within(writer.flush()).await.unwrap();
        assert_eq!(within(reader.next()).await.unwrap(), Message::Binary(body.into()));
    }
    writer.feed(&Message::Close(Some(CloseReason::new(1000, "bye"))));
    within(writer.flush()).await.unwrap();
    let echoed = Message::Close(Some(CloseReason::new(1000, "")));
    assert_eq!(within(reader.next()).await.unwrap(), echoed);
    assert!(matches!(within(reader.next()).await, Err(Error::Closed)));
    within(server).await.unwrap().unwrap();
}

#[tokio::test]
async fn a_batch_of_small_messages_arrives_in_order() {
    let (client, server) = pair(LIMITS).await;
    let (_reader, mut writer) = client.split();
    let (mut reader, _writer) = server.split();
    for number in 0..5000u32 {
        writer.feed(&Message::Text(number.to_string().into()));
    }
    let send = async { writer.flush().await.unwrap() };
    let receive = async {
        for number in 0..5000u32 {
            assert_eq!(reader.next().await.unwrap(), Message::Text(number.to_string().into()));
        }
    };
    within(async { tokio::join!(send, receive) }).await;
}

#[tokio::test]
async fn the_end_of_the_stream_inside_a_frame_is_told_from_a_clean_end() {
    use tokio::io::AsyncWriteExt;
    for (bytes, is_clean) in [(&[][..], true), (&[0x82, 5, 1][..], false), (&[0x82][..], false)] {
        let (server, client) = pair(LIMITS).await;
        let (mut io, ..) = client.into_parts();
        io.write_all(bytes).await.unwrap();
        drop(io);
        let (mut reader, _writer) = server.split();
        let end = within(reader.next()).await.unwrap_err();
        assert_eq!(matches!(end, Error::Closed), is_clean, "{end:?}");
        assert_eq!(matches!(end, Error::Truncated), !is_clean, "{end:?}");
    }
}

#[tokio::test]
async fn reads_and_flushes_that_are_dropped_halfway_lose_nothing() {
    let (near, far) = tokio::io::duplex(100);
    let near = WebSocket::new(near, websocket::Role::Client, LIMITS, Bytes::new());
    let far = WebSocket::new(far, websocket::Role::Server, LIMITS, Bytes::new());
    let ((_keep, mut writer), (mut reader, _keep_too)) = (near.split(), far.split());
    for number in 0..200u32 {
        writer.feed(&Message::Binary(vec![number as u8; 37].into()));
    }
    for number in 0..200u32 {
        let message = loop {
            // Whichever is ready first; the other is dropped in the middle of its work.
            tokio::select! {
                message = reader.next() => break message.unwrap(),
                flushed = writer.flush(), if writer.pending() > 0 => flushed.unwrap(),
            }
        };
        assert_eq!(message, Message::Binary(vec![number as u8; 37].into()));
    }
    assert_eq!(writer.pending(), 0);
}

#[tokio::test]
async fn an_oversized_message_ends_the_connection_with_1009() {
    let (client, server) = pair(Limits { max_message: 1000 }).await;
    let server = tokio::spawn(echo(server));
    let (_reader, mut writer) = client.split();
    writer.feed(&Message::Binary(vec![0; 1001].into()));
    within(writer.flush()).await.unwrap();
    let error = within(server).await.unwrap().unwrap_err();
    assert_eq!(error.close_code(), Some(1009));
}

#[tokio::test]
async fn a_refused_request_tells_the_client_the_status() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = async {
        let (io, _) = listener.accept().await.unwrap();
        handshake::server(io, LIMITS, |request| {
            assert_eq!(request.path, "/nowhere");
            Err(Refusal::NotFound)
        })
        .await
    };
    let client = async {
        let io = TcpStream::connect(address).await.unwrap();
        handshake::client(io, "localhost", "/nowhere", &[], &[], LIMITS).await
    };
    let (client, server) = within(async { tokio::join!(client, server) }).await;
    assert!(matches!(client, Err(HandshakeError::Status { status: 404, .. })));
    assert!(matches!(server, Err(HandshakeError::Refused(Refusal::NotFound))));
}

#[tokio::test]
async fn header_injection_is_refused_before_anything_is_sent() {
    for (host, path, value) in
        [("a\r\nb", "/", "v"), ("h", "/ HTTP/1.1\r\n", "v"), ("h", "/", "v\r\nX: y")]
    {
        let (io, _other) = tokio::io::duplex(64);
        let opened = handshake::client(io, host, path, &[], &[("x-test", value)], LIMITS).await;
        assert!(matches!(opened, Err(HandshakeError::BadRequest(_))));
    }
}

#[tokio::test]
async fn our_client_talks_to_a_tungstenite_server() {
    let listener = StdListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = thread::spawn(move || {
        let mut socket = tungstenite::accept(listener.accept().unwrap().0).unwrap();
        loop {
            match socket.read() {
                Ok(message) if message.is_text() || message.is_binary() => {
                    socket.send(message).unwrap();
                }
                Ok(_) => {}
                Err(error) => return error,
            }
        }
    });
    let io = TcpStream::connect(address).await.unwrap();
    let opened = handshake::client(io, "localhost", "/", &[], &[], LIMITS);
    let (mut reader, mut writer) = within(opened).await.unwrap().0.split();
    for body in samples() {
        writer.feed(&Message::Binary(body.clone().into()));
        within(writer.flush()).await.unwrap();
        assert_eq!(within(reader.next()).await.unwrap(), Message::Binary(body.into()));
    }
    writer.feed(&Message::Text("grüße".into()));
    writer.feed(&Message::Ping(Bytes::from_static(b"ping")));
    writer.feed(&Message::Close(Some(CloseReason::new(1000, "bye"))));
    within(writer.flush()).await.unwrap();
    assert_eq!(within(reader.next()).await.unwrap(), Message::Text("grüße".into()));
    assert_eq!(within(reader.next()).await.unwrap(), Message::Pong(Bytes::from_static(b"ping")));
    assert!(matches!(within(reader.next()).await.unwrap(), Message::Close(Some(_))));
    assert!(matches!(server.join().unwrap(), tungstenite::Error::ConnectionClosed));
}

#[tokio::test]
async fn our_server_talks_to_a_tungstenite_client() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = thread::spawn(move || {
        let stream = std::net::TcpStream::connect(address).unwrap();
        let (mut socket, _) = tungstenite::client("ws://localhost/path", stream).unwrap();
        for body in samples() {
            socket.send(tungstenite::Message::binary(body.clone())).unwrap();
            assert_eq!(socket.read().unwrap(), tungstenite::Message::binary(body));
        }
        socket.send(tungstenite::Message::text("grüße")).unwrap();
        assert_eq!(socket.read().unwrap(), tungstenite::Message::text("grüße"));
        let frame = CloseFrame { code: CloseCode::Normal, reason: "bye".into() };
        socket.close(Some(frame)).unwrap();
        loop {
            if let Err(error) = socket.read() {
                return error;
            }
        }
    });
    let (io, _) = listener.accept().await.unwrap();
    let (socket, request) = within(handshake::server(io, LIMITS, |_| Ok(None))).await.unwrap();
    assert_eq!(request.path, "/path");
    within(echo(socket)).await.unwrap();
    assert!(matches!(client.join().unwrap(), tungstenite::Error::ConnectionClosed));
}
