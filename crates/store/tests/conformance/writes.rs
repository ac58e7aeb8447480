//! The writer: one job's failure is its own, whatever form it takes.

use crate::world::World;
use futures_util::future::join_all;
use model::{Invalid, Kind};
use std::sync::Arc;
use store::{Error, boards};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_job_that_fails_or_panics_takes_nobody_down_with_it() {
    let world = Arc::new(World::new().await);
    let jobs = (0..60).map(|index| {
        let new = world.new_board(&format!("board-{index}"));
        world.write(move |tx| {
            Box::pin(async move {
                boards::create(tx, new).await?;
                match index % 3 {
                    0 => Ok(()),
                    1 => Err(Error::Invalid(Invalid::new("on purpose"))),
                    _ => panic!("on purpose"),
                }
            })
        })
    });
    let results = join_all(jobs).await;
    for (index, result) in results.iter().enumerate() {
        match (index % 3, result) {
            (0, Ok(())) | (2, Err(Error::Faulted(_))) => {}
            (1, Err(error)) if error.kind() == Kind::Invalid => {}
            other => panic!("{index}: {other:?}"),
        }
    }
    assert_eq!(world.boards().await.len(), 20);
}

#[derive(Debug, PartialEq)]
enum Own {
    Refused,
    Store(Kind),
}

impl From<Error> for Own {
    fn from(error: Error) -> Self {
        Self::Store(error.kind())
    }
}

#[tokio::test]
async fn a_use_case_may_roll_back_with_an_error_of_its_own() {
    let world = World::new().await;
    let (new, again) = (world.new_board("lamp"), world.new_board("lamp"));
    let job = world.store.transact(move |tx| {
        Box::pin(async move {
            boards::create(tx, new).await?;
            Err::<(), _>(Own::Refused)
        })
    });
    assert_eq!(job.await, Err(Own::Refused));
    let job = world.store.transact(move |tx| {
        Box::pin(async move {
            boards::create(tx, again).await?;
            boards::by_id(&mut *tx, None, model::BoardId::new()).await?;
            Ok::<_, Own>(())
        })
    });
    assert_eq!(job.await, Err(Own::Store(Kind::NotFound)));
    let found = boards::get(&world.store, None, "lamp").await;
    assert!(matches!(found, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_closed_store_refuses_writes_after_committing_what_waited() {
    let world = World::new().await;
    let (store, new) = (world.store.clone(), world.new_board("lamp"));
    let waiting = store.write(move |tx| Box::pin(async move { boards::create(tx, new).await }));
    let (made, ()) = tokio::join!(waiting, store.close());
    made.unwrap();
    let late = world.create_board(world.new_board("late")).await;
    assert!(matches!(late, Err(Error::Closed)));
}

#[tokio::test]
async fn a_job_that_waits_for_something_else_is_undone_and_stops_nobody() {
    let world = World::new().await;
    let new = world.new_board("waits");
    let waits = world.write(move |tx| {
        Box::pin(async move {
            boards::create(tx, new).await?;
            std::future::pending::<()>().await;
            Ok(())
        })
    });
    assert!(matches!(waits.await, Err(Error::Faulted(_))));
    world.board("next").await;
    assert_eq!(world.boards().await.len(), 1);
}
