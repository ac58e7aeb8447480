//! From enabling a service to its first byte from outside.

use crate::calls::timed;
use crate::figure::{Figure, Goal, short};
use crate::http::Kept;
use crate::stage::Stage;
use crate::statistics::{median, quantile};
use api::operations::Operation;
use api::services::Exposure;
use model::operation::State;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use testkit::{LocalService, Talk};

/// Times a service is enabled.
const ROUNDS: usize = 15;
/// Connections of which the first byte is awaited, and small messages that go there and back.
const VISITS: usize = 200;
/// The service.
const SERVICE: &str = "bench-greeting";

/// Measures.
pub(crate) fn figures(stage: &mut Stage) -> Vec<Figure> {
    let local = LocalService::start(Talk::Greeting);
    stage.service(SERVICE, local.port);
    let mut kept = stage.connect();
    let mut times = Vec::new();
    for _ in 0..ROUNDS {
        times.push(timed(|| {
            let port = enable(stage, &mut kept, SERVICE);
            first_byte(&mut visit(port));
        }));
        disable(stage, &mut kept, SERVICE);
    }
    let port = enable(stage, &mut kept, SERVICE);
    let mut figures = vec![
        Figure::new(
            "enabling a service, to the first byte from outside, median",
            median(&times),
            "ms",
        )
        .goal(Goal::AtMost(50.0))
        .upstream("1,160-1,320 ms and 45-60 more")
        .beside(format!(
            "{} to {}",
            short(quantile(&times, 0.0)),
            short(quantile(&times, 1.0))
        )),
    ];
    figures.extend(visits(port, local.port));
    disable(stage, &mut kept, SERVICE);
    figures
}

fn visits(port: u16, direct: u16) -> [Figure; 2] {
    let connects =
        |port| (0..VISITS).map(|_| timed(|| first_byte(&mut visit(port)))).collect::<Vec<_>>();
    let echoes = |port| {
        let mut stream = visit(port);
        greeting(&mut stream);
        (0..VISITS).map(|_| timed(|| echo(&mut stream))).collect::<Vec<_>>()
    };
    let figure = |what, through: &[f64], direct: &[f64], upstream| {
        let beside = format!(
            "p99 {}; direct TCP p50 {}",
            short(quantile(through, 0.99)),
            short(median(direct))
        );
        Figure::new(what, median(through), "ms").upstream(upstream).beside(beside)
    };
    [
        figure(
            "connect to the first byte through a public port, p50",
            &connects(port),
            &connects(direct),
            "3.0-10.1 ms (direct 0.13)",
        ),
        figure(
            "64 B there and back through it, p50",
            &echoes(port),
            &echoes(direct),
            "0.12-0.13 ms (direct 0.014)",
        ),
    ]
}

/// Enables a service on the board and answers its public port.
pub(crate) fn enable(stage: &Stage, kept: &mut Kept, service: &str) -> u16 {
    let path = format!("/services/{service}");
    let enabled: Operation =
        kept.ask_json(&stage.on_board("PUT", &format!("{path}?wait=10"), "{}"));
    assert_eq!(enabled.state, State::Succeeded, "{enabled:?}");
    let exposure: Exposure = kept.ask_json(&stage.on_board("GET", &path, ""));
    exposure.public_port.number()
}

/// Closes it again.
pub(crate) fn disable(stage: &Stage, kept: &mut Kept, service: &str) {
    let path = format!("/services/{service}?wait=10");
    let disabled: Operation = kept.ask_json(&stage.on_board("DELETE", &path, ""));
    assert_eq!(disabled.state, State::Succeeded, "{disabled:?}");
}

/// Connects to a port of this machine.
pub(crate) fn visit(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_nodelay(true).unwrap();
    stream
}

/// Reads one byte.
pub(crate) fn first_byte(stream: &mut TcpStream) {
    stream.read_exact(&mut [0]).unwrap();
}

/// Reads to the end of the line.
fn greeting(stream: &mut TcpStream) {
    let mut byte = [0];
    while byte != *b"\n" {
        stream.read_exact(&mut byte).unwrap();
    }
}

fn echo(stream: &mut TcpStream) {
    let mut bytes = [1; 64];
    stream.write_all(&bytes).unwrap();
    stream.read_exact(&mut bytes).unwrap();
}
