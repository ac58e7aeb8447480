//! What must hold through every transport, seen only from the public port and from the service.
//!
//! Invariant: nothing here knows the transport but for the size of the work. Not here: how a transport is set up.

use std::io::ErrorKind;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::{Barrier, mpsc};
use tokio::task::JoinSet;

use crate::common::{echo, noise, read_to_end, service, soon, until, write_all};
use crate::stand::{Stand, Transport};

/// Short connections of an ordinary test run; `S4T_SOAK_CYCLES` asks for more.
const CYCLES: usize = 300;
/// So many connections carry their short words at a time.
const SIDE_BY_SIDE: usize = 8;
/// What may wait for a reader that has stalled: the budget of a link, and the kernel's buffers of four sockets.
const STALLED_MOST: usize = (16 << 20) + (24 << 20);

pub async fn bytes_arrive_whole_and_in_order_both_ways(transport: Transport) {
    let stand = Stand::new(transport, service(echo).await).await;
    is_echoed(stand.visit().await, 1, transport.bulk()).await;
}

/// Sends and reads back at the same time, with both ends finished.
async fn is_echoed(client: TcpStream, seed: u64, length: usize) {
    let sent = noise(seed, length);
    let (mut read, mut write) = client.into_split();
    let (_, got) = tokio::join!(
        async {
            write_all(&mut write, &sent).await;
            write.shutdown().await.unwrap();
        },
        read_to_end(&mut read)
    );
    assert!(got == sent, "connection {seed} carried other bytes: {} of {length}", got.len());
}

pub async fn a_client_that_has_finished_hears_the_whole_answer(transport: Transport) {
    let bulk = transport.bulk();
    let target = service(move |mut stream: TcpStream| async move {
        let question = read_to_end(&mut stream).await;
        write_all(&mut stream, &noise(2, bulk)).await;
        write_all(&mut stream, &question).await;
    });
    let stand = Stand::new(transport, target.await).await;
    let mut client = stand.visit().await;
    write_all(&mut client, b"question").await;
    client.shutdown().await.unwrap();
    let answer = read_to_end(&mut client).await;
    assert!(answer == [noise(2, bulk).as_slice(), b"question"].concat(), "{}", answer.len());
}

pub async fn a_service_that_has_finished_hears_the_whole_upload(transport: Transport) {
    let (tell, mut told) = mpsc::channel(1);
    let target = service(move |mut stream: TcpStream| {
        let tell = tell.clone();
        async move {
            write_all(&mut stream, b"go").await;
            stream.shutdown().await.unwrap();
            tell.send(read_to_end(&mut stream).await).await.unwrap();
        }
    });
    let stand = Stand::new(transport, target.await).await;
    let mut client = stand.visit().await;
    assert_eq!(read_to_end(&mut client).await, b"go");
    write_all(&mut client, &noise(3, transport.bulk())).await;
    client.shutdown().await.unwrap();
    let upload = soon("the upload", told.recv()).await.unwrap();
    assert!(upload == noise(3, transport.bulk()), "{}", upload.len());
}

pub async fn a_reset_of_the_client_is_no_finish(transport: Transport) {
    let (tell, mut told) = mpsc::channel(1);
    let target = service(move |mut stream: TcpStream| {
        let tell = tell.clone();
        async move {
            write_all(&mut stream, b"ready").await;
            let outcome = stream.read(&mut [0; 8]).await;
            tell.send(outcome.map_err(|error| error.kind())).await.unwrap();
        }
    });
    let stand = Stand::new(transport, target.await).await;
    let mut client = stand.visit().await;
    soon("the greeting", client.read_exact(&mut [0; 5])).await.unwrap();
    client.set_zero_linger().unwrap();
    drop(client);
    let outcome = soon("the reset", told.recv()).await.unwrap();
    assert_eq!(outcome, Err(ErrorKind::ConnectionReset));
}

pub async fn a_reset_of_the_service_is_no_finish(transport: Transport) {
    let target = service(|mut stream: TcpStream| async move {
        stream.read_exact(&mut [0]).await.unwrap();
        stream.set_zero_linger().unwrap();
    });
    let stand = Stand::new(transport, target.await).await;
    let mut client = stand.visit().await;
    write_all(&mut client, b"x").await;
    let error = soon("the reset", client.read(&mut [0; 8])).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
}

pub async fn a_line_cut_in_the_middle_is_no_finish(transport: Transport) {
    let (tell, mut told) = mpsc::channel(1);
    let target = service(move |mut stream: TcpStream| {
        let tell = tell.clone();
        async move {
            let piece = noise(4, 10_000);
            while stream.write_all(&piece).await.is_ok() {}
            tell.send(()).await.unwrap();
        }
    });
    let stand = Stand::new(transport, target.await).await;
    let mut client = stand.visit().await;
    let mut first = vec![0; 10_000];
    soon("the first bytes", client.read_exact(&mut first)).await.unwrap();
    assert!(first == noise(4, 10_000));
    stand.cut();
    let mut rest = Vec::new();
    let error = soon("the cut", client.read_to_end(&mut rest)).await.unwrap_err();
    assert_eq!(error.kind(), ErrorKind::ConnectionReset);
    soon("the service's end", told.recv()).await.unwrap();
}

