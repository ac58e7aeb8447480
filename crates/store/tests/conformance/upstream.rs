//! What upstream knows of a board.

use crate::world::World;
use model::BoardId;
use model::board::Status;
use serde_json::json;
use store::Error;
use store::upstream::{self, Legacy, UpstreamBoard, UpstreamChange};

async fn with_code(world: &World, name: &str, code: &str) -> BoardId {
    let board = world.board(name).await.id;
    let row = UpstreamBoard::new(board, Some(code.into()));
    world.write(move |tx| Box::pin(async move { upstream::create(tx, &row).await })).await.unwrap();
    board
}

async fn register(world: &World, board: BoardId) -> Result<store::boards::BoardRow, Error> {
    let job = world.write(move |tx| {
        Box::pin(async move { upstream::record_registration(tx, board, "iotronic").await })
    });
    job.await
}

#[tokio::test]
async fn a_code_is_good_until_the_board_has_connected() {
    let world = World::new().await;
    let board = with_code(&world, "lamp", "CODE-1").await;
    let found = upstream::by_code(&world.store, "CODE-1").await.unwrap().unwrap();
    assert_eq!((found.board, found.legacy), (board, false));

    for _ in 0..2 {
        let row = register(&world, board).await.unwrap();
        assert_eq!((row.status, row.legacy), (Status::Offline, true));
    }
    let net = json!({ "mac": "02:00:00:00:00:01" });
    world
        .write(move |tx| {
            Box::pin(async move { upstream::record_connection(tx, board, "iotronic", &net).await })
        })
        .await
        .unwrap();
    let refused = register(&world, board).await.unwrap_err();
    assert!(matches!(refused, Error::Conflict(_)), "{refused}");
    let row = upstream::get(&world.store, board).await.unwrap().unwrap();
    assert_eq!((row.connected_once, row.agent.as_deref()), (true, Some("iotronic")));
    assert_eq!(row.connectivity["mac"], "02:00:00:00:00:01");
}

#[tokio::test]
async fn codes_are_unique_and_short() {
    let world = World::new().await;
    with_code(&world, "a", "CODE-1").await;
    let other = world.board("b").await.id;
    for code in ["CODE-1", "", "x".repeat(37).as_str(), "a\nb"] {
        let row = UpstreamBoard::new(other, Some(code.to_owned()));
        let made = world.write(move |tx| Box::pin(async move { upstream::create(tx, &row).await }));
        assert!(made.await.is_err(), "{code:?}");
    }
    let stranger = UpstreamBoard::new(BoardId::new(), None);
    let made =
        world.write(move |tx| Box::pin(async move { upstream::create(tx, &stranger).await }));
    assert!(matches!(made.await, Err(Error::NotFound { .. })));
}

#[tokio::test]
async fn a_board_with_a_key_never_becomes_legacy() {
    let world = World::new().await;
    let board = world.enrolled_board("lamp").await.id;
    let row = UpstreamBoard::new(board, Some("CODE-1".into()));
    world.write(move |tx| Box::pin(async move { upstream::create(tx, &row).await })).await.unwrap();
    assert!(matches!(register(&world, board).await, Err(Error::Conflict(_))));
}

#[tokio::test]
async fn a_change_keeps_the_rest_and_pages_are_read_at_once() {
    let world = World::new().await;
    let board = with_code(&world, "lamp", "CODE-1").await;
    let other = world.board("other").await.id;
    let change = UpstreamChange { mobile: Some(true), ..UpstreamChange::default() };
    for id in [board, other] {
        let change = change.clone();
        world
            .write(move |tx| Box::pin(async move { upstream::update(tx, id, change).await }))
            .await
            .unwrap();
    }
    let rows = upstream::of_boards(&world.store, &[board, other]).await.unwrap();
    assert_eq!(rows.len(), 2);
    assert!(rows.iter().all(|row| row.mobile));
    assert!(rows.iter().any(|row| row.code.as_deref() == Some("CODE-1")));
    assert!(upstream::of_boards(&world.store, &[]).await.unwrap().is_empty());
}

#[tokio::test]
async fn serials_count_in_order_of_creation() {
    let world = World::new().await;
    let serials = [world.board("a").await.serial, world.board("b").await.serial];
    assert_eq!(serials, [1, 2]);
}

#[tokio::test]
async fn a_project_has_no_legacy_boards_unless_it_is_marked() {
    let world = World::new().await;
    let project = store::identity::ProjectRow::new(world.project.clone(), "city");
    let id = project.id.clone();
    world
        .write(move |tx| {
            Box::pin(async move { store::identity::create_project(tx, &project).await })
        })
        .await
        .unwrap();
    assert!(!upstream::allows_legacy(&world.store, &id).await.unwrap());
    let marked = id.clone();
    world
        .write(move |tx| {
            Box::pin(async move { upstream::allow_legacy(tx, &marked, Legacy::Allowed).await })
        })
        .await
        .unwrap();
    assert!(upstream::allows_legacy(&world.store, &id).await.unwrap());
}
