//! The cloud as a process: starts, refuses bad settings, keeps secrets, stops in order.

use api::client::Client;
use model::operation::State;
use serde_json::{Value, json};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::Command;
use std::time::Instant;
use testkit::{PATIENCE, Program, Said, Signal, World, WorldOptions, program_path};

fn serve(data: &Path) -> Command {
    let mut command = Command::new(program_path("iotronic"));
    command.arg("serve").arg("--data").arg(data).env("IOTRONIC__API__LISTEN", "127.0.0.1:0");
    command
}

#[test]
fn a_second_process_on_the_same_folder_is_refused_and_the_first_goes_on() {
    let world = World::new();
    let second = Said::of(&mut serve(&world.data()));
    assert_ne!(second.code, 0, "{second:?}");
    assert!(second.err.contains("another") || second.err.contains("in use"), "{second:?}");
    assert!(!second.out.contains("ready"), "{second:?}");
    world.admin().get::<Value>("/v2/boards").unwrap();
}

#[test]
fn the_first_start_prints_the_password_once_and_ready_names_the_real_port() {
    let folder = tempfile::tempdir().unwrap();
    let (data, log) = (folder.path().join("data"), folder.path().join("log"));
    let mut cloud = Program::start("cloud", &mut serve(&data), &log);
    let ready = cloud.line(PATIENCE, |line| line.strip_prefix("ready ").map(str::to_owned));
    assert!(
        ready.contains(&format!("pid={}", cloud.pid())) && ready.contains("boards=0"),
        "{ready}"
    );
    let url = ready.split(' ').find_map(|word| word.strip_prefix("url=")).unwrap().to_owned();
    assert!(!url.ends_with(":0"), "{url}");
    let said = cloud.said();
    assert_eq!(said.lines().filter(|line| line.starts_with("ready ")).count(), 1);
    let line = said.lines().find(|line| line.contains("password")).unwrap();
    let password = line.split_whitespace().next_back().unwrap().to_owned();
    assert!(password.len() >= 16, "{line}");
    let mut client = Client::new(&url, &api::client::Trust::Public).unwrap();
    let body = json!({ "auth": { "identity": { "methods": ["password"], "password": {
        "user": { "name": "admin", "domain": { "id": "default" }, "password": password } } },
        "scope": { "project": { "name": "admin", "domain": { "id": "default" } } } } });
    client.sign_in(&serde_json::from_value(body).unwrap()).unwrap();
    assert_eq!(cloud.stop(PATIENCE).code(), Some(0));

    let mut again = Program::start("cloud", &mut serve(&data), &log);
    again.line(PATIENCE, |line| line.starts_with("ready ").then_some(()));
    assert!(!again.said().contains("password"), "shown once only: {}", again.said());
    let admin = std::fs::metadata(data.join("admin.json")).unwrap();
    assert_eq!(admin.permissions().mode() & 0o777, 0o600);
    let everything = contents(folder.path());
    let leaks: Vec<_> = everything
        .iter()
        .filter(|(name, text)| name != "log" && contains(text, password.as_bytes()))
        .map(|(name, _)| name)
        .collect();
    assert!(leaks.is_empty(), "the password stands in clear in {leaks:?}");
}

fn contents(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap().flatten() {
        if entry.path().is_dir() {
            found.extend(contents(&entry.path()));
        } else {
            let name = entry.file_name().to_string_lossy().into_owned();
            found.push((name, std::fs::read(entry.path()).unwrap_or_default()));
        }
    }
    found
}

fn contains(text: &[u8], part: &[u8]) -> bool {
    text.windows(part.len()).any(|window| window == part)
}

#[test]
fn no_secret_stands_in_the_log_or_the_database_and_no_key_is_readable_by_others() {
    let world =
        World::start(testkit::WorldOptions::default().set("log.level", "trace,hyper=debug"));
    let made = world.claim_with(&json!({ "name": "quiet" }));
    let board = world.machine("quiet", testkit::BoardOptions::default().set("log.level", "trace"));
    let _ = board.enrol(&made.claim).ok();
    board.start();
    board.wait_online();
    board.answers();
    // An application credential makes no others, so somebody with a password does.
    let admin = world.tenant("lab", model::access::Role::ManagerIotProject);
    let user: api::identity::TokenAnswer = admin
        .request(
            &api::client::Method::GET,
            api::identity::TOKENS,
            None::<&()>,
            &[(api::identity::SUBJECT_TOKEN, admin.token().unwrap().as_str())],
        )
        .unwrap();
    let path = format!("/identity/v3/users/{}/application_credentials", user.token.user.id);
    let body = json!({ "application_credential": { "name": "robot" } });
    let credential: Value = admin.post(&path, &body).unwrap();
    let secret = credential["application_credential"]["secret"].as_str().unwrap().to_owned();
    let claim: model::claim::Claim = made.claim.parse().unwrap();
    let secrets = [
        ("claim", made.claim.clone()),
        ("claim's secret", claim.secret),
        ("token", admin.token().unwrap()),
        ("credential", secret),
    ];
    world.cloud_stop();
    board.stop();
    let mut files = contents(world.folder());
    files.retain(|(name, _)| name != "admin.json");
    for (what, secret) in secrets {
        let leaks: Vec<_> = files
            .iter()
            .filter(|(_, text)| contains(text, secret.as_bytes()))
            .map(|(name, _)| name)
            .collect();
        assert!(leaks.is_empty(), "the {what} stands in clear in {leaks:?}");
    }
    let mut open = Vec::new();
    for folder in [world.data(), board.home().to_owned()] {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let mode = entry.metadata().unwrap().permissions().mode();
            let name = entry.file_name().to_string_lossy().into_owned();
            let is_secret = name.contains("key") || name.contains(".db") || name.ends_with(".json");
            if is_secret && mode & 0o077 != 0 {
                open.push(format!("{name} {:o}", mode & 0o777));
            }
        }
    }
    assert!(open.is_empty(), "others may read {open:?}");
}