pub async fn a_stalled_reader_holds_up_its_writer_and_nobody_else(transport: Transport) {
    let written = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&written);
    let target = service(move |mut stream: TcpStream| {
        let written = Arc::clone(&counter);
        async move {
            if stream.read_u8().await.unwrap() == b'e' {
                return echo(stream).await;
            }
            let piece = noise(5, 50_000);
            while stream.write_all(&piece).await.is_ok() {
                written.fetch_add(piece.len(), Ordering::Relaxed);
            }
        }
    });
    let stand = Stand::new(transport, target.await).await;
    let mut stalled = stand.visit().await;
    write_all(&mut stalled, b"s").await;
    soon("a first byte", stalled.read_u8()).await.unwrap();
    // Nobody is told when a writer is held up: it is when it has written nothing for a while.
    let mut before = usize::MAX;
    soon("back-pressure", async {
        while before != written.load(Ordering::Relaxed) {
            before = written.load(Ordering::Relaxed);
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    })
    .await;
    assert!(before <= STALLED_MOST, "{before} bytes wait for a reader that has stalled");
    let mut client = stand.visit().await;
    write_all(&mut client, b"e").await;
    is_echoed(client, 6, transport.bulk() / 10).await;
}

pub async fn bytes_that_are_written_and_read_one_by_one_arrive(transport: Transport) {
    const LENGTH: usize = 2_000;
    let target = service(|mut stream: TcpStream| async move {
        stream.set_nodelay(true).unwrap();
        let mut byte = [0];
        while stream.read(&mut byte).await.unwrap() == 1 {
            stream.write_all(&byte).await.unwrap();
        }
    });
    let stand = Stand::new(transport, target.await).await;
    let (mut read, mut write) = stand.visit().await.into_split();
    let sent = noise(7, LENGTH);
    let writing = async {
        for byte in &sent {
            write_all(&mut write, std::slice::from_ref(byte)).await;
        }
        write.shutdown().await.unwrap();
    };
    let reading = async {
        let mut got = Vec::new();
        while let Ok(byte) = read.read_u8().await {
            got.push(byte);
        }
        got
    };
    let (_, got) = soon("all bytes", async { tokio::join!(writing, reading) }).await;
    assert!(got == sent, "{} of {LENGTH}", got.len());
}

pub async fn hundreds_at_once_carry_their_own_bytes(transport: Transport) {
    let stand = Arc::new(Stand::new(transport, service(echo).await).await);
    let many = transport.many();
    let all_open = Arc::new(Barrier::new(many as usize));
    let mut clients = JoinSet::new();
    for seed in 0..many {
        let (stand, all_open) = (Arc::clone(&stand), Arc::clone(&all_open));
        clients.spawn(async move {
            let mut client = stand.visit().await;
            write_all(&mut client, b"x").await;
            assert_eq!(soon("a byte", client.read_u8()).await.unwrap(), b'x');
            soon("the others", all_open.wait()).await;
            is_echoed(client, seed, 1_000 + seed as usize % 50 * 100).await;
        });
    }
    while let Some(done) = soon("a client", clients.join_next()).await {
        done.unwrap();
    }
    until("nothing is held", || stand.held() == (0, 0)).await;
}

pub async fn nothing_is_left_of_many_short_connections(transport: Transport) {
    let asked = std::env::var("S4T_SOAK_CYCLES").ok().and_then(|text| text.parse().ok());
    let cycles = asked.unwrap_or(CYCLES);
    let stand = Arc::new(Stand::new(transport, service(echo).await).await);
    // What is allocated once, and kept, is there after the first tenth.
    cycle(&stand, cycles / 10).await;
    let idle = resident_kib();
    cycle(&stand, cycles - cycles / 10).await;
    if asked.is_some() {
        let after = resident_kib();
        assert!(after * 10 <= idle * 12, "{idle} KiB became {after} after {cycles} connections");
    }
}

/// Connections that say a word, hear it, and end in one of the three ways.
async fn cycle(stand: &Arc<Stand>, cycles: usize) {
    let mut visitors = JoinSet::new();
    for visitor in 0..SIDE_BY_SIDE {
        let stand = Arc::clone(stand);
        visitors.spawn(async move {
            for turn in (visitor..cycles).step_by(SIDE_BY_SIDE) {
                let mut client = stand.visit().await;
                write_all(&mut client, b"word").await;
                soon("the word", client.read_exact(&mut [0; 4])).await.unwrap();
                match turn % 3 {
                    0 => client.set_zero_linger().unwrap(),
                    1 => {
                        client.shutdown().await.unwrap();
                        assert_eq!(read_to_end(&mut client).await, b"");
                    }
                    _ => {}
                }
            }
        });
    }
    while let Some(done) = visitors.join_next().await {
        done.unwrap();
    }
    until("nothing is held", || stand.held() == (0, 0)).await;
}

/// Memory of this process; only a soak judges by it, where one test runs alone.
fn resident_kib() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}
