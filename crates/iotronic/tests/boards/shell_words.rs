//! Words for a shell in every field of every request that leads to a board: refused, or carried as data to where data belongs.
//!
//! The requests are listed once, right; the test puts each word into each of their segments, parameters, members and names of
//! members. A route that leads to a board and is not listed fails.

use crate::machine::{Behaviour, board as native_board};
use crate::people::Person;
use crate::rod::{self, Habit, Rod, habit, open_world};
use crate::world::{World, eventually};
use futures_util::FutureExt as _;
use iotronic::http::routes::table;
use rpc::logs::Lines;
use rpc::{Envelope, Method, pickle};
use serde_json::{Value, json};
use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::sync::{Arc, Mutex};

/// What a shell would do something else with; `@` becomes a command that can be told from all others.
const SIGNS: [&str; 7] = ["; @ ;", "`@`", "$(@)", "| @", "\n@\n", "' @ '", "\" @ \""];
/// Routes about a board that ask nothing of it, or nothing with words: lists, what the cloud knows, ends.
const QUIET: [(&str, &str); 24] = [
    ("GET", "/v1/boards/{board}/plugins"),
    ("DELETE", "/v1/boards/{board}/plugins/{plugin}"),
    ("GET", "/v1/boards/{board}/services"),
    ("GET", "/v1/boards/{board}/webservices"),
    ("DELETE", "/v1/boards/{board}/webservices/disable"),
    ("GET", "/v1/boards/{board}/webservices/renew"),
    ("GET", "/v1/boards/{board}/ports"),
    ("GET", "/v1/boards/{board}/ports/{port}"),
    ("DELETE", "/v1/boards/{board}/ports/{port}"),
    ("GET", "/v2/boards/{board}/load"),
    ("GET", "/v2/boards/{board}/plugins"),
    ("DELETE", "/v2/boards/{board}/plugins/{plugin}"),
    ("GET", "/v2/boards/{board}/services"),
    ("GET", "/v2/boards/{board}/services/{service}"),
    ("POST", "/v2/boards/{board}/replace"),
    ("POST", "/v2/boards/{board}/unpark"),
    ("POST", "/v2/boards/{board}/rotate-key"),
    ("POST", "/v2/boards/{board}/rights"),
    ("POST", "/v2/boards/{board}/transfer"),
    ("GET", "/v2/boards/{board}/contribution"),
    ("PUT", "/v2/boards/{board}/contribution"),
    ("DELETE", "/v2/boards/{board}/contribution"),
    // A WebSocket, with numbers and one command for the user that the board's owner chose; see the tests of terminals.
    ("GET", "/v2/boards/{board}/terminal"),
    ("GET", "/v2/boards/{board}/forward"),
];

/// A right request.
#[derive(Clone)]
struct Asked {
    method: &'static str,
    route: &'static str,
    query: &'static str,
    plugin: &'static str,
    body: Value,
    /// What leads to the board when this itself does not.
    then: Option<&'static str>,
}

fn asked(method: &'static str, route: &'static str, body: Value) -> Asked {
    Asked { method, route, query: "", plugin: "p", body, then: None }
}

impl Asked {
    fn with(self, query: &'static str) -> Self {
        Self { query, ..self }
    }

    fn about(self, plugin: &'static str) -> Self {
        Self { plugin, ..self }
    }

    fn then(self, method_and_path: &'static str) -> Self {
        Self { then: Some(method_and_path), ..self }
    }

    /// Of what this cloud does not have: upstream's answer to a network port is that the board failed.
    fn is_never_done(&self) -> bool {
        self.route.contains("/webservices") || self.route.contains("/ports")
    }

    fn path(&self, board: &str) -> String {
        self.route
            .replace("{board}", board)
            .replace("{plugin}", self.plugin)
            .replace("{service}", "s")
            .replace("{fleet}", "f")
    }
}

