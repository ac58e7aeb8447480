//! What becomes of a board's key: changed, parked, let go on; and the age of rights.

use crate::world::{World, random_key};
use base::key::PublicKey;
use model::board::Parked;
use model::{BoardId, Kind};
use store::boards::{self, BoardRow};
use store::{Error, claims};

async fn rotate(
    world: &World,
    id: BoardId,
    old: PublicKey,
    new: PublicKey,
) -> Result<BoardRow, Error> {
    let job =
        world.write(move |tx| Box::pin(async move { boards::rotate(tx, id, &old, &new).await }));
    job.await
}

async fn park(world: &World, id: BoardId) -> bool {
    let parked = Parked { since: world.now(), holder: None, newcomer: None };
    let job = world.write(move |tx| Box::pin(async move { boards::park(tx, id, &parked).await }));
    job.await.unwrap()
}

async fn kinds(world: &World) -> Vec<String> {
    let events = store::events::after(&world.store, None, 0, 1000).await.unwrap();
    events.into_iter().map(|event| event.kind).collect()
}

#[tokio::test]
async fn a_changed_key_counts_alone_and_doing_it_twice_changes_nothing() {
    let world = World::new().await;
    let claim = world.new_claim("lamp", 7, 1);
    world.write(move |tx| Box::pin(async move { claims::create(tx, claim).await })).await.unwrap();
    let (old, new, now) = (random_key(), random_key(), world.now());
    let redeem = async |key: PublicKey| {
        let job = world.write(move |tx| {
            Box::pin(async move { claims::redeem(tx, &[7; 32], &key, now, None).await })
        });
        job.await
    };
    let id = redeem(old).await.unwrap().board.id;
    let row = rotate(&world, id, old, new).await.unwrap();
    assert_eq!(row.public_key, Some(new));
    let again = rotate(&world, id, old, new).await.unwrap();
    assert_eq!(again.revision, row.revision);
    let refused = boards::refused_key(&world.store, &old).await.unwrap().unwrap();
    assert_eq!((refused.board, refused.reason.as_str()), (id, "rotated"));
    assert_eq!(redeem(new).await.unwrap().board.id, id, "the claim's answer moved along");
    for (from, to) in [(old, random_key()), (random_key(), random_key()), (new, old)] {
        assert!(rotate(&world, id, from, to).await.is_err());
    }
    let other = world.enrolled_board("other").await;
    let taken = rotate(&world, id, new, other.public_key.unwrap()).await.unwrap_err();
    assert_eq!(taken.kind(), Kind::Conflict);
    assert_eq!(kinds(&world).await.iter().filter(|kind| *kind == "board.rekeyed").count(), 1);
}

#[tokio::test]
async fn a_parked_board_keeps_its_key_until_somebody_decides_or_it_gets_another() {
    let world = World::new().await;
    let board = world.enrolled_board("twin").await;
    let (id, key) = (board.id, board.public_key.unwrap());
    assert!(park(&world, id).await);
    assert!(!park(&world, id).await, "one alarm is enough");
    assert_eq!(rotate(&world, id, key, random_key()).await.unwrap_err().kind(), Kind::Conflict);
    let from = Some([192, 0, 2, 7].into());
    let unpark = async || {
        world.write(move |tx| Box::pin(async move { boards::unpark(tx, id, from).await })).await
    };
    let row = unpark().await.unwrap();
    assert_eq!((row.parked, row.admits_from), (None, from));
    assert_eq!(unpark().await.unwrap_err().kind(), Kind::Conflict);
    let row = rotate(&world, id, key, random_key()).await.unwrap();
    assert_eq!(row.admits_from, None, "the new key decides from here on");
    let kinds = kinds(&world).await;
    for kind in ["board.cloned", "board.unparked", "board.rekeyed"] {
        assert!(kinds.iter().any(|found| found == kind), "{kinds:?}");
    }
}

#[tokio::test]
async fn an_epoch_only_grows() {
    let world = World::new().await;
    let id = world.enrolled_board("lamp").await.id;
    for epoch in 1..4 {
        let job = world.write(move |tx| Box::pin(async move { boards::raise_epoch(tx, id).await }));
        assert_eq!(job.await.unwrap(), epoch);
    }
    let nobody = BoardId::new();
    let job = world.write(move |tx| Box::pin(async move { boards::raise_epoch(tx, nobody).await }));
    assert_eq!(job.await.unwrap_err().kind(), Kind::NotFound);
}
