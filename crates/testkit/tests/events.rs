//! The event log: every event once, in order, over broken streams and beside many writers.

use api::events::Event;
use model::access::Role;
use serde_json::{Value, json};
use std::collections::BTreeSet;
use testkit::{PATIENCE, World, until};

#[test]
fn a_reader_that_comes_again_and_again_misses_and_repeats_nothing() {
    let world = World::new();
    let total: usize = 120;
    let made: BTreeSet<String> = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..4)
            .map(|writer| {
                let client = world.admin();
                scope.spawn(move || {
                    let make = |number| {
                        let name = format!("f-{writer}-{number}");
                        let fleet: Value =
                            client.post("/v2/fleets", &json!({ "name": name })).unwrap();
                        fleet["id"].as_str().unwrap().to_owned()
                    };
                    (0..total / 4).map(make).collect::<Vec<_>>()
                })
            })
            .collect();
        let seen = read_in_pieces(&world, total);
        let made = writers.into_iter().flat_map(|writer| writer.join().unwrap()).collect();
        assert_eq!(seen.iter().cloned().collect::<BTreeSet<_>>(), made);
        assert_eq!(seen.len(), total, "none twice");
        made
    });
    let page: api::Page<Event> = world.admin().get("/v2/events?limit=1000").unwrap();
    let kept: BTreeSet<_> = page
        .items
        .into_iter()
        .filter(|event| event.subject_type == "fleet")
        .map(|event| event.subject_id)
        .collect();
    assert_eq!(kept, made, "the page tells the same");
}

/// Reads seven events at a time and comes again with the last id.
fn read_in_pieces(world: &World, total: usize) -> Vec<String> {
    let mut seen = Vec::new();
    let mut last = Some("0".to_owned());
    while seen.len() < total {
        let mut before = last.as_deref().and_then(|text| text.parse::<i64>().ok()).unwrap();
        let stream = world.admin().stream("/v2/events", last.as_deref()).unwrap();
        let events = stream.map(|sent| sent.unwrap()).filter(|sent| !sent.data.is_empty()).take(7);
        for sent in events {
            let event: Event = serde_json::from_str(&sent.data).unwrap();
            assert!(event.seq > before, "{} after {before}", event.seq);
            assert_eq!(sent.id.as_deref(), Some(event.seq.to_string().as_str()));
            before = event.seq;
            last = sent.id;
            if event.subject_type == "fleet" {
                seen.push(event.subject_id);
            }
            if seen.len() == total {
                break;
            }
        }
    }
    seen
}

#[test]
fn another_project_hears_nothing_of_ours() {
    let world = World::new();
    let theirs = world.tenant("theirs", Role::AdminIotProject);
    world.admin().post::<Value>("/v2/fleets", &json!({ "name": "ours" })).unwrap();
    theirs.post::<Value>("/v2/fleets", &json!({ "name": "theirs" })).unwrap();
    until("their event", PATIENCE, || {
        let page: api::Page<Event> = theirs.get("/v2/events").map_err(|error| error.to_string())?;
        let names: Vec<_> = page.items.iter().map(|event| event.body.to_string()).collect();
        assert!(page.items.iter().all(|event| event.project == page.items[0].project), "{names:?}");
        if page.items.is_empty() { Err("none yet".to_owned()) } else { Ok(()) }
    });
    let mut stream = theirs.stream("/v2/events", Some("0")).unwrap();
    let first: Event = serde_json::from_str(&stream.next().unwrap().unwrap().data).unwrap();
    let page: api::Page<Event> = theirs.get("/v2/events").unwrap();
    assert_eq!(first.seq, page.items[0].seq);
}
