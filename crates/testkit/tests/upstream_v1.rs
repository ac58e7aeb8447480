//! The script of requests and commands, played at our cloud and at the upstream server: every difference must stand in
//! `docs/compatibility.md`, and every difference that stands there must be one.
//!
//! With `S4T_DIFFERENCES_OUT=FILE` all differences are written there, one JSON object a line.

use crate::upstream_rod::Rod;
use api::client::Client as Rest;
use model::access::Role;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::time::Duration;
use testkit::upstream::client::Client;
use testkit::upstream::play::{Cloud, Difference, Outcome, Who, differences, play};
use testkit::upstream::script::steps;
use testkit::upstream::server::{Identity, Server};
use testkit::{World, WorldOptions, until};

/// Where differences stand: from the line with this text to the next empty one.
const TABLE: &str = "| steps of the script |";
/// Digits from which on a number is one that chance chose, such as a session's.
const CHANCE: usize = 4;

struct Ours {
    world: World,
    wamp: String,
    people: BTreeMap<&'static str, Rest>,
    known: Vec<(String, String)>,
    rods: BTreeMap<String, Rod>,
    sign_in: SignIn,
}

/// How the client gets in.
#[derive(Clone, Copy, PartialEq, Eq)]
enum SignIn {
    Token,
    Password,
}

impl Ours {
    fn start(sign_in: SignIn) -> Self {
        let options = WorldOptions::default()
            .set("legacy.enabled", "true")
            .set("legacy.projects", "*")
            .set("legacy.public_wamp_url", "ws://127.0.0.1:8181/");
        let world = World::start(options);
        let people = BTreeMap::from([
            ("operator", world.tenant("script", Role::Admin)),
            ("member", world.tenant("script", Role::UserIot)),
            ("stranger", world.tenant("elsewhere", Role::ManagerIotProject)),
        ]);
        let known = known(&world);
        let wamp = world.upstream_at();
        Self { world, wamp, people, known, rods: BTreeMap::new(), sign_in }
    }

    fn board(&self, board: &str) -> Value {
        self.people["operator"].get(&format!("/v1/boards/{board}")).unwrap()
    }

    fn wait_for(&self, board: &str, status: &str) {
        until("the board's status", Duration::from_secs(60), || {
            let now = self.board(board);
            if now["status"] == status { Ok(()) } else { Err(now["status"].to_string()) }
        });
    }
}

/// Our ids by the names that upstream's stand-ins have.
fn known(world: &World) -> Vec<(String, String)> {
    let id = |path: &str, list: &str, name: &str| {
        let all: Value = world.admin().get(path).unwrap();
        let found = all[list].as_array().unwrap().iter().find(|row| row["name"] == name).cloned();
        found.unwrap_or_else(|| panic!("no {name}"))["id"].as_str().unwrap().to_owned()
    };
    let (users, projects) = ("/identity/v3/users", "/identity/v3/projects");
    vec![
        (id(users, "users", "script-admin"), "<user>".to_owned()),
        (id(users, "users", "script-user_iot"), "<user>".to_owned()),
        (id(users, "users", "elsewhere-manager_iot_project"), "<stranger>".to_owned()),
        (id(projects, "projects", "script"), "<project>".to_owned()),
        (id(projects, "projects", "elsewhere"), "<foreign-project>".to_owned()),
    ]
}

impl Cloud for Ours {
    fn url(&self) -> &str {
        self.world.url()
    }

    fn token(&self, who: Who) -> Option<String> {
        let name = match who {
            Who::Operator => "operator",
            Who::Member => "member",
            Who::Stranger => "stranger",
            // Without a role nobody gets a token here.
            Who::Roleless | Who::Nobody => return None,
        };
        self.people[name].token()
    }

    fn shell(&self, who: Who) -> Option<Vec<(&'static str, String)>> {
        let (user, project) = match who {
            _ if self.sign_in == SignIn::Token => return None,
            Who::Operator => ("script-admin", "script"),
            Who::Member => ("script-user_iot", "script"),
            Who::Stranger => ("elsewhere-manager_iot_project", "elsewhere"),
            Who::Roleless | Who::Nobody => return None,
        };
        let variables = [
            ("OS_AUTH_URL", format!("{}/identity/v3", self.world.url())),
            ("OS_USERNAME", user.to_owned()),
            ("OS_PASSWORD", "correct horse".to_owned()),
            ("OS_PROJECT_NAME", project.to_owned()),
            ("OS_USER_DOMAIN_NAME", "Default".to_owned()),
            ("OS_PROJECT_DOMAIN_NAME", "Default".to_owned()),
            ("OS_IDENTITY_API_VERSION", "3".to_owned()),
        ];
        Some(variables.to_vec())
    }

    fn known(&self) -> Vec<(String, String)> {
        self.known.clone()
    }

