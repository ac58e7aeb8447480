//! Boards: claimed, enrolled, seen, renamed, replaced, given up.

use api::client::Method;
use api::page::Page;
use model::Kind;
use model::board::Status;
use serde_json::{Value, json};
use std::time::Duration;
use testkit::{BoardOptions, PATIENCE, Said, World, until};

#[test]
fn a_claimed_board_comes_online_and_says_what_it_is() {
    let world = World::new();
    let claim = world.claim("lamp-1");
    let board = world.machine(
        "lamp-1",
        BoardOptions::default()
            .set("sensors.simulated", "true")
            .set("cloud.report_every_s", "1")
            .set("position.latitude", "38.19")
            .set("position.longitude", "15.55")
            .set("position.altitude", "3"),
    );
    let said = board.enrol(&claim).ok();
    assert!(said.contains("lamp-1"), "{said}");
    board.start();
    board.wait_online();

    let record = board.record();
    assert!(record.protocol >= 1, "{record:?}");
    assert!(record.facts.memory_bytes > 0 && record.facts.processors > 0, "{record:?}");
    assert!(!record.facts.kernel.is_empty() && !record.facts.architecture.is_empty());
    assert!(record.facts.interpreters.contains_key("python"), "{:?}", record.facts);
    assert!(record.capabilities.iter().any(|word| word == "DevicePing"), "{record:?}");
    assert_eq!(record.key.as_deref().map(str::len), Some(43));
    let position = record.summary.position.or(record.facts.position).unwrap();
    assert!((position.latitude - 38.19).abs() < 1e-9, "{position:?}");
    let load = until("a load report", PATIENCE, || {
        let record = board.record();
        if record.load.uptime_s > 0 && !record.load.sensors.is_empty() && record.load_at.is_some() {
            Ok(record.load)
        } else {
            Err(format!("{:?}", record.load))
        }
    });
    assert!(load.memory_used_bytes > 0, "{load:?}");
    board.answers();
}

#[test]
fn status_of_the_agent_names_its_identity_and_running_before_enrolling_waits_for_it() {
    let world = World::new();
    let claim = world.claim("early");
    let board = world.machine("early", BoardOptions::default());
    let said = Said::of(&mut board.agent_command("status"));
    assert_ne!(said.code, 0, "nobody is enrolled: {said:?}");
    board.start();
    assert!(board.agent(|agent| agent.wait(Duration::from_millis(300))).is_none(), "it waits");
    let _ = board.enrol(&claim).ok();
    board.wait_online();
    let said = Said::of(&mut board.agent_command("status")).ok();
    assert!(said.contains(&board.id().to_string()) && said.contains(world.url()), "{said}");
}

#[test]
fn a_claim_file_in_the_home_enrols_a_running_agent() {
    let world = World::new();
    let board = world.machine("image", BoardOptions::default());
    std::fs::write(board.home().join("claim"), format!("{}\n", world.claim("image"))).unwrap();
    board.start();
    board.wait_online();
    let file = board.home().join("claim");
    assert!(!file.exists(), "a claim is kept nowhere after success");
    board.restart();
}

#[test]
fn enrolling_again_with_the_same_claim_gives_the_same_board_and_another_machine_is_refused() {
    let world = World::new();
    let claim = world.claim("once");
    let board = world.machine("once", BoardOptions::default());
    let first = board.enrol(&claim).ok();
    // As after a reply that was lost: the machine has its key and knows nothing of its success.
    std::fs::remove_file(board.home().join("board.json")).unwrap();
    let second = board.enrol(&claim).ok();
    assert_eq!(first, second, "the same key gets the same answer");
    let third = board.enrol(&claim).ok();
    assert_eq!(first, third, "and so does an enrolled one");

    let thief = world.machine("once", BoardOptions::default());
    let refused = thief.enrol(&claim);
    assert_ne!(refused.code, 0, "{refused:?}");
    assert!(refused.err.contains("claim"), "it says what was wrong: {refused:?}");
    board.start();
    board.wait_online();
}

