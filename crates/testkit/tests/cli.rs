//! The command line against a live cloud: every noun and verb once, every way to say who one is, every exit code.

use model::access::Role;
use serde_json::{Value, json};
use std::io::{BufRead as _, BufReader, Write as _};
use std::process::{Command, Stdio};
use std::time::Instant;
use testkit::{Board, LocalService, PATIENCE, Said, Talk, World, program_path, until};

fn cell(world: &World, words: &[&str], column: &str) -> String {
    let said = world.s4t(&[words, &["-f", "value", "-c", column]].concat()).ok();
    said.trim().to_owned()
}

fn file(world: &World, name: &str, text: &str) -> String {
    let path = world.folder().join(name);
    std::fs::write(&path, text).unwrap();
    path.display().to_string()
}

#[test]
fn projects_are_opened_to_upstream_boards_and_fleets_asked_as_one() {
    let world = World::new();
    let s4t = |words: &[&str]| world.s4t(words);
    let _ = s4t(&["project", "create", "city"]).ok();
    let allowed = || cell(&world, &["project", "show", "city"], "allow_legacy");
    assert_eq!(allowed(), "false");
    let _ = s4t(&["project", "set", "city", "--allow-legacy"]).ok();
    assert_eq!(allowed(), "true");
    let _ = s4t(&["project", "set", "city", "--name", "town"]).ok();
    assert!(cell(&world, &["project", "list"], "name").contains("town"));
    let _ = s4t(&["project", "set", "town", "--allow-legacy=false"]).ok();
    assert_eq!(cell(&world, &["project", "show", "town"], "allow_legacy"), "false");
    assert!(!s4t(&["project", "show", "nowhere"]).failed(6).is_empty());

    let board = world.board("lamp");
    let said = s4t(&["board", "action", "lamp", "DeviceEcho", "--params", "{\"say\": \"hi\"}"]);
    assert_eq!(said.ok().trim(), "hi");
    let upgrade = s4t(&["board", "action", "lamp", "DeviceUpgradeLR"]).failed(5);
    assert!(upgrade.contains("device.upgrade_command"), "{upgrade}");
    assert!(!s4t(&["board", "action", "lamp", "DeviceExplode"]).failed(3).is_empty());
    let _ = s4t(&["fleet", "create", "street"]).ok();
    assert!(!s4t(&["fleet", "action", "street", "DevicePing"]).failed(7).is_empty());
    let _ = s4t(&["board", "set", "lamp", "--fleet", "street"]).ok();
    let asked = s4t(&["fleet", "action", "street", "DevicePing", "-f", "json"]).json();
    assert_eq!(asked[0]["board"], json!(board.id()));
    let operation = asked[0]["operation"].as_str().unwrap();
    let _ = s4t(&["operation", "wait", operation]).ok();
    let shown: Value = world.admin().get(&format!("/v2/operations/{operation}")).unwrap();
    let main = shown["main"].as_str().unwrap();
    let request: Value = world.admin().get(&format!("/v1/requests/{main}")).unwrap();
    assert_eq!(
        (&request["pending_requests"], &request["status"]),
        (&json!(0), &json!("COMPLETED"))
    );
    assert_eq!(cell(&world, &["operation", "list", "--main", main], "id"), operation);
}

