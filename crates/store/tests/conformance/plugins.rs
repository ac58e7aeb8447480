//! Plugins and their injections.

use crate::world::{World, name};
use model::plugin::{InjectionState, MAX_SOURCE, OnBoot, RunState, Visibility};
use model::{BoardId, Kind, ProjectId};
use store::injections::{self, InjectionChange};
use store::plugins::{self, Filter, NewPlugin, PluginChange, PluginRow};
use store::{Error, Page};

async fn create(world: &World, new: NewPlugin) -> Result<PluginRow, Error> {
    world.write(move |tx| Box::pin(async move { plugins::create(tx, new).await })).await
}

#[tokio::test]
async fn a_plugin_is_read_back_and_its_name_is_unique_in_the_project() {
    let world = World::new().await;
    let row = create(&world, world.new_plugin("hello")).await.unwrap();
    assert_eq!(plugins::get(&world.store, Some(&world.project), "hello").await.unwrap(), row);
    let (source, revision) = plugins::source(&world.store, row.id).await.unwrap();
    assert_eq!((source.as_str(), revision), ("def run(): pass", row.revision));
    let again = create(&world, world.new_plugin("hello")).await;
    assert!(matches!(again, Err(Error::Duplicate { what: "plugin", field: "name" })));
}

#[tokio::test]
async fn a_public_plugin_is_seen_by_everybody_and_changed_by_its_project_alone() {
    let world = World::new().await;
    let public = NewPlugin { visibility: Visibility::Public, ..world.new_plugin("shared") };
    let row = create(&world, public).await.unwrap();
    create(&world, world.new_plugin("secret")).await.unwrap();
    let other = ProjectId::new();
    let every = Filter::default();
    let seen = plugins::list(&world.store, Some(&other), &every, Page::default()).await.unwrap();
    let id = row.id;
    assert_eq!(seen, [row]);
    let steal =
        world.write(move |tx| Box::pin(async move { plugins::delete(tx, Some(&other), id).await }));
    assert_eq!(steal.await.unwrap_err().kind(), Kind::NotFound);
}

#[tokio::test]
async fn a_new_source_bumps_the_revision_and_a_stale_change_is_refused() {
    let world = World::new().await;
    let row = create(&world, world.new_plugin("hello")).await.unwrap();
    let update = async |change: PluginChange, expected: i64| {
        let id = row.id;
        let job = world.write(move |tx| {
            Box::pin(async move { plugins::update(tx, None, id, change, Some(expected)).await })
        });
        job.await
    };
    let change = PluginChange { source: Some("new".into()), ..PluginChange::default() };
    let changed = update(change, row.revision).await.unwrap();
    assert_eq!((changed.revision, changed.name), (row.revision + 1, name("hello")));
    assert_eq!(plugins::source(&world.store, row.id).await.unwrap().0, "new");
    let stale = update(PluginChange::default(), row.revision).await;
    assert!(matches!(stale, Err(Error::Stale { what: "plugin" })));
    let long = PluginChange { source: Some("x".repeat(MAX_SOURCE + 1)), ..PluginChange::default() };
    assert_eq!(update(long, changed.revision).await.unwrap_err().kind(), Kind::Invalid);
}

#[tokio::test]
async fn an_injection_goes_its_way_and_keeps_its_plugin_from_being_deleted() {
    let world = World::new().await;
    let (board, plugin) = (world.board("lamp").await.id, world.new_plugin("hello"));
    let id = plugin.id;
    create(&world, plugin).await.unwrap();
    let put = async |on_boot: OnBoot| {
        let job = world.write(move |tx| {
            Box::pin(async move { injections::put(tx, board, id, on_boot).await })
        });
        job.await.unwrap()
    };
    assert_eq!(put(OnBoot::Wait).await.state, InjectionState::Injecting);
    let change = InjectionChange {
        state: Some(InjectionState::Injected),
        revision_injected: Some(1),
        run_state: Some(RunState::Running),
        ..InjectionChange::default()
    };
    let job = world
        .write(move |tx| Box::pin(async move { injections::update(tx, board, id, change).await }));
    let row = job.await.unwrap();
    assert_eq!((row.state, row.revision_injected), (InjectionState::Injected, Some(1)));
    assert_eq!((row.board_name.as_str(), row.plugin_name.as_str()), ("lamp", "hello"));
    assert_eq!(injections::list_for_plugin(&world.store, id).await.unwrap(), [row]);

    let again = put(OnBoot::Start).await;
    assert_eq!((again.state, again.on_boot), (InjectionState::Injecting, OnBoot::Start));
    assert_eq!((again.run_state, again.revision_injected), (RunState::Running, Some(1)));

    let delete =
        world.write(move |tx| Box::pin(async move { plugins::delete(tx, None, id).await }));
    assert_eq!(delete.await.unwrap_err().kind(), Kind::Conflict);
    let delete = world.write(move |tx| {
        Box::pin(async move {
            injections::delete(tx, board, id).await?;
            plugins::delete(tx, None, id).await
        })
    });
    delete.await.unwrap();
}

#[tokio::test]
async fn a_plugin_is_not_injected_into_a_board_that_is_not_there() {
    let world = World::new().await;
    let plugin = world.new_plugin("hello");
    let id = plugin.id;
    create(&world, plugin).await.unwrap();
    let put = world.write(move |tx| {
        Box::pin(async move { injections::put(tx, BoardId::new(), id, OnBoot::Wait).await })
    });
    assert_eq!(put.await.unwrap_err().kind(), Kind::NotFound);
}
