//! Many at a time: where only one may win, exactly one does, and the others are told.

use api::client::{Error, Method};
use api::operations::Operation;
use model::Kind;
use model::operation::State;
use serde_json::{Value, json};
use testkit::{BoardOptions, LocalService, PATIENCE, Talk, World, until};

/// Runs something on several threads at once.
fn at_once<T: Send>(count: usize, work: impl Fn(usize) -> T + Sync) -> Vec<T> {
    let barrier = std::sync::Barrier::new(count);
    std::thread::scope(|scope| {
        let threads: Vec<_> = (0..count)
            .map(|number| {
                let (barrier, work) = (&barrier, &work);
                scope.spawn(move || {
                    barrier.wait();
                    work(number)
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).collect()
    })
}

fn kinds<T>(results: &[Result<T, Error>]) -> Vec<Kind> {
    results.iter().filter_map(|result| result.as_ref().err()).map(Error::kind).collect()
}

#[test]
fn of_many_machines_with_one_claim_exactly_one_becomes_the_board() {
    let world = World::new();
    let claim = world.claim("wanted");
    let machines: Vec<_> =
        (0..6).map(|_| world.machine("wanted", BoardOptions::default())).collect();
    let said = at_once(machines.len(), |number| machines[number].enrol(&claim));
    assert_eq!(said.iter().filter(|said| said.code == 0).count(), 1, "{said:?}");
    let page: api::Page<Value> = world.admin().get("/v2/boards").unwrap();
    assert_eq!(page.items.len(), 1, "{page:?}");
}

#[test]
fn of_many_changes_of_one_revision_exactly_one_is_made() {
    let world = World::new();
    let admin = world.admin();
    let fleet: Value = admin.post("/v2/fleets", &json!({ "name": "f" })).unwrap();
    let tag = format!("\"{}\"", fleet["revision"]);
    let changed = at_once(8, |number| {
        let body = json!({ "description": format!("by {number}") });
        let headers = [("if-match", tag.as_str())];
        world.admin().request::<Value>(&Method::PATCH, "/v2/fleets/f", Some(&body), &headers)
    });
    assert_eq!(kinds(&changed), [Kind::Conflict; 7]);
}

#[test]
fn of_many_with_one_name_or_one_idempotency_key_exactly_one_comes_to_be() {
    let world = World::new();
    let named =
        at_once(8, |_| world.admin().post::<Value>("/v2/fleets", &json!({ "name": "same" })));
    assert_eq!(kinds(&named), [Kind::Conflict; 7]);
    let keyed = at_once(8, |_| {
        let headers = [("idempotency-key", "one")];
        let body = json!({ "name": "keyed" });
        world.admin().request::<Value>(&Method::POST, "/v2/fleets", Some(&body), &headers)
    });
    let ids: std::collections::BTreeSet<_> =
        keyed.iter().flatten().map(|fleet| fleet["id"].as_str().unwrap().to_owned()).collect();
    assert_eq!(ids.len(), 1, "{keyed:?}");
    // While the first is at work the others may be told to come back, and nothing else.
    assert!(kinds(&keyed).iter().all(|kind| *kind == Kind::Conflict), "{keyed:?}");
    let page: api::Page<Value> = world.admin().get("/v2/fleets").unwrap();
    assert_eq!(page.items.len(), 2);
}

#[test]
fn one_public_port_wanted_by_many_is_had_by_one() {
    let world = World::new();
    let board = world.board("narrow");
    let local = LocalService::start(Talk::Echo);
    for number in 0..4 {
        world.service(&format!("s-{number}"), local.port);
    }
    let (port, _) = world.service_ports();
    let enabled = at_once(4, |number| {
        let path = format!("/services/s-{number}");
        board.command(&Method::PUT, &path, &json!({ "public_port": port }))
    });
    assert_eq!(kinds(&enabled), [Kind::Conflict; 3]);
    let same = at_once(4, |_| board.command(&Method::PUT, "/services/s-0", &json!({})));
    let wins = same.iter().filter(|result| result.is_ok()).count();
    assert!(wins <= 1, "{same:?}");
}

#[test]
fn commands_of_a_board_that_is_given_up_do_not_stay_open_for_ever() {
    let world = World::new();
    let board = world.board("given-up");
    world.plugin("p", "python", "sync", "def main(params):\n    return 1\n");
    board.inject("p");
    board.stop();
    let admin = world.admin();
    let operation: Operation = admin.post(&board.path("/plugins/p/call"), &json!({})).unwrap();
    assert_eq!(operation.state, State::Pending);
    admin.request::<Value>(&Method::DELETE, &board.path(""), None::<&()>, &[]).unwrap();
    until("the command to end", PATIENCE, || {
        let detail = world.operation(operation.id, 0);
        if detail.operation.state.has_ended() { Ok(()) } else { Err(format!("{detail:?}")) }
    });
}

#[test]
fn a_board_that_waits_to_be_replaced_goes_on_until_it_is() {
    let world = World::new();
    let board = world.board("worn");
    let _: api::claims::Made = world.admin().post(&board.path("/replace"), &json!({})).unwrap();
    board.answers();
    board.stop();
    board.start();
    until("the old machine to answer again", PATIENCE, || {
        board.ask("/echo", &json!({ "say": "x" })).map_err(|error| error.to_string())
    });
}
