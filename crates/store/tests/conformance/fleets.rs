//! Fleets.

use crate::world::{World, labels, name};
use model::label::Selector;
use model::{BoardId, Kind};
use store::boards::{self, BoardChange, Filter};
use store::fleets::{self, FleetChange};
use store::{Error, Page};

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
            (row.id, FleetChange { name: Some(name("south")), ..FleetChange::default() });
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

/// Boards with labels of all sorts, and rules of every form.
const LABELS: &[&[(&str, &str)]] = &[
    &[],
    &[("kind", "lamp")],
    &[("kind", "lam")],
    &[("kind", "lamp"), ("zone", "north")],
    &[("kind", "fan"), ("zone", "north"), ("broken", "yes")],
    &[("zone", "North")],
    &[("a", "b/c"), ("zone", "_orth")],
];
const RULES: &[&str] = &[
    "kind=lamp",
    "kind!=lamp",
    "kind",
    "!kind",
    "zone in (north|south)",
    "zone notin (north|south)",
    "kind=lamp,zone=north",
    "zone,!broken",
    "kind=lamp,kind=fan",
    "a=b/c",
    "zone=_orth",
];

async fn members(world: &World, fleet: model::FleetId) -> Vec<BoardId> {
    let filter = Filter { fleet: Some(fleet), ..Filter::default() };
    let rows = boards::list(&world.store, None, &filter, Page::default()).await.unwrap();
    rows.into_iter().map(|row| row.id).collect()
}

#[tokio::test]
async fn the_view_of_members_says_what_the_selector_says() {
    let world = World::new().await;
    let mut all = Vec::new();
    for (index, pairs) in LABELS.iter().enumerate() {
        let mut new = world.new_board(&format!("b{index}"));
        new.labels = labels(pairs);
        all.push(world.create_board(new).await.unwrap());
    }
    for (index, rule) in RULES.iter().enumerate() {
        let rule: Selector = rule.parse().unwrap();
        let mut new = world.new_fleet(&format!("f{index}"));
        new.rule = Some(rule.clone());
        let job = world.write(move |tx| Box::pin(async move { fleets::create(tx, new).await }));
        let fleet = job.await.unwrap();
        assert_eq!(fleet.rule.as_ref(), Some(&rule));
        let picked = all.iter().filter(|board| rule.matches(&board.labels));
        let picked: Vec<BoardId> = picked.map(|board| board.id).collect();
        assert_eq!(members(&world, fleet.id).await, picked, "{rule}");
        for board in &all {
            let fleets = fleets::of_board(&world.store, board.id).await.unwrap();
            assert_eq!(fleets.contains(&fleet.id), picked.contains(&board.id), "{rule}");
        }
    }
}

#[tokio::test]
async fn who_is_put_into_a_fleet_and_fits_its_rule_is_in_it_once_and_a_rule_ends_at_its_project() {
    let world = World::new().await;
    let mut fleet = world.new_fleet("lamps");
    fleet.rule = Some("kind=lamp".parse().unwrap());
    let id = fleet.id;
    let job = world.write(move |tx| Box::pin(async move { fleets::create(tx, fleet).await }));
    job.await.unwrap();
    let lamp = labels(&[("kind", "lamp")]);
    let mut both = world.new_board("both");
    (both.fleet, both.labels) = (Some(id), lamp.clone());
    let mut elsewhere = world.new_board("elsewhere");
    (elsewhere.project, elsewhere.labels) = (model::ProjectId::new(), lamp);
    let both = world.create_board(both).await.unwrap();
    world.create_board(elsewhere).await.unwrap();
    let put = world.new_board("put");
    let put = world.create_board(store::boards::NewBoard { fleet: Some(id), ..put }).await.unwrap();
    assert_eq!(members(&world, id).await, [both.id, put.id]);

    let change = FleetChange { rule: Some(None), ..FleetChange::default() };
    let out = BoardChange { fleet: Some(None), ..BoardChange::default() };
    let job = world.write(move |tx| {
        Box::pin(async move {
            boards::update(tx, None, both.id, out, None).await?;
            let fitting = fleets::of_board(&mut *tx, both.id).await?;
            fleets::update(tx, None, id, change, None).await?;
            Ok((fitting, fleets::of_board(&mut *tx, both.id).await?))
        })
    });
    assert_eq!(job.await.unwrap(), (vec![id], vec![]));
    assert_eq!(members(&world, id).await, [put.id]);
}
