//! The event log and logs of boards, as streams over real sockets with the client that the command line uses.

use crate::machine::{self, Behaviour};
use crate::world::{Somebody, World};
use api::client::{Client, Sent, Trust};
use axum::http::Method;
use futures_util::FutureExt as _;
use model::access::Role;
use rpc::Envelope;
use serde_json::{Value, json};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, channel};

/// Reads a stream on a thread of its own; it ends with the world.
pub(crate) fn stream(
    world: &World,
    who: &Somebody,
    path: &str,
    last: Option<&str>,
) -> Receiver<Sent> {
    let client = Client::new(&world.cloud().public_url, &Trust::Public).unwrap();
    let client = client.with_token(who.token.clone());
    let (path, last) = (path.to_owned(), last.map(str::to_owned));
    let (sent, received) = channel();
    let opened = channel();
    std::thread::spawn(move || {
        let stream = client.stream(&path, last.as_deref()).unwrap();
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

#[tokio::test(flavor = "multi_thread")]
async fn events_come_as_they_are_committed_and_resume_without_gap() {
    let world = World::start().await;
    let owner = world.owner().await;
    let elsewhere = model::ProjectId::new();
    world.make_project(&elsewhere).await;
    let stranger = world.somebody(&elsewhere, Role::UserIot).await;
    let mine = stream(&world, &owner, "/v2/events", None);
    let theirs = stream(&world, &stranger, "/v2/events", None);
    for name in ["a", "b", "c"] {
        world.post(&owner, "/v2/fleets", json!({ "name": name })).await.expect(201);
    }
    let first = next(&mine);
    assert_eq!(first.event.as_deref(), Some("fleet.created"));
    let event: Value = serde_json::from_str(&first.data).unwrap();
    assert_eq!(event["body"]["name"], "a");
    assert_eq!(Some(event["seq"].to_string()), first.id);

    let resumed = stream(&world, &owner, "/v2/events", first.id.as_deref());
    let names: Vec<_> = [next(&resumed), next(&resumed)]
        .map(|sent| serde_json::from_str::<Value>(&sent.data).unwrap()["body"]["name"].clone())
        .into();
    assert_eq!(json!(names), json!(["b", "c"]));
    assert!(theirs.try_recv().is_err(), "another project's events were seen");
    world.finish().await;
    tokio::task::block_in_place(|| while mine.recv().is_ok() {});
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reader_that_is_far_behind_gets_its_own_events_and_then_keeps_up_with_everybody() {
    let world = World::start().await;
    let owner = world.owner().await;
    let elsewhere = model::ProjectId::new();
    world.make_project(&elsewhere).await;
    let neighbour = world.somebody(&elsewhere, Role::AdminIotProject).await;
    let make = async |who: &Somebody, name: String| {
        world.post(who, "/v2/fleets", json!({ "name": name })).await.expect(201);
    };
    make(&owner, "first".to_owned()).await;
    for number in 0..250 {
        make(&neighbour, format!("noise-{number}")).await;
    }
    make(&owner, "second".to_owned()).await;
    let readers = [(); 5].map(|()| stream(&world, &owner, "/v2/events", Some("0")));
    let theirs = stream(&world, &neighbour, "/v2/events", None);
    make(&neighbour, "seen".to_owned()).await;
    make(&owner, "third".to_owned()).await;
    let name =
        |sent: Sent| serde_json::from_str::<Value>(&sent.data).unwrap()["body"]["name"].clone();
    for reader in &readers {
        let names = [next(reader), next(reader), next(reader)].map(name);
        assert_eq!(json!(names), json!(["first", "second", "third"]));
    }
    assert_eq!(name(next(&theirs)), "seen");
    world.finish().await;
    tokio::task::block_in_place(|| while theirs.recv().is_ok() {});
}

#[tokio::test]
async fn the_event_log_is_read_in_pages_too() {
    let world = World::start().await;
    let owner = world.owner().await;
    for name in ["a", "b", "c"] {
        world.post(&owner, "/v2/fleets", json!({ "name": name })).await.expect(201);
    }
    let page = world.get(&owner, "/v2/events?limit=2").await.expect(200);
    assert_eq!(page["items"].as_array().unwrap().len(), 2);
    let path = format!("/v2/events?limit=2&after={}", page["next"].as_str().unwrap());
    let page = world.get(&owner, &path).await.expect(200);
    assert_eq!(page["items"][0]["body"]["name"], "c");
    assert!(page.get("next").is_none());
    world.get(&owner, "/v2/events?after=x").await.expect(400);
    let sse = [("accept", "text/event-stream"), ("last-event-id", "x")];
    world.ask(&owner, Method::GET, "/v2/events", None, &sse).await.expect(400);
}

/// A board whose log has three lines, and says so as often as it is asked.
fn logging() -> Behaviour {
    Arc::new(|_, method, list: Vec<Value>| {
        async move {
            if method != rpc::Method::DeviceLogs {
                return Envelope::success(json!("ok")).to_text().into();
            }
            let read: rpc::logs::Read = serde_json::from_value(list[0].clone()).unwrap();
            let last = if read.wait_ms > 0 { 3 } else { 2 };
            let lines: Vec<_> = (read.after + 1..=last)
                .map(|seq| json!({ "seq": seq, "time": "2026-01-01T00:00:00Z", "stream": "info", "text": format!("line {seq}") }))
                .collect();
            if lines.is_empty() {
                std::future::pending::<()>().await;
            }
            Envelope::success(json!({ "lines": lines, "next": last, "dropped": 0 })).to_text().into()
        }
        .boxed()
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boards_log_is_read_and_followed() {
    let world = World::start().await;
    let owner = world.owner().await;
    let _lamp = machine::board(&world, "lamp", logging()).await;
    let lines = world.get(&owner, "/v2/boards/lamp/logs?after=1").await.expect(200);
    assert_eq!((&lines["lines"][0]["text"], &lines["next"]), (&json!("line 2"), &json!(2)));
    world.get(&owner, "/v2/boards/lamp/logs?limit=1001").await.expect(400);
    let followed = stream(&world, &owner, "/v2/boards/lamp/logs?follow=true", None);
    for number in ["1", "2", "3"] {
        assert_eq!(next(&followed).id.as_deref(), Some(number));
    }
    world.board("away").await;
    world.get(&owner, "/v2/boards/away/logs?follow=true").await.expect(503);
    world.finish().await;
}
