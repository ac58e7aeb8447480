//! Fleets.

use crate::world::{World, name};
use model::Kind;
use store::fleets::{self, FleetChange};
use store::{Error, Page, boards};

#[tokio::test]
async fn a_fleet_is_changed_only_by_its_newest_revision_and_its_name_is_unique() {
    let world = World::new().await;
    let new = world.new_fleet("north");
    let row = world.write(move |tx| Box::pin(async move { fleets::create(tx, new).await }));
    let row = row.await.unwrap();
    let again = world.new_fleet("north");
    let again = world.write(move |tx| Box::pin(async move { fleets::create(tx, again).await }));
    assert!(matches!(again.await, Err(Error::Duplicate { what: "fleet", field: "name" })));
    let update = async |expected: i64| {
        let (id, rename) =
            (row.id, FleetChange { name: Some(name("south")), description: None, extra: None });
        let job = world.write(move |tx| {
            Box::pin(async move { fleets::update(tx, None, id, rename, Some(expected)).await })
        });
        job.await
    };
    assert_eq!(update(1).await.unwrap().name, name("south"));
    assert!(matches!(update(1).await, Err(Error::Stale { what: "fleet" })));
    assert_eq!(fleets::get(&world.store, None, "south").await.unwrap().revision, 2);
    assert_eq!(fleets::list(&world.store, None, Page::default()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn boards_outlive_their_fleet() {
    let world = World::new().await;
    let (fleet, mut board) = (world.new_fleet("north"), world.new_board("lamp"));
    let (fleet_id, board_id) = (fleet.id, board.id);
    board.fleet = Some(fleet_id);
    let job = world.write(move |tx| {
        Box::pin(async move {
            fleets::create(tx, fleet).await?;
            boards::create(tx, board).await?;
            fleets::delete(tx, None, fleet_id).await
        })
    });
    job.await.unwrap();
    assert_eq!(boards::by_id(&world.store, None, board_id).await.unwrap().fleet, None);
    let gone = fleets::by_id(&world.store, None, fleet_id).await;
    assert_eq!(gone.unwrap_err().kind(), Kind::NotFound);
}