/// Every action of a board, with all of its parameters.
fn actions() -> Vec<Value> {
    let all = [
        ("DevicePing", json!({})),
        ("DeviceEcho", json!({ "say": "hi" })),
        ("DeviceNetConfig", json!({})),
        ("DeviceReboot", json!({ "delay": "5" })),
        ("DeviceRestartLR", json!({ "delay": 5 })),
        ("DeviceUpgradeLR", json!({ "version": "0.5.0", "update_conf": "true" })),
        (
            "DevicePkgOperation",
            json!({ "manager": "apt", "command": "install", "package": "vim", "options": "-y", "version": "1" }),
        ),
        (
            "DeviceRestSubmit",
            json!({
                "url": "http://plug/", "method": "GET", "params": { "a": "b" }, "data": "d", "json": [1, { "b": "c" }],
                "headers": { "X-A": "y" }, "timeout": 5, "auth": ["u", "p"],
            }),
        ),
        ("DeviceMountFs", json!({ "mnt_cmd": "mount_status" })),
    ];
    all.map(|(action, parameters)| json!({ "action": action, "parameters": parameters })).to_vec()
}

fn upstreams() -> Vec<Asked> {
    const PLUGIN: &str = "/v1/boards/{board}/plugins/{plugin}";
    const SERVICE: &str = "/v1/boards/{board}/services/{service}/action";
    let action = |body| asked("POST", "/v1/boards/{board}/action", body);
    let mut all: Vec<_> = actions().into_iter().map(action).collect();
    let inject = json!({ "plugin": "p", "onboot": false });
    all.extend([
        asked("PUT", "/v1/boards/{board}/plugins", inject.clone()),
        asked("PUT", "/v1/boards/{board}/plugins", json!({ "plugin": "q", "onboot": true })),
        asked("POST", PLUGIN, json!({ "action": "PluginCall", "parameters": { "say": "hi" } })),
        asked("POST", PLUGIN, json!({ "action": "PluginStatus" })),
        asked("POST", PLUGIN, json!({ "action": "PluginStart", "parameters": { "a": "b" } })).about("q"),
        asked("POST", PLUGIN, json!({ "action": "PluginReboot", "parameters": { "a": "b" } })).about("q"),
        asked("POST", PLUGIN, json!({ "action": "PluginStop", "parameters": { "delay": 0 } })).about("q"),
        asked("POST", SERVICE, json!({ "action": "ServiceEnable" })),
        asked("POST", SERVICE, json!({ "action": "ServiceRestore" })),
        asked("GET", "/v1/boards/{board}/services/restore", Value::Null),
        asked("GET", "/v1/boards/{board}/services/status", Value::Null),
        asked("PUT", "/v1/boards/{board}/ports", json!({ "network": "n", "subnet": "s", "security_groups": ["g"] })),
        asked("PUT", "/v1/boards/{board}/webservices", json!({ "name": "w", "port": 80, "secure": true })),
        asked("POST", "/v1/boards/{board}/webservices/enable", json!({ "dns": "d", "zone": "z", "email": "e" })),
        asked("PATCH", "/v1/plugins/{plugin}", json!({
            "name": "p", "code": "pass", "callable": true, "public": false, "parameters": { "say": "hi" }, "extra": { "a": "b" },
        }))
        .then("PUT /v1/boards/{board}/plugins"),
        asked("PATCH", "/v1/services/{service}", json!({ "name": "s", "port": "22", "protocol": "TCP", "extra": { "a": "b" } }))
            .then("POST /v1/boards/{board}/services/{service}/action"),
        asked("POST", SERVICE, json!({ "action": "ServiceDisable" })),
    ]);
    all
}

