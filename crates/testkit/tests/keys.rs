//! Keys change, a board's and the cloud's; whatever dies while they do, everybody finds together again.
//!
//! `S4T_SOAK_KILLS` raises the number of kills.

use api::client::Method;
use api::operations::Operation;
use model::operation::State;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::process::Command;
use std::time::Duration;
use testkit::{Board, BoardOptions, LocalService, PATIENCE, Said, Talk, World, until};

/// Kills when nothing else is said.
const KILLS: u32 = 6;

fn key(board: &Board) -> String {
    board.record().key.unwrap()
}

fn rotate(board: &Board) -> Value {
    board.done(&Method::POST, "/rotate-key", &json!({}))
}

fn echoes(board: &Board, service: &str) {
    let port = board.exposure(service).public_port.number();
    until("the service to answer", PATIENCE, || {
        let said = || -> std::io::Result<[u8; 5]> {
            let mut stream = TcpStream::connect(("127.0.0.1", port))?;
            stream.set_read_timeout(Some(Duration::from_secs(2)))?;
            stream.write_all(b"hello")?;
            let mut echo = [0; 5];
            stream.read_exact(&mut echo)?;
            Ok(echo)
        };
        said().map(drop).map_err(|error| error.to_string())
    });
}

#[test]
fn a_board_changes_its_key_on_request_and_a_copy_with_the_old_one_is_refused() {
    let world = World::new();
    let board = world.board("locked");
    let before = key(&board);
    let copy = world.machine("locked", BoardOptions::default());
    for file in ["board.json", "board.key"] {
        std::fs::copy(board.home().join(file), copy.home().join(file)).unwrap();
    }
    let after = rotate(&board);
    assert_eq!(key(&board), after.as_str().unwrap());
    assert_ne!(key(&board), before);
    board.answers();
    board.restart();
    assert_eq!(key(&board), after.as_str().unwrap(), "the new key is on the disk");
    copy.start();
    until("the copy to be refused", PATIENCE, || {
        let said = copy.said();
        if said.contains("does not know this board's key") { Ok(()) } else { Err(said) }
    });
    board.answers();
    assert_eq!(board.record().summary.parked, None, "a refused key raises no alarm");
}

#[test]
fn whoever_dies_while_a_key_changes_board_and_cloud_find_together_again() {
    let world = World::new();
    let board = world.board("unlucky");
    let kills = std::env::var("S4T_SOAK_KILLS").ok().and_then(|text| text.parse().ok());
    let mut changed = 0;
    for number in 0..kills.unwrap_or(KILLS) {
        let before = key(&board);
        let operation: Operation =
            world.admin().post(&board.path("/rotate-key"), &json!({})).unwrap();
        // Some die before the board hears of it, some in the middle, some behind.
        std::thread::sleep(Duration::from_millis(u64::from(number % 7) * 4));
        if number % 2 == 0 {
            world.cloud_kill();
            world.cloud_restart();
        } else {
            board.kill();
            board.start();
        }
        let end = world.operation(operation.id, 60).operation;
        assert_eq!(end.state, State::Succeeded, "{end:?}");
        until("the board to answer", PATIENCE, || {
            board.ask("/ping", &json!({})).map_err(|error| error.to_string())
        });
        changed += u32::from(key(&board) != before);
        board.restart();
    }
    assert_eq!(changed, kills.unwrap_or(KILLS), "each command changed the key");
}

#[test]
fn a_key_that_is_too_old_is_changed_by_the_board_itself() {
    let world = World::new();
    let options = BoardOptions::default().set("cloud.rotate_key_days", "30");
    let board = world.board_with("aged", options);
    let before = key(&board);
    board.restart();
    assert_eq!(key(&board), before, "it is young");
    board.stop();
    std::fs::write(board.home().join("key.since"), "2026-01-01T00:00:00Z").unwrap();
    board.start();
    until("another key", PATIENCE, || {
        let now = key(&board);
        if now == before { Err(now) } else { Ok(()) }
    });
    board.restart();
    board.answers();
}

fn rotate_cloud(world: &World) -> String {
    let path = testkit::program_path("iotronic");
    let said = Said::of(Command::new(path).arg("rotate-key").arg("--data").arg(world.data()));
    said.ok()
}

#[test]
fn the_cloud_changes_its_key_and_boards_follow_however_long_they_were_away() {
    let world = World::new();
    let (near, away) = (world.board("near"), world.board("away"));
    let local = LocalService::start(Talk::Echo);
    let _ = world.service("echo", local.port);
    let _ = near.expose("echo");
    let old_claim = world.claim("late");
    let before = world.admin().get::<Value>("/v2/system").unwrap()["tls"]["key"].clone();
    away.stop();
    assert!(
        !Said::of(
            Command::new(testkit::program_path("iotronic"))
                .arg("rotate-key")
                .arg("--data")
                .arg(world.data())
        )
        .err
        .is_empty(),
        "not while the cloud runs"
    );
    for _ in 0..2 {
        world.cloud_stop();
        let _ = rotate_cloud(&world);
        world.cloud_restart();
    }
    let now = world.admin().get::<Value>("/v2/system").unwrap()["tls"]["key"].clone();
    assert_ne!(before, now);
    until("the board to follow", PATIENCE, || {
        near.ask("/ping", &json!({})).map_err(|error| error.to_string())
    });
    away.start();
    away.wait_online();
    let status = Said::of(&mut away.agent_command("status")).ok();
    assert!(status.contains(now.as_str().unwrap()), "it has the new key pinned: {status}");
    echoes(&near, "echo");
    // Who was to enrol with a claim of before enrols.
    let late = world.machine("late", BoardOptions::default());
    let _ = late.enrol(&old_claim).ok();
    late.start();
    late.wait_online();
}
