//! `s4t forward`: a port of this machine that leads to a port of a board, without any public port.

use api::client::{Client, Method};
use model::Kind;
use model::access::Role;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::{Shutdown, TcpListener};
use std::path::Path;
use std::process::{Command, Stdio};
use testkit::{
    BoardOptions, LocalService, Need, PATIENCE, Program, Said, SshServer, Talk, World,
    WorldOptions, echoes, lacks, noise, until, visit, wait_echo,
};

/// The command, signed in as the administrator.
fn command(world: &World, words: &[&str]) -> Command {
    let mut command = world.s4t_command();
    command.env("S4T_ADMIN_FILE", world.admin_file()).arg("forward").args(words);
    command
}

/// The command of somebody else.
fn command_of(world: &World, client: &Client, words: &[&str]) -> Command {
    let mut command = world.s4t_command();
    command.env("S4T_URL", world.url()).env("S4T_TOKEN", client.token().unwrap());
    command.arg("forward").args(words);
    command
}

/// A forward that runs, and its local port.
struct Running {
    program: Program,
    port: u16,
}

fn running(world: &World, name: &str, command: &mut Command) -> Running {
    let log = world.folder().join(format!("forward-{name}.log"));
    let mut program = Program::start("s4t forward", command, Path::new(&log));
    let port = program.line(PATIENCE, |line| {
        let (local, _) = line.split_once(" -> ")?;
        local.rsplit_once(':')?.1.parse().ok()
    });
    Running { program, port }
}

fn to(port: u16) -> String {
    format!("0:{port}")
}

fn events(world: &World, kind: &str) -> Vec<Value> {
    let page: Value = world.admin().get("/v2/events?limit=1000").unwrap();
    let items = page["items"].as_array().unwrap().iter();
    items.filter(|event| event["kind"] == kind).cloned().collect()
}

#[test]
fn a_local_port_leads_to_a_board_byte_exact_and_every_end_is_passed_on() {
    let world = World::new();
    let _board = world.board("lamp");
    let echo = LocalService::start(Talk::Echo);
    let count = LocalService::start(Talk::Count);
    let mut forward =
        command(&world, &["lamp", &to(echo.port), &format!("127.0.0.1:0:{}", count.port)]);
    let Running { mut program, port } = running(&world, "exact", &mut forward);
    let counting = program.line(PATIENCE, |line| {
        let local = line.strip_suffix(&format!(" -> lamp:{}", count.port))?;
        local.rsplit_once(':')?.1.parse().ok()
    });

    let visitors: Vec<_> = (0..20)
        .map(|seed| std::thread::spawn(move || echoes(port, seed, 300_000 + seed as usize)))
        .collect();
    for visitor in visitors {
        visitor.join().unwrap().unwrap();
    }
    let mut stream = visit(counting);
    stream.write_all(&noise(3, 300_000)).unwrap();
    stream.shutdown(Shutdown::Write).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert_eq!(answer, "300000\n", "it heard the end and could still answer");

    let exposures: Value = world.admin().get("/v2/boards/lamp/services").unwrap();
    assert_eq!(exposures["items"], json!([]), "nothing is exposed");
    assert!(program.stop(PATIENCE).success(), "{}", program.said());
    until("the end to be written", PATIENCE, || {
        let closed = events(&world, "forward.closed");
        if closed.len() == 2 { Ok(()) } else { Err(format!("{closed:?}")) }
    });
    let closed = events(&world, "forward.closed");
    let of = |port: u16| closed.iter().find(|event| event["body"]["port"] == port).unwrap();
    let echoed: u64 = (0..20).map(|seed| 300_000 + seed).sum();
    let body = &of(echo.port)["body"];
    assert_eq!((&body["connections"], &body["sent"]), (&json!(20), &json!(echoed)), "{body}");
    assert_eq!((&body["received"], &body["name"]), (&json!(echoed), &json!("lamp")), "{body}");
    let body = &of(count.port)["body"];
    assert_eq!((&body["sent"], &body["received"]), (&json!(300_000), &json!(7)), "{body}");
    let audited: Value = world.admin().get("/v2/audit?verb=forward:close").unwrap();
    assert_eq!(audited["items"].as_array().unwrap().len(), 2, "{audited}");
}

#[test]
fn standard_input_and_output_carry_a_real_ssh() {
    if lacks(Need::Program("/usr/sbin/sshd")) || lacks(Need::Program("ssh")) {
        return;
    }
    let world = World::new();
    let _board = world.board("lamp");
    let server = SshServer::start();
    let me = command(&world, &[]);
    let program = me.get_program().to_str().unwrap();
    let proxy = format!("ProxyCommand={program} forward lamp --stdio {}", server.port);
    let mut ssh = server.client(1);
    ssh.env("S4T_ADMIN_FILE", world.admin_file()).args(["-o", &proxy, "echo there; exit 7"]);
    let said = Said::of(&mut ssh);
    assert_eq!((said.code, said.out.as_str()), (7, "there\n"), "{}", said.err);
}

