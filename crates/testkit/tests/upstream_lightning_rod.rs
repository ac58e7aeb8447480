//! The upstream board agent runs on a board of its own and does what the contract says.

use serde_json::{Value, json};
use std::path::Path;
use std::time::{Duration, Instant};
use testkit::upstream::cloud::{BOARD, CODE, ScriptedCloud};
use testkit::upstream::lightning_rod::{Board, CONF, first_settings};
use testkit::upstream::tunnel::TunnelDoor;
use testkit::{Need, Program, lacks, until};

/// Interpreter, modules and a re-execution, on a busy machine.
const START: Duration = Duration::from_secs(120);
/// Procedures that a board of type `generic` registers.
const PROCEDURES: usize = 38;
/// A plugin in the form in which upstream's cloud sends code: a pickled text.
const CODE_OF_ECHO: &str = "Vfrom iotronic_lightningrod.modules.plugins import Plugin\\u000a\\u000a\
    class Worker(Plugin.Plugin):\\u000a    def run(self):\\u000a        self.q_result.put(\"\\u4f60 'n' \" + str(self.params))\\u000a\np0\n.";

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

/// A board that is online at a cloud, and its session.
fn online() -> (ScriptedCloud, Board, u64) {
    let mut board = Board::new();
    let cloud = ScriptedCloud::start(board.cloud_address());
    board.configure(&first_settings(CODE, cloud.url()), CONF);
    let start = Instant::now();
    board.start();
    let session = session(&cloud, &mut board, 1);
    eprintln!("registered, online, all procedures in {} ms", start.elapsed().as_millis());
    (cloud, board, session)
}

/// Calls a method that has to succeed; answers its message.
fn call(cloud: &ScriptedCloud, session: u64, method: &str, arguments: &[Value]) -> Value {
    let start = Instant::now();
    let said = cloud.call(session, method, arguments).unwrap();
    eprintln!("{method} took {} ms", start.elapsed().as_millis());
    assert_eq!(said["result"], "SUCCESS", "{method}: {said}");
    said["message"].clone()
}

#[test]
fn the_upstream_agent_registers_comes_online_and_answers() {
    if lacks(Need::Networks) {
        return;
    }
    let (cloud, mut board, first) = online();
    assert_eq!(board.settings()["iotronic"]["board"]["uuid"], BOARD);
    assert_eq!(board.settings()["iotronic"]["board"]["status"], "operative");
    assert_eq!(cloud.connections()[0]["info"]["lr_version"], "0.5.0");

    let echo = call(&cloud, first, "DeviceEcho", &[json!({"say": "h\u{e9}llo \"you\"\n\\"})]);
    assert!(echo.as_str().unwrap().starts_with("h\u{e9}llo \"you\"\n\\ @ "), "{echo}");

    board.restart();
    let second = session(&cloud, &mut board, 2);
    assert_ne!(first, second);
    call(&cloud, second, "DevicePing", &[json!({})]);

    board.stop();
    until("the board leaves", START, || {
        if cloud.has_left(second) { Ok(()) } else { Err("it is still there".to_owned()) }
    });
}

#[test]
fn the_upstream_agent_runs_plugins_and_forwards_services() {
    if lacks(Need::Networks) {
        return;
    }
    let (cloud, board, session) = online();
    let plugin = json!({
        "uuid": "91a91400-0000-4000-8000-000000000001", "name": "echo", "code": CODE_OF_ECHO, "callable": true,
        "public": false, "owner": "o", "parameters": {}, "extra": {}, "id": 1, "created_at": null, "updated_at": null,
    });
    let uuid = plugin["uuid"].clone();
    call(&cloud, session, "PluginInject", &[plugin, json!(false)]);
    let said = call(&cloud, session, "PluginCall", &[uuid.clone(), json!({"n": 1})]);
    assert_eq!(said, "\u{4f60} 'n' {'n': 1}");
    call(&cloud, session, "PluginRemove", &[uuid]);

    let door = TunnelDoor::start(board.cloud_address());
    let greeter = greeter(&board);
    let service = json!({
        "uuid": "5e41ce00-0000-4000-8000-000000000001", "name": "greet", "port": 7007, "protocol": "TCP",
        "project": "p", "extra": {}, "id": 1, "created_at": null, "updated_at": null,
    });
    call(&cloud, session, "ServiceEnable", &[service.clone(), json!(50123)]);
    until("the tunnel", START, || if door.ports() == [50123] { Ok(()) } else { Err(board.logs()) });
    assert_eq!(door.first_words(50123, START), b"hello from the board\n");
    call(&cloud, session, "ServiceDisable", &[service]);
    until("the tunnel's end", START, || {
        if door.ports().is_empty() { Ok(()) } else { Err("it is still there".to_owned()) }
    });
    drop(greeter);
}

/// A service on the board that speaks first.
fn greeter(board: &Board) -> Program {
    let script = "import socket\ns = socket.create_server(('127.0.0.1', 7007))\nprint('up', flush=True)\nwhile True:\n    \
                  c, _ = s.accept()\n    c.sendall(b'hello from the board\\n')\n    c.recv(1)\n    c.close()\n";
    let mut command = board.island().command(Path::new("python3"));
    let log = board.path("greeter.log");
    let mut greeter = Program::start("a service", command.args(["-c", script]), &log);
    greeter.line(START, |line| (line == "up").then_some(()));
    greeter
}

#[test]
fn nothing_of_the_upstream_agent_reaches_the_machine_it_runs_on() {
    if lacks(Need::Networks) {
        return;
    }
    let (_cloud, board, _) = online();
    let lines = |path: &str| std::fs::read_to_string(path).unwrap();
    let mounts = lines("/proc/self/mounts");
    let root = board.path("");
    assert!(!mounts.contains(&*root.to_string_lossy()), "its mounts are seen outside:\n{mounts}");
    let inside = board
        .run_inside("cat /proc/mounts; hostname; ls /proc | grep -c '^[0-9]'; touch /usr/x /etc/x");
    for folder in ["/usr", "/proc/sys", "/sys"] {
        let is_read_only = |line: &str| {
            let mut words = line.split(' ').skip(1);
            let is_it = words.next().is_some_and(|path| path.ends_with(folder));
            is_it && words.nth(1).is_some_and(|options| options.starts_with("ro"))
        };
        assert!(inside.lines().any(is_read_only), "{folder} can be written:\n{inside}");
    }
    assert!(!Path::new("/usr/x").exists() && !Path::new("/etc/x").exists());
    assert!(board.path("etc/x").exists(), "{inside}");
    assert!(inside.lines().any(|line| line == "board"), "{inside}");
    assert_ne!(lines("/proc/sys/kernel/hostname").trim(), "board");
}
