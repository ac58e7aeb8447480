//! Services: bytes through a public port to a board's loopback, exactly, and cut when they should be.

use api::client::Method;
use model::Kind;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, TcpListener, TcpStream};
use std::process::Stdio;
use std::time::Instant;
use testkit::{Board, LocalService, Need, PATIENCE, Said, SshServer, Talk};
use testkit::{World, WorldOptions, echoes, lacks, noise, until, visit, wait_echo};

fn exposed(world: &World, board: &Board, name: &str, talk: Talk) -> (LocalService, u16) {
    let local = LocalService::start(talk);
    world.service(name, local.port);
    let public = board.expose(name);
    let (first, last) = world.service_ports();
    assert!((first..=last).contains(&public), "{public}");
    (local, public)
}

#[test]
fn both_sides_may_speak_first_and_either_may_end_first() {
    let world = World::new();
    let board = world.board("door");
    let (_echo, port) = exposed(&world, &board, "echo", Talk::Echo);
    echoes(port, 7, 100_000).unwrap();

    let (_greeting, port) = exposed(&world, &board, "greeting", Talk::Greeting);
    let mut stream = visit(port);
    let mut hello = [0; 21];
    stream.read_exact(&mut hello).unwrap();
    assert_eq!(&hello, b"hello, who is there?\n");

    let (_count, port) = exposed(&world, &board, "count", Talk::Count);
    let mut stream = visit(port);
    stream.write_all(&noise(3, 300_000)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "300000\n", "it heard the end and could still answer");

    let (farewell, port) = exposed(&world, &board, "farewell", Talk::Farewell);
    let mut stream = visit(port);
    let mut piece = String::new();
    stream.read_to_string(&mut piece).unwrap();
    assert_eq!(piece, "that was all\n");
    stream.write_all(&noise(4, 50_000)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    until("what was said after its end", PATIENCE, || match farewell.heard() {
        50_000 => Ok(()),
        heard => Err(format!("{heard} bytes")),
    });
}

#[test]
fn fifty_connections_at_a_time_stay_byte_exact() {
    let world = World::new();
    let board = world.board("busy");
    let (_local, port) = exposed(&world, &board, "echo", Talk::Echo);
    let visitors: Vec<_> = (0..50)
        .map(|seed| std::thread::spawn(move || echoes(port, seed, 200_000 + seed as usize)))
        .collect();
    for visitor in visitors {
        visitor.join().unwrap().unwrap();
    }
    board.answers();
    until("all connections to be gone", PATIENCE, || match board.exposure("echo").connections {
        0 => Ok(()),
        left => Err(format!("{left} left")),
    });
}

#[test]
fn a_local_service_that_is_not_there_ends_the_visit_and_nothing_else() {
    let world = World::new();
    let board = world.board("empty");
    // Nobody ever listens at port 1.
    world.service("nobody", 1);
    let port = board.expose("nobody");
    let mut byte = [0];
    let begun = Instant::now();
    assert!(matches!(visit(port).read(&mut byte), Ok(0) | Err(_)), "there is nobody to answer");
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    let (_local, port) = exposed(&world, &board, "echo", Talk::Echo);
    wait_echo(port);
}

#[test]
fn enabling_twice_and_ports_that_cannot_be_had_are_refused() {
    let world = World::new();
    let board = world.board("strict");
    let local = LocalService::start(Talk::Echo);
    world.service("echo", local.port);
    let port = board.expose("echo");
    let enable = |service: &str, body: Value| {
        let path = format!("/services/{service}");
        board.command(&Method::PUT, &path, &body).map(|operation| operation.state)
    };
    let twice = enable("echo", json!({})).unwrap_err();
    assert_eq!(twice.kind(), Kind::Conflict, "{twice}");
    assert_eq!(enable("none", json!({})).unwrap_err().kind(), Kind::NotFound);

    world.service("second", local.port);
    let taken = enable("second", json!({ "public_port": port })).unwrap_err();
    assert_eq!(taken.kind(), Kind::Conflict, "{taken}");
    let outside = enable("second", json!({ "public_port": 22 })).unwrap_err();
    assert_eq!(outside.kind(), Kind::Invalid, "{outside}");

    // The cloud picks at random, so the echo may have any of them.
    let (first, last) = world.service_ports();
    let other = if port == last { first } else { last };
    let somebody = TcpListener::bind((Ipv4Addr::LOCALHOST, other)).unwrap();
    let foreign = enable("second", json!({ "public_port": other })).unwrap_err();
    assert_eq!(foreign.kind(), Kind::Conflict, "somebody else listens there: {foreign}");
    drop(somebody);
    enable("second", json!({ "public_port": other })).unwrap();
    wait_echo(other);
}

#[test]
fn when_the_ports_run_out_that_is_said_with_a_cure() {
    let world = World::start(WorldOptions::default().service_ports(2));
    let board = world.board("narrow");
    let (first, _) = world.service_ports();
    let local = LocalService::start(Talk::Echo);
    for name in ["a", "b", "c"] {
        world.service(name, local.port);
    }
    let mut ports = vec![board.expose("a"), board.expose("b")];
    ports.sort_unstable();
    assert_eq!(ports, [first, first + 1]);
    let error = board.command(&Method::PUT, "/services/c", &json!({})).unwrap_err();
    assert_eq!(error.kind(), Kind::Exhausted, "{error}");
    assert!(error.to_string().contains("services.ports"), "it says how to mend it: {error}");
    board.done(&Method::DELETE, "/services/a", &json!({}));
    wait_echo(board.expose("c"));
}

#[test]
fn the_one_port_that_no_other_program_has_is_found() {
    let world = World::new();
    let board = world.board("crowded");
    let local = LocalService::start(Talk::Echo);
    world.service("echo", local.port);
    world.service("second", local.port);
    let (first, last) = world.service_ports();
    let left = first.midpoint(last);
    let listen = |port| TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    let _others: Vec<_> = (first..=last).filter(|port| *port != left).map(listen).collect();
    assert_eq!(board.expose("echo"), left);
    let error = board.command(&Method::PUT, "/services/second", &json!({})).unwrap_err();
    assert_eq!(error.kind(), Kind::Exhausted, "{error}");
    assert!(error.to_string().contains("services.ports"), "it says how to mend it: {error}");
}

#[test]
fn disabling_cuts_live_connections_at_once() {
    let world = World::new();
    let board = world.board("cut");
    let (_local, port) = exposed(&world, &board, "greeting", Talk::Greeting);
    let mut stream = visit(port);
    let mut hello = [0; 21];
    stream.read_exact(&mut hello).unwrap();
    assert_eq!(board.exposure("greeting").connections, 1);
    board.done(&Method::DELETE, "/services/greeting", &json!({}));
    let begun = Instant::now();
    assert!(matches!(stream.read(&mut [0]), Ok(0) | Err(_)));
    assert!(begun.elapsed() < PATIENCE / 2, "{:?}", begun.elapsed());
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err(), "the port is closed");
    let error = world.admin().get::<Value>(&board.path("/services/greeting")).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    let again = board.expose("greeting");
    visit(again).read_exact(&mut hello).unwrap();
}

