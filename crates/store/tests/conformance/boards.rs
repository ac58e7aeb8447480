//! Boards: names, changes, presence, the end, and lists.

use crate::world::{World, labels, name};
use model::board::{Event, Position, Status};
use model::facts::{Facts, Load};
use model::label::{Labels, Selector};
use model::operation::State;
use model::{BoardId, Kind, ProjectId};
use store::boards::{self, BoardChange, Connection, Filter, NewBoard};
use store::{Error, Page, events, operations};

async fn list(world: &World, filter: Filter) -> Vec<String> {
    let rows = boards::list(&world.store, Some(&world.project), &filter, Page::default());
    rows.await.unwrap().into_iter().map(|row| row.name.to_string()).collect()
}

async fn set_status(world: &World, id: BoardId, event: Event) -> Result<Status, Error> {
    world.write(move |tx| Box::pin(async move { boards::set_status(tx, id, event).await })).await
}

async fn connect(world: &World, id: BoardId, session: &str) {
    let connection = Connection {
        session: session.into(),
        agent_version: "0.1.0".into(),
        protocol: 2,
        capabilities: vec!["plugins".into()],
        facts: Facts { hostname: "pi".into(), ..Facts::default() },
    };
    let job = world.write(move |tx| {
        Box::pin(async move {
            boards::record_connection(tx, id, connection).await?;
            boards::set_status(tx, id, Event::CameOnline).await
        })
    });
    assert_eq!(job.await.unwrap(), Status::Online);
}

async fn decommission(world: &World, id: BoardId) {
    let job = world
        .write(move |tx| Box::pin(async move { boards::decommission(tx, None, id, None).await }));
    assert_eq!(job.await.unwrap().status, Status::Decommissioned);
}

#[tokio::test]
async fn a_name_is_unique_in_its_project_and_free_again_after_the_end() {
    let world = World::new().await;
    let board = world.board("lamp").await;
    let again = world.create_board(world.new_board("lamp")).await;
    assert!(matches!(again, Err(Error::Duplicate { what: "board", field: "name" })));
    let elsewhere = NewBoard { project: ProjectId::new(), ..world.new_board("lamp") };
    world.create_board(elsewhere).await.unwrap();

    decommission(&world, board.id).await;
    let next = world.board("lamp").await;
    let found = boards::get(&world.store, Some(&world.project), "lamp").await.unwrap();
    assert_eq!(found.id, next.id);
    let gone = boards::get(&world.store, None, &board.id.to_string()).await.unwrap();
    assert_eq!(gone.status, Status::Decommissioned);
}

