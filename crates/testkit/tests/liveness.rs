//! Links that die without a word: board and cloud in two networks, and packets that vanish.

use model::board::Status;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::time::{Duration, Instant};
use testkit::{Board, BoardOptions, Island, Need, PATIENCE, World, WorldOptions, lacks, until};

/// Within which a silent peer is found while something waits: 3 s by the clock of a machine at rest (see the liveness of
/// `websocket`), and long before the 75 s of an idle one however busy this machine is.
const FOUND: Duration = Duration::from_secs(50);
/// Settings of who finds an idle peer soon, but not for a pause of a busy machine.
const SOON: [(&str, &str); 2] = [("liveness.idle_ping_s", "2"), ("liveness.idle_dead_s", "8")];

/// A cloud with these settings, and a board elsewhere that notices soon when it is cut off.
fn scene(settings: &[(&str, &str)]) -> (World, Board, Arc<Island>) {
    let island = Arc::new(Island::create());
    let at = WorldOptions::default().at(island.our_address());
    let world =
        World::start(settings.iter().fold(at, |options, (key, value)| options.set(key, value)));
    let on = BoardOptions::default().on(&island);
    let options = SOON.iter().fold(on, |options, (key, value)| options.set(key, value));
    let board = world.board_with("far", options);
    (world, board, island)
}

#[test]
fn a_board_whose_packets_vanish_is_found_while_a_call_waits_and_heals() {
    if lacks(Need::Networks) {
        return;
    }
    let (_world, board, island) = scene(&[]);
    board.answers();
    island.swallow();
    let begun = Instant::now();
    let error = board.ask("/echo", &json!({ "say": "anybody?" })).unwrap_err();
    let took = begun.elapsed();
    println!("found after {} ms: {error}", took.as_millis());
    assert!(took <= FOUND, "the call waited {took:?}: {error}");
    board.wait_status(Status::Offline, PATIENCE);
    island.heal();
    board.wait_online();
    board.answers();
}

#[test]
fn an_idle_board_is_found_within_the_idle_period_and_the_board_finds_out_too() {
    if lacks(Need::Networks) {
        return;
    }
    let (_world, board, island) = scene(&SOON);
    island.swallow();
    let begun = Instant::now();
    board.wait_status(Status::Offline, PATIENCE);
    println!("found idle after {} ms", begun.elapsed().as_millis());
    let before = board.times_online();
    island.heal();
    board.wait_online();
    board.answers();
    assert!(board.times_online() > before, "the board connected anew: {}", board.said());
}

#[test]
fn a_forwarded_connection_over_a_dead_link_ends_and_the_next_one_works() {
    if lacks(Need::Networks) {
        return;
    }
    // The service listens in the island: a plugin is its server.
    let (world, board, island) = scene(&[]);
    let source = "
import socket, threading
def serve(visitor):
    with visitor:
        while True:
            data = visitor.recv(65536)
            if not data:
                return
            visitor.sendall(data)
def main(params):
    server = socket.create_server(('127.0.0.1', 7007))
    while True:
        visitor, _ = server.accept()
        threading.Thread(target=serve, args=(visitor,), daemon=True).start()
";
    world.plugin("server", "python", "async", source);
    board.inject("server");
    board.done(&api::client::Method::POST, "/plugins/server/start", &json!({}));
    world.service("echo", 7007);
    let port = board.expose("echo");
    let visit = || -> Result<TcpStream, String> {
        let failed = |error: std::io::Error| error.to_string();
        let mut stream = TcpStream::connect((island.our_address(), port)).map_err(failed)?;
        stream.set_read_timeout(Some(PATIENCE)).map_err(failed)?;
        stream.write_all(b"ping").map_err(failed)?;
        let mut back = [0; 4];
        stream.read_exact(&mut back).map_err(failed)?;
        Ok(stream)
    };
    let mut stream = until("an echo", PATIENCE, visit);
    island.swallow();
    let begun = Instant::now();
    stream.write_all(b"into the void").unwrap();
    let end = stream.read(&mut [0; 16]);
    let took = begun.elapsed();
    println!("the visitor was told after {} ms: {end:?}", took.as_millis());
    assert!(matches!(end, Ok(0) | Err(_)), "{end:?}");
    assert!(took <= FOUND, "{took:?}");
    island.heal();
    until("an echo again", PATIENCE, visit);
}

#[test]
fn a_board_that_gets_another_address_connects_anew() {
    if lacks(Need::Networks) {
        return;
    }
    let (_world, board, island) = scene(&[]);
    let link = board.record().facts.link.unwrap();
    assert_eq!(link.address, island.address(0).to_string(), "{link:?}");
    island.change_address(0, 1);
    until("the new address to be known", PATIENCE, || {
        let record = board.try_record().map_err(|error| error.to_string())?;
        let address = record.facts.link.map(|link| link.address).unwrap_or_default();
        let is_new = address == island.address(1).to_string();
        if is_new && record.summary.status == Status::Online { Ok(()) } else { Err(address) }
    });
    board.answers();
}

#[test]
fn an_agent_that_is_frozen_is_found_while_a_call_waits() {
    let world = World::new();
    let board = world.board("frozen");
    board.answers();
    board.agent(|agent| agent.signal(testkit::Signal::STOP));
    let begun = Instant::now();
    let error = board.ask("/echo", &json!({ "say": "anybody?" })).unwrap_err();
    let took = begun.elapsed();
    println!("found after {} ms: {error}", took.as_millis());
    assert!(took <= FOUND, "{took:?}");
    board.wait_status(Status::Offline, PATIENCE);
    board.agent(|agent| agent.signal(testkit::Signal::CONT));
    board.wait_online();
    board.answers();
}