    fn board_online(&mut self, board: &str) {
        let code = self.board(board)["code"].as_str().unwrap().to_owned();
        let rod = Rod::connect(&self.wamp, board, &code);
        self.rods.insert(board.to_owned(), rod);
        self.wait_for(board, "online");
    }

    fn board_offline(&mut self, board: &str) {
        let Some(rod) = self.rods.remove(board) else { return };
        rod.leave();
        let gone = self.people["operator"].get::<Value>(&format!("/v1/boards/{board}")).is_err();
        if !gone {
            self.wait_for(board, "offline");
        }
    }
}

/// What does not count: numbers that chance chose, our agent's name, the order of allowed methods.
fn evened(value: &Value) -> Value {
    match value {
        Value::Array(list) => list.iter().map(evened).collect(),
        Value::Object(fields) => {
            let field = |(name, value): (&String, &Value)| {
                let value = match (name.as_str(), value) {
                    ("agent", Value::String(_)) => json!("<agent>"),
                    ("allow", Value::String(methods)) => allowed(methods),
                    _ => evened(value),
                };
                (name.clone(), value)
            };
            Value::Object(fields.iter().map(field).collect())
        }
        Value::String(text) => Value::String(without_numbers(text)),
        other => other.clone(),
    }
}

/// HEAD comes with GET.
fn allowed(methods: &str) -> Value {
    let methods = methods.split(',').map(str::trim).filter(|method| *method != "HEAD");
    json!(methods.collect::<BTreeSet<_>>())
}

fn without_numbers(text: &str) -> String {
    let (mut out, mut digits) = (String::new(), String::new());
    for c in text.chars().chain(['\n']) {
        if c.is_ascii_digit() {
            digits.push(c);
            continue;
        }
        out.push_str(if digits.len() < CHANCE { &digits } else { "<n>" });
        digits.clear();
        out.push(c);
    }
    out.pop();
    out
}

fn even(outcomes: Vec<Outcome>) -> Vec<Outcome> {
    outcomes.into_iter().map(|one| Outcome { said: evened(&one.said), ..one }).collect()
}

/// The names of steps in the table of differences; a `*` at the end stands for any ending.
fn listed() -> Vec<String> {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/compatibility.md");
    let text = std::fs::read_to_string(path).unwrap();
    let rows = text.lines().skip_while(|line| !line.starts_with(TABLE)).skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let names = rows.flat_map(|row| {
        let cell = row.split('|').nth(1).unwrap_or_default();
        cell.split(';').map(|name| name.trim().trim_matches('`').to_owned()).collect::<Vec<_>>()
    });
    names.filter(|name| !name.is_empty()).collect()
}

fn covers(row: &str, step: &str) -> bool {
    row.strip_suffix('*').map_or(row == step, |begin| step.starts_with(begin))
}

fn write_out(found: &[Difference]) {
    let Some(path) = std::env::var_os("S4T_DIFFERENCES_OUT") else { return };
    let mut file = std::fs::File::create(path).unwrap();
    for one in found {
        let line = json!({ "step": one.step, "asked": one.asked, "upstream": one.first, "ours": one.second });
        writeln!(file, "{line}").unwrap();
    }
}

#[test]
fn our_cloud_answers_the_script_as_upstream_does_but_for_what_is_listed() {
    let upstream = std::thread::spawn(|| {
        let (mut server, mut client) = (Server::start(Identity::Roles), Client::start());
        play(&mut server, &mut client, &steps())
    });
    let ours = {
        let (mut ours, mut client) = (Ours::start(SignIn::Token), Client::start());
        even(play(&mut ours, &mut client, &steps()))
    };
    let upstream = even(upstream.join().unwrap());
    let found = differences(&upstream, &ours);
    write_out(&found);
    let listed = listed();
    let is_listed = |one: &&Difference| listed.iter().any(|row| covers(row, &one.step));
    let unlisted: Vec<_> = found.iter().filter(|one| !is_listed(one)).collect();
    assert!(
        unlisted.is_empty(),
        "{} steps differ and are not listed: {unlisted:#?}",
        unlisted.len()
    );
    let is_stale = |row: &&String| !found.iter().any(|one| covers(row, &one.step));
    let stale: Vec<_> = listed.iter().filter(is_stale).collect();
    assert!(stale.is_empty(), "listed and no difference any more: {stale:?}");
}

#[test]
fn whoever_signs_in_with_a_password_gets_the_same_answers_as_with_a_token() {
    let answers = |sign_in| {
        let (mut ours, mut client) = (Ours::start(sign_in), Client::start());
        even(play(&mut ours, &mut client, &steps()))
    };
    let with_token = std::thread::spawn(move || answers(SignIn::Token));
    let with_password = answers(SignIn::Password);
    let found = differences(&with_token.join().unwrap(), &with_password);
    assert!(found.is_empty(), "{} steps differ: {found:#?}", found.len());
}