fn ours() -> Vec<Asked> {
    const ACTIONS: &str = "/v2/boards/{board}/actions";
    const SERVICE: &str = "/v2/boards/{board}/services/{service}";
    let mut all: Vec<_> = actions()
        .into_iter()
        .flat_map(|body| {
            let one = asked("POST", ACTIONS, body.clone()).with("wait=20");
            [one, asked("POST", "/v2/fleets/{fleet}/actions", body)]
        })
        .collect();
    let run = json!({ "parameters": { "say": "hi" } });
    all.extend([
        asked("POST", "/v2/boards/{board}/ping", json!({})),
        asked("POST", "/v2/boards/{board}/echo", json!({ "say": "hi" })),
        asked("GET", "/v2/boards/{board}/network", Value::Null),
        asked("GET", "/v2/boards/{board}/logs", Value::Null).with("limit=5"),
        asked("POST", "/v2/boards/{board}/reboot", json!({ "delay": 5 })).with("wait=20&deadline=60"),
        asked("POST", "/v2/boards/{board}/restart-agent", json!({ "delay": 5 })).with("wait=20"),
        asked("PUT", "/v2/boards/{board}/plugins/{plugin}", json!({ "on_boot": "wait" })).with("wait=20"),
        asked("GET", "/v2/boards/{board}/plugins/{plugin}", Value::Null),
        asked("GET", "/v2/boards/{board}/plugins/{plugin}/logs", Value::Null).with("limit=5"),
        asked("POST", "/v2/boards/{board}/plugins/{plugin}/call", run.clone()).with("wait=20"),
        asked("POST", "/v2/boards/{board}/plugins/{plugin}/start", run.clone()).about("q").with("wait=20"),
        asked("POST", "/v2/boards/{board}/plugins/{plugin}/restart", run).about("q").with("wait=20"),
        asked("POST", "/v2/boards/{board}/plugins/{plugin}/stop", json!({ "grace_s": 1 })).about("q").with("wait=20"),
        asked("PUT", SERVICE, json!({ "public_port": public_port() })).with("wait=20"),
        asked("POST", "/v2/boards/{board}/services/{service}/restore", json!({})).with("wait=20"),
        asked("POST", "/v2/injections", json!({ "plugin": "p", "selector": "kind=lamp", "on_boot": "wait" })),
        asked("PATCH", "/v2/plugins/{plugin}", json!({
            "name": "p", "source": "pass", "visibility": "private", "parameters": { "say": "hi" }, "limits": { "wall_s": 5 },
        }))
        .then("PUT /v2/boards/{board}/plugins/{plugin}?wait=20"),
        asked("PATCH", "/v2/services/{service}", json!({ "name": "s", "port": 22 }))
            .then("POST /v2/boards/{board}/services/{service}/restore?wait=20"),
        asked("DELETE", SERVICE, Value::Null).with("wait=20"),
    ]);
    all
}

/// One that nobody has and that the cloud may give out.
fn public_port() -> u16 {
    loop {
        let port = 20_000 + u16::from_le_bytes(base::secret::random()) % 10_000;
        if std::net::TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Places of a body: JSON pointers of what is no object or list.
fn leaves(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            members
                .iter()
                .for_each(|(name, member)| leaves(member, &format!("{at}/{name}"), found));
        }
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(i, member)| leaves(member, &format!("{at}/{i}"), found));
        }
        _ => found.push(at.to_owned()),
    }
}

/// Places of a body that are objects.
fn objects(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(members) => {
            found.push(at.to_owned());
            members
                .iter()
                .for_each(|(name, member)| objects(member, &format!("{at}/{name}"), found));
        }
        Value::Array(list) => {
            list.iter()
                .enumerate()
                .for_each(|(i, member)| objects(member, &format!("{at}/{i}"), found));
        }
        _ => {}
    }
}

fn escaped(text: &str) -> String {
    text.bytes().fold(String::new(), |mut out, byte| {
        let _ = write!(out, "%{byte:02X}");
        out
    })
}

