//! Those who do not speak the dialect, or break its rules: refused or cut, and nobody else notices.

use std::io::ErrorKind;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tunnel::wstun::{ControlEnded, PumpError, ServeError, Served};
use websocket::handshake::HandshakeError;
use websocket::{Message, Reader, Writer};

use crate::common::{noise, service, soon, write_all};
use crate::forwarding::{greet, is_greeted};
use crate::support::*;

type Halves = (Reader<tokio::io::ReadHalf<TcpStream>>, Writer<tokio::io::WriteHalf<TcpStream>>);

/// A customer and the raw data socket that fetched it.
async fn fetched(cloud: &Cloud) -> (TcpStream, Halves, Halves) {
    let (mut reader, writer) = raw_control(cloud).await.split();
    let customer = cloud.customer().await;
    let id = notice(&mut reader).await;
    let data = raw(cloud.address, &format!("/?id={id}")).await.unwrap();
    (customer, data.split(), (reader, writer))
}

/// Sends bytes as they are and reads what comes until the end.
async fn exchange<P>(cloud: &Cloud<P>, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(cloud.address).await.unwrap();
    write_all(&mut stream, request).await;
    let mut answer = Vec::new();
    // Whoever is cut in the middle of a sentence may see a reset.
    let _ = soon("the answer", stream.read_to_end(&mut answer)).await;
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_plain_get_sees_that_the_server_runs() {
    let mut cloud = cloud(settings()).await;
    let page = exchange(&cloud, b"GET / HTTP/1.1\r\nHost: a\r\n\r\n").await;
    assert!(page.starts_with("HTTP/1.1 200 OK\r\nContent-Type: text/html"), "{page}");
    assert!(page.contains("wstun is running"), "{page}");
    let (_, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(page.contains(&format!("Content-Length: {}\r\n", body.len())));
    assert!(matches!(cloud.outcome().await, Ok(Served::Page)));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_the_dialect_is_refused() {
    let cloud = cloud(settings()).await;
    assert!(exchange(&cloud, b"POST / HTTP/1.1\r\n\r\n").await.starts_with("HTTP/1.1 400 "));
    assert_eq!(exchange(&cloud, &noise(1, 2000)).await, "");
    assert_eq!(exchange(&cloud, &[b'G'; 40_000]).await, "");
    let upgrade = b"GET /?dst=a:1 HTTP/1.1\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
        Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";
    assert!(exchange(&cloud, upgrade).await.starts_with("HTTP/1.1 400 "));
    for (path, expected) in [
        ("/", 400),
        ("/?dst=127.0.0.1", 400),
        ("/?dst=a:99999", 400),
        ("/?id=1000", 400),
        ("/?id=12345678-9abc-4def-8123-456789abcdef", 404),
    ] {
        let error = raw(cloud.address, path).await.unwrap_err();
        assert!(
            matches!(error, HandshakeError::Status { status, .. } if status == expected),
            "{path}: {error}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_id_fetches_its_client_once() {
    let cloud = cloud(settings()).await;
    let (mut reader, _writer) = raw_control(&cloud).await.split();
    let _customer = cloud.customer().await;
    let path = format!("/?id={}", notice(&mut reader).await);
    let _first = raw(cloud.address, &path).await.unwrap();
    let error = raw(cloud.address, &path).await.unwrap_err();
    assert!(matches!(error, HandshakeError::Status { status: 404, .. }), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_first_bytes_wait_until_the_data_socket_has_answered_a_ping() {
    let cloud = cloud(settings()).await;
    let (mut customer, (mut reader, mut writer), _control) = fetched(&cloud).await;
    write_all(&mut customer, b"first").await;
    let ping = soon("the ping", reader.next()).await.unwrap();
    writer.feed(&ping.reply().expect("a ping comes first"));
    writer.flush().await.unwrap();
    let first = soon("the bytes", reader.next()).await.unwrap();
    assert_eq!(first, Message::Binary("first".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_data_socket_that_never_answers_gets_the_bytes_all_the_same() {
    let cloud = cloud(settings()).await;
    let (mut customer, (mut reader, _writer), _control) = fetched(&cloud).await;
    write_all(&mut customer, b"first").await;
    assert!(matches!(soon("the ping", reader.next()).await.unwrap(), Message::Ping(_)));
    assert_eq!(soon("the bytes", reader.next()).await.unwrap(), Message::Binary("first".into()));
}

#[tokio::test(flavor = "multi_thread")]
async fn broken_frames_on_a_data_socket_reset_the_client() {
    let two_mebibytes =
        [&[0x82, 0xff, 0, 0, 0, 0, 0, 0x20, 0, 0, 1, 2, 3, 4][..], &[0; 100]].concat();
    let unmasked = b"\x82\x05hello".to_vec();
    for garbage in [two_mebibytes, unmasked, vec![0xff; 64]] {
        let mut cloud = cloud(settings()).await;
        let (mut customer, (_reader, writer), _control) = fetched(&cloud).await;
        let mut socket = writer.into_inner();
        socket.write_all(&garbage).await.unwrap();
        let error = soon("the reset", customer.read(&mut [0; 8])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let outcome = cloud.outcome().await;
        assert!(
            matches!(
                &outcome,
                Err(ServeError::Data(PumpError::Socket(websocket::Error::Violation(_))))
            ),
            "{outcome:?}"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn text_or_a_lost_data_socket_reset_the_client_too() {
    let mut cloud = cloud(settings()).await;
    let (mut customer, (reader, mut writer), control) = fetched(&cloud).await;
    writer.feed_text("hello");
    writer.flush().await.unwrap();
    let error = soon("the reset", customer.read(&mut [0; 8])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    assert!(matches!(cloud.outcome().await, Err(ServeError::Data(PumpError::Text))));
    drop((reader, writer, control));
    cloud.outcome().await.unwrap();

    let (mut customer, data, _control) = fetched(&cloud).await;
    drop(data);
    let error = soon("the reset", customer.read(&mut [0; 8])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread")]
async fn words_on_a_control_socket_are_not_for_us_but_floods_are_cut() {
    let mut cloud = cloud(settings()).await;
    let (mut reader, mut writer) = raw_control(&cloud).await.split();
    writer.feed_text("NC:1000");
    writer.feed(&Message::Binary(noise(1, 1000).into()));
    writer.flush().await.unwrap();
    let _customer = cloud.customer().await;
    notice(&mut reader).await;
    writer.feed(&Message::Binary(noise(1, 100_000).into()));
    writer.flush().await.unwrap();
    let Ok(Served::Control { ended, .. }) = cloud.outcome().await else { panic!("refused") };
    assert!(matches!(ended, ControlEnded::Socket(websocket::Error::Violation(_))), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_that_talks_nonsense_does_not_confuse_the_board() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let client = client(address, 1.try_into().unwrap(), service(greet).await);
    let board = tokio::spawn(Board::up(client));
    let (stream, _) = listener.accept().await.unwrap();
    let limits = websocket::Limits::default();
    let choose = |_: &websocket::handshake::Request| Ok(Some("tunnel-protocol".to_owned()));
    let (socket, request) = websocket::handshake::server(stream, limits, choose).await.unwrap();
    assert_eq!(request.path, "/?dst=127.0.0.1:1&uuid=board-1");
    let (_reader, mut writer) = socket.split();
    for nonsense in ["", "NC:", "NC:a b\r\n", "NC:../../x", "HELLO", "NC:7"] {
        writer.feed_text(nonsense);
    }
    writer.flush().await.unwrap();
    let (stream, _) = soon("the only data socket", listener.accept()).await.unwrap();
    let (data, request) = websocket::handshake::server(stream, limits, choose).await.unwrap();
    assert_eq!(request.path, "/?id=7");
    let (mut reader, _) = data.split();
    let banner = soon("the banner", reader.next()).await.unwrap();
    assert_eq!(banner, Message::Binary("SSH-2.0-test\r\n".into()));
    drop(writer);
    drop(board.await.unwrap());
}

#[tokio::test(flavor = "multi_thread")]
async fn strangers_do_not_disturb_a_board() {
    let (cloud, _board) = pair(service(greet).await).await;
    let mut customer = cloud.customer().await;
    for seed in 0..20 {
        exchange(&cloud, &noise(seed, 500)).await;
    }
    is_greeted(&mut customer).await;
}
