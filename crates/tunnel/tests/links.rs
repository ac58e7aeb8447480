//! The link itself: who may have one, how it ends, and what a peer that breaks the rules gets.
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]

mod common;

use std::io::ErrorKind;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use common::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tunnel::frame::{Frame, MAX_MESSAGE};
use tunnel::handshake::{self, Failure, HANDSHAKE_DEADLINE, HandshakeError};
use tunnel::{
    ChannelError, Ended, GoAway, GoAwayCode, Link, NotAccepting, ResetReason, Settings, Side,
    Violation,
};
use websocket::{Message, Role, WebSocket};

const NO_GRACE: Duration = Duration::ZERO;

#[tokio::test(flavor = "multi_thread")]
async fn a_board_with_the_wrong_key_is_refused_and_told() {
    let (board_end, cloud_end) = connected().await;
    let impostor = Board { secret: 9, ..BOARD };
    let (dialled, accepted) = tokio::join!(
        handshake::dial(socket(board_end, Role::Client), &impostor, HANDSHAKE_DEADLINE),
        handshake::accept(socket(cloud_end, Role::Server), &Cloud, HANDSHAKE_DEADLINE),
    );
    let reason = "unknown board or wrong key";
    assert!(matches!(accepted, Err(HandshakeError::TurnedDown { .. })));
    let Err(HandshakeError::Failed(Failure::Refused(told))) = dialled else {
        panic!("{dialled:?}")
    };
    assert_eq!(told, reason);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cloud_with_the_wrong_key_is_not_trusted() {
    let (board_end, cloud_end) = connected().await;
    let careful = Board { expects: 9, ..BOARD };
    let (dialled, _accepted) = tokio::join!(
        handshake::dial(socket(board_end, Role::Client), &careful, HANDSHAKE_DEADLINE),
        handshake::accept(socket(cloud_end, Role::Server), &Cloud, HANDSHAKE_DEADLINE),
    );
    assert!(matches!(dialled, Err(HandshakeError::Failed(Failure::WrongPeer))));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_peer_that_is_silent_in_the_handshake_is_cut() {
    let (mut silent, cloud_end) = connected().await;
    let websocket = socket(cloud_end, Role::Server);
    let begin = Instant::now();
    let outcome = handshake::accept(websocket, &Cloud, Duration::from_millis(200)).await;
    assert!(matches!(outcome, Err(HandshakeError::Silent)));
    // Not the deadline of a whole handshake.
    assert!(begin.elapsed() < HANDSHAKE_DEADLINE, "{:?}", begin.elapsed());
    let said = read_to_end(&mut silent).await;
    assert!(String::from_utf8_lossy(&said).contains("not finished in time"));

    let (board_end, _mute_cloud) = connected().await;
    let websocket = socket(board_end, Role::Client);
    let outcome = handshake::dial(websocket, &BOARD, Duration::from_millis(200)).await;
    assert!(matches!(outcome, Err(HandshakeError::Silent)));
}

#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_the_handshake_is_named() {
    let (board_end, cloud_end) = connected().await;
    let (mut reader, mut writer) = socket(board_end, Role::Client).split();
    let accepting = tokio::spawn(handshake_of(cloud_end));
    assert!(matches!(reader.next().await, Ok(Message::Binary(_))));
    writer.feed(&Message::Binary(Bytes::from_static(b"\x42garbage")));
    writer.flush().await.unwrap();
    let outcome = soon("the verdict", accepting).await.unwrap();
    assert!(matches!(outcome, Err(HandshakeError::Failed(Failure::Malformed(_)))), "{outcome:?}");
}

async fn handshake_of(
    cloud_end: TcpStream,
) -> Result<tunnel::Authenticated<TcpStream>, HandshakeError> {
    handshake::accept(socket(cloud_end, Role::Server), &Cloud, HANDSHAKE_DEADLINE).await
}

/// A cloud whose board, after an honest handshake, sends these messages.
async fn cloud_that_hears(messages: Vec<Message>) -> (Arc<Ended>, Vec<Message>) {
    let (board_end, cloud_end) = connected().await;
    let accepting = tokio::spawn(handshake_of(cloud_end));
    let mut wire = dial_by_hand(board_end).await;
    let (_link, driver) =
        Link::new(accepting.await.unwrap().unwrap(), NotAccepting, Settings::default());
    let task = tokio::spawn(driver.run());
    for message in &messages {
        wire.1.feed(message);
    }
    wire.1.flush().await.unwrap();
    let mut heard = Vec::new();
    while let Ok(message) = soon("last words", wire.0.next()).await {
        heard.push(message);
    }
    drop(wire);
    (soon("the end", task).await.unwrap(), heard)
}

type Halves = (
    websocket::Reader<tokio::io::ReadHalf<TcpStream>>,
    websocket::Writer<tokio::io::WriteHalf<TcpStream>>,
);

async fn dial_by_hand(stream: TcpStream) -> Halves {
    stream.set_nodelay(true).unwrap();
    let limits = websocket::Limits { max_message: 1 << 20 };
    let (mut reader, mut writer) =
        WebSocket::new(stream, Role::Client, limits, Bytes::new()).split();
    let Ok(Message::Binary(hello)) = reader.next().await else { panic!("no hello") };
    let dialling = handshake::Dialling::new([5; 32]);
    let (answered, answer) = dialling.on_hello(&hello, &BOARD).unwrap();
    writer.feed(&Message::Binary(answer));
    writer.flush().await.unwrap();
    let Ok(Message::Binary(verdict)) = reader.next().await else { panic!("no verdict") };
    answered.on_verdict(&verdict, &BOARD).unwrap();
    (reader, writer)
}

#[tokio::test(flavor = "multi_thread")]
async fn malformed_frames_end_the_link_and_say_why() {
    for (bytes, says) in [
        (&b"\x09\0\0\0\x01"[..], "unknown frame kind 9"),
        (b"\x01\0\0", "cut off"),
        (b"", "cut off"),
        (b"\x06\0\0\0\x01\0", "too many"),
        (b"\x06\0\0\0\x01", "never opened"),
    ] {
        let message = Message::Binary(Bytes::from_static(bytes));
        let (ended, heard) = cloud_that_hears(vec![message]).await;
        assert!(matches!(&*ended, Ended::Violation(_)), "{ended}");
        assert!(ended.to_string().contains(says), "{ended}");
        let Some(Message::Binary(away)) = heard.first() else { panic!("{heard:?}") };
        let Ok(Frame::GoAway(away)) = tunnel::frame::decode(away.clone()) else {
            panic!("{away:?}")
        };
        assert_eq!(away.code, GoAwayCode::Violation);
        assert!(away.text.contains(says), "{away}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_oversized_message_ends_the_link() {
    let message = Message::Binary(vec![4; MAX_MESSAGE + 1].into());
    let (ended, heard) = cloud_that_hears(vec![message]).await;
    assert!(matches!(&*ended, Ended::Connection(_)), "{ended}");
    let Some(Message::Close(Some(reason))) = heard.last() else { panic!("{heard:?}") };
    assert_eq!(reason.code, 1009);
}

#[tokio::test(flavor = "multi_thread")]
async fn text_on_the_link_ends_it() {
    let (ended, _) = cloud_that_hears(vec![Message::Text(Bytes::from_static(b"hi"))]).await;
    assert!(matches!(&*ended, Ended::Violation(Violation::Text)), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_ping_is_answered_and_a_close_ends_the_link() {
    let (board_end, cloud_end) = connected().await;
    let accepting = tokio::spawn(handshake_of(cloud_end));
    let (mut reader, mut writer) = dial_by_hand(board_end).await;
    let (_link, driver) =
        Link::new(accepting.await.unwrap().unwrap(), NotAccepting, Settings::default());
    let task = tokio::spawn(driver.run());
    let body = Bytes::from_static(b"are you there");
    writer.feed(&Message::Ping(body.clone()));
    writer.flush().await.unwrap();
    assert_eq!(soon("the pong", reader.next()).await.unwrap(), Message::Pong(body));
    writer.feed(&Message::Close(None));
    writer.flush().await.unwrap();
    assert!(matches!(soon("the close", reader.next()).await.unwrap(), Message::Close(_)));
    let ended = soon("the end", task).await.unwrap();
    assert!(matches!(&*ended, Ended::Closed), "{ended}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_that_is_cut_resets_what_it_carried_on_both_sides() {
    let (seen, mut sees) = tokio::sync::mpsc::channel(1);
    let target = service(move |mut stream: TcpStream| {
        let seen = seen.clone();
        async move {
            stream.write_all(b"ready").await.unwrap();
            let outcome = stream.read(&mut [0; 8]).await;
            seen.send(outcome.map_err(|error| error.kind())).await.unwrap();
        }
    })
    .await;
    for side in [Side::Listened, Side::Dialled] {
        let pair = link(Table::one(target), Settings::default()).await;
        let address = public_port(pair.cloud.clone()).await;
        let mut client = TcpStream::connect(address).await.unwrap();
        soon("the greeting", client.read_exact(&mut [0; 5])).await.unwrap();

        let (task, link) = match side {
            Side::Listened => (&pair.cloud_task, &pair.cloud),
            Side::Dialled => (&pair.board_task, &pair.board),
        };
        task.abort();
        let error = soon("the client's reset", client.read(&mut [0; 8])).await.unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ConnectionReset);
        let outcome = soon("the service's reset", sees.recv()).await.unwrap();
        assert_eq!(outcome, Err(ErrorKind::ConnectionReset));
        assert!(matches!(&*soon("the end", link.closed()).await, Ended::Dropped));
        soon("the cloud's end", pair.cloud.closed()).await;
        soon("the board's end", pair.board.closed()).await;
        let error = pair.cloud.open(key()).await.unwrap_err();
        assert!(error.to_string().contains("link lost"), "{error}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_shutdown_lets_channels_finish_and_takes_no_new_ones() {
    let (pair, address) = forwarded(echo).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    write_all(&mut client, b"one").await;
    soon("one", client.read_exact(&mut [0; 3])).await.unwrap();
    let board = pair.board.clone();
    let leaving = tokio::spawn(async move { board.shutdown(PATIENCE).await });
    until("the cloud hears of it", || {
        pair.cloud.open_eagerly(key()).is_err_and(|error| error.to_string().contains("going away"))
    })
    .await;
    write_all(&mut client, b"two").await;
    client.shutdown().await.unwrap();
    assert_eq!(read_to_end(&mut client).await, b"two");
    let ended = soon("the end", leaving).await.unwrap();
    assert!(matches!(&*ended, Ended::Here(_)), "{ended}");
    let ended = soon("the cloud's end", pair.cloud_task).await.unwrap();
    let Ended::There(away) = &*ended else { panic!("{ended}") };
    assert_eq!(away.code, GoAwayCode::Shutdown);
    soon("the board's task", pair.board_task).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_link_without_grace_is_cut_with_its_reason() {
    let (pair, _) = forwarded(echo).await;
    let mut channel = soon("the channel", pair.cloud.open(key())).await.unwrap();
    let away = GoAway::new(GoAwayCode::Replaced, "newer link");
    soon("the end", pair.cloud.leave(away.clone(), NO_GRACE)).await;
    let error = soon("the cut", channel.read(&mut [0; 8])).await.unwrap_err();
    let inner = error.into_inner().unwrap().downcast::<ChannelError>().unwrap();
    assert_eq!(*inner, ChannelError::Reset(ResetReason::LinkLost));
    let ended = soon("the board's end", pair.board_task).await.unwrap();
    let Ended::There(told) = &*ended else { panic!("{ended}") };
    assert_eq!(*told, away);
}

/// A connection between board and cloud that can stop forwarding without FIN or RST.
async fn line_with_a_switch() -> (TcpStream, TcpStream, watch::Sender<bool>) {
    let outside = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = outside.local_addr().unwrap();
    let (up, forwards) = watch::channel(true);
    let (board_end, accepted) = tokio::join!(TcpStream::connect(address), outside.accept());
    let (near, cloud_end) = connected().await;
    let (left_read, left_write) = accepted.unwrap().0.into_split();
    let (right_read, right_write) = near.into_split();
    tokio::spawn(carry(left_read, right_write, forwards.clone()));
    tokio::spawn(carry(right_read, left_write, forwards));
    (board_end.unwrap(), cloud_end, up)
}

async fn carry(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut forwards: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 1 << 16];
    loop {
        if forwards.wait_for(|forwards| *forwards).await.is_err() {
            return;
        }
        let read = tokio::select! {
            read = from.read(&mut buffer) => read.unwrap_or(0),
            _ = forwards.changed() => continue,
        };
        if read == 0 || to.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dead_link_is_found_long_before_the_idle_time_while_a_channel_is_open() {
    let (board_end, cloud_end, line) = line_with_a_switch().await;
    let target = service(echo).await;
    let pair = link_over(board_end, cloud_end, Table::one(target), Settings::default()).await;
    let mut channel = soon("the channel", pair.cloud.open(key())).await.unwrap();
    write_all(&mut channel, b"x").await;
    soon("the echo", channel.read_exact(&mut [0; 1])).await.unwrap();

    line.send(false).unwrap();
    let begin = Instant::now();
    let (cloud, board) =
        tokio::join!(soon("cloud", pair.cloud.closed()), soon("board", pair.board.closed()));
    let took = begin.elapsed();
    assert!(matches!((&*cloud, &*board), (Ended::Silent, Ended::Silent)), "{cloud}, {board}");
    // Three seconds by the clock of a machine at rest (see the liveness of `websocket`); an idle link has 75.
    assert!(took <= Duration::from_secs(50), "found after {took:?}");
    assert!(channel.read(&mut [0; 1]).await.is_err());
    soon("the tasks", pair.cloud_task).await.unwrap();
    soon("the tasks", pair.board_task).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_link_and_one_that_only_waits_stay_alive() {
    let quick = websocket::Settings {
        idle_ping: Duration::from_millis(100),
        // Longer than a busy machine forgets a program.
        idle_dead: Duration::from_secs(2),
        active_ping: Duration::from_millis(100),
        active_dead: Duration::from_secs(2),
    };
    let settings = Settings { liveness: quick, ..Settings::default() };
    let target = service(echo).await;
    let pair = link(Table::one(target), settings).await;
    let waits = |what| tokio::time::timeout(Duration::from_millis(2_500), what);
    assert!(waits(pair.cloud.closed()).await.is_err(), "an idle link died");
    let mut channel = soon("the channel", pair.cloud.open(key())).await.unwrap();
    assert!(waits(pair.cloud.closed()).await.is_err(), "a waiting link died");
    write_all(&mut channel, b"x").await;
    soon("the echo", channel.read_exact(&mut [0; 1])).await.unwrap();
}
