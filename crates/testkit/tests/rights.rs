//! Rights that hold without the cloud: taken along from it, narrowed on the way, honoured by the board alone.

use api::client::Method;
use serde_json::{Value, json};
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;
use testkit::{Board, BoardOptions, PATIENCE, World, until};

struct Scene {
    world: World,
    board: Board,
    near: String,
}

impl Scene {
    fn new() -> Self {
        let world = World::new();
        let options =
            BoardOptions::default().set("local.enabled", "true").set("local.listen", "127.0.0.1:0");
        let board = world.board_with("gate", options);
        world.plugin(
            "open",
            "python",
            "sync",
            "def main(params):\n    print('opened')\n    return params\n",
        );
        world.plugin("shut", "python", "sync", "def main(params):\n    return 'shut'\n");
        board.inject("open");
        board.inject("shut");
        let near = address(&board);
        Self { world, board, near }
    }

    fn issue(&self, new: &Value) -> api::rights::Right {
        self.world.admin().post(&self.board.path("/rights"), new).unwrap()
    }

    /// Status and JSON of what the board itself says.
    fn ask(&self, request: &str, right: Option<&str>, body: &str) -> (u16, Value) {
        let mut stream = TcpStream::connect(&self.near).unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let bearer =
            right.map_or(String::new(), |right| format!("Authorization: Bearer {right}\r\n"));
        let text = format!(
            "{request} HTTP/1.1\r\nHost: board\r\n{bearer}Content-Length: {}\r\n\r\n{body}",
            body.len()
        );
        stream.write_all(text.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        let status = answer.split(' ').nth(1).unwrap().parse().unwrap();
        let body = answer.split_once("\r\n\r\n").unwrap().1;
        (status, serde_json::from_str(body).unwrap_or(Value::Null))
    }

    fn call(&self, plugin: &str, right: &str) -> (u16, Value) {
        let body = json!({ "parameters": { "by": "hand" } }).to_string();
        self.ask(&format!("POST /plugins/{plugin}/call"), Some(right), &body)
    }
}

fn address(board: &Board) -> String {
    until("the local page", PATIENCE, || {
        let said = board.said();
        let line = said.lines().find(|line| line.contains("local page"));
        let word = line
            .and_then(|line| line.split_whitespace().find_map(|word| word.strip_prefix("listen=")));
        word.map(str::to_owned).ok_or(said)
    })
}

#[test]
fn a_right_lets_do_what_it_says_while_the_cloud_is_away_and_nothing_else() {
    let scene = Scene::new();
    let all = scene.issue(&json!({ "acts": ["status", "logs", "call"], "depth": 2 }));
    let one = scene.issue(&json!({ "acts": ["call"], "plugin": "open", "life_s": 120 }));
    scene.world.cloud_kill();
    scene.board.wait_offline_by_itself();
    let (status, body) = scene.call("open", &one.right);
    assert_eq!((status, &body["result"]["by"]), (200, &json!("hand")), "{body}");
    assert_eq!(scene.call("shut", &one.right).0, 403);
    assert_eq!(scene.ask("GET /plugins/open", Some(&one.right), "").0, 403);
    let (status, list) = scene.ask("GET /plugins", Some(&all.right), "");
    assert_eq!((status, list.as_array().map(Vec::len)), (200, Some(2)), "{list}");
    let (status, lines) = scene.ask("GET /plugins/open/logs?limit=10", Some(&all.right), "");
    assert!(status == 200 && lines.to_string().contains("opened"), "{lines}");
    for (request, right, wanted) in [
        ("GET /plugins", None, 401),
        ("GET /plugins", Some("s4tr1.AAAA"), 400),
        ("DELETE /plugins/open", Some(all.right.as_str()), 404),
        ("GET /plugins/nothing", Some(all.right.as_str()), 404),
    ] {
        assert_eq!(scene.ask(request, right, "").0, wanted, "{request}");
    }
}

#[test]
fn a_narrowed_right_allows_the_part_and_the_command_line_needs_no_cloud_for_that() {
    let scene = Scene::new();
    let issued = scene.world.s4t(&[
        "-f", "json", "right", "issue", "gate", "-a", "call", "-a", "status", "--depth", "1",
    ]);
    let issued: Value = serde_json::from_str(&issued.ok()).unwrap();
    let right = issued["right"].as_str().unwrap();
    scene.world.cloud_kill();
    let narrow =
        |right: &str| scene.world.s4t(&["-f", "json", "right", "narrow", right, "-a", "status"]);
    let narrowed: Value = serde_json::from_str(&narrow(right).ok()).unwrap();
    let narrowed = narrowed["right"].as_str().unwrap();
    assert_eq!(scene.call("open", right).0, 200);
    assert_eq!(scene.call("open", narrowed).0, 403);
    assert_eq!(scene.ask("GET /plugins/open", Some(narrowed), "").0, 200);
    assert_ne!(narrow(narrowed).code, 0, "it may not be passed on again");
    let shown = scene.world.s4t(&["right", "show", narrowed]).ok();
    assert!(shown.contains("status") && !shown.contains("s4tr1."), "{shown}");
}

#[test]
fn a_right_ends_with_its_time_its_epoch_and_its_board() {
    let scene = Scene::new();
    let other = scene.world.board("other");
    let foreign: api::rights::Right =
        scene.world.admin().post(&other.path("/rights"), &json!({ "acts": ["call"] })).unwrap();
    assert_eq!(scene.call("open", &foreign.right).0, 401);
    let short = scene.issue(&json!({ "acts": ["call"], "life_s": 2 }));
    assert_eq!(scene.call("open", &short.right).0, 200);
    until("the right to be over", Duration::from_secs(10), || {
        let (status, body) = scene.call("open", &short.right);
        if status == 401 { Ok(()) } else { Err(format!("{status} {body}")) }
    });
    for wrong in [
        json!({ "acts": [] }),
        json!({ "acts": ["reboot"] }),
        json!({ "acts": ["call"], "life_s": 301 }),
        json!({ "acts": ["call"], "depth": 9 }),
        json!({ "acts": ["call"], "plugin": "nothing" }),
    ] {
        let path = scene.board.path("/rights");
        let asked = scene.world.admin().request::<Value>(&Method::POST, &path, Some(&wrong), &[]);
        assert!(asked.is_err(), "{wrong}");
    }
}
