//! Plugins: values that arrive exactly, shapes that upstream's plugins have, and guests that misbehave.

use api::client::Method;
use api::plugins::{Injecting, Injection, Status};
use model::Kind;
use model::operation::State;
use model::plugin::RunState;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader};
use std::process::Stdio;
use std::time::Duration;
use testkit::{Board, PATIENCE, World, until};

const PYTHON: &str = "def main(params):\n    return params\n";
const NODE: &str = "exports.main = async (params) => params;\n";
const NODE_UPSTREAM: &str =
    "exports.main = (name, params, api, callback) => {\n  callback(null, [name, params.x]);\n};\n";
const UPSTREAM: &str = "
from iotronic_lightningrod.modules.plugins import Plugin
from iotronic_lightningrod.modules.plugins import pluginApis as API
from oslo_log import log as logging
LOG = logging.getLogger(__name__)

class Worker(Plugin.Plugin):
    def __init__(self, uuid, name, q_result=None, params=None):
        super(Worker, self).__init__(uuid, name, q_result, params)

    def run(self):
        LOG.info('called with %s', self.params)
        self.q_result.put([self.name, self.params['x'], API.getBoardID()])
";
const TICKER: &str = "
import time
from iotronic_lightningrod.plugins import Plugin

class Worker(Plugin.Plugin):
    def __init__(self, uuid, name, q_result=None, params=None):
        super(Worker, self).__init__(uuid, name, q_result, params)

    def run(self):
        tick = 0
        while self._is_running:
            tick += 1
            print('tick', tick, self.params.get('word', ''), flush=True)
            time.sleep(0.05)
        print('tidied up', flush=True)
";

fn status(world: &World, board: &Board, plugin: &str) -> Status {
    world.admin().get(&board.path(&format!("/plugins/{plugin}"))).unwrap()
}

fn printed(world: &World, board: &Board, plugin: &str) -> Vec<String> {
    let path = board.path(&format!("/plugins/{plugin}/logs?limit=1000"));
    let lines: api::logs::Lines = world.admin().get(&path).unwrap();
    lines.lines.into_iter().map(|line| line.text).collect()
}

fn wait_printed(world: &World, board: &Board, plugin: &str, text: &str) {
    until(&format!("{plugin} to print {text:?}"), PATIENCE, || {
        let lines = printed(world, board, plugin);
        if lines.iter().any(|line| line.contains(text)) {
            Ok(())
        } else {
            Err(format!("{lines:?}"))
        }
    });
}

#[test]
fn values_arrive_exactly_in_both_languages() {
    let world = World::new();
    let board = world.board("exact");
    let odd = json!({
        "text": "\u{e9} \u{1f4a1} \u{202e} \"double\" 'single' \\ back\nline\r\ttab \u{0}",
        "numbers": [0, -1, 9_007_199_254_740_991_i64, 1.5, 1e-9],
        "deep": { "list": [[], {}, null, true, false, ""] },
    });
    for (name, language, source) in [("py", "python", PYTHON), ("js", "node", NODE)] {
        let source = format!("{}\n{source}", comment(language));
        world.plugin(name, language, "sync", &source);
        board.inject(name);
        let operation = board.call(name, &odd);
        assert_eq!(operation.result, Some(odd.clone()), "{operation:?}");
    }
}

/// Source text must survive every layer too.
fn comment(language: &str) -> String {
    let odd = "\u{e9}\u{1f4a1} \\ \"'` $HOME %s {} <tag> \\n";
    if language == "python" { format!("# {odd}") } else { format!("// {odd}") }
}

#[test]
fn upstreams_plugins_run_unchanged() {
    let world = World::new();
    let board = world.board("upstream");
    world.plugin("worker", "python", "sync", UPSTREAM);
    world.plugin("callback", "node", "sync", NODE_UPSTREAM);
    board.inject("worker");
    board.inject("callback");
    let id = board.id().to_string();
    assert_eq!(board.call("worker", &json!({ "x": 7 })).result, Some(json!(["worker", 7, id])));
    assert_eq!(board.call("callback", &json!({ "x": 7 })).result, Some(json!(["callback", 7])));
    wait_printed(&world, &board, "worker", "called with");
}