#[tokio::test]
async fn a_board_of_another_project_does_not_exist() {
    let world = World::new().await;
    let board = world.board("lamp").await;
    let other = ProjectId::new();
    for key in ["lamp".to_owned(), board.id.to_string()] {
        let found = boards::get(&world.store, Some(&other), &key).await;
        assert!(matches!(found, Err(Error::NotFound { what: "board" })), "{key}");
    }
    let id = board.id;
    let steal = world.write(move |tx| {
        Box::pin(
            async move { boards::update(tx, Some(&other), id, BoardChange::default(), None).await },
        )
    });
    assert_eq!(steal.await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_name_that_several_projects_use_is_not_an_answer_to_the_operator() {
    let world = World::new().await;
    world.board("lamp").await;
    let elsewhere = NewBoard { project: ProjectId::new(), ..world.new_board("lamp") };
    world.create_board(elsewhere).await.unwrap();
    let found = boards::get(&world.store, None, "lamp").await;
    assert_eq!(found.unwrap_err().kind(), Kind::Conflict);
}

#[tokio::test]
async fn a_change_bumps_the_revision_and_a_stale_one_changes_nothing() {
    let world = World::new().await;
    let board = world.board("lamp").await;
    let position = Position { latitude: 38.2, longitude: 15.5, altitude: 3.0 };
    let change = BoardChange {
        labels: Some(labels(&[("zone", "north")])),
        position: Some(Some(position)),
        ..BoardChange::default()
    };
    let update = async |change: BoardChange, expected: i64| {
        let id = board.id;
        let job = world.write(move |tx| {
            Box::pin(async move { boards::update(tx, None, id, change, Some(expected)).await })
        });
        job.await
    };
    let changed = update(change, board.revision).await.unwrap();
    assert_eq!((changed.revision, changed.position), (board.revision + 1, Some(position)));
    let rename = BoardChange { name: Some(name("other")), ..BoardChange::default() };
    assert!(matches!(update(rename, board.revision).await, Err(Error::Stale { what: "board" })));
    assert_eq!(boards::by_id(&world.store, None, board.id).await.unwrap(), changed);
}

#[tokio::test]
async fn a_board_joins_only_fleets_of_its_project() {
    let world = World::new().await;
    let board = world.board("lamp").await;
    let mut foreign = world.new_fleet("theirs");
    foreign.project = ProjectId::new();
    let (id, fleet) = (board.id, foreign.id);
    let job = world.write(move |tx| {
        Box::pin(async move {
            store::fleets::create(tx, foreign).await?;
            let change = BoardChange { fleet: Some(Some(fleet)), ..BoardChange::default() };
            boards::update(tx, None, id, change, None).await
        })
    });
    assert!(matches!(job.await, Err(Error::NotFound { what: "fleet" })));
    let fleets = store::fleets::list(&world.store, None, Page::default()).await.unwrap();
    assert!(fleets.is_empty(), "the whole job is undone");
}

#[tokio::test]
async fn status_moves_are_the_models_and_each_change_is_an_event() {
    let world = World::new().await;
    let board = world.board("lamp").await;
    let early = set_status(&world, board.id, Event::CameOnline).await;
    assert_eq!(early.unwrap_err().kind(), Kind::Conflict);
    for event in [Event::Enrolled, Event::CameOnline, Event::CameOnline, Event::WentOffline] {
        set_status(&world, board.id, event).await.unwrap();
    }
    let kinds: Vec<_> = events::after(&world.store, Some(&world.project), 0, 100)
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(kinds, ["board.created", "board.offline", "board.online", "board.offline"]);
}

#[tokio::test]
async fn the_end_of_an_old_session_does_not_take_a_reconnected_board_offline() {
    let world = World::new().await;
    let id = world.enrolled_board("lamp").await.id;
    connect(&world, id, "one").await;
    connect(&world, id, "two").await;
    let disconnect = async |session: &'static str| {
        let job = world.write(move |tx| {
            Box::pin(async move { boards::record_disconnection(tx, id, session).await })
        });
        job.await.unwrap()
    };
    assert_eq!(disconnect("one").await, None);
    let row = boards::by_id(&world.store, None, id).await.unwrap();
    assert_eq!((row.status, row.session.as_deref()), (Status::Online, Some("two")));
    assert_eq!((row.protocol, row.facts.hostname.as_str()), (Some(2), "pi"));
    assert_eq!(disconnect("two").await, Some(Status::Offline));
    assert_eq!(boards::by_id(&world.store, None, id).await.unwrap().session, None);
}

#[tokio::test]
async fn after_a_restart_of_the_cloud_nobody_is_online() {
    let world = World::new().await;
    let id = world.enrolled_board("lamp").await.id;
    world.enrolled_board("idle").await;
    connect(&world, id, "one").await;
    let job = world.write(|tx| Box::pin(async move { boards::all_offline_at_start(tx).await }));
    assert_eq!(job.await.unwrap(), 1);
    let row = boards::by_id(&world.store, None, id).await.unwrap();
    assert_eq!((row.status, row.session), (Status::Offline, None));
}

#[tokio::test]
async fn load_reports_are_written_behind_and_leave_the_revision_alone() {
    let world = World::new().await;
    let board = world.enrolled_board("lamp").await;
    let load = Load { cpu: 0.5, uptime_s: 9, ..Load::default() };
    boards::record_load(&world.store, board.id, load.clone(), world.now());
    world.store.flush().await.unwrap();
    let row = boards::by_id(&world.store, None, board.id).await.unwrap();
    assert_eq!((row.load, row.load_at), (Some(load), Some(world.now())));
    assert_eq!((row.revision, row.last_seen), (board.revision, Some(world.now())));
}

#[tokio::test]
async fn a_decommissioned_board_loses_its_key_ports_plugins_and_open_commands() {
    let world = World::new().await;
    let board = world.enrolled_board("lamp").await;
    let (service, plugin) = (world.new_service("web", 80), world.new_plugin("hello"));
    let (id, service_id, plugin_id) = (board.id, service.id, plugin.id);
    let fill = world.write(move |tx| {
        Box::pin(async move {
            store::services::create(tx, service).await?;
            store::plugins::create(tx, plugin).await?;
            store::exposures::reserve(tx, id, service_id, 20000..=20009, None).await?;
            let wait = model::plugin::OnBoot::Wait;
            store::injections::put(tx, id, plugin_id, wait).await.map(|_| ())
        })
    });
    fill.await.unwrap();
    let operation = world.submit(world.new_operation(id)).await;

    decommission(&world, id).await;
    let key = board.public_key.unwrap();
    assert_eq!(boards::by_key(&world.store, &key).await.unwrap(), None);
    assert!(boards::refused_key(&world.store, &key).await.unwrap().is_some());
    assert!(store::exposures::list_for_board(&world.store, id).await.unwrap().is_empty());
    assert!(store::injections::list_for_board(&world.store, id).await.unwrap().is_empty());
    let ended = operations::get(&world.store, None, operation.id).await.unwrap();
    assert_eq!(ended.state, State::Cancelled);

    let delete = world.write(move |tx| Box::pin(async move { boards::delete(tx, None, id).await }));
    delete.await.unwrap();
    assert!(boards::by_id(&world.store, None, id).await.is_err());
    assert!(boards::refused_key(&world.store, &key).await.unwrap().is_some());
}

#[tokio::test]
async fn a_board_in_use_is_not_deleted() {
    let world = World::new().await;
    let id = world.enrolled_board("lamp").await.id;
    let delete = world.write(move |tx| Box::pin(async move { boards::delete(tx, None, id).await }));
    assert_eq!(delete.await.unwrap_err().kind(), Kind::Conflict);
}

#[tokio::test]
async fn lists_filter_by_status_fleet_text_and_labels() {
    let world = World::new().await;
    let fleet = world.new_fleet("north");
    let fleet_id = fleet.id;
    let made =
        world.write(move |tx| Box::pin(async move { store::fleets::create(tx, fleet).await }));
    made.await.unwrap();
    let mut first = world.new_board("Lamp_1");
    first.labels = labels(&[("kind", "lamp"), ("zone", "north")]);
    first.fleet = Some(fleet_id);
    let mut second = world.new_board("lampX1");
    second.labels = labels(&[("kind", "lamp")]);
    world.create_board(first).await.unwrap();
    world.create_board(second).await.unwrap();
    world.enrolled_board("gate").await;

    let by_text = |text: &str| Filter { text: Some(text.into()), ..Filter::default() };
    assert_eq!(list(&world, Filter::default()).await, ["Lamp_1", "lampX1", "gate"]);
    assert_eq!(list(&world, by_text("LAMP")).await, ["Lamp_1", "lampX1"]);
    assert_eq!(list(&world, by_text("p_1")).await, ["Lamp_1"], "no wildcards");
    assert!(list(&world, by_text("%")).await.is_empty());
    let offline = Filter { status: Some(Status::Offline), ..Filter::default() };
    assert_eq!(list(&world, offline).await, ["gate"]);
    let in_fleet = Filter { fleet: Some(fleet_id), ..Filter::default() };
    assert_eq!(list(&world, in_fleet).await, ["Lamp_1"]);
}

#[tokio::test]
async fn a_selector_picks_in_the_database_what_it_picks_in_memory() {
    let world = World::new().await;
    let sets: [&[(&str, &str)]; 5] = [
        &[],
        &[("kind", "lamp")],
        &[("kind", "lamp"), ("zone", "north")],
        &[("kind", "gate"), ("zone", "south")],
        &[("zone", "east"), ("battery", "yes")],
    ];
    let mut made: Vec<(String, Labels)> = Vec::new();
    for (index, set) in sets.iter().enumerate() {
        let mut new = world.new_board(&format!("board-{index}"));
        new.labels = labels(set);
        made.push((new.name.to_string(), new.labels.clone()));
        world.create_board(new).await.unwrap();
    }
    for text in [
        "",
        "kind=lamp",
        "kind!=lamp",
        "kind",
        "!kind",
        "zone in (north|south)",
        "zone notin (north|south)",
        "kind=lamp,zone",
        "!battery,zone!=north",
        "kind=nothing",
    ] {
        let selector: Selector = text.parse().unwrap();
        let wanted: Vec<_> = made
            .iter()
            .filter(|(_, labels)| selector.matches(labels))
            .map(|(name, _)| name.clone())
            .collect();
        let filter = Filter { selector, ..Filter::default() };
        assert_eq!(list(&world, filter).await, wanted, "{text}");
    }
}
