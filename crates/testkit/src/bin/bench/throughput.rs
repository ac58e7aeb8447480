//! Bulk through a public port against the same bytes over direct TCP, in turns within one run.
//!
//! Both ends of the bytes are threads of this process in either case, so the difference is what forwarding costs.

use crate::exposure::{disable, enable, visit};
use crate::figure::{Figure, Goal, short};
use crate::stage::{Cost, Stage};
use crate::statistics::{median, quantile};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::time::Instant;

/// Rounds, each direct and forwarded.
const ROUNDS: usize = 7;
/// Bytes in a round.
const BYTES: usize = 512 << 20;
/// Bytes given to or taken from a socket at a time.
const PIECE: usize = 256 << 10;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Direction {
    Down,
    Up,
}

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    let down = one_way(stage, Direction::Down);
    let up = one_way(stage, Direction::Up);
    vec![
        down.ratio("forwarded download against direct TCP, same run, median")
            .goal(Goal::AtLeast(0.3))
            .upstream("0.10-0.13 ×"),
        down.processor("CPU of cloud and agent for each GiB down"),
        up.ratio("forwarded upload against direct TCP, same run, median").upstream("63-191 MiB/s"),
        up.processor("CPU of cloud and agent for each GiB up"),
    ]
}

/// Speeds in MiB/s, round by round, and what the forwarded ones cost.
struct Seen {
    direct: Vec<f64>,
    forwarded: Vec<f64>,
    cost: Cost,
}

impl Seen {
    fn ratio(&self, what: &str) -> Figure {
        let ratios: Vec<f64> = self
            .forwarded
            .iter()
            .zip(&self.direct)
            .map(|(through, direct)| through / direct)
            .collect();
        let beside = format!(
            "{} against {} MiB/s; rounds {} to {}",
            short(median(&self.forwarded)),
            short(median(&self.direct)),
            short(quantile(&ratios, 0.0)),
            short(quantile(&ratios, 1.0)),
        );
        Figure::new(what, median(&ratios), "×").beside(beside)
    }

    fn processor(&self, what: &str) -> Figure {
        let gib = (ROUNDS * BYTES) as f64 / f64::from(1 << 30);
        let each = |time: std::time::Duration| time.as_secs_f64() / gib;
        let beside = format!(
            "cloud {}, agent {}",
            short(each(self.cost.cloud)),
            short(each(self.cost.agent))
        );
        Figure::new(what, each(self.cost.processor()), "s").beside(beside)
    }
}

fn one_way(stage: &Stage, direction: Direction) -> Seen {
    let (name, local) = match direction {
        Direction::Down => ("bench-source", service(send)),
        Direction::Up => ("bench-sink", service(receive)),
    };
    stage.service(name, local);
    let public = enable(stage, &mut stage.connect(), name);
    let mut seen = Seen { direct: Vec::new(), forwarded: Vec::new(), cost: Cost::default() };
    // The first one opens the link.
    let _ = speed(public, direction);
    for _ in 0..ROUNDS {
        seen.direct.push(speed(local, direction));
        seen.cost = seen.cost.and(stage.cost(|| seen.forwarded.push(speed(public, direction))));
    }
    // A kept connection would be given up by the cloud meanwhile.
    disable(stage, &mut stage.connect(), name);
    seen
}

fn speed(port: u16, direction: Direction) -> f64 {
    let stream = visit(port);
    let began = Instant::now();
    match direction {
        Direction::Down => receive(stream),
        Direction::Up => send(stream),
    }
    (BYTES >> 20) as f64 / began.elapsed().as_secs_f64()
}

/// Sends all and waits until the other side has it.
fn send(mut stream: TcpStream) {
    let piece = vec![7; PIECE];
    for _ in 0..BYTES / PIECE {
        stream.write_all(&piece).unwrap();
    }
    stream.shutdown(Shutdown::Write).unwrap();
    stream.read_exact(&mut [0]).unwrap();
}

/// Takes all and says so.
fn receive(mut stream: TcpStream) {
    let mut piece = vec![0; PIECE];
    let mut whole = 0;
    while whole < BYTES {
        let read = stream.read(&mut piece).unwrap();
        assert!(read > 0, "the stream ended after {whole} bytes");
        whole += read;
    }
    stream.write_all(&[1]).unwrap();
}

/// Serves each visitor on a thread of its own.
fn service(serve: fn(TcpStream)) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || serve(stream));
        }
    });
    port
}