#[test]
fn default_parameters_are_used_and_a_new_source_needs_a_new_injection() {
    let world = World::new();
    let board = world.board("defaults");
    let new = json!({ "name": "echo", "language": "python", "mode": "sync", "source": PYTHON,
        "parameters": { "own": true } });
    world.admin().post::<Value>("/v2/plugins", &new).unwrap();
    board.inject("echo");
    let operation = board.command(&Method::POST, "/plugins/echo/call", &json!({})).unwrap();
    assert_eq!(operation.result, Some(json!({ "own": true })), "{operation:?}");
    let change = json!({ "source": "def main(params):\n    return 'new'\n" });
    let admin = world.admin();
    admin.request::<Value>(&Method::PATCH, "/v2/plugins/echo", Some(&change), &[]).unwrap();
    assert_eq!(board.call("echo", &json!({ "x": 1 })).result, Some(json!({ "x": 1 })));
    board.inject("echo");
    assert_eq!(board.call("echo", &json!({})).result, Some(json!("new")));
    let page: api::Page<Injection> = admin.get(&board.path("/plugins")).unwrap();
    assert_eq!(page.items.len(), 1);
    let error =
        admin.request::<Value>(&Method::DELETE, "/v2/plugins/echo", None::<&()>, &[]).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "it is on a board: {error}");
    board.done(&Method::DELETE, "/plugins/echo", &json!({}));
    admin.request::<Value>(&Method::DELETE, "/v2/plugins/echo", None::<&()>, &[]).unwrap();
    let gone = board.command(&Method::POST, "/plugins/echo/call", &json!({})).unwrap_err();
    assert_eq!(gone.kind(), Kind::NotFound, "{gone}");
}

#[test]
fn an_asynchronous_plugin_is_started_followed_restarted_and_stopped() {
    let world = World::new();
    let board = world.board("ticking");
    world.plugin("ticker", "python", "async", TICKER);
    board.inject("ticker");
    assert_eq!(status(&world, &board, "ticker").state, RunState::Stopped);
    board.done(&Method::POST, "/plugins/ticker/start", &json!({ "parameters": { "word": "one" } }));
    let running = status(&world, &board, "ticker");
    assert_eq!(running.state, RunState::Running, "{running:?}");
    assert!(running.pid.is_some(), "{running:?}");
    let again = board.command(&Method::POST, "/plugins/ticker/start", &json!({})).unwrap();
    assert_eq!(again.fault.map(|fault| fault.kind), Some(Kind::Conflict), "it runs already");

    let mut command = world.s4t_command();
    command.env("S4T_ADMIN_FILE", world.admin_file());
    command.args(["plugin", "logs", "-f", "-n", "1", "ticker", "ticking"]);
    let mut follower = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let lines = BufReader::new(follower.stdout.take().unwrap()).lines();
    let followed: Vec<_> = lines.map_while(Result::ok).take(5).collect();
    follower.kill().unwrap();
    follower.wait().unwrap();
    assert!(followed.iter().all(|line| line.contains("tick")), "{followed:?}");

    let restart = json!({ "parameters": { "word": "two" } });
    board.done(&Method::POST, "/plugins/ticker/restart", &restart);
    assert_ne!(status(&world, &board, "ticker").pid, running.pid);
    wait_printed(&world, &board, "ticker", " two");
    board.done(&Method::POST, "/plugins/ticker/stop", &json!({ "grace_s": 5 }));
    assert_eq!(status(&world, &board, "ticker").state, RunState::Stopped);
    assert!(printed(&world, &board, "ticker").iter().any(|line| line.contains("tidied up")));
    let called = board.command(&Method::POST, "/plugins/ticker/call", &json!({}));
    let kind = called.map_or_else(|error| error.kind(), |done| done.fault.unwrap().kind);
    assert!(matches!(kind, Kind::Conflict | Kind::Invalid), "an asynchronous one is not called");
}