#[test]
fn a_claim_of_many_uses_names_the_boards_and_ends_when_used_up() {
    let world = World::new();
    let made = world.claim_with(
        &json!({ "name": "row", "uses": 2, "labels": { "kind": "lamp", "zone": "north" } }),
    );
    let machines: Vec<_> = (0..3).map(|_| world.machine("row", BoardOptions::default())).collect();
    for machine in machines.iter().take(2) {
        let _ = machine.enrol(&made.claim).ok();
        let _ = machine.enrol(&made.claim).ok();
    }
    assert_ne!(machines[2].enrol(&made.claim).code, 0, "two uses are two machines");
    let boards: Page<Value> = world.admin().get("/v2/boards?selector=kind%3Dlamp").unwrap();
    assert_eq!(boards.items.len(), 2);
    let names: Vec<_> = boards.items.iter().map(|row| row["name"].as_str().unwrap()).collect();
    assert!(names.iter().all(|name| name.starts_with("row")) && names[0] != names[1], "{names:?}");
    let claim: Value = world.admin().get(&format!("/v2/claims/{}", made.record.id)).unwrap();
    assert_eq!(claim["uses_left"], 0);
    assert!(!claim.to_string().contains(&made.claim), "the secret is not kept");
}

#[test]
fn an_expired_claim_is_refused_with_a_reason() {
    let world = World::new();
    let machine = world.machine("late", BoardOptions::default());
    let made = world.claim_with(&json!({ "name": "late", "expires_in_s": 1 }));
    let end = made.record.expires_at.micros();
    until("the claim to expire", PATIENCE, || {
        let now = std::time::UNIX_EPOCH.elapsed().unwrap().as_micros();
        if now > end as u128 { Ok(()) } else { Err("it is good for a moment more".to_owned()) }
    });
    let said = machine.enrol(&made.claim);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.contains("expired"), "{said:?}");
}

#[test]
fn a_withdrawn_claim_and_half_a_claim_are_refused() {
    let world = World::new();
    let machine = world.machine("late", BoardOptions::default());
    let made = world.claim_with(&json!({ "name": "late" }));
    let half: String = made.claim.chars().take(made.claim.len() / 2).collect();
    let said = machine.enrol(&half);
    assert_eq!(said.code, 3, "{said:?}");
    assert!(said.err.contains("claim"), "{said:?}");
    let path = format!("/v2/claims/{}", made.record.id);
    world.admin().request::<Value>(&Method::DELETE, &path, None::<&()>, &[]).unwrap();
    let said = machine.enrol(&made.claim);
    assert_ne!(said.code, 0, "{said:?}");
    assert!(said.err.contains("withdrawn") || said.err.contains("revoked"), "{said:?}");
    assert!(machine.try_record().is_err_and(|error| error.kind() == Kind::NotFound));
}

