//! Package operations by real programs on a real agent: what became of them, success and failure, over every surface, for a board
//! of ours and for one that speaks upstream's dialect.

use crate::legacy::{legacy_board, legacy_world};
use api::client::{Error, Method};
use api::operations::Operation;
use model::operation::State;
use serde_json::{Value, json};
use testkit::{Board, BoardOptions, PATIENCE, PackageManagers, World, until};

fn install(package: &str) -> Value {
    let parameters = json!({
        "manager": "apt", "command": "install", "package": package, "options": "-y", "version": "2:9.0",
    });
    json!({ "action": "DevicePkgOperation", "parameters": parameters })
}

fn line(package: &str) -> String {
    format!("apt <-y> <install> <{package}=2:9.0>")
}

/// Asks by our API, waits, and looks at the operation.
fn by_ours(board: &Board, managers: &PackageManagers) {
    let done = board.command(&Method::POST, "/actions", &install("vim")).unwrap();
    assert_eq!(done.state, State::Succeeded, "{done:?}");
    assert_eq!(managers.done().last(), Some(&line("vim")));
    let failed = board.command(&Method::POST, "/actions", &install(PackageManagers::MISSING));
    let failed = failed.unwrap();
    assert_eq!(failed.state, State::Failed, "{failed:?}");
    let fault = failed.fault.unwrap();
    assert!(fault.message.contains(PackageManagers::COMPLAINT), "{fault:?}");
    assert_eq!(managers.done().last(), Some(&line(PackageManagers::MISSING)));
}

/// Asks by upstream's API, which answers at once, and looks at the results of the request.
fn by_upstreams(world: &World, board: &Board, managers: &PackageManagers) {
    let path = format!("/v1/boards/{}/action", board.name());
    for (package, result, words) in
        [("vim", "SUCCESS", ""), (PackageManagers::MISSING, "ERROR", PackageManagers::COMPLAINT)]
    {
        let begun: Result<Value, Error> = world.admin().post(&path, &install(package));
        // What fails within the time in which a refusal would come is told at once, and stays on record.
        match begun {
            Ok(said) => assert!(said.is_string(), "{said}"),
            Err(error) => assert_eq!(result, "ERROR", "{error}"),
        }
        let requests: Value = world.admin().get("/v1/requests?sort_dir=desc&limit=1").unwrap();
        let request = &requests["requests"][0];
        assert_eq!(request["action"], "DevicePkgOperation");
        let results = format!("/v1/requests/{}/results", request["uuid"].as_str().unwrap());
        until("the result", PATIENCE, || {
            let results: Value = world.admin().get(&results).unwrap();
            let said = &results["results"][0];
            let message = said["message"].as_str().unwrap_or_default();
            let is_it = said["result"] == result && message.contains(words);
            if is_it { Ok(()) } else { Err(results.to_string()) }
        });
        assert_eq!(managers.done().last(), Some(&line(package)));
    }
}

#[test]
fn packages_are_installed_on_a_board_of_ours_and_how_it_ended_is_told() {
    let (world, managers) = (World::new(), PackageManagers::new());
    let board = world.board_with("lamp", BoardOptions::default().with(&managers));
    by_ours(&board, &managers);
    by_upstreams(&world, &board, &managers);
}

#[test]
fn packages_are_installed_on_an_upstream_board_and_how_it_ended_is_told() {
    let (world, managers) = (legacy_world(), PackageManagers::new());
    let board = legacy_board(&world, "lamp", BoardOptions::default().with(&managers));
    by_ours(&board, &managers);
    by_upstreams(&world, &board, &managers);
}

#[test]
fn a_fleet_of_both_kinds_is_asked_as_one_and_each_board_tells_its_end() {
    let (world, managers) = (legacy_world(), PackageManagers::new());
    let options = BoardOptions::default().with(&managers);
    let theirs = legacy_board(&world, "theirs", options.clone());
    let ours = world.board_with("ours", options);
    let fleet: Value = world.admin().post("/v2/fleets", &json!({ "name": "both" })).unwrap();
    for board in [&theirs, &ours] {
        let change = json!({ "fleet": fleet["id"] });
        let _: Value =
            world.admin().request(&Method::PATCH, &board.path(""), Some(&change), &[]).unwrap();
    }
    for (package, state) in [("vim", State::Succeeded), (PackageManagers::MISSING, State::Failed)] {
        let asked: Value =
            world.admin().post("/v2/fleets/both/actions", &install(package)).unwrap();
        let main = asked["main"].as_str().unwrap();
        until("the end of all parts", PATIENCE, || {
            let request: Value = world.admin().get(&format!("/v1/requests/{main}")).unwrap();
            let is_done = request["status"] == "COMPLETED" && request["pending_requests"] == 0;
            if is_done { Ok(()) } else { Err(request.to_string()) }
        });
        for part in asked["parts"].as_array().unwrap() {
            let path = format!("/v2/operations/{}", part["operation"].as_str().unwrap());
            let operation: Operation = world.admin().get(&path).unwrap();
            assert_eq!(operation.state, state, "{operation:?}");
        }
    }
    assert_eq!(managers.done().len(), 4);
}
