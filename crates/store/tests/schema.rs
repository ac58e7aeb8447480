//! The schema as others see it: a golden file, so that a change of it is seen in review.
//!
//! `UPDATE_GOLDEN=1 cargo test -p store --test schema` writes it anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use rusqlite::Connection;
use std::path::Path;
use store::{Error, Options, Store};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schema.sql");

fn connect(dir: &Path) -> Connection {
    Connection::open(dir.join("cloud.db")).unwrap()
}

fn schema(dir: &Path) -> String {
    let text =
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY tbl_name, type DESC, name";
    let connection = connect(dir);
    let mut statement = connection.prepare(text).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    rows.map(|sql| format!("{};\n\n", sql.unwrap())).collect()
}

#[tokio::test]
async fn the_schema_is_the_golden_file() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path(), Options::default()).await.unwrap().close().await;
    let found = schema(dir.path());
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        std::fs::write(GOLDEN, &found).unwrap();
    }
    let golden = std::fs::read_to_string(GOLDEN).unwrap();
    assert_eq!(found, golden, "run with UPDATE_GOLDEN=1 if this change is meant");
}

#[tokio::test]
async fn opening_again_changes_nothing_and_a_newer_schema_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path(), Options::default()).await.unwrap().close().await;
    let before = schema(dir.path());
    Store::open(dir.path(), Options::default()).await.unwrap().close().await;
    assert_eq!(schema(dir.path()), before);

    connect(dir.path()).execute("INSERT INTO schema_versions (version) VALUES (999)", []).unwrap();
    let refused = Store::open(dir.path(), Options::default()).await.err().unwrap();
    assert!(matches!(refused, Error::Newer { found: 999, .. }), "{refused}");
}

#[tokio::test]
async fn a_file_that_is_no_database_is_refused_without_a_word_of_sql() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(
        dir.path().join("cloud.db"),
        "not a database, but long enough to be one".repeat(50),
    )
    .unwrap();
    let refused = Store::open(dir.path(), Options::default()).await.err().unwrap();
    assert!(!refused.to_string().contains("SELECT"), "{refused}");
    assert_eq!(refused.kind(), model::Kind::Internal);
}

#[tokio::test]
async fn a_database_of_the_first_schema_gets_its_serials_in_order_of_creation() {
    let dir = tempfile::tempdir().unwrap();
    let old = connect(dir.path());
    old.execute_batch(include_str!("../migrations/sqlite/0001_first.sql")).unwrap();
    old.execute_batch(
        "CREATE TABLE schema_versions (version BIGINT NOT NULL PRIMARY KEY); INSERT INTO schema_versions VALUES (1);
         INSERT INTO fleets VALUES ('b', 'second', 'p', '', 2, 2, 1), ('a', 'first', 'p', '', 1, 1, 1)",
    )
    .unwrap();
    drop(old);
    Store::open(dir.path(), Options::default()).await.unwrap().close().await;
    let connection = connect(dir.path());
    let mut statement =
        connection.prepare("SELECT name, extra FROM fleets ORDER BY serial").unwrap();
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
    let rows: Vec<(String, String)> = rows.map(Result::unwrap).collect();
    assert_eq!(rows, [("first".into(), "{}".into()), ("second".into(), "{}".into())]);
}