#[test]
fn a_plugin_for_boot_starts_with_the_board_even_while_the_cloud_is_away() {
    let world = World::new();
    let board = world.board("island");
    let mark = board.home().join("plugins").join("mark-of-the-test");
    let source = format!(
        "import time\ndef main(params):\n    open({:?}, 'a').write(params['word'] + '\\n')\n    \
         while True:\n        time.sleep(0.1)\n",
        mark.display().to_string()
    );
    world.plugin("marker", "python", "async", &source);
    board.done(&Method::PUT, "/plugins/marker", &json!({ "on_boot": "start" }));
    board.done(&Method::POST, "/plugins/marker/start", &json!({ "parameters": { "word": "w" } }));
    let count = || std::fs::read_to_string(&mark).unwrap_or_default().matches("w\n").count();
    until("the first start", PATIENCE, || if count() == 1 { Ok(()) } else { Err("none".into()) });
    world.cloud_kill();
    board.kill();
    board.start();
    until("the start without a cloud", Duration::from_secs(10), || {
        if count() == 2 { Ok(()) } else { Err(format!("{} starts", count())) }
    });
    world.cloud_restart();
    board.wait_online();
    assert_eq!(status(&world, &board, "marker").state, RunState::Running);
    board.done(&Method::POST, "/plugins/marker/stop", &json!({}));
    board.restart();
    assert_eq!(status(&world, &board, "marker").state, RunState::Stopped, "stopped stays stopped");
}

#[test]
fn guests_that_misbehave_get_a_clear_fault_and_the_board_goes_on() {
    let world = World::new();
    let board = world.board("patient");
    let bad = [
        ("hang", "while True: pass", Some(Kind::Timeout)),
        ("exit", "import os; os._exit(3)", None),
        ("raise", "raise ValueError('no such lamp')", None),
        ("not-json", "return {1, 2}", None),
        ("huge", "return 'x' * (3 << 20)", Some(Kind::Exhausted)),
        ("hog", "return len(bytearray(1 << 30))", Some(Kind::Exhausted)),
        (
            "fork",
            "import os, time\n    for n in range(40):\n        if os.fork() == 0:\n            time.sleep(20); os._exit(0)\n    time.sleep(2)\n    return 'forked'",
            Some(Kind::Exhausted),
        ),
        ("flood", "for n in range(300000): print('x' * 100)\n    raise RuntimeError('done')", None),
    ];
    for (name, body, kind) in bad {
        let source = format!("def main(params):\n    {body}\n");
        let new = json!({ "name": name, "language": "python", "mode": "sync", "source": source,
            "limits": { "wall_s": 3, "cpu_s": 2 } });
        world.admin().post::<Value>("/v2/plugins", &new).unwrap();
        board.inject(name);
        let operation = board.call(name, &json!({}));
        assert_eq!(operation.state, State::Failed, "{name}: {operation:?}");
        let fault = operation.fault.unwrap();
        assert!(!fault.message.is_empty(), "{name}");
        if let Some(kind) = kind {
            let fits = fault.kind == kind || (name == "hang" && fault.kind == Kind::Exhausted);
            assert!(fits, "{name}: {fault:?}");
        }
        if name == "raise" {
            assert!(fault.message.contains("no such lamp"), "{fault:?}");
        }
        board.answers();
    }
    let (now, _) = board.agent(|agent| agent.memory_kib());
    println!("the agent has {now} KiB (debug build) after all of it");
    assert!(now < 150 * 1024, "the agent's memory stayed bounded: {now} KiB");
}

#[test]
fn a_selector_injects_into_every_board_it_picks_and_no_other() {
    let world = World::new();
    let boards: Vec<_> = [("l-1", "lamp"), ("l-2", "lamp"), ("m-1", "meter")]
        .map(|(name, kind)| {
            let board = world.board(name);
            let change = json!({ "labels": { "kind": kind } });
            let admin = world.admin();
            admin.request::<Value>(&Method::PATCH, &board.path(""), Some(&change), &[]).unwrap();
            board
        })
        .into();
    boards[1].stop();
    world.plugin("echo", "python", "sync", PYTHON);
    let many = json!({ "plugin": "echo", "selector": "kind=lamp" });
    let begun: Vec<Injecting> = world.admin().post("/v2/injections", &many).unwrap();
    assert_eq!(begun.len(), 2);
    boards[1].start();
    for injecting in &begun {
        let detail = world.operation(injecting.operation, 60);
        assert_eq!(detail.operation.state, State::Succeeded, "{detail:?}");
    }
    for board in &boards[..2] {
        assert_eq!(board.call("echo", &json!({ "x": 1 })).result, Some(json!({ "x": 1 })));
    }
    let error = boards[2].command(&Method::POST, "/plugins/echo/call", &json!({})).unwrap_err();
    assert_eq!(error.kind(), Kind::NotFound, "{error}");
    let wrong = json!({ "plugin": "echo", "selector": "kind in" });
    let error = world.admin().post::<Value>("/v2/injections", &wrong).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
}