#[test]
fn services_work_again_after_the_cloud_or_the_board_was_killed() {
    let world = World::new();
    let board = world.board("steady");
    let (_local, port) = exposed(&world, &board, "echo", Talk::Echo);
    wait_echo(port);
    world.cloud_kill();
    assert!(TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    world.cloud_restart();
    wait_echo(port);
    board.kill();
    board.wait_offline();
    board.start();
    wait_echo(port);
    assert_eq!(board.exposure("echo").public_port.number(), port);
}

#[test]
fn a_port_taken_while_the_cloud_was_away_is_told_and_healed() {
    let world = World::new();
    let board = world.board("taken");
    let (_local, port) = exposed(&world, &board, "echo", Talk::Echo);
    world.cloud_stop();
    let somebody = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).unwrap();
    world.cloud_restart();
    board.wait_online();
    until("the problem to be told", PATIENCE, || {
        board.exposure("echo").problem.map(drop).ok_or_else(|| "no problem is told".to_owned())
    });
    drop(somebody);
    until("the port to be open again", PATIENCE, || echoes(port, 1, 100));
    assert_eq!(board.exposure("echo").problem, None);
}

#[test]
fn restoring_takes_over_a_changed_local_port() {
    let world = World::new();
    let board = world.board("moved");
    let (_old, port) = exposed(&world, &board, "greeting", Talk::Greeting);
    let new = LocalService::start(Talk::Echo);
    let change = json!({ "port": new.port });
    let admin = world.admin();
    admin.request::<Value>(&Method::PATCH, "/v2/services/greeting", Some(&change), &[]).unwrap();
    board.done(&Method::POST, "/services/greeting/restore", &json!({}));
    wait_echo(port);
    assert_eq!(board.exposure("greeting").local_port.number(), new.port);
}