#[test]
fn check_config_says_what_is_wrong_and_starts_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("settings.toml");
    let check = |program: &str, place: &str, text: &str| {
        std::fs::write(&file, text).unwrap();
        let mut command = Command::new(program_path(program));
        command.args([if program == "iotronic" { "serve" } else { "run" }, place]);
        command.arg(folder.path().join("none")).arg("--config").arg(&file).arg("--check-config");
        Said::of(&mut command)
    };
    let good = check("iotronic", "--data", "[api]\nlisten = \"127.0.0.1:0\"\n");
    assert_eq!(good.code, 0, "{good:?}");
    for (text, named) in [
        ("[api]\nlisen = \"127.0.0.1:0\"\n", "lisen"),
        ("[api]\nlisten = \"everywhere\"\n", "listen"),
        ("[services]\nports = \"9-1\"\n", "ports"),
        ("[api]\nlisten = \"0.0.0.0:0\"\n", "tls"),
        ("[tls]\ncertificate = \"cert.pem\"\n", "tls.key"),
        ("api = \n", "settings.toml"),
    ] {
        let bad = check("iotronic", "--data", text);
        assert_ne!(bad.code, 0, "{text}");
        assert!(bad.err.contains(named), "{text}: {bad:?}");
    }
    let good = check("lightning-rod", "--home", "[sensors]\nsimulated = true\n");
    assert_eq!(good.code, 0, "{good:?}");
    let bad = check("lightning-rod", "--home", "[sensors]\nsimulatde = true\n");
    assert!(bad.code != 0 && bad.err.contains("simulatde"), "{bad:?}");
    assert!(!folder.path().join("none").exists(), "checking makes no folder");
}

#[test]
fn a_cloud_on_a_taken_port_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap().to_string();
    let said = Said::of(serve(&folder.path().join("data")).env("IOTRONIC__API__LISTEN", &address));
    assert_ne!(said.code, 0);
    assert!(said.err.contains("api.listen") && said.err.contains(&address), "{said:?}");
}

#[test]
fn sigterm_answers_running_requests_exits_with_zero_and_loses_no_operation() {
    let world = World::new();
    let board = world.board("drained");
    world.plugin(
        "slow",
        "python",
        "sync",
        "import os, time\ndef main(params):\n    while not os.path.exists(params['file']):\n        time.sleep(0.05)\n    \
         return 'in order'\n",
    );
    board.inject("slow");
    let gate = board.home().join("go-on");
    std::thread::scope(|scope| {
        let call = scope.spawn(|| board.call("slow", &json!({ "file": gate })));
        testkit::until("the call to run", PATIENCE, || {
            let page: api::Page<Value> = world
                .admin()
                .get("/v2/operations?method=PluginCall&state=running")
                .map_err(|error| error.to_string())?;
            page.items.first().map(drop).ok_or_else(|| "none runs".to_owned())
        });
        let begun = Instant::now();
        world.cloud(|cloud| cloud.signal(Signal::TERM));
        std::fs::write(&gate, "").unwrap();
        // The wait may be cut short; the answer is true all the same.
        let operation = call.join().unwrap();
        assert!(matches!(operation.state, State::Running | State::Succeeded), "{operation:?}");
        let status = world.cloud(|cloud| cloud.wait(PATIENCE));
        assert_eq!(status.and_then(|status| status.code()), Some(0));
        println!("stopped {} ms after SIGTERM", begun.elapsed().as_millis());
        world.cloud_restart();
        let detail = world.operation(operation.id, 30);
        assert_eq!(detail.operation.result, Some(json!("in order")), "{detail:?}");
    });
}

#[test]
fn an_idle_cloud_stops_at_once() {
    let world = World::start(WorldOptions::default().set("limits.grace_s", "300"));
    let board = world.board("idle");
    // Much sooner than its grace.
    world.cloud_stop();
    drop(board);
}

#[test]
fn health_version_and_metrics_are_served() {
    let world = World::new();
    let _board = world.board("counted");
    let raw = world.raw_stranger();
    assert_eq!(raw.get("/livez").status, 200);
    assert_eq!(raw.get("/readyz").status, 200);
    let metrics = raw.get("/metrics");
    assert_eq!(metrics.status, 200, "{metrics:?}");
    assert!(metrics.body.lines().any(|line| line.ends_with(" 1") && line.contains("online")));
    let document = raw.get("/v2/openapi.json").json();
    assert!(document["openapi"].as_str().unwrap().starts_with("3.1"), "{document}");
    let root = raw.get("/");
    assert_eq!(root.status, 200, "{root:?}");
    let browser = raw.ask("GET", "/", &[("accept", "text/html")], None);
    assert!((300..400).contains(&browser.status), "{browser:?}");
    let printed = Said::of(Command::new(program_path("iotronic")).arg("openapi")).json();
    assert_eq!(printed["paths"], document["paths"]);
    for program in ["iotronic", "lightning-rod", "s4t"] {
        let version = Said::of(Command::new(program_path(program)).arg("--version")).ok();
        assert!(version.starts_with(program), "{version}");
    }
}
