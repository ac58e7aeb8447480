//! Imports from a dump in a file.

use crate::world::{CITY, LAMP_1, World, dump};
use serde_json::{Value, json};
use std::path::PathBuf;

fn reason<'a>(report: &'a Value, list: &str, id: &str) -> &'a str {
    let remarks = report[list].as_array().unwrap();
    let found = remarks.iter().find(|remark| remark["id"] == id);
    found.unwrap_or_else(|| panic!("{id} is not in {list}: {remarks:#?}"))["reason"]
        .as_str()
        .unwrap()
}

fn board<'a>(state: &'a Value, id: &str) -> &'a Value {
    state["boards"].as_array().unwrap().iter().find(|board| board["id"] == id).unwrap()
}

fn written(dir: &World, name: &str, text: &str) -> PathBuf {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test]
async fn boards_keep_their_ids_codes_and_configs_and_what_was_seen_is_legacy() {
    let world = World::started().await;
    let report = world.import(&dump(), &[]);
    assert_eq!(
        report["counts"]["board"],
        json!({ "created": 5, "present": 0, "skipped": 2 }),
        "{report:#}"
    );
    let state = world.state().await;
    let lamp = board(&state, LAMP_1);
    assert_eq!(lamp["name"], "lamp-1");
    assert_eq!(
        (&lamp["status"], &lamp["legacy"], &lamp["spent"]),
        (&json!("offline"), &json!(true), &json!(true))
    );
    assert_eq!(
        (&lamp["code"], &lamp["kind"], &lamp["agent"]),
        (&json!("CODE-1"), &json!("gateway"), &json!("wagent-1"))
    );
    assert_eq!(lamp["position"], json!({ "latitude": 38.19, "longitude": 15.55, "altitude": 3.0 }));
    assert_eq!(lamp["extra"]["note"], "it's \"new\"; DROP TABLE boards; -- ");
    assert_eq!(lamp["connectivity"]["local_ip"], "10.0.0.7");
    assert_eq!(lamp["fleet"], "f1ee7000-0000-4000-8000-000000000001");
    assert_eq!(
        lamp["services"],
        json!([["5e4f1ce0-0000-4000-8000-000000000001", 50001, "enabled"]])
    );
    assert_eq!(
        lamp["plugins"],
        json!([["91091000-0000-4000-8000-000000000001", "start", "injected", 1]])
    );

    let new = board(&state, "b0a4d000-0000-4000-8000-000000000002");
    assert_eq!(
        (&new["status"], &new["legacy"], &new["spent"]),
        (&json!("registered"), &json!(false), &json!(false))
    );
    assert_eq!(new["code"], "CODE-2");
}

#[tokio::test]
async fn names_that_are_taken_or_not_allowed_are_changed_and_said() {
    let world = World::started().await;
    let report = world.import(&dump(), &[]);
    let state = world.state().await;
    for (last, name) in [
        ("2", "lamp-2--hall"),
        ("3", "lamp-1-b0a4d000"),
        ("6", "..-..-etc-passwd"),
        ("7", &format!("board-{LAMP_1}")),
    ] {
        let id = format!("b0a4d000-0000-4000-8000-00000000000{last}");
        let found = board(&state, &id)["name"].as_str().unwrap();
        assert!(found.starts_with(name), "{found}");
        let said = report["changed"].to_string();
        assert!(said.contains(&format!("is now {found}")), "{said}");
    }
}

#[tokio::test]
async fn whatever_is_not_brought_is_named_with_its_reason() {
    let world = World::started().await;
    let report = world.import(&dump(), &[]);
    for (id, words) in [
        ("not-a-uuid", "uuid"),
        ("b0a4d000-0000-4000-8000-000000000005", "default_project"),
        ("91091000-0000-4000-8000-000000000003", "not a pickled string"),
        ("91091000-0000-4000-8000-000000000004", "homes"),
        ("5e4f1ce0-0000-4000-8000-000000000002", "UDP"),
        ("5e4f1ce0-0000-4000-8000-000000000003", "web services"),
        ("5e4f1ce0-0000-4000-8000-000000000004", "port"),
        (
            "b0a4d000-0000-4000-8000-000000000003/5e4f1ce0-0000-4000-8000-000000000001",
            "public port",
        ),
        ("b0a4d000-0000-4000-8000-000000000006/91091000-0000-4000-8000-000000000001", "private"),
        ("77", "board_id"),
    ] {
        let reason = reason(&report, "skipped", id);
        assert!(reason.contains(words), "{id}: {reason}");
    }
    assert_eq!(report["left"], json!({ "ports_on_boards": 2, "enabled_webservices": 1 }));
    assert_eq!(report["agents"], json!(["wagent-1", "wagent-2"]));
}