#[test]
fn boards_claims_and_fleets_by_every_verb() {
    let world = World::new();
    let s4t = |words: &[&str]| world.s4t(words);
    let _ = s4t(&["fleet", "create", "street", "--description", "lamps of the street"]).ok();
    assert_eq!(cell(&world, &["fleet", "list"], "name"), "street");
    let _ = s4t(&["fleet", "set", "street", "--name", "avenue"]).ok();
    assert_eq!(cell(&world, &["fleet", "show", "avenue"], "description"), "lamps of the street");

    let rule = ["fleet", "create", "lamps", "--rule", "kind=lamp"];
    assert!(s4t(&[&rule[..], &["-f", "json"]].concat()).ok().contains("kind=lamp"));
    assert!(s4t(&["fleet", "set", "lamps", "--rule", "kind="]).failed(3).contains("rule: "));

    let claim = ["board", "claim", "lamp-1", "-l", "kind=lamp", "--fleet", "avenue", "-f", "value"];
    let text = s4t(&claim).ok();
    assert!(text.starts_with("s4t1.") && text.lines().count() == 1, "{text}");
    let board = world.machine("lamp-1", testkit::BoardOptions::default());
    let _ = board.enrol(text.trim()).ok();
    board.start();
    let _ = s4t(&["board", "wait", "lamp-1", "--timeout", "30"]).ok();
    assert_eq!(cell(&world, &["board", "list"], "name"), "lamp-1");
    assert_eq!(
        cell(&world, &["board", "list", "-l", "kind=lamp", "--status", "online"], "name"),
        "lamp-1"
    );
    assert_eq!(
        cell(&world, &["board", "list", "--fleet", "avenue", "--text", "amp"], "name"),
        "lamp-1"
    );
    assert_eq!(cell(&world, &["board", "list", "-l", "kind=meter"], "name"), "");
    for fleet in ["avenue", "lamps"] {
        assert_eq!(cell(&world, &["fleet", "boards", fleet], "name"), "lamp-1");
    }
    let _ = s4t(&["board", "show", "lamp-1"]).ok();
    let set =
        ["board", "set", "lamp-1", "-l", "zone=north", "-l", "kind-", "--position", "38.2,-15.5"];
    let _ = s4t(&set).ok();
    let shown = s4t(&["board", "show", "lamp-1", "-f", "json"]).json();
    assert_eq!(shown["labels"], json!({ "zone": "north" }));
    assert_eq!(shown["position"]["longitude"], -15.5);
    assert_eq!(cell(&world, &["fleet", "boards", "lamps"], "name"), "", "it is no lamp any more");
    let _ = s4t(&["board", "set", "lamp-1", "--fleet", ""]).ok();
    assert_eq!(cell(&world, &["fleet", "boards", "avenue"], "name"), "");
    let _ = s4t(&["fleet", "delete", "avenue"]).ok();

    let _ = s4t(&["board", "ping", "lamp-1"]).ok();
    assert!(s4t(&["board", "echo", "lamp-1", "h\u{e9} \"llo\""]).ok().contains("h\u{e9} \"llo\""));
    assert!(cell(&world, &["board", "network", "lamp-1"], "name").contains("lo"));
    assert!(s4t(&["board", "logs", "lamp-1", "-n", "20"]).ok().contains("online"));
    assert!(!s4t(&["board", "reboot", "lamp-1"]).failed(5).is_empty(), "its owner allows none");
    let _ = s4t(&["board", "restart-agent", "lamp-1", "--delay", "3"]).ok();

    let withdrawn = s4t(&["claim", "create", "next", "--uses", "3", "-f", "json"]).json();
    let id = withdrawn["id"].as_str().unwrap();
    assert_eq!(cell(&world, &["claim", "show", id], "uses_left"), "3");
    assert!(cell(&world, &["claim", "list"], "id").contains(id));
    assert_eq!(cell(&world, &["claim", "show", "next"], "id"), id, "a name that is alone will do");
    let _ = s4t(&["claim", "create", "next"]).ok();
    let _ = s4t(&["claim", "show", "next"]).failed(7);
    let _ = s4t(&["claim", "show", "nobody"]).failed(6);
    let _ = s4t(&["claim", "delete", id]).ok();
    let replace = s4t(&["board", "replace", "lamp-1", "-f", "value"]).ok();
    assert!(replace.starts_with("s4t1."), "{replace}");
    let _ = s4t(&["board", "decommission", "lamp-1"]).ok();
    let _ = s4t(&["board", "show", "no-such-board"]).failed(6);
}

#[test]
fn plugins_services_operations_and_events_by_every_verb() {
    let world = World::new();
    let board = world.board("b");
    plugins(&world);
    services(&world, &board);
    operations_and_events(&world);
}