#[test]
fn boards_are_found_by_label_selector_status_text_and_page() {
    let world = World::new();
    for (name, zone) in [("a-1", "north"), ("a-2", "north"), ("b-1", "south")] {
        let machine = world.machine(name, BoardOptions::default());
        let made = world.claim_with(&json!({ "name": name, "labels": { "zone": zone } }));
        let _ = machine.enrol(&made.claim).ok();
    }
    let admin = world.admin();
    let names = |query: &str| -> Vec<String> {
        let page: Page<Value> = admin.get(&format!("/v2/boards?{query}")).unwrap();
        page.items.iter().map(|row| row["name"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(names("selector=zone%3Dnorth"), ["a-1", "a-2"]);
    assert_eq!(names("selector=zone%20notin%20(north)"), ["b-1"]);
    assert_eq!(names("text=b-"), ["b-1"]);
    assert_eq!(names("status=offline").len(), 3);
    assert!(names("status=online").is_empty());
    let first: Page<Value> = admin.get("/v2/boards?limit=2").unwrap();
    assert_eq!(first.items.len(), 2);
    assert_eq!(names(&format!("limit=2&marker={}", first.next.unwrap())), ["b-1"]);
    for wrong in ["selector=zone%20in", "limit=0", "limit=5000", "status=asleep", "colour=red"] {
        let error = admin.get::<Value>(&format!("/v2/boards?{wrong}")).unwrap_err();
        assert_eq!(error.kind(), Kind::Invalid, "{wrong}: {error}");
    }
}

#[test]
fn a_change_needs_the_right_revision_and_a_rename_keeps_the_board_working() {
    let world = World::new();
    let board = world.board("old-name");
    let raw = world.raw();
    let path = board.path("");
    let tag = raw.get(&path).header("etag").unwrap().to_owned();
    assert_eq!(raw.ask("GET", &path, &[("if-none-match", &tag)], None).status, 304);
    let change = r#"{"name":"new-name","labels":{"floor":"3"}}"#;
    let stale = raw.ask("PATCH", &path, &[("if-match", "\"99999\"")], Some(change));
    assert!(matches!(stale.status, 409 | 412), "{stale:?}");
    assert_eq!(stale.kind(), "conflict");
    let tag = raw.get(&path).header("etag").unwrap().to_owned();
    let changed = raw.ask("PATCH", &path, &[("if-match", &tag)], Some(change));
    assert_eq!(changed.status, 200, "{changed:?}");
    assert_ne!(changed.header("etag"), Some(tag.as_str()));
    assert_eq!(raw.get(&path).status, 404, "the old name is free");
    board.is_called("new-name");
    board.answers();
    let other = world.machine("other", BoardOptions::default());
    let _ = other.enrol(&world.claim("other")).ok();
    let taken = raw.ask("PATCH", &other.path(""), &[], Some(r#"{"name":"new-name"}"#));
    assert_eq!((taken.status, taken.kind().as_str()), (409, "conflict"));
    board.restart();
    assert_eq!(board.record().summary.labels.get("floor"), Some("3"));
}

#[test]
fn a_decommissioned_board_is_told_and_refused_for_good() {
    let world = World::new();
    let board = world.board("gone");
    let id = board.id();
    let admin = world.admin();
    admin.request::<Value>(&Method::DELETE, &board.path(""), None::<&()>, &[]).unwrap();
    until("the agent to be told", PATIENCE, || {
        let said = board.said();
        if said.contains("refused") { Ok(()) } else { Err(said) }
    });
    // A restart changes nothing.
    board.kill();
    board.start();
    until("the agent to be refused", PATIENCE, || {
        let said = board.said();
        if said.contains("refused") { Ok(()) } else { Err(said) }
    });
    let status = admin.get::<api::boards::Board>(&format!("/v2/boards/{id}"));
    match status {
        Ok(record) => assert_eq!(record.summary.status, Status::Decommissioned),
        Err(error) => assert_eq!(error.kind(), Kind::NotFound),
    }
    let page: Page<Value> = admin.get("/v2/boards?status=online").unwrap();
    assert!(page.items.is_empty(), "{page:?}");
    // The name can be given again.
    let next = world.machine("gone", BoardOptions::default());
    let _ = next.enrol(&world.claim("gone")).ok();
}

#[test]
fn another_machine_takes_over_an_identity_and_the_old_one_is_refused() {
    let world = World::new();
    let old = world.board("post-7");
    let id = old.id();
    let _ = world.plugin("keeper", "python", "sync", "def main(params):\n    return params\n");
    old.inject("keeper");
    let made: api::claims::Made = world.admin().post(&old.path("/replace"), &json!({})).unwrap();
    let new = world.machine("post-7", BoardOptions::default());
    let _ = new.enrol(&made.claim).ok();
    new.start();
    until("the new machine to be the board", PATIENCE, || {
        let said = new.said();
        if said.contains("online") { Ok(()) } else { Err(said) }
    });
    new.wait_online();
    assert_eq!(new.id(), id, "the identity stays");
    until("the old machine to be refused", PATIENCE, || {
        let said = old.said();
        if said.contains("refused") { Ok(()) } else { Err(said) }
    });
    new.answers();
    let kept = new.call("keeper", &json!({ "kept": true }));
    assert_eq!(kept.result, Some(json!({ "kept": true })), "the plugins move in too: {kept:?}");
}

#[test]
fn only_one_agent_runs_on_a_home() {
    let world = World::new();
    let board = world.board("single");
    let second = Said::of(&mut board.agent_command("run"));
    assert_ne!(second.code, 0, "{second:?}");
    assert!(second.err.contains("another") || second.err.contains("already"), "{second:?}");
    board.answers();
}

#[test]
fn a_board_that_stops_in_order_is_offline_at_once_and_comes_back() {
    let world = World::new();
    let board = world.board("sleeper");
    board.stop();
    board.wait_status(Status::Offline, PATIENCE / 2);
    let error = board.ask("/ping", &json!({})).unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable, "{error}");
    assert!(error.to_string().contains("sleeper"), "{error}");
    board.start();
    board.wait_online();
    board.answers();
}

#[test]
fn boards_find_their_cloud_again_after_it_was_killed() {
    let world = World::new();
    let boards = [world.board("one"), world.board("two")];
    world.cloud_kill();
    world.cloud_restart();
    for board in &boards {
        board.wait_online();
        board.answers();
    }
}
