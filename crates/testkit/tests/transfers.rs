//! Much at a time: large values and long transfers, slow readers, and ends that must not look like ends.

use api::client::Method;
use serde_json::json;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::time::{Duration, Instant};
use testkit::{Board, BoardOptions, LocalService, PATIENCE, Talk, World, until};

/// Resident memory of the cloud or the agent (debug builds) under visitors that do not read.
const MEMORY_KIB: u64 = 100 * 1024;

fn exposed(world: &World, board: &Board, talk: Talk) -> u16 {
    let local = LocalService::start(talk);
    let name = format!("{talk:?}").to_lowercase();
    world.service(&name, local.port);
    board.expose(&name)
}

fn visit(port: u16) -> TcpStream {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    stream.set_read_timeout(Some(PATIENCE)).unwrap();
    stream
}

#[test]
fn the_largest_values_pass_with_every_serialiser() {
    let world = World::new();
    world.plugin("echo", "python", "sync", "def main(params):\n    return params\n");
    for serializer in ["msgpack", "cbor", "json"] {
        let options = BoardOptions::default().set("cloud.serializer", serializer);
        let board = world.board_with(serializer, options);
        board.inject("echo");
        // Each of these doubles when a text is written into a text.
        for letter in ["\"", "\\", "\n", "\u{1f4a1}", "x"] {
            let value = json!({ "t": letter.repeat(300_000 / letter.len()) });
            let operation = board.call("echo", &value);
            let fault = operation.fault;
            assert!(operation.result == Some(value), "{serializer} {letter:?}: {fault:?}");
        }
        board.answers();
    }
}

#[test]
fn visitors_that_do_not_read_and_services_that_do_not_read_cost_bounded_memory() {
    let world = World::new();
    let board = world.board("patient");
    let endless = exposed(&world, &board, Talk::Endless);
    let deaf = exposed(&world, &board, Talk::Deaf);
    let echo = exposed(&world, &board, Talk::Echo);
    let mut visitors = Vec::new();
    for _ in 0..20 {
        let mut stream = visit(endless);
        stream.read_exact(&mut [0]).unwrap();
        visitors.push(stream);
        let mut stream = visit(deaf);
        stream.set_write_timeout(Some(Duration::from_millis(200))).unwrap();
        while stream.write_all(&[0; 65536]).is_ok() {}
        visitors.push(stream);
    }
    let (cloud, _) = world.cloud(|cloud| cloud.memory_kib());
    let (agent, _) = board.agent(|agent| agent.memory_kib());
    println!("with 40 stuck connections the cloud has {cloud} KiB, the agent {agent} KiB");
    assert!(cloud < MEMORY_KIB && agent < MEMORY_KIB, "{cloud} {agent}");
    // They hold up nobody.
    let begun = Instant::now();
    let mut stream = visit(echo);
    stream.write_all(b"ping").unwrap();
    stream.read_exact(&mut [0; 4]).unwrap();
    println!("an echo beside them took {} ms", begun.elapsed().as_millis());
    board.answers();
    drop(visitors);
    until("the connections to be gone", PATIENCE, || match board.exposure("endless").connections {
        0 => Ok(()),
        left => Err(format!("{left} left")),
    });
    // What a visitor sent before he left waits for the service to read it; disabling ends that too.
    board.done(&Method::DELETE, "/services/deaf", &json!({}));
    let _ = board.expose("deaf");
    assert_eq!(board.exposure("deaf").connections, 0);
}

#[test]
fn a_transfer_that_is_cut_never_looks_complete() {
    let world = World::new();
    let board = world.board("cut");
    let port = exposed(&world, &board, Talk::Endless);
    for round in 0..3 {
        let mut stream = until("a visit", PATIENCE, || {
            let mut stream = visit(port);
            stream.read_exact(&mut [0; 1000]).map_err(|error| error.to_string())?;
            Ok(stream)
        });
        if round == 2 {
            board.done(&Method::DELETE, "/services/endless", &json!({}));
        } else {
            board.kill();
        }
        let end = std::io::copy(&mut stream, &mut std::io::sink());
        assert!(end.is_err(), "round {round}: cut after {end:?} bytes, and told as an end");
        if round < 2 {
            board.start();
            board.wait_online();
        }
    }
}

#[test]
fn a_long_transfer_is_complete() {
    const LENGTH: u64 = 32 << 20;
    let world = World::new();
    let board = world.board("long");
    let port = exposed(&world, &board, Talk::Count);
    let mut stream = visit(port);
    let begun = Instant::now();
    std::io::copy(&mut std::io::repeat(7).take(LENGTH), &mut stream).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    println!(
        "{} MiB/s (debug build)",
        LENGTH / 1024 * 1000 / 1024 / begun.elapsed().as_millis() as u64
    );
    assert_eq!(answer.trim().parse(), Ok(LENGTH));
}

#[test]
fn no_process_of_a_plugin_outlives_its_agent() {
    let world = World::new();
    let board = world.board("tidy");
    let source = "
import os, subprocess, time
def main(params):
    child = subprocess.Popen(['sleep', '300'])
    print('child', child.pid, flush=True)
    while True:
        time.sleep(1)
";
    world.plugin("parent", "python", "async", source);
    board.inject("parent");
    for round in 0..2 {
        board.done(&Method::POST, "/plugins/parent/start", &json!({}));
        let path = board.path("/plugins/parent/logs?limit=1");
        let child: u32 = until("the child's number", PATIENCE, || {
            let read: api::logs::Lines =
                world.admin().get(&path).map_err(|error| error.to_string())?;
            let line = read.lines.last().map(|line| line.text.clone()).unwrap_or_default();
            let number = line.strip_prefix("child ").and_then(|text| text.parse().ok());
            number.filter(|pid| is_sleep(*pid)).ok_or(line)
        });
        if round == 0 {
            board.stop();
            assert!(!is_sleep(child), "gone when an agent has ended in order");
        } else {
            // The kernel ends the plugin, the next agent what the plugin had started.
            board.kill();
        }
        board.start();
        board.wait_online();
        until("the plugin's process to be gone", PATIENCE, || {
            if is_sleep(child) { Err("it sleeps on".to_owned()) } else { Ok(()) }
        });
        board.done(&Method::POST, "/plugins/parent/stop", &json!({ "grace_s": 1 }));
    }
}

/// Whether it lives; a dead one that nobody has collected yet does not.
fn is_sleep(pid: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).unwrap_or_default();
    status.starts_with("Name:\tsleep\n") && !status.contains("\nState:\tZ")
}
