//! Raw sockets: joining, calling and misbehaving over TCP and Unix sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod world;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use wamp::rawsocket::{self, HandshakeError};
use wamp::{
    Anonymous, Arguments, CallOptions, ClientSettings, Directory, Ended, Match, Roles, Router,
    RouterSettings, Serialiser, Session,
};
use websocket::Limits;
use world::{LIMITS, REALM, echo, within};

fn router() -> Router<Directory> {
    Router::new(RouterSettings::realm(REALM), Directory::open("guest"))
}

fn serve<S>(
    router: &Router<Directory>,
    io: S,
) -> tokio::task::JoinHandle<Result<Ended, HandshakeError>>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let router = router.clone();
    tokio::spawn(async move {
        let socket = rawsocket::accept(io, LIMITS).await?;
        Ok(router.serve_raw(socket, None).await)
    })
}

async fn join<S>(io: S, serialiser: Serialiser) -> Session
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let socket = within(rawsocket::offer(io, serialiser, LIMITS)).await.unwrap();
    let (roles, settings) = (Roles::default(), ClientSettings::default());
    within(wamp::connect_raw(socket, REALM, roles, Anonymous, settings)).await.unwrap()
}

async fn pipe() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    (near, listener.accept().await.unwrap().0)
}

#[tokio::test]
async fn sessions_over_tcp_and_unix_sockets_call_each_other_in_every_serialiser() {
    let router = router();
    let folder = std::env::temp_dir().join(format!("wamp-raw-{}", std::process::id()));
    let listener = UnixListener::bind(&folder).unwrap();
    let mut sessions = Vec::new();
    for serialiser in Serialiser::ALL {
        let (near, far) = pipe().await;
        serve(&router, far);
        sessions.push(join(near, serialiser).await);
        let near = UnixStream::connect(&folder).await.unwrap();
        serve(&router, listener.accept().await.unwrap().0);
        sessions.push(join(near, serialiser).await);
    }
    std::fs::remove_file(&folder).unwrap();
    for (number, session) in sessions.iter().enumerate() {
        within(session.register(&format!("echo.{number}"), Match::Exact, echo())).await.unwrap();
    }
    let long = Arguments::one("x".repeat(100_000));
    for caller in &sessions {
        for number in 0..sessions.len() {
            let procedure = format!("echo.{number}");
            let call = caller.call(&procedure, long.clone(), CallOptions::default());
            assert_eq!(within(call).await.unwrap(), long);
        }
    }
}

#[tokio::test]
async fn pings_are_answered_and_a_goodbye_ends_it() {
    let router = router();
    let (mut near, far) = pipe().await;
    let served = serve(&router, far);
    within(near.write_all(&[0x7f, 0x41, 0, 0])).await.unwrap();
    let mut answer = [0; 4];
    within(near.read_exact(&mut answer)).await.unwrap();
    assert_eq!(answer, [0x7f, 0x91, 0, 0], "JSON, and up to 2^18 bytes");
    let hello = br#"[1,"s4t",{"roles":{"caller":{}}}]"#;
    let mut frames = vec![0, 0, 0, hello.len() as u8];
    frames.extend_from_slice(hello);
    frames.extend_from_slice(&[1, 0, 0, 2, b'h', b'i']);
    within(near.write_all(&frames)).await.unwrap();
    let mut kinds = Vec::new();
    for _ in 0..2 {
        let mut header = [0; 4];
        within(near.read_exact(&mut header)).await.unwrap();
        let mut body = vec![0; usize::from(header[2]) << 8 | usize::from(header[3])];
        within(near.read_exact(&mut body)).await.unwrap();
        kinds.push((header[0], body));
    }
    kinds.sort();
    assert!(kinds[0].1.starts_with(b"[2,"), "WELCOME");
    assert_eq!(kinds[1], (2, b"hi".to_vec()), "a pong with the ping's body");
    let goodbye = br#"[6,{},"wamp.close.normal"]"#;
    let mut frame = vec![0, 0, 0, goodbye.len() as u8];
    frame.extend_from_slice(goodbye);
    within(near.write_all(&frame)).await.unwrap();
    assert!(matches!(within(served).await.unwrap(), Ok(Ended::Goodbye { .. })));
    let mut rest = Vec::new();
    within(near.read_to_end(&mut rest)).await.unwrap();
    assert!(rest[4..].starts_with(b"[6,"), "the goodbye is answered");
}

#[tokio::test]
async fn strangers_unknown_serialisers_and_reserved_bits_are_refused() {
    let router = router();
    for (bytes, expected) in [
        (*b"GET ", None),
        ([0x7f, 0xf4, 0, 0], Some([0x7f, 0x10, 0, 0])),
        ([0x7f, 0xf1, 0, 1], Some([0x7f, 0x30, 0, 0])),
    ] {
        let (mut near, far) = pipe().await;
        let served = serve(&router, far);
        within(near.write_all(&bytes)).await.unwrap();
        let mut answer = Vec::new();
        within(near.read_to_end(&mut answer)).await.unwrap();
        assert_eq!(answer, expected.map_or(Vec::new(), |answer| answer.to_vec()));
        assert!(within(served).await.unwrap().is_err());
    }
}

#[tokio::test]
async fn messages_too_long_and_kinds_unknown_end_their_session() {
    let router = router();
    for frame in [[0, 0xff, 0xff, 0xff], [3, 0, 0, 0]] {
        let (mut near, far) = pipe().await;
        let served = serve(&router, far);
        within(near.write_all(&[0x7f, 0xf3, 0, 0])).await.unwrap();
        within(near.write_all(&frame)).await.unwrap();
        let ended = within(served).await.unwrap().unwrap();
        assert!(matches!(ended, Ended::Violation(_)), "{ended}");
    }
}

#[tokio::test]
async fn what_is_too_long_for_the_receiver_is_not_sent() {
    let router = router();
    let (near, far) = pipe().await;
    serve(&router, far);
    let caller = join(near, Serialiser::Cbor).await;
    let (near, far) = pipe().await;
    let served = serve(&router, far);
    let small = Limits { max_message: 1024 };
    let socket = within(rawsocket::offer(near, Serialiser::Cbor, small)).await.unwrap();
    let (roles, settings) = (Roles::default(), ClientSettings::default());
    let callee = wamp::connect_raw(socket, REALM, roles, Anonymous, settings);
    let callee = within(callee).await.unwrap();
    within(callee.register("echo", Match::Exact, echo())).await.unwrap();
    let options = CallOptions::default();
    assert!(within(caller.call("echo", Arguments::one("x"), options)).await.is_ok());
    let call = caller.call("echo", Arguments::one("x".repeat(2000)), options);
    assert!(within(call).await.is_err());
    assert!(matches!(within(served).await.unwrap().unwrap(), Ended::Violation(_)));
}