/// A request with one place of it spoilt by a word: which place, path and query, body.
fn spoilt(asked: &Asked, board: &str, word: &str) -> Vec<(String, String, Value)> {
    let (path, query) = (asked.path(board), asked.query);
    let whole = |path: &str, query: &str| {
        if query.is_empty() { path.to_owned() } else { format!("{path}?{query}") }
    };
    let mut all = Vec::new();
    let names: Vec<_> = asked.route.split('/').collect();
    let segments: Vec<_> = path.split('/').collect();
    for (i, name) in names.iter().enumerate().filter(|(_, name)| name.starts_with('{')) {
        let mut changed: Vec<String> = segments.iter().map(|&segment| segment.to_owned()).collect();
        changed[i].push_str(&escaped(word));
        all.push(((*name).to_owned(), whole(&changed.join("/"), query), asked.body.clone()));
    }
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let changed = query.replace(pair, &format!("{pair}{}", escaped(word)));
        all.push((format!("?{pair}"), whole(&path, &changed), asked.body.clone()));
    }
    all.push(("?".into(), whole(&path, &format!("{}=1", escaped(word))), asked.body.clone()));
    let (mut found, mut maps) = (Vec::new(), Vec::new());
    if !asked.body.is_null() {
        leaves(&asked.body, "", &mut found);
        objects(&asked.body, "", &mut maps);
    }
    for at in found {
        let mut body = asked.body.clone();
        let place = body.pointer_mut(&at).unwrap();
        *place = json!(format!("{}{word}", place.as_str().unwrap_or_default()));
        all.push((at, whole(&path, query), body));
    }
    for at in maps {
        let mut body = asked.body.clone();
        body.pointer_mut(&at).unwrap()[word] = json!(word);
        all.push((format!("{at}/<new>"), whole(&path, query), body));
    }
    all
}

/// Method and arguments of each call, without the request.
type Calls = Arc<Mutex<Vec<(String, Value)>>>;

fn listening(calls: &Calls) -> Behaviour {
    let calls = Arc::clone(calls);
    Arc::new(move |_, method, list| {
        let answer = match method {
            Method::DeviceLogs | Method::PluginLogs => json!(Lines::default()),
            Method::PluginStatus => json!({ "plugin": list[0], "state": "running" }),
            _ => json!(method.word()),
        };
        calls.lock().unwrap().push((method.word().to_owned(), list.into()));
        async move { Envelope::success(answer).to_text().into() }.boxed()
    })
}

/// An upstream board that does everything.
fn willing() -> Habit {
    habit(|method, _| match method.as_str() {
        "DeviceNetConfig" => {
            let text = "eth0: flags=4163<UP,RUNNING>  mtu 1500\n        inet 10.0.0.2  netmask 255.255.255.0";
            json!({ "message": text, "result": "SUCCESS" })
        }
        "PluginStatus" => json!({ "message": "ALIVE", "result": "SUCCESS" }),
        _ => json!({ "message": method, "result": "SUCCESS" }),
    })
}

struct Stage {
    world: World,
    person: Person,
    rod: Rod,
    native: Calls,
    /// Each word that was sent, and whether its request was accepted.
    words: Vec<(String, String, bool)>,
}

impl Stage {
    async fn open() -> Self {
        let mut world = open_world().await;
        let person = Person::sign_in(world.dir.path(), world.address).await.unwrap();
        // Boards, plugins and services of the person's own project.
        world.project = person.project().await;
        let rod = Rod::online(&world, "upstreams", willing()).await;
        for method in ["DeviceRestartLR", "DeviceNetConfig", "PluginReboot"] {
            rod::offer(&rod.session, rod.id, method, &rod.seen, &willing()).await.unwrap();
        }
        let native = Calls::default();
        let machine = native_board(&world, "ours", listening(&native)).await;
        std::mem::forget(machine);
        let stage = Self { world, person, rod, native, words: Vec::new() };
        let fleet = stage.make("POST /v2/fleets", json!({ "name": "f" })).await;
        for (name, callable) in [("p", true), ("q", false)] {
            let plugin =
                json!({ "name": name, "code": "pass", "callable": callable, "public": true });
            stage.make("POST /v1/plugins", plugin).await;
        }
        stage.make("POST /v1/services", json!({ "name": "s", "port": 22 })).await;
        let change = json!({ "fleet": fleet["id"], "labels": { "kind": "lamp" } });
        for board in ["upstreams", "ours"] {
            stage.make(&format!("PATCH /v2/boards/{board}"), change.clone()).await;
        }
        stage
    }

