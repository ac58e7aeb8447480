//! Quotas: exactly as many are had as the limit says, however they are asked for.

use crate::world::{World, random_key};
use futures_util::future::{join, join_all};
use model::Kind;
use model::quota::{Counted, Limit, Setting};
use store::boards::NewBoard;
use store::identity::{self, ProjectRow};
use store::plugins::{self, NewPlugin, PluginChange};
use store::quotas::{self, QuotaRow};
use store::{Error, services};

impl World {
    /// With a project that may have so many.
    async fn allowing(limits: &[(Counted, u64)]) -> Self {
        let world = Self::new().await;
        let row = ProjectRow::new(world.project.clone(), "city");
        let made = world
            .write(move |tx| Box::pin(async move { identity::create_project(tx, &row).await }));
        made.await.unwrap();
        let limits = limits.iter().map(|(what, most)| (*what, Setting::Own(Limit::AtMost(*most))));
        world.say(limits.collect()).await.unwrap();
        world
    }

    async fn say(&self, settings: Vec<(Counted, Setting)>) -> Result<QuotaRow, Error> {
        let project = self.project.clone();
        let job = self.write(move |tx| {
            Box::pin(async move { quotas::change(tx, &project, &settings).await })
        });
        job.await
    }

    async fn used(&self) -> [u64; 4] {
        quotas::of(&self.store, &self.project).await.unwrap().used
    }

    async fn plugin_of(&self, name: &str, bytes: usize) -> Result<model::PluginId, Error> {
        let new = NewPlugin { source: "x".repeat(bytes), ..self.new_plugin(name) };
        let job = self.write(move |tx| Box::pin(async move { plugins::create(tx, new).await }));
        job.await.map(|row| row.id)
    }
}

fn is_over(error: &Error, wanted: Counted) -> bool {
    matches!(error, Error::OverQuota { counted, .. } if *counted == wanted)
}

#[tokio::test]
async fn of_many_who_add_at_once_exactly_as_many_are_had_as_the_limit_says() {
    let limits = [(Counted::Boards, 7), (Counted::Services, 5), (Counted::Plugins, 3)];
    let world = World::allowing(&limits).await;
    let boards =
        (0..50).map(|number| world.create_board(world.new_board(&format!("lamp-{number}"))));
    let services = (0..50).map(|number| {
        let new = world.new_service(&format!("ssh-{number}"), 22);
        world.write(move |tx| Box::pin(async move { services::create(tx, new).await }))
    });
    let plugins: Vec<String> = (0..50).map(|number| format!("plugin-{number}")).collect();
    let plugins = plugins.iter().map(|name| world.plugin_of(name, 1));
    let both = join(join_all(boards), join_all(services));
    let ((boards, services), plugins) = join(both, join_all(plugins)).await;
    assert_eq!(boards.iter().filter(|made| made.is_ok()).count(), 7);
    assert_eq!(services.iter().filter(|made| made.is_ok()).count(), 5);
    assert_eq!(plugins.iter().filter(|made| made.is_ok()).count(), 3);
    assert!(
        boards.iter().flat_map(|made| made.as_ref().err()).all(|e| is_over(e, Counted::Boards))
    );
    let error = services.into_iter().find_map(Result::err).unwrap();
    assert_eq!(error.kind(), Kind::Conflict);
    let text = error.to_string();
    assert!(text.contains("5 services of the 5") && text.contains("delete one"), "{text}");
    assert_eq!(world.used().await[..3], [7, 5, 3]);
}

#[tokio::test]
async fn a_machine_with_a_claim_is_told_and_its_use_is_not_used_up() {
    let world = World::allowing(&[(Counted::Boards, 1)]).await;
    let claim = world.new_claim("lamp", 1, 3);
    let made =
        world.write(move |tx| Box::pin(async move { store::claims::create(tx, claim).await }));
    let claim = made.await.unwrap().id;
    let redeem = async |key| {
        let job = world.write(move |tx| {
            Box::pin(async move {
                let now = tx.now();
                store::claims::redeem(tx, &[1; 32], &key, now, None).await
            })
        });
        job.await
    };
    let (first, second) = (random_key(), random_key());
    let board = redeem(first).await.unwrap().board;
    assert!(is_over(&redeem(second).await.unwrap_err(), Counted::Boards));
    assert!(!redeem(first).await.unwrap().fresh);
    let left = store::claims::get(&world.store, None, claim).await.unwrap().uses_left;
    assert_eq!(left, 2);
    // One that is given up makes room.
    let given_up = world.write(move |tx| {
        Box::pin(async move { store::boards::decommission(tx, None, board.id, None).await })
    });
    given_up.await.unwrap();
    assert!(redeem(second).await.unwrap().fresh);
    assert_eq!(world.used().await[0], 1);
}

#[tokio::test]
async fn bytes_are_counted_when_plugins_are_made_and_when_they_grow() {
    let world = World::allowing(&[(Counted::PluginBytes, 1000)]).await;
    let bare = "{}{}".len();
    let first = world.plugin_of("first", 600 - bare).await.unwrap();
    assert!(is_over(
        &world.plugin_of("second", 401 - bare).await.unwrap_err(),
        Counted::PluginBytes
    ));
    let second = world.plugin_of("second", 400 - bare).await.unwrap();
    assert_eq!(world.used().await[3], 1000);
    let update = async |id, change: PluginChange| {
        let job = world.write(move |tx| {
            Box::pin(async move { plugins::update(tx, None, id, change, None).await })
        });
        job.await
    };
    let source =
        |bytes: usize| PluginChange { source: Some("y".repeat(bytes)), ..Default::default() };
    let grown = update(second, source(401 - bare)).await.unwrap_err();
    assert!(is_over(&grown, Counted::PluginBytes), "{grown}");
    let more =
        PluginChange { parameters: Some(serde_json::json!({ "a": 1 })), ..Default::default() };
    assert!(update(second, more.clone()).await.is_err());
    update(second, source(300 - bare)).await.unwrap();
    update(second, more).await.unwrap();
    assert_eq!(world.used().await[3], 900 + r#"{"a":1}"#.len() as u64 - 2);
    // What there is beyond a limit stays, may shrink, and may not grow.
    world.say(vec![(Counted::PluginBytes, Setting::Own(Limit::AtMost(10)))]).await.unwrap();
    update(first, source(500)).await.unwrap();
    assert!(update(first, source(501)).await.is_err());
    update(first, PluginChange::default()).await.unwrap();
}

#[tokio::test]
async fn what_is_said_of_a_project_is_kept_told_in_the_audit_and_forgotten_with_it() {
    let world = World::allowing(&[(Counted::Boards, 0)]).await;
    let none = world.create_board(NewBoard { ..world.new_board("lamp") }).await.unwrap_err();
    assert!(none.to_string().contains("0 boards of the 0"), "{none}");
    world.say(vec![(Counted::Boards, Setting::Own(Limit::Unlimited))]).await.unwrap();
    world.board("lamp").await;
    world.say(vec![(Counted::Boards, Setting::Default)]).await.unwrap();
    world.board("lamp-2").await;
    let every = store::audit::Filter { limit: 1000, ..Default::default() };
    let rows = store::audit::rows(&world.store, None, &every).await.unwrap();
    assert_eq!(rows.iter().filter(|row| row.verb == "quota:update").count(), 3);
    let (nowhere, limits) = (model::ProjectId::new(), vec![(Counted::Boards, Setting::Default)]);
    let missing =
        world.write(move |tx| Box::pin(async move { quotas::change(tx, &nowhere, &limits).await }));
    assert_eq!(missing.await.unwrap_err().kind(), Kind::NotFound);
}