fn plugins(world: &World) {
    let s4t = |words: &[&str]| world.s4t(words);
    let source = file(world, "hello.py", "def main(params):\n    return {'hello': params['x']}\n");
    let create = [
        "plugin",
        "create",
        "hello",
        "--file",
        &source,
        "--params",
        r#"{"x":"you"}"#,
        "--wall",
        "9",
    ];
    let _ = s4t(&create).ok();
    let script = file(
        world,
        "tick.js",
        "exports.main = async () => { for (;;) { console.log('tick'); await new Promise(r => setTimeout(r, 50)); } };\n",
    );
    let _ = s4t(&["plugin", "create", "tick", "--file", &script, "--mode", "async"]).ok();
    assert_eq!(cell(world, &["plugin", "list"], "name"), "hello\ntick");
    assert_eq!(cell(world, &["plugin", "show", "tick"], "language"), "node");
    let _ = s4t(&["plugin", "inject", "hello", "b"]).ok();
    assert_eq!(
        s4t(&["plugin", "call", "hello", "b", "-f", "json"]).json(),
        json!({ "hello": "you" })
    );
    let call = ["plugin", "call", "hello", "b", "--params", r#"{"x":[1,"\u00e9"]}"#, "-f", "json"];
    assert_eq!(s4t(&call).json(), json!({ "hello": [1, "\u{e9}"] }));
    let _ = s4t(&["plugin", "call", "hello", "b", "--params", "{"]).failed(3);
    let _ = s4t(&["plugin", "inject", "tick", "b", "--on-boot"]).ok();
    let _ = s4t(&["plugin", "start", "tick", "b"]).ok();
    assert_eq!(cell(world, &["plugin", "status", "tick", "b"], "state"), "running");
    until("a tick", PATIENCE, || {
        let said = s4t(&["plugin", "logs", "tick", "b", "-n", "5"]).ok();
        if said.contains("tick") { Ok(()) } else { Err(said) }
    });
    let _ = s4t(&["plugin", "restart", "tick", "b"]).ok();
    let _ = s4t(&["plugin", "stop", "tick", "b", "--grace", "1"]).ok();
    assert_eq!(cell(world, &["plugin", "list", "--board", "b"], "name"), "hello\ntick");
    let _ = s4t(&["plugin", "set", "hello", "--visibility", "public", "--file", &source]).ok();
    let _ = s4t(&["plugin", "delete", "hello"]).failed(7);
    let _ = s4t(&["plugin", "inject", "hello", "-l", "none=such"]);
    let _ = s4t(&["plugin", "remove", "hello", "b"]).ok();
    let _ = s4t(&["plugin", "delete", "hello"]).ok();
}

fn services(world: &World, board: &Board) {
    let s4t = |words: &[&str]| world.s4t(words);
    let local = LocalService::start(Talk::Greeting);
    let _ = s4t(&["service", "create", "door", "--port", &local.port.to_string()]).ok();
    assert_eq!(cell(world, &["service", "list"], "name"), "door");
    let _ = s4t(&["service", "show", "door"]).ok();
    let port = cell(world, &["service", "enable", "door", "b"], "public_port");
    assert_eq!(port, board.exposure("door").public_port.to_string());
    assert_eq!(cell(world, &["service", "list", "--board", "b"], "state"), "enabled");
    let _ = s4t(&["service", "enable", "door", "b"]).failed(7);
    let _ = s4t(&["service", "set", "door", "--name", "gate"]).ok();
    let _ = s4t(&["service", "restore", "gate", "b"]).ok();
    let _ = s4t(&["service", "disable", "gate", "b"]).ok();
    let _ = s4t(&["service", "delete", "gate"]).ok();
}

fn operations_and_events(world: &World) {
    let s4t = |words: &[&str]| world.s4t(words);
    let list =
        ["operation", "list", "--board", "b", "--method", "PluginCall", "--state", "succeeded"];
    let ids = cell(world, &list, "id");
    assert_eq!(ids.lines().count(), 2, "{ids}");
    let id = ids.lines().next().unwrap();
    let shown = s4t(&["operation", "show", id, "-f", "json"]).json();
    assert_eq!(shown["history"].as_array().map(Vec::len), Some(3), "{shown}");
    let _ = s4t(&["operation", "wait", id]).ok();
    let _ = s4t(&["operation", "cancel", id]).failed(7);
    let events = s4t(&["events", "--format", "json", "-n", "1000"]).json();
    assert!(events.as_array().unwrap().iter().any(|event| event["kind"] == "board.online"));
}

#[test]
fn every_format_shows_the_same() {
    let world = World::new();
    let _ = world.s4t(&["fleet", "create", "a,b", "--description", "x"]);
    let _ = world.s4t(&["fleet", "create", "one", "--description", "first, \"best\""]).ok();
    let list = |format: &str| world.s4t(&["fleet", "list", "-f", format]).ok();
    let json: Value = serde_json::from_str(&list("json")).unwrap();
    let raw = world.raw().get("/v2/fleets").json();
    assert_eq!(json, raw["items"], "json is the API's own");
    assert!(list("yaml").contains("description: "), "{}", list("yaml"));
    let csv = list("csv");
    assert!(
        csv.starts_with("id,name,description") && csv.contains("\"first, \"\"best\"\"\""),
        "{csv}"
    );
    assert!(list("table").contains("first, \"best\""));
    assert!(
        list("value").contains("one first, \"best\"") || list("value").contains("one"),
        "{}",
        list("value")
    );
    assert_eq!(list("json"), world.s4t(&["fleet", "list", "--output", "json"]).ok());
}

#[test]
fn exit_codes_tell_failures_apart() {
    let world = World::new();
    let usage = world.s4t(&["board", "explode"]);
    assert_eq!(usage.code, 2, "{usage:?}");
    let _ = world.s4t(&["board", "list", "-l", "zone in"]).failed(3);
    let nobody = Said::of(world.s4t_command().args(["board", "list"]));
    assert!(nobody.failed(4).contains("s4t login"), "it says how to sign in");
    let mut wrong = world.s4t_command();
    wrong.env("S4T_URL", world.url()).env("S4T_TOKEN", "nonsense").args(["board", "list"]);
    let _ = Said::of(&mut wrong).failed(4);
    let user = world.tenant("other", Role::UserIot);
    let mut reader = world.s4t_command();
    reader.env("S4T_URL", world.url()).env("S4T_TOKEN", user.token().unwrap());
    let _ = Said::of(reader.args(["board", "claim", "mine"])).failed(5);
    let _ = world.s4t(&["plugin", "show", "none"]).failed(6);
    let _ = world.s4t(&["fleet", "create", "twice"]).ok();
    let _ = world.s4t(&["fleet", "create", "twice"]).failed(7);
    let machine = world.machine("off", testkit::BoardOptions::default());
    let _ = machine.enrol(&world.claim("off")).ok();
    let said = world.s4t(&["board", "ping", "off"]).failed(8);
    assert!(said.contains("off"), "{said}");
    let source = file(&world, "p.py", "def main(params):\n    return 1\n");
    let _ = world.s4t(&["plugin", "create", "p", "--file", &source]).ok();
    let said = world.s4t(&["plugin", "inject", "p", "off", "--timeout", "1"]).failed(9);
    assert!(said.contains("s4t operation wait"), "it names the operation: {said}");
    let id = cell(&world, &["operation", "list", "--state", "pending"], "id");
    let _ = world.s4t(&["operation", "cancel", &id]).ok();
    assert_eq!(world.s4t(&["operation", "wait", &id]).code, 11);
    let mut far = world.s4t_command();
    far.env("S4T_URL", "http://127.0.0.1:1").env("S4T_TOKEN", "x").args(["board", "list"]);
    let _ = Said::of(&mut far).failed(8);
}

#[test]
fn who_one_is_comes_from_login_clouds_yaml_or_the_environment() {
    let world = World::new();
    let _ = world.tenant("lab", Role::ManagerIotProject);
    let user = "lab-manager_iot_project";
    let auth = format!("{}/identity", world.url());

    let mut command = world.s4t_command();
    command.env("OS_AUTH_URL", &auth).env("OS_USERNAME", user).env("OS_PASSWORD", "correct horse");
    command.env("OS_PROJECT_NAME", "lab").env("OS_USER_DOMAIN_NAME", "Default");
    let name = Said::of(command.args(["whoami", "-f", "value", "-c", "user.name"])).ok();
    assert_eq!(name.trim(), user);

    let yaml = format!(
        "clouds:\n  lab:\n    auth:\n      auth_url: {auth}/v3\n      username: {user}\n      password: correct horse\n      \
         project_name: lab\n      user_domain_name: Default\n      project_domain_name: Default\n"
    );
    let mut command = world.s4t_command();
    command.env("OS_CLIENT_CONFIG_FILE", file(&world, "clouds.yaml", &yaml));
    let said = Said::of(command.args([
        "--os-cloud",
        "lab",
        "whoami",
        "-f",
        "value",
        "-c",
        "project.name",
    ]));
    assert_eq!(said.ok().trim(), "lab");
    let mut command = world.s4t_command();
    command.env("OS_CLIENT_CONFIG_FILE", world.folder().join("clouds.yaml"));
    let _ = Said::of(command.args(["--os-cloud", "none", "whoami"])).failed(6);

    let mut login = world.s4t_command();
    login.args([
        "login",
        "--url",
        world.url(),
        "--user",
        user,
        "--project",
        "lab",
        "--password-stdin",
    ]);
    let mut login =
        login.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    login.stdin.take().unwrap().write_all(b"correct horse\n").unwrap();
    let said = Said::from(login.wait_with_output().unwrap());
    assert!(said.err.contains("signed in"), "{said:?}");
    let _ = said.ok();
    let whoami =
        || Said::of(world.s4t_command().args(["whoami", "-f", "value", "-c", "user.name"]));
    assert_eq!(whoami().ok().trim(), user);
    let _ = Said::of(world.s4t_command().arg("logout")).ok();
    let _ = whoami().failed(4);
    let mut wrong = world.s4t_command();
    wrong
        .args(["login", "--url", world.url(), "--user", user])
        .env("OS_PASSWORD", "battery staple");
    let _ = Said::of(&mut wrong).failed(4);
}

#[test]
fn a_kept_token_that_the_cloud_refuses_is_replaced_unasked() {
    let world = World::new();
    let _ = world.s4t(&["board", "list"]).ok();
    let cache = world.folder().join("home/cache/s4t");
    let kept = std::fs::read_dir(cache).unwrap().next().unwrap().unwrap().path();
    let good: Value = serde_json::from_slice(&std::fs::read(&kept).unwrap()).unwrap();
    for command in ["board list", "whoami", "fleet create north"] {
        let mut bad = good.clone();
        bad["token"] = json!("not a token");
        std::fs::write(&kept, bad.to_string()).unwrap();
        let _ = world.s4t(&command.split(' ').collect::<Vec<_>>()).ok();
        let now: Value = serde_json::from_slice(&std::fs::read(&kept).unwrap()).unwrap();
        assert_ne!(now["token"], bad["token"], "{command}: the new one is kept");
    }
    // Who brings a token alone has no means to sign in again.
    let mut command = world.s4t_command();
    command.env("S4T_URL", world.url()).env("S4T_TOKEN", "not a token");
    let _ = Said::of(command.args(["board", "list"])).failed(4);
}

#[test]
fn followed_events_go_on_over_a_restart_of_the_cloud() {
    let world = World::new();
    let mut command = world.s4t_command();
    command.env("S4T_ADMIN_FILE", world.admin_file());
    command.args(["events", "-f", "--format", "json", "--after", "0"]).stdout(Stdio::piped());
    let mut follower = command.stderr(Stdio::null()).spawn().unwrap();
    let mut lines = BufReader::new(follower.stdout.take().unwrap()).lines().map_while(Result::ok);
    let mut seen = |name: &str| {
        let admin = world.admin();
        let fleet: Value = admin.post("/v2/fleets", &json!({ "name": name })).unwrap();
        let id = fleet["id"].as_str().unwrap().to_owned();
        let found = lines.by_ref().take(50).find(|line| line.contains(&id));
        let event: Value = serde_json::from_str(&found.expect("the event comes")).unwrap();
        event["seq"].as_i64().unwrap()
    };
    let first = seen("before");
    world.cloud_restart();
    let second = seen("after");
    follower.kill().unwrap();
    follower.wait().unwrap();
    assert!(first < second, "{first} {second}");
}

#[test]
fn completions_are_scripts_that_their_shells_read() {
    let s4t =
        |shell: &str| Said::of(Command::new(program_path("s4t")).args(["completion", shell])).ok();
    let folder = tempfile::tempdir().unwrap();
    let script = folder.path().join("s4t.bash");
    std::fs::write(&script, s4t("bash")).unwrap();
    let _ = Said::of(Command::new("bash").arg("-n").arg(&script)).ok();
    for shell in ["zsh", "fish", "elvish", "powershell"] {
        assert!(s4t(shell).contains("s4t"), "{shell}");
    }
}

#[test]
fn it_starts_quickly() {
    let world = World::new();
    let _ = world.s4t(&["board", "list"]).ok();
    let mut times: Vec<_> = (0..10)
        .map(|_| {
            let begun = Instant::now();
            let _ = world.s4t(&["board", "list"]).ok();
            begun.elapsed()
        })
        .collect();
    times.sort();
    println!("`s4t board list` takes {} ms (median of 10)", times[5].as_millis());
}