#[test]
fn standard_input_and_output_pass_every_byte_and_the_end() {
    let world = World::new();
    let _board = world.board("lamp");
    let echo = LocalService::start(Talk::Echo);
    let mut command = command(&world, &["lamp", "--stdio", &echo.port.to_string()]);
    let pipes = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = pipes.spawn().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    let bytes = noise(5, 2_000_000);
    let sent = bytes.clone();
    let writing = std::thread::spawn(move || stdin.write_all(&sent));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    assert!(output.stdout == bytes, "{} of {} bytes", output.stdout.len(), bytes.len());
}

#[test]
fn a_local_port_outlives_restarts_of_board_and_cloud() {
    let world = World::new();
    let board = world.board("lamp");
    let echo = LocalService::start(Talk::Echo);
    let mut forward = command(&world, &["lamp", &to(echo.port)]);
    let Running { mut program, port } = running(&world, "outlives", &mut forward);
    echoes(port, 1, 1000).unwrap();
    board.restart();
    board.wait_online();
    wait_echo(port);
    world.cloud_restart();
    board.wait_online();
    wait_echo(port);
    assert!(program.is_alive());
    assert!(program.said().contains("can be reached again"), "{}", program.said());
}

#[test]
fn what_cannot_be_forwarded_says_why_and_with_which_code() {
    let world = World::new();
    let settings = world.folder().join("strict.toml");
    std::fs::write(&settings, "[forward]\nports = [\"8000-8001\"]\n").unwrap();
    let strict = BoardOptions::default().file(&settings);
    let strict = world.board_with("strict", strict);
    let said = |words: &[&str]| Said::of(&mut command(&world, words));
    let error = said(&["strict", "0:22"]).failed(Kind::Forbidden.exit_code().into());
    assert!(error.contains("forward.ports"), "{error}");
    let _ = said(&["strict", "nowhere"]).failed(2);
    let _ = said(&["nobody", "0:22"]).failed(Kind::NotFound.exit_code().into());
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let local = format!("{}:8000", taken.local_addr().unwrap().port());
    let error = said(&["strict", &local]).failed(Kind::Conflict.exit_code().into());
    assert!(error.contains("another local port"), "{error}");
    strict.stop();
    strict.wait_offline();
    let error = said(&["strict", "0:8000"]).failed(Kind::Unreachable.exit_code().into());
    assert!(error.contains("strict"), "{error}");
    let stranger = world.tenant("strangers", Role::ManagerIotProject);
    let mut command = command_of(&world, &stranger, &["strict", "0:8000"]);
    let _ = Said::of(&mut command).failed(Kind::NotFound.exit_code().into());
}

#[test]
fn a_port_where_nobody_listens_resets_the_visit_and_the_forward_goes_on() {
    let world = World::new();
    let _board = world.board("lamp");
    // Nobody ever listens at port 1.
    let mut forward = command(&world, &["lamp", "0:1"]);
    let Running { mut program, port } = running(&world, "nobody", &mut forward);
    for _ in 0..2 {
        let mut byte = [0];
        let read = visit(port).read(&mut byte);
        assert!(read.is_err(), "a reset, not an end: {read:?}");
    }
    program.line(PATIENCE, |line| line.contains("does not answer").then_some(()));
    assert!(program.is_alive());
}

#[test]
fn a_right_that_is_taken_away_cuts_the_forward_and_its_connections() {
    let world = World::start(WorldOptions::default());
    let board = world.board("lamp");
    let echo = LocalService::start(Talk::Echo);
    let borrower = world.tenant("borrowers", Role::ManagerIotProject);
    let users: Value = world.admin().get("/identity/v3/users").unwrap();
    let users = users["users"].as_array().unwrap();
    let user = users.iter().find(|user| user["name"] == "borrowers-manager_iot_project").unwrap();
    let lend = json!({
        "resource": format!("board:{}", board.id()),
        "to": user["id"],
        "rights": ["read", "write"],
        "until": "2999-01-01T00:00:00Z",
    });
    let lent: Value = world.admin().post("/v2/delegations", &lend).unwrap();
    let id = board.id().to_string();
    let mut forward = command_of(&world, &borrower, &[&id, &to(echo.port)]);
    let Running { mut program, port } = running(&world, "lent", &mut forward);
    let mut stream = visit(port);
    stream.write_all(b"mine").unwrap();
    let mut back = [0; 4];
    stream.read_exact(&mut back).unwrap();
    let path = format!("/v2/delegations/{}", lent["id"].as_str().unwrap());
    let _: Value = world.admin().request(&Method::DELETE, &path, None::<&Value>, &[]).unwrap();
    assert!(matches!(stream.read(&mut back), Ok(0) | Err(_)), "it was cut");
    let status = program.wait(PATIENCE).expect("the forward ends by itself");
    assert_eq!(status.code(), Some(Kind::NotFound.exit_code().into()), "{}", program.said());
}
