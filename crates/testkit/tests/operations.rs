//! Operations: questions and commands to boards, and what becomes of them.

use api::client::Method;
use api::operations::{Detail, Operation};
use api::page::Page;
use model::Kind;
use model::operation::State;
use serde_json::{Value, json};
use testkit::{Board, BoardOptions, PATIENCE, World, until};

const SLEEPER: &str =
    "import time\ndef main(params):\n    time.sleep(params['s'])\n    return 'woke'\n";
const WRITER: &str = "
def main(params):
    with open(params['file'], 'a') as file:
        file.write(params['word'] + '\\n')
    return params['word']
";

/// Gives a command and does not wait.
fn give(world: &World, board: &Board, rest: &str, body: &Value) -> Operation {
    world.admin().post(&board.path(rest), body).unwrap()
}

fn wait(world: &World, operation: &Operation) -> Detail {
    let detail = world.operation(operation.id, 60);
    assert!(detail.operation.state.has_ended(), "{detail:?}");
    detail
}

#[test]
fn a_board_answers_questions() {
    let world = World::new();
    let board = world.board("asked");
    let clock = board.ask("/ping", &json!({})).unwrap();
    assert!(!clock.is_null(), "{clock}");
    let odd = "\u{e9}\u{1f4a1} \"quotes\" \\ and\nlines";
    let said = board.ask("/echo", &json!({ "say": odd })).unwrap();
    assert!(said == odd || said["say"] == odd, "{said}");
    let network: Value = world.admin().get(&board.path("/network")).unwrap();
    let interfaces = network["result"].as_array().unwrap();
    assert!(interfaces.iter().any(|interface| interface["name"] == "lo"), "{network}");
    let lines: api::logs::Lines = world.admin().get(&board.path("/logs?limit=50")).unwrap();
    assert!(lines.lines.iter().any(|line| line.text.contains("online")), "{lines:?}");
    let long = "x".repeat(65 * 1024);
    let error = board.ask("/echo", &json!({ "say": long })).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "{error}");
}

#[test]
fn questions_are_on_record_too() {
    let world = World::new();
    let board = world.board("asked");
    board.answers();
    until("the record of a question", PATIENCE, || {
        let page: Page<Operation> =
            world.admin().get("/v2/operations?method=DeviceEcho").map_err(|e| e.to_string())?;
        match page.items.first() {
            Some(operation) if operation.state == State::Succeeded => Ok(()),
            other => Err(format!("{other:?}")),
        }
    });
}

#[test]
fn a_reboot_is_refused_without_a_command_and_done_once_with_one() {
    let world = World::new();
    let cautious = world.board("cautious");
    let operation = cautious.command(&Method::POST, "/reboot", &json!({})).unwrap();
    assert_eq!(operation.state, State::Failed, "{operation:?}");
    assert!(operation.fault.unwrap().message.contains("reboot_command"));

    let script = world.folder().join("reboot");
    let mark = world.folder().join("rebooted");
    std::fs::write(&script, format!("echo reboot >> {}\n", mark.display())).unwrap();
    let command = format!("sh {}", script.display());
    let options = BoardOptions::default().set("device.reboot_command", &command);
    let board = world.board_with("willing", options);
    board.done(&Method::POST, "/reboot", &json!({ "delay": 3 }));
    until("the reboot command", PATIENCE, || {
        std::fs::read_to_string(&mark).map(drop).map_err(|error| error.to_string())
    });
    assert_eq!(std::fs::read_to_string(&mark).unwrap(), "reboot\n");
    let error = board.command(&Method::POST, "/reboot", &json!({ "delay": 1 })).unwrap_err();
    assert_eq!(error.kind(), Kind::Invalid, "upstream's shortest delay is 3 s: {error}");
}

#[test]
fn restarting_the_agent_keeps_the_operation_and_the_process_number() {
    let world = World::new();
    let board = world.board("phoenix");
    let pid = board.agent(|agent| agent.pid());
    let before = board.record().summary.last_seen;
    let operation = board.command(&Method::POST, "/restart-agent", &json!({})).unwrap();
    assert_eq!(operation.state, State::Succeeded, "{operation:?}");
    until("the agent to start again", PATIENCE, || {
        let times = board.times_online();
        if times >= 2 { Ok(()) } else { Err(format!("online {times} times")) }
    });
    board.wait_online();
    assert_eq!(board.agent(|agent| (agent.is_alive(), agent.pid())), (true, pid));
    assert!(board.record().summary.last_seen >= before);
    assert_eq!(wait(&world, &operation).operation.state, State::Succeeded);
    board.answers();
}

#[test]
fn a_command_to_an_offline_board_waits_and_is_done_once_when_it_returns() {
    let world = World::new();
    let board = world.board("away");
    world.plugin("writer", "python", "sync", WRITER);
    board.inject("writer");
    board.stop();
    let file = board.home().join("plugins-wrote");
    let body = json!({ "parameters": { "file": file, "word": "late" } });
    let given: Vec<_> =
        (0..3).map(|_| give(&world, &board, "/plugins/writer/call", &body)).collect();
    assert!(given.iter().all(|operation| operation.state == State::Pending), "{given:?}");
    world.cloud_restart();
    board.start();
    for operation in &given {
        let detail = wait(&world, operation);
        let states: Vec<_> = detail.history.iter().map(|step| step.state).collect();
        assert_eq!(detail.operation.state, State::Succeeded, "{detail:?}");
        assert_eq!(detail.operation.result, Some(json!("late")));
        assert_eq!(states, [State::Pending, State::Running, State::Succeeded], "{detail:?}");
    }
    assert_eq!(std::fs::read_to_string(file).unwrap(), "late\nlate\nlate\n");
}

