//! The audit through the command line: what the real programs leave in it, and how it is checked, kept and erased.

use serde_json::Value;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use testkit::{LocalService, PATIENCE, Talk, World, WorldOptions, until};

fn head_every_row() -> World {
    World::start(WorldOptions::default().set("audit.head_rows", "1"))
}

fn rows(world: &World, verb: &str) -> Vec<Value> {
    let said = world.s4t(&["audit", "list", "--verb", verb, "--output", "json"]).json();
    said.as_array().unwrap().clone()
}

#[test]
fn a_session_of_a_service_is_told_with_its_bytes_and_where_it_came_from() {
    let world = World::new();
    let board = world.board("lamp");
    let local = LocalService::start(Talk::Echo);
    let service = world.service("echo", local.port);
    let port = board.expose("echo");
    let mut visit = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).unwrap();
    visit.write_all(b"twelve bytes").unwrap();
    let mut back = [0; 12];
    visit.read_exact(&mut back).unwrap();
    drop(visit);
    let ended = until("the end in the audit", PATIENCE, || {
        rows(&world, "service:disconnect").pop().ok_or_else(|| "no row".to_owned())
    });
    let detail: Value = serde_json::from_str(ended["detail"].as_str().unwrap()).unwrap();
    assert_eq!((&detail["sent"], &detail["received"]), (&12.into(), &12.into()), "{detail}");
    assert_eq!(detail["board"], board.id().to_string());
    assert_eq!(ended["subject"], service.id.to_string());
    let begun = rows(&world, "service:connect").pop().unwrap();
    assert_eq!(begun["known"][0]["value"], "127.0.0.1");
    let began: Value = serde_json::from_str(begun["detail"].as_str().unwrap()).unwrap();
    assert_eq!(began["session"], detail["session"]);
}

#[test]
fn the_log_is_verified_against_a_head_that_was_kept_and_a_changed_export_is_found() {
    let world = head_every_row();
    let folder = world.folder().to_owned();
    let path = |name: &str| folder.join(name).display().to_string();
    let _ = world.claim("first");
    let kept = until("a head", PATIENCE, || {
        let heads = world.s4t(&["audit", "heads", "--output", "json"]).json();
        heads.as_array().and_then(|heads| heads.last().cloned()).ok_or_else(|| "no head".to_owned())
    });
    std::fs::write(path("head.json"), kept.to_string()).unwrap();
    let _ = world.claim("second");
    let last = rows(&world, "claim:create").pop().unwrap()["seq"].to_string();
    let proof = until("a proof", PATIENCE, || {
        let said = world.s4t(&["audit", "proof", &last, "--output", "json"]);
        if said.code == 0 { Ok(said) } else { Err(said.err) }
    });
    let proof = proof.json();
    assert!(proof["proof"].to_string().len() < 1024);

    let good = world.s4t(&["audit", "verify", "--trusted", &path("head.json"), "--output", "json"]);
    let good = good.json();
    assert_eq!(good["troubles"], serde_json::json!([]));
    let pin = good["keys"][0].as_str().unwrap().to_owned();
    let _ = world.s4t(&["audit", "verify", "--pin", &pin]).ok();
    let other = world.s4t(&["audit", "verify", "--pin", "somebody-elses"]).failed(7);
    assert!(other.contains(&pin), "{other}");

    let _ = world.s4t(&["audit", "export", &path("log")]).ok();
    world.cloud_stop();
    let _ = world.s4t(&["audit", "verify", "--file", &path("log"), "--pin", &pin]).ok();
    let text = std::fs::read_to_string(path("log")).unwrap();
    let place = text.find("claim:create").unwrap();
    let mut bytes = text.clone().into_bytes();
    bytes[place] ^= 1;
    std::fs::write(path("bent"), &bytes).unwrap();
    let bent = world.s4t(&["audit", "verify", "--file", &path("bent")]).failed(7);
    assert!(bent.contains("it was changed"), "{bent}");
    let short: Vec<&str> = text.lines().take(2).collect();
    std::fs::write(path("short"), short.join("\n")).unwrap();
    let trusted = path("head.json");
    let words = ["audit", "verify", "--file", &path("short"), "--trusted", &trusted];
    let cut = world.s4t(&words).failed(7);
    assert!(cut.contains("missing"), "{cut}");
    world.cloud_restart();
}

#[test]
fn names_and_addresses_are_erased_and_the_log_stays_good() {
    let world = World::new();
    let _ = world.colleague("ada", model::access::Role::UserIot);
    let created = rows(&world, "user:create").pop().unwrap();
    let (seq, user) = (created["seq"].to_string(), created["subject"].as_str().unwrap());
    let shown = world.s4t(&["audit", "show", &seq, "--output", "json"]).json();
    assert!(shown["known"]["name"].as_str().unwrap().contains("ada"), "{shown}");
    assert!(shown["detail"].is_object());
    let _ = world.s4t(&["audit", "erase", "--user", user]).ok();
    let shown = world.s4t(&["audit", "show", &seq, "--output", "json"]).json();
    // The address is that of whoever made the user.
    assert_eq!(shown["known"].as_object().unwrap().keys().collect::<Vec<_>>(), ["address"]);
    let _ = world.s4t(&["audit", "verify"]).ok();
    assert_eq!(rows(&world, "audit:erase").len(), 1);
    let _ = world.s4t(&["audit", "reads"]).ok();
    assert!(!world.s4t(&["audit", "erase"]).failed(2).is_empty());
    assert!(!world.s4t(&["audit", "show", "999999"]).failed(6).is_empty());
}
