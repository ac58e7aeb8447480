//! Idempotency keys.

use crate::world::World;
use model::{Kind, UserId};
use std::time::Duration;
use store::idempotency::{self, Begin};
use store::{Error, Store};

async fn begin(world: &World, user: &UserId, hash: u8) -> Result<Begin, Error> {
    let (user, now) = (user.clone(), world.now());
    let job = world.write(move |tx| {
        Box::pin(async move { idempotency::begin(tx, "key", &user, &[hash; 32], now).await })
    });
    job.await
}

async fn finish(store: &Store, user: &UserId) {
    let user = user.clone();
    let job = store.write(move |tx| {
        Box::pin(async move {
            idempotency::finish(tx, "key", &user, 201, "{}").await?;
            let headers = [("location".to_owned(), "/x/\"1\"".to_owned())];
            idempotency::keep_headers(tx, "key", &user, &headers).await
        })
    });
    job.await.unwrap();
}

#[tokio::test]
async fn a_repeated_request_gets_the_first_answer_for_a_day() {
    let world = World::new().await;
    let user = &world.user;
    assert_eq!(begin(&world, user, 1).await.unwrap(), Begin::Fresh);
    assert_eq!(begin(&world, user, 1).await.unwrap(), Begin::Running);
    finish(&world.store, user).await;
    let headers = vec![("location".to_owned(), "/x/\"1\"".to_owned())];
    let done = Begin::Done { status: 201, body: "{}".into(), headers };
    assert_eq!(begin(&world, user, 1).await.unwrap(), done);
    assert_eq!(begin(&world, &UserId::new(), 1).await.unwrap(), Begin::Fresh);
    world.clock.advance(Duration::from_secs(24 * 3600));
    assert_eq!(begin(&world, user, 2).await.unwrap(), Begin::Fresh);
}

#[tokio::test]
async fn a_key_is_for_one_request_only() {
    let world = World::new().await;
    begin(&world, &world.user, 1).await.unwrap();
    assert_eq!(begin(&world, &world.user, 2).await.unwrap_err().kind(), Kind::Conflict);
}

#[tokio::test]
async fn keys_that_failed_or_were_interrupted_are_free_again() {
    let world = World::new().await;
    begin(&world, &world.user, 1).await.unwrap();
    let freed = world
        .write(|tx| Box::pin(async move { idempotency::forget_interrupted_at_start(tx).await }));
    assert_eq!(freed.await.unwrap(), 1);
    assert_eq!(begin(&world, &world.user, 2).await.unwrap(), Begin::Fresh);
    let user = world.user.clone();
    let freed =
        world.write(move |tx| Box::pin(async move { idempotency::forget(tx, "key", &user).await }));
    freed.await.unwrap();
    assert_eq!(begin(&world, &world.user, 3).await.unwrap(), Begin::Fresh);
}
