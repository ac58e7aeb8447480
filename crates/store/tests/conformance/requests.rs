//! Requests to many boards: their progress is that of their operations.

use crate::world::World;
use model::operation::{Event, Outcome};
use model::{OperationId, ProjectId};
use serde_json::json;
use std::time::Duration;
use store::Page;
use store::operations::{self, Filter, NewOperation};
use store::requests::{self, NewRequest};

async fn request(world: &World) -> NewRequest {
    let new = NewRequest {
        id: OperationId::new(),
        project: world.project.clone(),
        fleet: None,
        action: "DevicePing".into(),
        created_by: None,
    };
    let stored = new.clone();
    let job = world.write(|tx| Box::pin(async move { requests::create(tx, &stored).await }));
    job.await.unwrap();
    new
}

#[tokio::test]
async fn what_is_pending_of_a_request_counts_down_with_its_operations() {
    let world = World::new().await;
    let new = request(&world).await;
    let mut parts = Vec::new();
    for name in ["a", "b"] {
        let board = world.enrolled_board(name).await.id;
        let part = NewOperation { main: Some(new.id), ..world.new_operation(board) };
        assert_eq!(world.submit(part.clone()).await.main, Some(new.id));
        parts.push(part.id);
    }
    let alone = world.new_operation(world.enrolled_board("c").await.id);
    world.submit(alone).await;
    for (left, part) in [(1, parts[0]), (0, parts[1])] {
        let before = requests::get(&world.store, None, new.id).await.unwrap();
        assert_eq!(before.pending, left + 1);
        world.clock.advance(Duration::from_secs(1));
        world.advance(part, Event::Sent).await.unwrap();
        world.advance(part, Event::Answered(Outcome::Done(json!(1)))).await.unwrap();
        let after = requests::get(&world.store, None, new.id).await.unwrap();
        assert_eq!((after.pending, after.ended_at), (left, Some(world.now())));
    }
    let filter = Filter { main: Some(new.id), ..Filter::default() };
    let listed = operations::list(&world.store, None, &filter, Page::default()).await.unwrap();
    assert_eq!(listed.iter().map(|row| row.id).collect::<Vec<_>>(), parts);
}

#[tokio::test]
async fn a_request_is_seen_in_its_project_and_kept_as_long_as_its_operations() {
    let world = World::new().await;
    let new = request(&world).await;
    let other = ProjectId::new();
    assert!(requests::get(&world.store, Some(&other), new.id).await.is_err());
    assert!(requests::list(&world.store, Some(&other), Page::default()).await.unwrap().is_empty());
    let own = requests::list(&world.store, Some(&world.project), Page::default()).await.unwrap();
    assert_eq!(own.len(), 1);

    let board = world.enrolled_board("a").await.id;
    let part = NewOperation { main: Some(new.id), ..world.new_operation(board) };
    world.submit(part.clone()).await;
    world.clock.advance(Duration::from_secs(3600));
    let now = world.now();
    let trim = world.write(move |tx| Box::pin(requests::trim(tx, now)));
    assert_eq!(trim.await.unwrap(), 0, "it has a part");
    world.advance(part.id, Event::Cancelled).await.unwrap();
    let later = world.in_an_hour();
    let trim = world.write(move |tx| {
        Box::pin(async move {
            operations::trim(tx, later, 100).await?;
            requests::trim(tx, now).await
        })
    });
    assert_eq!(trim.await.unwrap(), 1);
}

#[tokio::test]
async fn a_remark_is_a_line_of_history_of_what_runs_and_nothing_else() {
    let world = World::new().await;
    let new = world.new_operation(world.enrolled_board("a").await.id);
    world.submit(new.clone()).await;
    let remark = |text: &'static str| {
        let id = new.id;
        world.write(move |tx| Box::pin(operations::remark(tx, id, text)))
    };
    remark("too early").await.unwrap();
    world.advance(new.id, Event::Sent).await.unwrap();
    remark("it goes on").await.unwrap();
    world.advance(new.id, Event::Answered(Outcome::Unknown)).await.unwrap();
    remark("too late").await.unwrap();
    let history = operations::history(&world.store, new.id).await.unwrap();
    let notes: Vec<_> = history.iter().map(|line| line.note.as_str()).collect();
    assert_eq!(notes, ["", "sent", "it goes on", "the board cannot say how it ended"]);
}
