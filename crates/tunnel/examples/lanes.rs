//! What a small message waits for while megabytes pass: on the same link, and on a link of its own.
//!
//! `cargo run --release -p tunnel --example lanes` prints the round trip of 64 bytes with nothing beside it, beside a download
//! over the same link, and beside one over another link, in turns within one run. It is what `docs/decisions/0012` rests on.
//! Not here: throughput (`throughput.rs`), real lines.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement, not a service")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::net::SocketAddr;
use std::time::Instant;

use common::{Table, echo, link, public_port, service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tunnel::Settings;

const ROUNDS: usize = 9;
const TRIPS: usize = 1_000;
const PIECE: usize = 256 * 1024;

#[tokio::main]
async fn main() {
    let small = service(echo).await;
    let endless = service(|mut stream: TcpStream| async move {
        let piece = vec![7; PIECE];
        while stream.write_all(&piece).await.is_ok() {}
    })
    .await;
    let one = link(table(small, endless), Settings::default()).await;
    let other = link(table(small, endless), Settings::default()).await;
    let ping = public_port(one.cloud.clone()).await;
    let beside = bulk_port(&one.cloud).await;
    let apart = bulk_port(&other.cloud).await;
    let mut rows = [
        ("alone", None),
        ("download, same link", Some(beside)),
        ("download, other link", Some(apart)),
    ]
    .map(|(what, bulk)| (what, bulk, Vec::new(), Vec::new()));
    for _ in 0..ROUNDS {
        for (_, bulk, p50, p99) in &mut rows {
            let mut trips = trips(ping, *bulk).await;
            trips.sort_by(f64::total_cmp);
            p50.push(trips[TRIPS / 2]);
            p99.push(trips[TRIPS * 99 / 100]);
        }
    }
    println!("round trip of 64 bytes, us; medians of {ROUNDS} rounds of {TRIPS}");
    println!("{:24}{:>10}{:>10}", "", "p50", "p99");
    for (what, _, mut p50, mut p99) in rows {
        println!("{what:24}{:>10.0}{:>10.0}", median(&mut p50), median(&mut p99));
    }
}

fn table(small: SocketAddr, endless: SocketAddr) -> Table {
    let mut table = Table::one(small);
    table.0.insert(b"bulk".to_vec(), endless);
    table
}

/// A public port of the endless service.
async fn bulk_port(link: &tunnel::Link) -> SocketAddr {
    let link = link.clone();
    service(move |client| {
        let channel = link.open_eagerly(tunnel::ServiceKey::new(&b"bulk"[..]).unwrap()).unwrap();
        async move {
            let _ = tunnel::splice(channel, client).await;
        }
    })
    .await
}

/// Round trips while, if there is one, a download runs.
async fn trips(ping: SocketAddr, bulk: Option<SocketAddr>) -> Vec<f64> {
    let drain = bulk.map(|bulk| {
        tokio::spawn(async move {
            let mut stream = TcpStream::connect(bulk).await.unwrap();
            let mut piece = vec![0; PIECE];
            while stream.read(&mut piece).await.unwrap() > 0 {}
        })
    });
    let mut stream = TcpStream::connect(ping).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut buffer = [0; 64];
    let mut took = Vec::new();
    for _ in 0..TRIPS {
        let began = Instant::now();
        stream.write_all(&buffer).await.unwrap();
        stream.read_exact(&mut buffer).await.unwrap();
        took.push(began.elapsed().as_secs_f64() * 1e6);
    }
    if let Some(drain) = drain {
        drain.abort();
        let _ = drain.await;
    }
    took
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}