    async fn make(&self, request: &str, body: Value) -> Value {
        let (status, said) = self.person.ask(request, body).await.unwrap();
        assert!(status < 300, "{request}: {status} {said}");
        said
    }

    /// The request as it is right: otherwise whatever is refused later says nothing.
    async fn try_right(&self, asked: &Asked, board: &str) {
        let request = format!("{} {}?{}", asked.method, asked.path(board), asked.query);
        let (status, said) = self.person.ask(&request, asked.body.clone()).await.unwrap();
        let what = format!("{request} {}: {status} {said}", asked.body);
        let not_upstreams = board == "upstreams" && asked.route.ends_with("/logs");
        if asked.is_never_done() || not_upstreams {
            assert!((400..=500).contains(&status), "{what}");
        } else {
            assert!(status < 300, "{what}");
            assert!(["failed", "unknown"].iter().all(|state| said["state"] != *state), "{what}");
        }
    }

    async fn spoil(&mut self, asked: &Asked, board: &str) {
        for sign in SIGNS {
            // Each spoilt place has a word of its own, so that its way can be followed.
            let places = spoilt(asked, board, "").len();
            for place in 0..places {
                let word = sign.replace('@', &format!("touch canary-{}-", self.words.len()));
                let (at, path, body) = spoilt(asked, board, &word).swap_remove(place);
                let request = format!("{} {path}", asked.method);
                let (status, said) = self.person.ask(&request, body.clone()).await.unwrap();
                let what = format!("{request} {body} at {at}: {status} {said}");
                assert!(status < 500 || asked.is_never_done(), "{what}");
                if status >= 300 {
                    let member = if path.starts_with("/v1") { "error_message" } else { "detail" };
                    assert!(said[member].is_string(), "another shape of error: {what}");
                }
                self.words.push((word, what, status < 300));
                if let Some(then) = asked.then.filter(|_| status < 300) {
                    let body = match then {
                        "PUT /v1/boards/{board}/plugins" => json!({ "plugin": "p" }),
                        then if then.contains("/action") => json!({ "action": "ServiceRestore" }),
                        _ => json!({}),
                    };
                    let request = asked_path(then, board);
                    self.make(&request, body).await;
                }
            }
        }
    }

    /// Waits until nothing is under way.
    async fn settle(&self) {
        for state in ["pending", "running"] {
            let request = format!("GET /v2/operations?state={state}");
            eventually("all commands have ended", || async {
                let (_, listed) = self.person.ask(&request, json!({})).await.unwrap();
                if listed["items"] == json!([]) { Ok(()) } else { Err(listed["items"].clone()) }
            })
            .await;
        }
    }

    /// Looks at what has come to a board of a kind.
    fn judge(&self, kind: Kind, method: &str, arguments: &Value) {
        let mut found = Vec::new();
        canaries(arguments, "", &mut found);
        for (at, text, number) in found {
            let (word, what, accepted) = &self.words[number];
            assert!(accepted, "{method} {at} at {kind:?}: refused and sent: {what}");
            let place = places(kind, method);
            assert!(
                place.iter().any(|place| at.starts_with(place)),
                "{kind:?}: {method} {at} {text:?}: {what}"
            );
            let text = match (kind, at.as_str()) {
                (Kind::Upstreams, "/0/code") => pickle::parse(text.as_bytes()).unwrap(),
                _ => text,
            };
            assert!(text.contains(word), "{method} {at}: {text:?} is not what was said: {word:?}");
        }
    }
}

