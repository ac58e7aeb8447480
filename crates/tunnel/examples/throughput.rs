//! How much forwarding costs: direct TCP against the same bytes through a link, in one run.
//!
//! `cargo run --release -p tunnel --example throughput [-- megabytes [downloads]]` prints MB/s and CPU seconds for
//! each GiB, both ends and both hops together (sender and receiver included in either row, so the
//! cost of forwarding is the difference), memory of an idle connection, the round trip of a small message,
//! and new connections a second.
//! Not here: other products; `xtask bench` compares.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a measurement, not a service")]

#[path = "../tests/common/mod.rs"]
mod common;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use common::{Table, echo, link, public_port, service};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tunnel::Settings;

const ROUNDS: usize = 5;
const PIECE: usize = 256 * 1024;

#[tokio::main]
async fn main() {
    let megabytes = std::env::args().nth(1).and_then(|text| text.parse().ok()).unwrap_or(512);
    let total = megabytes * 1_000_000;
    let source = service(move |stream| send(stream, total)).await;
    let sink = service(receive_all).await;
    let echo = service(echo).await;
    println!(
        "1,000 idle connections{:>8.1} kB each",
        memory_of_a_thousand(forward(echo).await).await
    );
    println!("{megabytes} MB, median of {ROUNDS} rounds");
    println!("{:28}{:>12}{:>12}{:>12}{:>8}", "", "direct", "two relays", "forwarded", "ratio");

    for streams in [1, 8] {
        let mut rows = Rows::default();
        let forwarded = forward(source).await;
        let relayed = relay(relay(source).await).await;
        for _ in 0..ROUNDS {
            rows.direct.push(download(source, streams, total).await);
            rows.relayed.push(download(relayed, streams, total).await);
            rows.forwarded.push(download(forwarded, streams, total).await);
        }
        rows.print(&format!("download, {streams} stream(s)"));
    }
    if std::env::args().nth(2).is_some() {
        return;
    }
    let mut rows = Rows::default();
    let forwarded = forward(sink).await;
    let relayed = relay(relay(sink).await).await;
    for _ in 0..ROUNDS {
        rows.direct.push(upload(sink, total).await);
        rows.relayed.push(upload(relayed, total).await);
        rows.forwarded.push(upload(forwarded, total).await);
    }
    rows.print("upload, 1 stream");

    let forwarded = forward(echo).await;
    println!("round trip, us{:>26.1}{:>24.1}", trip(echo).await, trip(forwarded).await);
    println!("connections/s, 8 parallel{:>15.0}{:>24.0}", rate(echo).await, rate(forwarded).await);
}

async fn forward(target: SocketAddr) -> SocketAddr {
    let pair = link(Table::one(target), Settings::default()).await;
    public_port(pair.cloud).await
}

/// Two of these in a row are what any forwarding by way of a link has to pay at least.
async fn relay(target: SocketAddr) -> SocketAddr {
    service(move |mut near| async move {
        let mut far = TcpStream::connect(target).await.unwrap();
        let _ = tokio::io::copy_bidirectional_with_sizes(&mut near, &mut far, 65_536, 65_536).await;
    })
    .await
}

async fn send(mut stream: TcpStream, total: usize) {
    let piece = vec![7; PIECE];
    let mut left = total;
    while left > 0 {
        let length = left.min(PIECE);
        if stream.write_all(&piece[..length]).await.is_err() {
            return;
        }
        left -= length;
    }
}

async fn receive_all(mut stream: TcpStream) {
    receive(&mut stream).await;
    let _ = stream.write_all(b"!").await;
}

async fn receive(stream: &mut TcpStream) -> usize {
    let mut buffer = vec![0; PIECE];
    let mut total = 0;
    loop {
        match stream.read(&mut buffer).await {
            Ok(0) | Err(_) => return total,
            Ok(read) => total += read,
        }
    }
}

#[derive(Clone, Copy)]
struct Run {
    megabytes_per_second: f64,
    cpu_per_gib: f64,
}

async fn measure(total: usize, work: impl Future<Output = ()>) -> Run {
    let (begin, cpu) = (Instant::now(), cpu_time());
    work.await;
    Run {
        megabytes_per_second: total as f64 / 1e6 / begin.elapsed().as_secs_f64(),
        cpu_per_gib: (cpu_time() - cpu).as_secs_f64() / total as f64 * (1u64 << 30) as f64,
    }
}