#[tokio::test]
async fn pickled_code_comes_as_source_and_nothing_is_evaluated() {
    let world = World::started().await;
    let report = world.import(&dump(), &[]);
    let source = world.source("91091000-0000-4000-8000-000000000001").await;
    assert_eq!(source.as_deref(), Some("print(\"it's \u{20ac} \\\\u005c \u{fc}\")\nprint(2)\n"));
    let patched = world.source("91091000-0000-4000-8000-000000000002").await;
    assert_eq!(patched.as_deref(), Some("import os\nprint(os)\n"));
    assert!(
        reason(&report, "changed", "91091000-0000-4000-8000-000000000002").contains("no pickle")
    );
    assert_eq!(world.source("91091000-0000-4000-8000-000000000003").await, None);
}

#[tokio::test]
async fn a_second_run_creates_nothing_twice() {
    let world = World::started().await;
    world.import(&dump(), &[]);
    let before = world.state().await;
    let report = world.import(&dump(), &[]);
    for (noun, count) in report["counts"].as_object().unwrap() {
        assert_eq!(count["created"], 0, "{noun}");
    }
    assert_eq!(report["counts"]["board"]["present"], 5);
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn a_dry_run_says_the_same_and_changes_nothing() {
    let world = World::started().await;
    let before = std::fs::read(world.path().join("cloud.db")).unwrap();
    let rehearsed = world.import(&dump(), &["--dry-run"]);
    assert_eq!(std::fs::read(world.path().join("cloud.db")).unwrap(), before);
    assert_eq!(
        std::fs::read_dir(world.path()).unwrap().count(),
        2,
        "only cloud.db and lock are left"
    );
    let done = world.import(&dump(), &[]);
    assert_eq!((&rehearsed["dry_run"], &done["dry_run"]), (&json!(true), &json!(false)));
    for list in ["counts", "skipped", "changed", "left"] {
        assert_eq!(rehearsed[list], done[list]);
    }
}

#[tokio::test]
async fn a_map_names_projects_and_says_where_homeless_things_go() {
    let world = World::started().await;
    let map = json!({
        "projects": { CITY: "city", "9e0f0000000000000000000000000002": "admin" },
        "users": { "0c1d0000000000000000000000000001": "ada" },
        "homes": { "0c1d0000000000000000000000000009": CITY },
        "default_project": CITY,
    });
    let map = written(&world, "map.json", &map.to_string());
    let report = world.import(&dump(), &["--project-map", map.to_str().unwrap(), "--allow-legacy"]);
    let state = world.state().await;
    assert_eq!(state["projects"], json!(["admin-9e0f0000000000000000000000000002", "city"]));
    assert_eq!(report["counts"]["plugin"]["created"], 3, "{report:#}");
    assert_eq!(board(&state, "b0a4d000-0000-4000-8000-000000000005")["project"], CITY);
    let store = world.open().await;
    let city = CITY.parse().unwrap();
    assert!(store::upstream::allows_legacy(&store, &city).await.unwrap());
    let ada = store::identity::get_user_by_name(&store, "ada").await.unwrap();
    assert_eq!(ada.password_hash, "!");
    store.close().await;
}

#[tokio::test]
async fn what_cannot_be_read_is_refused_in_words_and_changes_nothing() {
    let world = World::started().await;
    let before = world.state().await;
    let whole = std::fs::read_to_string(dump()).unwrap();
    let cut = written(&world, "cut.sql", &whole[..whole.len() / 2]);
    let no_tables = written(&world, "none.sql", "SELECT 1;\n");
    let map = written(&world, "map.json", "{\"project\": {}}");
    let (cut, no_tables, dump) = (cut.to_str().unwrap(), no_tables.to_str().unwrap(), dump());
    let dump = dump.to_str().unwrap();
    for (from, more, words) in [
        (cut, [].as_slice(), "cut off"),
        (no_tables, &[], "--database"),
        ("/nonexistent.sql", &[], "cannot read /nonexistent.sql"),
        ("mysql://nobody", &[], "mysql://USER@HOST"),
        (dump, &["--project-map", map.to_str().unwrap()], "unknown field `project`"),
    ] {
        let output = world.run(from, more, None);
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && said.contains(words), "{from}: {said}");
    }
    assert_eq!(world.state().await, before);
}

#[tokio::test]
async fn a_cloud_that_runs_or_never_ran_is_refused() {
    let world = World::started().await;
    let store = world.open().await;
    let output = world.run(dump().to_str().unwrap(), &["--dry-run"], None);
    assert!(String::from_utf8(output.stderr).unwrap().contains("in use by another process"));
    store.close().await;
    std::fs::remove_file(world.path().join("cloud.db")).unwrap();
    let output = world.run(dump().to_str().unwrap(), &[], None);
    assert!(String::from_utf8(output.stderr).unwrap().contains("holds no cloud yet"));
}

#[tokio::test]
async fn the_text_for_people_counts_and_names() {
    let world = World::started().await;
    let output = world.run(dump().to_str().unwrap(), &["--dry-run"], None);
    let text = String::from_utf8(output.stdout).unwrap();
    for line in [
        "a dry run, nothing was changed",
        "board             5        0        2",
        "left: 2 rows of ports_on_boards",
    ] {
        assert!(text.contains(line), "{text}");
    }
    assert!(!text.chars().any(|c| c.is_control() && c != '\n'), "{text:?}");
}
