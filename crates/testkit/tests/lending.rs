//! Lending and giving away by the command line: plugins and services for themselves, caps that are lowered, a board that changes hands.

use api::client::Client;
use model::access::Role;
use serde_json::{Value, json};
use testkit::{Board, LocalService, PATIENCE, Said, Talk, World, until};

const COUNT: &str = "import time\ndef main(params):\n    while True: time.sleep(0.2)\n";

/// The command line as somebody.
fn s4t(world: &World, who: &Client, words: &[&str]) -> Said {
    let mut command = world.s4t_command();
    command.env("S4T_URL", world.url()).env("S4T_TOKEN", who.token().unwrap());
    Said::of(command.args(["-f", "json"]).args(words))
}

fn json_of(said: Said) -> Value {
    let text = said.ok();
    serde_json::from_str(&text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The project somebody is signed in to.
fn project(who: &Client) -> String {
    let mine: Value = who.get("/identity/v3/auth/projects").unwrap();
    mine["projects"][0]["id"].as_str().unwrap().to_owned()
}

fn plugins(who: &Client, board: &str) -> Vec<Value> {
    let list: Value = who.get(&format!("/v2/boards/{board}/plugins")).unwrap();
    list["items"].as_array().unwrap().clone()
}

#[test]
fn a_board_is_given_away_by_the_command_line_and_arrives_empty() {
    let world = World::new();
    let board = world.board("lamp");
    world.plugin("answer", "python", "sync", "def main(params):\n    return 42\n");
    board.inject("answer");
    let admin = world.tenant("giving", Role::AdminIotProject);
    let receiver = world.tenant("receiving", Role::AdminIotProject);
    // A program's credential acts in one project, so even the operator's only offers.
    let given = ["-f", "json", "board", "transfer", "lamp", "--to", &project(&admin)];
    let given = json_of(world.s4t(&given));
    assert_eq!(
        (&given["state"], &given["to"]),
        (&json!("offered"), &json!(project(&admin))),
        "{given}"
    );
    let accept = ["transfer", "accept", given["id"].as_str().unwrap()];
    let _ = s4t(&world, &admin, &accept).ok();
    until("the board to be empty", PATIENCE, || match plugins(&admin, "lamp").as_slice() {
        [] => Ok(()),
        left => Err(format!("{left:?}")),
    });
    // Others offer, and the other side decides.
    let to = project(&receiver);
    let offer = json_of(s4t(&world, &admin, &["board", "transfer", "lamp", "--to", &to]));
    assert_eq!(offer["state"], "offered", "{offer}");
    let id = offer["id"].as_str().unwrap();
    let refused = s4t(&world, &admin, &["transfer", "accept", id]);
    assert_ne!(refused.code, 0, "one side does not decide for both");
    let listed = json_of(s4t(&world, &receiver, &["transfer", "list"]));
    assert!(listed.to_string().contains(id), "{listed}");
    let _ = s4t(&world, &receiver, &["transfer", "delete", id]).ok();
    let again = json_of(s4t(&world, &admin, &["board", "transfer", "lamp", "--to", &to]));
    let accepted =
        json_of(s4t(&world, &receiver, &["transfer", "accept", again["id"].as_str().unwrap()]));
    assert_eq!(accepted["project"], json!(to), "{accepted}");
    assert_ne!(s4t(&world, &admin, &["board", "show", "lamp"]).code, 0, "it is seen no more");
    let shown = json_of(s4t(&world, &receiver, &["board", "show", "lamp"]));
    assert_eq!(shown["status"], "online", "{shown}");
}

#[test]
fn a_plugin_and_a_service_are_lent_for_themselves_by_the_command_line() {
    let world = World::new();
    let board = world.board("lamp");
    let other = world.board("fan");
    world.plugin("answer", "python", "sync", "def main(params):\n    return 42\n");
    let local = LocalService::start(Talk::Greeting);
    world.service("greeting", local.port);
    for board in [&board, &other] {
        board.inject("answer");
    }
    let borrower = world.tenant("elsewhere", Role::UserIot);
    let to = "elsewhere-user_iot";
    let call = |board: &str| s4t(&world, &borrower, &["plugin", "call", "answer", board]);
    assert_ne!(call("lamp").code, 0, "nothing is lent yet");
    let lend = |what: &[&str]| {
        let mut words = vec!["-f", "json", "delegation", "create"];
        words.extend(what);
        words.extend(["--to", to, "-r", "all:all", "--hours", "1"]);
        json_of(world.s4t(&words))
    };
    let one = lend(&["--plugin", "answer", "--on", "lamp"]);
    assert!(one["resource"].as_str().unwrap().contains('@'), "{one}");
    assert!(call("lamp").ok().contains("42"));
    assert_ne!(call("fan").code, 0, "it is lent on one board alone");
    let all = lend(&["--plugin", "answer"]);
    assert!(call("fan").ok().contains("42"));
    let service = lend(&["--service", "greeting"]);
    let enable = |board: &str| s4t(&world, &borrower, &["service", "enable", "greeting", board]);
    let _ = enable("lamp").ok();
    for lent in [one, all, service] {
        let _ = world.s4t(&["delegation", "delete", lent["id"].as_str().unwrap()]).ok();
    }
    assert_ne!(call("fan").code, 0, "it was taken back");
    until("the service to be closed", PATIENCE, || {
        let open: Value = world.admin().get("/v2/boards/lamp/services").unwrap();
        if open["items"] == json!([]) { Ok(()) } else { Err(open.to_string()) }
    });
}

/// When the plugin's process began.
fn running(who: &Client, board: &Board) -> Result<Value, String> {
    let status: Value =
        who.get(&board.path("/plugins/count")).map_err(|error| error.to_string())?;
    if status["pid"].is_number() { Ok(status["pid"].clone()) } else { Err(status.to_string()) }
}

#[test]
fn a_running_plugin_of_a_borrower_goes_on_within_caps_that_its_owner_lowers() {
    let world = World::new();
    let board = world.board("lamp");
    world.plugin("count", "python", "async", COUNT);
    let borrower = world.tenant("elsewhere", Role::UserIot);
    let lend = ["delegation", "create", "board:lamp", "--to", "elsewhere-user_iot"];
    let _ = world.s4t(&[&lend[..], &["-r", "write", "--hours", "1"]].concat()).ok();
    let _ = s4t(&world, &borrower, &["plugin", "inject", "count", "lamp"]).ok();
    let _ = s4t(&world, &borrower, &["plugin", "start", "count", "lamp"]).ok();
    let before = until("the plugin to run", PATIENCE, || running(&borrower, &board));
    let set = ["contribution", "set", "lamp", "--memory-bytes", "50000000", "--cpu-percent", "25"];
    let _ = world.s4t(&set).ok();
    until("it to run within them", PATIENCE, || match running(&borrower, &board) {
        Ok(now) if now != before => Ok(()),
        same => Err(format!("{same:?}")),
    });
    let record = serde_json::to_value(board.record()).unwrap().to_string();
    println!("layers of this board: {record}");
}