#[test]
fn a_command_whose_deadline_passes_before_the_board_comes_is_never_given() {
    let world = World::new();
    let board = world.board("absent");
    world.plugin("writer", "python", "sync", WRITER);
    board.inject("writer");
    board.stop();
    let file = board.home().join("plugins-wrote");
    let body = json!({ "parameters": { "file": file, "word": "late" } });
    let operation = give(&world, &board, "/plugins/writer/call?deadline=1", &body);
    let detail = wait(&world, &operation);
    assert_eq!(detail.operation.state, State::Expired, "{detail:?}");
    board.start();
    board.wait_online();
    let _ = board.call("writer", &json!({ "file": file, "word": "in time" }));
    assert_eq!(std::fs::read_to_string(file).unwrap(), "in time\n");
}

#[test]
fn a_pending_command_can_be_withdrawn_and_an_ended_one_cannot() {
    let world = World::new();
    let board = world.board("absent");
    world.plugin("sleeper", "python", "sync", SLEEPER);
    board.inject("sleeper");
    board.stop();
    let body = json!({ "parameters": { "s": 0 } });
    let operation = give(&world, &board, "/plugins/sleeper/call", &body);
    let cancel = format!("/v2/operations/{}/cancel", operation.id);
    let cancelled: Operation = world.admin().post(&cancel, &json!({})).unwrap();
    assert_eq!(cancelled.state, State::Cancelled, "{cancelled:?}");
    let error = world.admin().post::<Operation>(&cancel, &json!({})).unwrap_err();
    assert_eq!(error.kind(), Kind::Conflict, "{error}");
    board.start();
    board.wait_online();
    board.answers();
    assert_eq!(world.operation(operation.id, 0).operation.state, State::Cancelled);
}

#[test]
fn a_running_plugin_call_is_stopped_on_the_board_by_cancelling_it() {
    let world = World::new();
    let board = world.board("busy");
    world.plugin("sleeper", "python", "sync", SLEEPER);
    board.inject("sleeper");
    let body = json!({ "parameters": { "s": 600 } });
    let operation = give(&world, &board, "/plugins/sleeper/call", &body);
    until("the call to run", PATIENCE, || {
        let state = world.operation(operation.id, 0).operation.state;
        if state == State::Running { Ok(()) } else { Err(state.to_string()) }
    });
    let cancel = format!("/v2/operations/{}/cancel", operation.id);
    let asked: Operation = world.admin().post(&cancel, &json!({})).unwrap();
    assert!(asked.cancel_requested, "{asked:?}");
    let begun = std::time::Instant::now();
    let detail = wait(&world, &operation);
    assert_eq!(detail.operation.state, State::Cancelled, "{detail:?}");
    assert!(begun.elapsed() < PATIENCE, "it was stopped, not waited for");
    let quick = board.call("sleeper", &json!({ "s": 0 }));
    assert_eq!(quick.state, State::Succeeded, "{quick:?}");
}

#[test]
fn the_same_idempotency_key_gives_one_operation() {
    let world = World::new();
    let board = world.board("twice");
    world.plugin("writer", "python", "sync", WRITER);
    board.inject("writer");
    let file = board.home().join("plugins-wrote");
    let body = json!({ "parameters": { "file": file, "word": "one" } });
    let headers = [("idempotency-key", "k-1")];
    let path = board.path("/plugins/writer/call?wait=30");
    let ask = || world.admin().request::<Operation>(&Method::POST, &path, Some(&body), &headers);
    let (first, second) = (ask().unwrap(), ask().unwrap());
    assert_eq!(first.id, second.id);
    assert_eq!(std::fs::read_to_string(file).unwrap(), "one\n");
    let other = json!({ "parameters": { "word": "two" } });
    let error = world
        .admin()
        .request::<Operation>(&Method::POST, &path, Some(&other), &headers)
        .unwrap_err();
    assert!(matches!(error.kind(), Kind::Invalid | Kind::Conflict), "{error}");
}

#[test]
fn operations_are_listed_by_board_state_and_method_and_events_tell_their_story() {
    let world = World::new();
    let board = world.board("told");
    world.plugin("sleeper", "python", "sync", SLEEPER);
    board.inject("sleeper");
    let good = board.call("sleeper", &json!({ "s": 0 }));
    let bad = board.call("sleeper", &json!({ "wrong": 0 }));
    let admin = world.admin();
    let ids = |query: &str| -> Vec<model::OperationId> {
        let page: Page<Operation> = admin.get(&format!("/v2/operations?{query}")).unwrap();
        page.items.iter().map(|operation| operation.id).collect()
    };
    assert_eq!(ids("method=PluginCall&board=told"), [good.id, bad.id]);
    assert_eq!(ids("method=PluginCall&state=failed"), [bad.id]);
    let page: Page<api::events::Event> = admin.get("/v2/events?limit=1000").unwrap();
    let kinds: Vec<_> = page
        .items
        .iter()
        .filter(|event| event.subject_id == good.id.to_string())
        .map(|event| event.kind.as_str())
        .collect();
    assert!(kinds.last().is_some_and(|kind| kind.ends_with("succeeded")), "{kinds:?}");
    assert!(page.items.windows(2).all(|pair| pair[0].seq < pair[1].seq));
    assert!(page.items.iter().any(|event| event.kind == "board.online"), "{page:?}");
}
