//! What people see through a forwarded port: bytes exactly, ends as ends, resets as resets.

mod common;

use std::io::ErrorKind;
use std::time::Duration;

use common::*;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tunnel::{RefusalCode, ServiceKey, Settings};

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_speaks_first_is_heard() {
    let (_pair, address) = forwarded(|mut stream: TcpStream| async move {
        stream.write_all(b"SSH-2.0-test\r\n").await.unwrap();
        echo(stream).await;
    })
    .await;
    let mut client = TcpStream::connect(address).await.unwrap();
    let mut banner = [0; 14];
    soon("the banner", client.read_exact(&mut banner)).await.unwrap();
    assert_eq!(&banner, b"SSH-2.0-test\r\n");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_speaks_first_is_answered() {
    let (_pair, address) = forwarded(echo).await;
    let mut client = TcpStream::connect(address).await.unwrap();
    write_all(&mut client, b"GET /").await;
    let mut answer = [0; 5];
    soon("the answer", client.read_exact(&mut answer)).await.unwrap();
    assert_eq!(&answer, b"GET /");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_may_finish_and_still_hear_the_whole_answer() {
    let (pair, address) = forwarded(|mut stream: TcpStream| async move {
        let request = read_to_end(&mut stream).await;
        write_all(&mut stream, &noise(1, 3_000_000)).await;
        write_all(&mut stream, &request).await;
    })
    .await;
    let mut client = TcpStream::connect(address).await.unwrap();
    write_all(&mut client, b"question").await;
    client.shutdown().await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert!(answer == [noise(1, 3_000_000).as_slice(), b"question"].concat());
    until("both ends forget the channel", || {
        pair.cloud.stats().channels + pair.board.stats().channels == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_may_finish_and_still_hear_the_whole_upload() {
    let (heard, mut hears) = tokio::sync::mpsc::channel(1);
    let (_pair, address) = forwarded(move |mut stream: TcpStream| {
        let heard = heard.clone();
        async move {
            stream.shutdown().await.unwrap();
            heard.send(read_to_end(&mut stream).await).await.unwrap();
        }
    })
    .await;
    let mut client = TcpStream::connect(address).await.unwrap();
    assert_eq!(read_to_end(&mut client).await, b"");
    write_all(&mut client, &noise(2, 3_000_000)).await;
    client.shutdown().await.unwrap();
    let upload = soon("the upload", hears.recv()).await.unwrap();
    assert!(upload == noise(2, 3_000_000));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_of_the_service_reaches_the_client_as_a_reset() {
    let (_pair, address) = forwarded(|mut stream: TcpStream| async move {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
        stream.set_zero_linger().unwrap();
    })
    .await;
    let mut client = TcpStream::connect(address).await.unwrap();
    write_all(&mut client, b"x").await;
    let error = soon("the reset", client.read(&mut [0; 8])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reset_of_the_client_reaches_the_service_as_a_reset() {
    let (seen, mut sees) = tokio::sync::mpsc::channel(1);
    let (_pair, address) = forwarded(move |mut stream: TcpStream| {
        let seen = seen.clone();
        async move {
            stream.write_all(b"ready").await.unwrap();
            let outcome = stream.read(&mut [0; 8]).await;
            seen.send(outcome.map_err(|error| error.kind())).await.unwrap();
        }
    })
    .await;
    let mut client = TcpStream::connect(address).await.unwrap();
    soon("the greeting", client.read_exact(&mut [0; 5])).await.unwrap();
    client.set_zero_linger().unwrap();
    drop(client);
    let outcome = soon("the reset", sees.recv()).await.unwrap();
    assert_eq!(outcome, Err(ErrorKind::ConnectionReset));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_finish_is_not_mistaken_for_a_reset() {
    let (_pair, address) = forwarded(|mut stream: TcpStream| async move {
        let mut byte = [0];
        stream.read_exact(&mut byte).await.unwrap();
    })
    .await;
    let mut client = TcpStream::connect(address).await.unwrap();
    write_all(&mut client, b"x").await;
    assert_eq!(read_to_end(&mut client).await, b"");
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_connections_at_once_carry_exactly_their_own_bytes() {
    let (pair, address) = forwarded(echo).await;
    let clients: Vec<_> = (0..200)
        .map(|seed| {
            tokio::spawn(async move {
                let sent = noise(seed, 20_000 + 1_000 * seed as usize);
                let stream = TcpStream::connect(address).await.unwrap();
                let (mut read, mut write) = stream.into_split();
                let (_, got) = tokio::join!(
                    async {
                        for piece in sent.chunks(3_000 + seed as usize) {
                            write_all(&mut write, piece).await;
                        }
                        write.shutdown().await.unwrap();
                    },
                    read_to_end(&mut read)
                );
                assert!(got == sent, "connection {seed} carried other bytes");
            })
        })
        .collect();
    for client in clients {
        soon("a client", client).await.unwrap();
    }
    assert_eq!(pair.cloud.stats().opened, 200);
    assert_eq!(pair.cloud.stats().bytes_sent, pair.board.stats().bytes_received);
    until("all channels are forgotten", || {
        pair.cloud.stats().channels + pair.board.stats().channels == 0
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unknown_service_is_refused_and_its_client_reset() {
    let (pair, _) = forwarded(echo).await;
    let stranger = ServiceKey::new(&b"stranger"[..]).unwrap();
    let error = soon("the refusal", pair.cloud.open(stranger)).await.unwrap_err();
    let tunnel::LinkError::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!(refusal.code, RefusalCode::UnknownService);

    let empty = link(Table::default(), Settings::default()).await;
    let address = public_port(empty.cloud.clone()).await;
    // The reset may be so quick that connecting already reports it.
    let outcome = match TcpStream::connect(address).await {
        Ok(mut client) => soon("the reset", client.read(&mut [0; 8])).await,
        Err(error) => Err(error),
    };
    assert_eq!(outcome.unwrap_err().kind(), ErrorKind::ConnectionReset);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_that_is_down_is_refused_with_its_reason() {
    // Nobody ever listens there.
    let gone = "127.0.0.1:1".parse().unwrap();
    let pair = link(Table::one(gone), Settings::default()).await;
    let error = soon("the refusal", pair.cloud.open(key())).await.unwrap_err();
    let tunnel::LinkError::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!(refusal.code, RefusalCode::Unreachable);
    assert!(refusal.text.contains("refused"), "{refusal}");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_side_that_only_opens_accepts_nothing() {
    let (pair, _) = forwarded(echo).await;
    let error = soon("the refusal", pair.board.open(key())).await.unwrap_err();
    let tunnel::LinkError::Refused(refusal) = error else { panic!("{error}") };
    assert_eq!(refusal.code, RefusalCode::NotAccepting);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_stalls_stops_only_itself_and_memory_stays_bounded() {
    let (pair, address) = forwarded(|mut stream: TcpStream| async move {
        let endless = noise(3, 1 << 20);
        while stream.write_all(&endless).await.is_ok() {}
    })
    .await;
    let mut stalled = Vec::new();
    for _ in 0..20 {
        let mut client = TcpStream::connect(address).await.unwrap();
        soon("a first byte", client.read_exact(&mut [0; 1])).await.unwrap();
        stalled.push(client);
    }
    let mut reader = TcpStream::connect(address).await.unwrap();
    let mut buffer = vec![0; 1 << 16];
    let wanted = noise(3, 1 << 20);
    for megabyte in 0..64 {
        let mut got = Vec::new();
        while got.len() < wanted.len() {
            let left = (wanted.len() - got.len()).min(buffer.len());
            let read = soon("the bytes", reader.read(&mut buffer[..left])).await.unwrap();
            got.extend_from_slice(&buffer[..read]);
        }
        assert!(got == wanted, "megabyte {megabyte}");
        let held = pair.cloud.memory();
        assert!(held.unread <= 16 << 20, "{} bytes unread", held.unread);
        assert!(pair.board.memory().queued <= 7 << 20);
    }
    drop(stalled);
}

#[tokio::test(flavor = "multi_thread")]
async fn small_messages_pass_while_bulk_runs() {
    let (_pair, address) = forwarded(|mut stream: TcpStream| async move {
        let mut kind = [0];
        stream.read_exact(&mut kind).await.unwrap();
        if kind == *b"b" {
            let endless = noise(3, 1 << 20);
            while stream.write_all(&endless).await.is_ok() {}
        } else {
            echo(stream).await;
        }
    })
    .await;
    let mut bulk = TcpStream::connect(address).await.unwrap();
    write_all(&mut bulk, b"b").await;
    let drain =
        tokio::spawn(async move { tokio::io::copy(&mut bulk, &mut tokio::io::sink()).await });
    let mut small = TcpStream::connect(address).await.unwrap();
    write_all(&mut small, b"e").await;
    for count in 0..200u32 {
        write_all(&mut small, &count.to_be_bytes()).await;
        let mut answer = [0; 4];
        soon("an answer", small.read_exact(&mut answer)).await.unwrap();
        assert_eq!(answer, count.to_be_bytes());
    }
    drain.abort();
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_is_also_a_stream() {
    let (pair, _) = forwarded(echo).await;
    let channel = soon("the channel", pair.cloud.open(key())).await.unwrap();
    let (mut read, mut write) = tokio::io::split(channel);
    let sent = noise(5, 1_000_000);
    let (_, got) = tokio::join!(
        async {
            write_all(&mut write, &sent).await;
            write.shutdown().await.unwrap();
        },
        read_to_end(&mut read)
    );
    assert!(got == sent);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_dropped_channel_resets_the_connection_behind_it() {
    let (seen, mut sees) = tokio::sync::mpsc::channel(1);
    let (pair, _) = forwarded(move |mut stream: TcpStream| {
        let seen = seen.clone();
        async move {
            let outcome = stream.read(&mut [0; 8]).await;
            seen.send(outcome.map_err(|error| error.kind())).await.unwrap();
        }
    })
    .await;
    let channel = soon("the channel", pair.cloud.open(key())).await.unwrap();
    drop(channel);
    let outcome = soon("the reset", sees.recv()).await.unwrap();
    assert_eq!(outcome, Err(ErrorKind::ConnectionReset));
    let within = Duration::from_secs(60);
    tokio::time::timeout(within, pair.cloud.shutdown(within)).await.unwrap();
}
