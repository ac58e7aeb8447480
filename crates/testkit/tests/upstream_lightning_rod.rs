//! The upstream board agent runs on a board of its own and does what the contract says.

use serde_json::json;
use std::time::{Duration, Instant};
use testkit::upstream::cloud::{BOARD, CODE, ScriptedCloud};
use testkit::upstream::lightning_rod::{Board, CONF, first_settings};
use testkit::{Need, lacks, until};

/// Interpreter, modules and a re-execution, on a busy machine.
const START: Duration = Duration::from_secs(120);
/// Procedures that a board of type `generic` registers.
const PROCEDURES: usize = 38;

/// Waits until the newest session has all its procedures; answers it.
fn session(cloud: &ScriptedCloud, board: &mut Board, connections: usize) -> u64 {
    until("the board's procedures", START, || {
        let seen = cloud.connections();
        assert!(board.is_on(), "the board went off:\n{}", board.logs());
        let newest = seen.get(connections - 1).ok_or("no connection yet")?;
        let session = newest["session"].as_u64().ok_or("no session in it")?;
        let methods = cloud.methods(session).len();
        if methods == PROCEDURES { Ok(session) } else { Err(format!("{methods} so far")) }
    })
}

#[test]
fn the_upstream_agent_registers_comes_online_and_answers() {
    if lacks(Need::Networks) {
        return;
    }
    let mut board = Board::new();
    let cloud = ScriptedCloud::start(board.cloud_address());
    board.configure(&first_settings(CODE, cloud.url()), CONF);
    let start = Instant::now();
    board.start();
    let first = session(&cloud, &mut board, 1);
    eprintln!("registered and online with all procedures in {} ms", start.elapsed().as_millis());
    assert_eq!(board.settings()["iotronic"]["board"]["uuid"], BOARD);
    assert_eq!(board.settings()["iotronic"]["board"]["status"], "operative");
    assert_eq!(cloud.connections()[0]["info"]["lr_version"], "0.5.0");

    let echo =
        cloud.call(first, "DeviceEcho", &[json!({"say": "h\u{e9}llo \"you\"\n\\"})]).unwrap();
    assert_eq!(echo["result"], "SUCCESS", "{echo}");
    assert!(echo["message"].as_str().unwrap().starts_with("h\u{e9}llo \"you\"\n\\ @ "), "{echo}");

    board.restart();
    let second = session(&cloud, &mut board, 2);
    assert_ne!(first, second);
    let ping = cloud.call(second, "DevicePing", &[json!({})]).unwrap();
    assert_eq!(ping["result"], "SUCCESS", "{ping}");

    board.stop();
    until("the board leaves", START, || {
        if cloud.has_left(second) { Ok(()) } else { Err("it is still there".to_owned()) }
    });
}
