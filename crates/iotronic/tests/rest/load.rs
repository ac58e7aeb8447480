//! How boards were, and how they are: kept for a day, followed live, left out of the event log.

use crate::machine::{self, Machine, obedient};
use crate::world::{World, eventually};
use api::client::{Client, Sent, Trust};
use model::access::Role;
use model::facts::Load;
use rpc::connection::Report;
use rpc::uri;
use serde_json::{Value, json};
use std::sync::mpsc::{Receiver, channel};

async fn report(machine: &Machine, uptime_s: u64) {
    let load = Load { uptime_s, cpu: 0.25, temperature_c: Some(41.5), ..Load::default() };
    let said = Report { board_uuid: machine.id, load, facts: None };
    let procedure = uri::agent_procedure(machine::AGENT, uri::REPORT);
    machine::ask(&machine.session, &procedure, json!(said)).await.unwrap();
}

async fn machine(world: &World, name: &str) -> Machine {
    machine::board(world, name, obedient()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn reports_are_shown_oldest_first_and_followed_as_they_come() {
    let world = World::start().await;
    let owner = world.owner().await;
    let machine = machine(&world, "lamp").await;
    let path = format!("/v2/boards/{}/load", machine.id);
    let frames = follow(&world, &owner.token, &path);
    let before = world.get(&owner, "/v2/events?limit=1000").await.expect(200);
    for uptime in [17, 18, 19] {
        report(&machine, uptime).await;
    }
    for uptime in [17, 18, 19] {
        let frame = next(&frames);
        assert_eq!((frame.event.as_deref(), frame.id), (Some("load"), None));
        let sample: Value = serde_json::from_str(&frame.data).unwrap();
        assert_eq!((&sample["uptime_s"], &sample["temperature_c"]), (&json!(uptime), &json!(41.5)));
        assert!(sample["at"].is_string(), "{sample}");
    }
    eventually("three reports are kept", async || {
        let items = world.get(&owner, &path).await.expect(200)["items"].clone();
        let uptimes: Vec<_> =
            items.as_array().unwrap().iter().map(|one| &one["uptime_s"]).collect();
        // The machine said 7 when it connected.
        if json!(uptimes) == json!([7, 17, 18, 19]) { Ok(()) } else { Err(items) }
    })
    .await;
    assert_eq!(world.get(&owner, "/v2/events?limit=1000").await.expect(200), before);
    world.finish().await;
    tokio::task::block_in_place(|| while frames.recv().is_ok() {});
}

#[tokio::test]
async fn hours_are_bounded_and_a_board_without_reports_has_an_empty_history() {
    let world = World::start().await;
    let owner = world.owner().await;
    let id = world.board("lamp").await;
    assert_eq!(world.get(&owner, "/v2/boards/lamp/load").await.expect(200), json!({ "items": [] }));
    for hours in ["0", "25", "x", "-1"] {
        let path = format!("/v2/boards/{id}/load?hours={hours}");
        world.get(&owner, &path).await.expect(400);
    }
    world.get(&owner, &format!("/v2/boards/{id}/load?hours=24")).await.expect(200);
    let elsewhere = model::ProjectId::new();
    world.make_project(&elsewhere).await;
    let stranger = world.somebody(&elsewhere, Role::AdminIotProject).await;
    world.get(&stranger, &format!("/v2/boards/{id}/load")).await.expect(404);
}

/// Reads a stream on a thread of its own; it ends with the world.
fn follow(world: &World, token: &str, path: &str) -> Receiver<Sent> {
    let client = Client::new(&world.cloud().public_url, &Trust::Public).unwrap();
    let client = client.with_token(token.to_owned());
    let (sent, received) = channel();
    let opened = channel();
    let path = path.to_owned();
    std::thread::spawn(move || {
        let stream = client.stream(&path, None).unwrap();
        opened.0.send(()).unwrap();
        for frame in stream.map_while(Result::ok) {
            if sent.send(frame).is_err() {
                return;
            }
        }
    });
    tokio::task::block_in_place(|| opened.1.recv_timeout(crate::world::PATIENCE)).unwrap();
    received
}

fn next(received: &Receiver<Sent>) -> Sent {
    tokio::task::block_in_place(|| received.recv_timeout(crate::world::PATIENCE)).unwrap()
}
