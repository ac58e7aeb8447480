//! Services and their exposures at public ports.

use crate::world::World;
use model::service::ExposureState;
use model::{BoardId, Kind, ServiceId};
use std::collections::HashSet;
use std::ops::RangeInclusive;
use store::exposures;
use store::services::{self, ServiceChange};
use store::{Error, Page};

const PORTS: RangeInclusive<u16> = 20000..=20003;

async fn service(world: &World, name: &str) -> ServiceId {
    let new = world.new_service(name, 8080);
    let row = world.write(move |tx| Box::pin(async move { services::create(tx, new).await }));
    row.await.unwrap().id
}

async fn reserve(
    world: &World,
    board: BoardId,
    service: ServiceId,
    wanted: Option<u16>,
) -> Result<u16, Error> {
    let job = world.write(move |tx| {
        Box::pin(async move { exposures::reserve(tx, board, service, PORTS, wanted).await })
    });
    job.await
}

#[tokio::test]
async fn every_exposure_gets_a_port_of_its_own_until_all_are_taken() {
    let world = World::new().await;
    let service = service(&world, "web").await;
    let mut boards = Vec::new();
    let mut ports = HashSet::new();
    for index in 0..4 {
        let board = world.board(&format!("lamp-{index}")).await.id;
        boards.push(board);
        ports.insert(reserve(&world, board, service, None).await.unwrap());
    }
    assert_eq!(ports, PORTS.collect());
    let last = world.board("late").await.id;
    let none = reserve(&world, last, service, None).await.unwrap_err();
    assert_eq!(none.kind(), Kind::Exhausted);
    assert!(none.to_string().contains("20000-20003"), "{none}");

    let first = *boards.first().unwrap();
    let free =
        world.write(move |tx| Box::pin(async move { exposures::delete(tx, first, service).await }));
    free.await.unwrap();
    reserve(&world, last, service, None).await.unwrap();
}

#[tokio::test]
async fn enabling_twice_a_port_of_somebody_else_and_a_port_out_of_range_are_refused() {
    let world = World::new().await;
    let service = service(&world, "web").await;
    let (one, two) = (world.board("one").await.id, world.board("two").await.id);
    assert_eq!(reserve(&world, one, service, Some(20002)).await.unwrap(), 20002);
    let twice = reserve(&world, one, service, None).await;
    assert!(matches!(twice, Err(Error::Duplicate { what: "exposure", field: "service" })));
    let taken = reserve(&world, two, service, Some(20002)).await;
    assert!(matches!(taken, Err(Error::Duplicate { what: "exposure", field: "public port" })));
    let outside = reserve(&world, two, service, Some(443)).await;
    assert_eq!(outside.unwrap_err().kind(), Kind::Invalid);
    let nothing = reserve(&world, two, ServiceId::new(), None).await;
    assert!(matches!(nothing, Err(Error::NotFound { what: "service" })));
    let nobody = reserve(&world, BoardId::new(), service, None).await;
    assert!(matches!(nobody, Err(Error::NotFound { what: "board" })));
}

#[tokio::test]
async fn what_is_enabled_is_found_at_start_and_what_is_being_disabled_is_not() {
    let world = World::new().await;
    let service = service(&world, "web").await;
    let (one, two) = (world.board("one").await.id, world.board("two").await.id);
    for board in [one, two] {
        reserve(&world, board, service, None).await.unwrap();
    }
    let set = async |board: BoardId, state: ExposureState| {
        let job = world.write(move |tx| {
            Box::pin(async move { exposures::set_state(tx, board, service, state).await })
        });
        job.await.unwrap()
    };
    let enabled = set(one, ExposureState::Enabled).await;
    set(two, ExposureState::Disabling).await;
    assert_eq!((enabled.local_port.number(), enabled.board_name.as_str()), (8080, "one"));
    assert_eq!(exposures::list_enabled_all(&world.store).await.unwrap(), [enabled]);
    assert_eq!(exposures::list_for_service(&world.store, service).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_service_that_is_exposed_is_not_deleted_and_keeps_its_port_there_when_changed() {
    let world = World::new().await;
    let service = service(&world, "web").await;
    let board = world.board("one").await.id;
    reserve(&world, board, service, None).await.unwrap();
    let delete =
        world.write(move |tx| Box::pin(async move { services::delete(tx, None, service).await }));
    assert_eq!(delete.await.unwrap_err().kind(), Kind::Conflict);

    let change =
        ServiceChange { port: Some(9090u32.try_into().unwrap()), ..ServiceChange::default() };
    let update = world.write(move |tx| {
        Box::pin(async move { services::update(tx, None, service, change, Some(1)).await })
    });
    assert_eq!(update.await.unwrap().port.number(), 9090);
    let row = exposures::get(&world.store, board, service).await.unwrap();
    assert_eq!(row.local_port.number(), 8080);
    let stale = world.write(move |tx| {
        Box::pin(async move {
            services::update(tx, None, service, ServiceChange::default(), Some(1)).await
        })
    });
    assert!(matches!(stale.await, Err(Error::Stale { what: "service" })));
}

#[tokio::test]
async fn a_services_name_is_unique_in_its_project() {
    let world = World::new().await;
    service(&world, "web").await;
    let again = world.new_service("web", 81);
    let again = world.write(move |tx| Box::pin(async move { services::create(tx, again).await }));
    assert!(matches!(again.await, Err(Error::Duplicate { what: "service", field: "name" })));
    let all = services::list(
        &world.store,
        Some(&world.project),
        &services::Filter::default(),
        Page::default(),
    )
    .await
    .unwrap();
    assert_eq!(all.len(), 1);
}
