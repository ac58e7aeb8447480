//! Boards that speak upstream's dialect at our cloud, with real programs on both sides: our agent joins as upstream's would.

use api::client::Error;
use serde_json::{Value, json};
use testkit::{Board, BoardOptions, World, WorldOptions};

/// A cloud that lets upstream's boards in.
pub(crate) fn legacy_world() -> World {
    let options = WorldOptions::default().set("legacy.enabled", "true").set("legacy.projects", "*");
    World::start(options)
}

/// A board that has registered with its code, in upstream's dialect, and is online.
pub(crate) fn legacy_board(world: &World, name: &str, options: BoardOptions) -> Board {
    let place = json!([{ "latitude": "38.2", "longitude": "15.5", "altitude": "3" }]);
    let new = json!({ "name": name, "code": format!("CODE-{name}"), "location": place });
    let made: Value = world.admin().post("/v1/boards", &new).unwrap();
    let options = options.set("upstream.allow_anonymous", "true");
    let board = world.machine(name, options);
    // What an operator copies: the configuration that the cloud shows.
    std::fs::write(board.home().join("settings.json"), made["config"].to_string()).unwrap();
    board.start();
    board.wait_online();
    board
}

#[test]
fn an_agent_in_upstreams_dialect_lives_at_our_cloud_and_is_marked_as_such() {
    let world = legacy_world();
    let board = legacy_board(&world, "lamp", BoardOptions::default());
    let shown = serde_json::to_value(board.record()).unwrap();
    assert_eq!((&shown["legacy"], &shown["status"]), (&json!(true), &json!("online")), "{shown}");
    let source = "def main(name, params, api):\n    return 'é ' + params['say']\n";
    let _ = world.plugin("echo", "python", "sync", source);
    let _ = board.done(&api::client::Method::PUT, "/plugins/echo", &json!({}));
    let call = json!({ "parameters": { "say": "\"'\\\n" } });
    let said = board.done(&api::client::Method::POST, "/plugins/echo/call", &call);
    assert_eq!(said, "é \"'\\\n");
    board.restart();
    let operations: Value = world.admin().get("/v2/operations?method=PluginCall").unwrap();
    assert_eq!(operations["items"][0]["legacy"], true, "{operations}");
}

#[test]
fn a_terminal_on_an_upstream_board_is_refused_with_what_to_do_instead() {
    let world = legacy_world();
    let board = legacy_board(&world, "lamp", BoardOptions::default().terminals());
    let (status, said) = board.ask_terminal(&world.admin(), "").unwrap_err();
    assert_eq!(status, 409, "{said}");
    assert!(said.contains("expose its SSH service instead"), "{said}");
    let said = world.s4t(&["ssh", "lamp", "--", "true"]);
    assert_eq!(said.code, 7, "{said:?}");
    assert!(said.err.contains("which has no terminals; expose its SSH"), "{said:?}");
    assert!(board.ask("/ping", &json!({})).is_ok(), "and nothing has happened to it");
}

#[test]
fn a_code_is_good_once_and_a_second_machine_with_the_same_settings_stays_outside() {
    let world = legacy_world();
    let board = legacy_board(&world, "lamp", BoardOptions::default());
    let options = BoardOptions::default().set("upstream.allow_anonymous", "true");

    // With the code alone it is refused; with the board's whole identity it is refused while the board is there.
    let replay = world.machine("replay", options.clone());
    let code = json!({ "iotronic": {
        "board": { "code": "CODE-lamp" },
        "wamp": { "registration-agent": settings(&board)["iotronic"]["wamp"]["registration-agent"] },
    } });
    let twin = world.machine("twin", options);
    for (machine, settings, why) in [(&replay, code, "used"), (&twin, settings(&board), "")] {
        std::fs::write(machine.home().join("settings.json"), settings.to_string()).unwrap();
        machine.start();
        testkit::until("a refusal", testkit::PATIENCE, || {
            let said = machine.said();
            let is_refused =
                said.lines().any(|line| line.contains("offline") && line.contains(why));
            if is_refused { Ok(()) } else { Err(said) }
        });
        assert_eq!(machine.times_online(), 0, "{}", machine.said());
    }
    let asked: Result<Value, Error> = board.ask("/ping", &json!({}));
    assert!(asked.is_ok(), "{asked:?}");
    assert_eq!(board.times_online(), 1, "the first one was not disturbed");
}

fn settings(board: &Board) -> Value {
    serde_json::from_slice(&std::fs::read(board.home().join("settings.json")).unwrap()).unwrap()
}