async fn download(address: SocketAddr, streams: usize, total: usize) -> Run {
    measure(total * streams, async {
        let readers: Vec<_> = (0..streams)
            .map(|_| {
                tokio::spawn(async move {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    assert_eq!(receive(&mut stream).await, total, "bytes are missing");
                })
            })
            .collect();
        for reader in readers {
            reader.await.unwrap();
        }
    })
    .await
}

async fn upload(address: SocketAddr, total: usize) -> Run {
    measure(total, async {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let (mut read, mut write) = stream.split();
        let piece = vec![7; PIECE];
        for _ in 0..total / PIECE {
            write.write_all(&piece).await.unwrap();
        }
        write.shutdown().await.unwrap();
        assert_eq!(read.read(&mut [0; 8]).await.unwrap(), 1);
    })
    .await
}

/// Microseconds of the median round trip of 64 bytes.
async fn trip(address: SocketAddr) -> f64 {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.set_nodelay(true).unwrap();
    let mut took = Vec::new();
    let mut buffer = [0; 64];
    for _ in 0..5_000 {
        let begin = Instant::now();
        stream.write_all(&buffer).await.unwrap();
        stream.read_exact(&mut buffer).await.unwrap();
        took.push(begin.elapsed().as_secs_f64() * 1e6);
    }
    median(&mut took)
}

/// Resident kilobytes of a forwarded connection: one channel, both ends, their two tasks and sockets,
/// and the client and the echo service around them.
async fn memory_of_a_thousand(address: SocketAddr) -> f64 {
    let before = resident_kilobytes();
    let mut open = Vec::new();
    for _ in 0..1_000 {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"x").await.unwrap();
        stream.read_exact(&mut [0; 1]).await.unwrap();
        open.push(stream);
    }
    (resident_kilobytes() - before) / 1_000.0
}

fn resident_kilobytes() -> f64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find(|line| line.starts_with("VmRSS:")).unwrap();
    line.split_whitespace().nth(1).unwrap().parse().unwrap()
}

/// Connections a second that are opened, used for one round trip, and closed, by eight at a time.
async fn rate(address: SocketAddr) -> f64 {
    const EACH: usize = 500;
    let begin = Instant::now();
    let clients: Vec<_> = (0..8)
        .map(|_| {
            tokio::spawn(async move {
                for _ in 0..EACH {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    stream.write_all(b"x").await.unwrap();
                    stream.read_exact(&mut [0; 1]).await.unwrap();
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    8.0 * EACH as f64 / begin.elapsed().as_secs_f64()
}

#[derive(Default)]
struct Rows {
    direct: Vec<Run>,
    relayed: Vec<Run>,
    forwarded: Vec<Run>,
}

impl Rows {
    fn print(&self, what: &str) {
        let speed = |runs: &[Run]| median_of(runs, |run| run.megabytes_per_second);
        let cpu = |runs: &[Run]| median_of(runs, |run| run.cpu_per_gib);
        let (direct, relayed) = (speed(&self.direct), speed(&self.relayed));
        let forwarded = speed(&self.forwarded);
        println!(
            "{what:28}{direct:>7.0} MB/s{relayed:>7.0} MB/s{forwarded:>7.0} MB/s{:>8.2}",
            forwarded / direct
        );
        let (direct, relayed) = (cpu(&self.direct), cpu(&self.relayed));
        let forwarded = cpu(&self.forwarded);
        println!(
            "{:28}{direct:>6.2} s/GiB{relayed:>6.2} s/GiB{forwarded:>6.2} s/GiB{:>+8.2}",
            "  CPU, all four ends",
            forwarded - direct
        );
    }
}

fn median_of(runs: &[Run], of: impl Fn(&Run) -> f64) -> f64 {
    median(&mut runs.iter().map(of).collect::<Vec<_>>())
}

fn median(values: &mut [f64]) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// User and system time of this process; clock ticks of a hundredth second are fine enough here.
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").unwrap();
    let after_name = stat.rsplit_once(')').unwrap().1;
    let ticks: u64 = after_name
        .split_whitespace()
        .skip(11)
        .take(2)
        .map(|field| field.parse::<u64>().unwrap())
        .sum();
    Duration::from_millis(ticks * 10)
}