#[test]
fn a_service_in_use_cannot_be_deleted_and_giving_up_the_board_closes_its_ports() {
    let world = World::new();
    let board = world.board("given-up");
    let (_local, port) = exposed(&world, &board, "echo", Talk::Echo);
    let admin = world.admin();
    let delete = |path: &str| admin.request::<Value>(&Method::DELETE, path, None::<&()>, &[]);
    assert_eq!(delete("/v2/services/echo").unwrap_err().kind(), Kind::Conflict);
    delete(&board.path("")).unwrap();
    until("the port to close", PATIENCE, || {
        match TcpStream::connect((Ipv4Addr::LOCALHOST, port)) {
            Err(_) => Ok(()),
            Ok(_) => Err("it accepts".to_owned()),
        }
    });
    delete("/v2/services/echo").unwrap();
}

/// A session with a real server and a real client: keys checked on both sides, bytes both ways, the exit code, and its end
/// when the service is disabled.
#[test]
fn the_ssh_server_of_a_board_is_used_from_outside() {
    if lacks(Need::Program("/usr/sbin/sshd")) || lacks(Need::Program("ssh")) {
        return;
    }
    let world = World::new();
    let board = world.board("shed");
    let server = SshServer::start();
    world.service("ssh", server.port);
    let port = board.expose("ssh");

    let mut banner = [0; 8];
    visit(port).read_exact(&mut banner).unwrap();
    assert_eq!(&banner, b"SSH-2.0-");

    let said = Said::of(server.client(port).args(["echo there; exit 7"]));
    assert_eq!((said.code, said.out.as_str()), (7, "there\n"), "{}", said.err);

    let bytes = noise(9, 4_000_000);
    let mut cat = server.client(port);
    let mut child = cat.arg("cat").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let sent = bytes.clone();
    let writing = std::thread::spawn(move || stdin.write_all(&sent));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.stdout == bytes, "{} of {} bytes", output.stdout.len(), bytes.len());

    let mut session = server.client(port);
    session.args(["echo here; cat"]).stdin(Stdio::piped()).stdout(Stdio::piped());
    let mut session = session.stderr(Stdio::null()).spawn().unwrap();
    let mut here = [0; 5];
    session.stdout.as_mut().unwrap().read_exact(&mut here).unwrap();
    assert_eq!(&here, b"here\n");
    board.done(&Method::DELETE, "/services/ssh", &json!({}));
    let ended = until("the session to be cut", PATIENCE, || {
        session.try_wait().unwrap().ok_or_else(|| "it goes on".to_owned())
    });
    assert_eq!(ended.code(), Some(255), "ssh says that the connection was lost");
}
