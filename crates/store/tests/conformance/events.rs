//! The event log: order, no gaps, retention.

use crate::world::World;
use model::{Invalid, ProjectId};
use serde_json::json;
use std::sync::Arc;
use store::events::{self, NewEvent};
use store::{Error, Store};

async fn append(store: &Store, project: &ProjectId) -> i64 {
    let event = NewEvent::about("test", "happened", project, "x", json!({ "n": 1 }));
    store.write(move |tx| Box::pin(async move { tx.event(event).await })).await.unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn events_are_numbered_without_gaps_although_some_writers_fail() {
    let world = Arc::new(World::new().await);
    let writers: Vec<_> = (0..200)
        .map(|index| {
            let world = Arc::clone(&world);
            tokio::spawn(async move {
                let event = NewEvent::about("test", "happened", &world.project, index, json!(null));
                let job = world.write(move |tx| {
                    Box::pin(async move {
                        tx.event(event).await?;
                        if index % 3 == 0 {
                            return Err(Error::Invalid(Invalid::new("on purpose")));
                        }
                        Ok(())
                    })
                });
                job.await.is_ok()
            })
        })
        .collect();
    // A reader that follows meanwhile sees each number once and in order.
    let mut changes = world.store.watch_events();
    let mut seen = Vec::new();
    while seen.len() < 133 {
        changes.changed().await.unwrap();
        let last = seen.last().copied().unwrap_or(0);
        let rows = events::after(&world.store, Some(&world.project), last, 1000).await.unwrap();
        seen.extend(rows.into_iter().map(|row| row.seq));
    }
    let mut committed = 0;
    for writer in writers {
        committed += i64::from(writer.await.unwrap());
    }
    assert_eq!(seen, (1..=committed).collect::<Vec<_>>());
    assert_eq!(events::last_seq(&world.store), committed);
}

#[tokio::test]
async fn the_tenant_wall_stands_in_the_log_too() {
    let world = World::new().await;
    let other = ProjectId::new();
    append(&world.store, &world.project).await;
    append(&world.store, &other).await;
    let mine = events::after(&world.store, Some(&world.project), 0, 10).await.unwrap();
    assert_eq!(mine.iter().map(|row| row.seq).collect::<Vec<_>>(), [1]);
    assert_eq!(events::after(&world.store, None, 0, 10).await.unwrap().len(), 2);
    let row = mine.first().unwrap();
    assert_eq!((row.kind.as_str(), &row.body), ("test.happened", &json!({ "n": 1 })));
}

#[tokio::test]
async fn trimming_keeps_the_newest_and_the_numbering() {
    let world = World::new().await;
    assert_eq!(events::first_seq(&world.store).await.unwrap(), 0);
    for _ in 0..10 {
        append(&world.store, &world.project).await;
    }
    let trim = async |keep: u32| {
        let job = world.write(move |tx| Box::pin(async move { events::trim(tx, keep).await }));
        job.await.unwrap()
    };
    assert_eq!(trim(4).await, 6);
    assert_eq!(events::first_seq(&world.store).await.unwrap(), 7);
    assert_eq!(trim(0).await, 3, "one always stays, to carry the numbering on");
    assert_eq!(append(&world.store, &world.project).await, 11);
}