fn asked_path(then: &str, board: &str) -> String {
    then.replace("{board}", board).replace("{plugin}", "p").replace("{service}", "s")
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Ours,
    Upstreams,
}

/// Where words of people may stand in the arguments of a call.
fn places(kind: Kind, method: &str) -> &'static [&'static str] {
    match method {
        "DeviceEcho" => &["/0/say"],
        "PluginInject" => &["/0/code", "/0/parameters", "/0/extra"],
        "PluginCall" | "PluginStart" | "PluginReboot" => &["/1/"],
        "DeviceRestSubmit" => &["/0/"],
        // Ours judges these itself and knows no shell; upstream's makes a line for one out of them.
        "DevicePkgOperation" | "DeviceUpgradeLR" if kind == Kind::Ours => &["/0/"],
        _ => &[],
    }
}

/// Where the words are that this test has sent: place, text or name of a member, number of the word.
fn canaries(value: &Value, at: &str, found: &mut Vec<(String, String, usize)>) {
    let number = |text: &str| -> Option<usize> {
        let (_, rest) = text.split_once("canary-")?;
        rest.split('-').next()?.parse().ok()
    };
    match value {
        Value::String(text) => {
            found.extend(number(text).map(|number| (at.to_owned(), text.clone(), number)));
        }
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(i, one)| canaries(one, &format!("{at}/{i}"), found));
        }
        Value::Object(members) => {
            for (name, member) in members {
                let inside = format!("{at}/{name}");
                found.extend(number(name).map(|number| (inside.clone(), name.clone(), number)));
                canaries(member, &inside, found);
            }
        }
        _ => {}
    }
}

#[test]
fn every_route_that_leads_to_a_board_is_listed() {
    let listed: BTreeSet<_> =
        [upstreams(), ours()].concat().iter().map(|asked| (asked.method, asked.route)).collect();
    for route in table() {
        let leads = route.path.contains("{board}/")
            || ["/v2/fleets/{fleet}/actions", "/v2/injections"].contains(&route.path);
        let it = (route.method.as_str(), route.path);
        let known = listed.contains(&it) || QUIET.contains(&it);
        assert!(!leads || known, "list {it:?}, with all that a request to it may say");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn words_for_a_shell_are_refused_or_carried_as_data_in_every_field() {
    let mut stage = Stage::open().await;
    let all = [upstreams(), ours()].concat();
    for board in ["upstreams", "ours"] {
        for asked in &all {
            // Once is enough for what is asked of all boards.
            let is_about_all = !asked.route.contains("{board}") && asked.then.is_none();
            if is_about_all && board == "ours" {
                continue;
            }
            stage.try_right(asked, board).await;
            stage.spoil(asked, board).await;
            if asked.method == "PATCH" {
                stage.try_right(asked, board).await;
            }
            stage.settle().await;
        }
    }
    let natives = stage.native.lock().unwrap().clone();
    let legacies = stage.rod.seen.lock().unwrap().clone();
    let mut carried = 0;
    for (method, arguments) in &natives {
        stage.judge(Kind::Ours, method, arguments);
    }
    for (method, list) in &legacies {
        let (request, arguments) = list.split_first().unwrap();
        assert!(!request.to_string().contains("canary"), "{request}");
        stage.judge(Kind::Upstreams, method, &arguments.into());
        carried += usize::from(json!(arguments).to_string().contains("canary"));
    }
    assert!(carried > 0, "nothing came through: this test sees nothing");
    let accepted = stage.words.iter().filter(|(_, _, accepted)| *accepted).count();
    assert!(accepted > carried / 2, "{accepted} accepted, {carried} carried");
    eprintln!("{} spoilt requests, {accepted} accepted as data", stage.words.len());
    drop(stage.world);
}
