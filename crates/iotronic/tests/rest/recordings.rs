//! Recordings over the API: who sees them, what is told of it, and what goes when.

use crate::world::{Somebody, World};
use axum::http::Method;
use iotronic::app::recordings::{end_interrupted, sweep};
use model::access::Role;
use model::{BoardId, ProjectId};
use serde_json::{Value, json};
use std::path::PathBuf;
use std::time::Duration;
use store::recordings::{self, RecordingRow};
use uuid::Uuid;

const CAST: &str = "{\"version\":2}\n[0.5,\"o\",\"hello\"]\n";

impl World {
    /// A recording, with its file, that has ended or not.
    async fn recording(&self, board: BoardId, owner: &Somebody, sha256: Option<&str>) -> Uuid {
        let id = Uuid::now_v7();
        let folder = self.dir.path().join("recordings");
        std::fs::create_dir_all(&folder).unwrap();
        std::fs::write(self.cast(id), CAST).unwrap();
        let (user, sha256) = (owner.user.clone(), sha256.map(str::to_owned));
        let job = self.cloud().store.write(move |tx| {
            Box::pin(async move {
                recordings::begin(tx, id, board, &user).await?;
                match sha256 {
                    Some(sha256) => recordings::end(tx, id, CAST.len() as u64, &sha256).await,
                    None => Ok(()),
                }
            })
        });
        job.await.unwrap();
        id
    }

    fn cast(&self, id: Uuid) -> PathBuf {
        self.dir.path().join(format!("recordings/{id}.cast"))
    }

    async fn row(&self, id: Uuid) -> RecordingRow {
        recordings::get(&self.cloud().store, None, id).await.unwrap()
    }

    async fn told(&self, admin: &Somebody, verb: &str) -> Vec<Value> {
        let page = self.get(admin, &format!("/v2/audit?verb={verb}")).await.expect(200);
        page["items"].as_array().unwrap().clone()
    }
}

#[tokio::test]
async fn nothing_is_recorded_unless_it_is_said_and_a_board_may_differ_from_its_project() {
    let world = World::start().await;
    let owner = world.owner().await;
    let lamp = world.board("lamp").await;
    let wanted =
        async || recordings::wanted(&world.cloud().store, &world.project, lamp).await.unwrap();
    let say =
        async |body: Value| world.put(&owner, "/v2/recording-settings", body).await.expect(200);
    assert!(!wanted().await);
    say(json!({ "record": "on" })).await;
    assert!(wanted().await);
    say(json!({ "record": "off", "board": "lamp" })).await;
    assert!(!wanted().await);
    let shown = say(json!({ "record": "default" })).await;
    assert_eq!(
        shown["items"],
        json!([{ "project": world.project, "board": lamp, "record": false }])
    );
    say(json!({ "record": "on", "board": "lamp" })).await;
    assert!(wanted().await);
    say(json!({ "record": "default", "board": "lamp" })).await;
    assert!(!wanted().await);
    assert_eq!(world.told(&owner, "recording:set").await.len(), 5);
    let manager = world.somebody(&world.project, Role::ManagerIotProject).await;
    let refused = world.put(&manager, "/v2/recording-settings", json!({ "record": "off" })).await;
    assert_eq!(refused.status, 403);
    let unknown = json!({ "record": "on", "board": "nothing" });
    let refused =
        world.ask(&owner, Method::PUT, "/v2/recording-settings", Some(unknown), &[]).await;
    assert_eq!(refused.status, 404);
}

