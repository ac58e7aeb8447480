//! The upstream server and client answer the script: the measure for our `/v1`.
//!
//! With `S4T_ORACLE_OUT=FILE` the normalised answers are written there, one JSON object a line.

use serde_json::Value;
use std::collections::HashSet;
use std::io::Write as _;
use std::time::Instant;
use testkit::upstream::client::{self, Client};
use testkit::upstream::play::{Cloud as _, Outcome, Who, differences, play};
use testkit::upstream::script::{Act, steps};
use testkit::upstream::server::{Identity, Server};

fn answers() -> Vec<Outcome> {
    let (mut server, mut client) = (Server::start(Identity::Roles), Client::start());
    play(&mut server, &mut client, &steps())
}

fn said<'a>(outcomes: &'a [Outcome], step: &str) -> &'a Value {
    &outcomes.iter().find(|outcome| outcome.step == step).unwrap().said
}

#[test]
fn the_upstream_server_and_client_answer_the_script_the_same_each_time() {
    let start = Instant::now();
    let first = answers();
    eprintln!("{} steps in {} ms", first.len(), start.elapsed().as_millis());
    if let Some(path) = std::env::var_os("S4T_ORACLE_OUT") {
        let mut file = std::fs::File::create(path).unwrap();
        for outcome in &first {
            let line = serde_json::json!({"step": outcome.step, "asked": outcome.asked, "said": outcome.said});
            writeln!(file, "{line}").unwrap();
        }
    }
    let second = answers();
    let changed = differences(&first, &second);
    assert!(changed.is_empty(), "{changed:#?}");
    spot_checks(&first);
}

/// A few answers that the contract quotes: the script reaches what it is about.
fn spot_checks(outcomes: &[Outcome]) {
    let status = |step: &str, wanted: u16| {
        assert_eq!(said(outcomes, step)["status"], wanted, "{step}: {:#}", said(outcomes, step));
    };
    status("the versions", 200);
    status("a version that is too new", 406);
    status("create a board", 201);
    status("create a board with a code that is taken", 409);
    status("a board as nobody", 401);
    status("a board as somebody without a role", 403);
    status("an action", 200);
    status("an action that the board refuses", 500);
    status("inject a plugin", 200);
    status("enable a service", 200);
    status("fleets in detail", 500);
    let code = |step: &str, wanted: i64| {
        assert_eq!(said(outcomes, step)["code"], wanted, "{step}: {:#}", said(outcomes, step));
    };
    code("iotronic board-create", 0);
    code("iotronic board-show of nothing", 1);
    code("iotronic plugin-action PluginCall", 0);
    code("iotronic enable-webservices", 0);
    code("iotronic unexpose-webservice", 0);
}

#[test]
fn every_command_of_the_client_is_in_the_script() {
    let said = Client::start().run(&["bash-completion"], &[]);
    let commands: HashSet<&str> =
        said.out.split_whitespace().filter(|word| !word.starts_with('-')).collect();
    assert_eq!(commands.len(), 42, "{commands:?}");
    let steps = steps();
    let used: HashSet<&str> = steps
        .iter()
        .filter_map(|step| if let Act::Command(words) = &step.act { Some(*words) } else { None })
        .flatten()
        .copied()
        .collect();
    let missing: Vec<_> = commands.difference(&used).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn the_client_runs_as_a_process_of_its_own_at_a_server_that_trusts() {
    let server = Server::start(Identity::Trusting);
    let token = server.token(Who::Member).unwrap();
    let output = client::run(
        &[
            "--os-auth-token",
            &token,
            "--iotronic-url",
            server.url(),
            "board-create",
            "a",
            "C",
            "server",
            "1",
            "2",
            "3",
        ],
        &[],
    );
    assert!(output.status.success(), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stdout).contains("registered"), "{output:?}");
}