#[tokio::test]
async fn recordings_are_for_administrators_of_the_boards_project_and_reading_is_told() {
    let world = World::start().await;
    let owner = world.owner().await;
    let lamp = world.board("lamp").await;
    let id = world.recording(lamp, &owner, Some("abc")).await;
    let going_on = world.recording(lamp, &owner, None).await;
    let path = format!("/v2/recordings/{id}");
    let list = world.get(&owner, "/v2/recordings?board=lamp").await.expect(200);
    assert_eq!(list["items"].as_array().unwrap().len(), 2);
    let shown = world.get(&owner, &path).await.expect(200);
    assert_eq!((&shown["sha256"], &shown["user"]), (&json!("abc"), &json!(owner.user)));
    let cast = world.get(&owner, &format!("{path}/cast")).await;
    assert_eq!(
        (cast.header("content-type"), cast.text.as_str()),
        ("application/x-asciicast", CAST)
    );
    let told = world.told(&owner, "recording:read").await;
    assert_eq!((&told[0]["actor"], &told[0]["subject"]), (&json!(owner.user), &json!(id)));

    let elsewhere = ProjectId::new();
    world.make_project(&elsewhere).await;
    let stranger = world.somebody(&elsewhere, Role::AdminIotProject).await;
    let list = world.get(&stranger, "/v2/recordings").await.expect(200);
    assert_eq!(list["items"], json!([]));
    for path in [path.clone(), format!("{path}/cast")] {
        assert_eq!(world.get(&stranger, &path).await.status, 404);
    }
    assert_eq!(world.delete(&stranger, &path).await.status, 404);
    let manager = world.somebody(&world.project, Role::ManagerIotProject).await;
    assert_eq!(world.get(&manager, &format!("{path}/cast")).await.status, 403);

    let open = world.delete(&owner, &format!("/v2/recordings/{going_on}")).await;
    assert_eq!(open.status, 409, "{}", open.text);
    world.delete(&owner, &path).await.expect(204);
    world.delete(&owner, &path).await.expect(204);
    assert!(!world.cast(id).exists());
    assert_eq!(world.get(&owner, &format!("{path}/cast")).await.status, 404);
    let shown = world.get(&owner, &path).await.expect(200);
    assert!(shown["erased_at"].is_string() && shown["sha256"] == "abc", "{shown}");
    assert_eq!(world.told(&owner, "recording:erase").await.len(), 1);
}

#[tokio::test]
async fn recordings_go_by_age_and_by_size_the_oldest_first() {
    let size = CAST.len() as u64;
    let world = World::with(move |settings| settings.recordings.total_bytes = 3 * size).await;
    let owner = world.owner().await;
    let lamp = world.board("lamp").await;
    let mut all = Vec::new();
    for _ in 0..5 {
        all.push(world.recording(lamp, &owner, Some("x")).await);
    }
    let kept = async || {
        let mut kept = Vec::new();
        for id in &all {
            let is_kept = world.row(*id).await.erased_at.is_none();
            assert_eq!(world.cast(*id).exists(), is_kept);
            kept.push(is_kept);
        }
        kept
    };
    let now = world.cloud().now();
    sweep(world.cloud(), now).await.unwrap();
    assert_eq!(kept().await, [false, false, true, true, true]);
    sweep(world.cloud(), now.after(Duration::from_secs(31 * 24 * 3600))).await.unwrap();
    assert_eq!(kept().await, [false; 5]);
}

#[tokio::test]
async fn a_recording_that_the_cloud_died_in_gets_the_hash_of_what_there_is() {
    let world = World::start().await;
    let owner = world.owner().await;
    let lamp = world.board("lamp").await;
    let id = world.recording(lamp, &owner, None).await;
    end_interrupted(world.cloud()).await.unwrap();
    let row = world.row(id).await;
    assert!(row.ended_at.is_some());
    assert_eq!(row.bytes, CAST.len() as u64);
    let told = world.told(&owner, "terminal:close").await;
    assert_eq!(told[0]["outcome"], "interrupted");
    assert!(told[0]["detail"].to_string().contains(&row.sha256.unwrap()), "{told:?}");
    end_interrupted(world.cloud()).await.unwrap();
    assert_eq!(world.told(&owner, "terminal:close").await.len(), 1);
}
