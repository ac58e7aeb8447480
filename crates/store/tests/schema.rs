//! The schema as others see it: a golden file, so that a change of it is seen in review.
//!
//! `UPDATE_GOLDEN=1 cargo test -p store --test schema` writes it anew.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a test that cannot go on fails")]

use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{ConnectOptions as _, Row as _};
use std::path::Path;
use store::{Error, Options, Store};

const GOLDEN: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/schema.sql");

async fn connect(dir: &Path) -> sqlx::SqliteConnection {
    SqliteConnectOptions::new().filename(dir.join("cloud.db")).connect().await.unwrap()
}

async fn schema(dir: &Path) -> String {
    let text =
        "SELECT sql FROM sqlite_master WHERE sql IS NOT NULL ORDER BY tbl_name, type DESC, name";
    let rows = sqlx::query(text).fetch_all(&mut connect(dir).await).await.unwrap();
    rows.iter().map(|row| format!("{};\n\n", row.get::<String, _>("sql"))).collect()
}

#[tokio::test]
async fn the_schema_is_the_golden_file() {
    let dir = tempfile::tempdir().unwrap();
    Store::open(dir.path(), Options::default()).await.unwrap().close().await;
    let found = schema(dir.path()).await;
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
    let before = schema(dir.path()).await;
    Store::open(dir.path(), Options::default()).await.unwrap().close().await;
    assert_eq!(schema(dir.path()).await, before);

    let mut connection = connect(dir.path()).await;
    let newer = sqlx::query("INSERT INTO schema_versions (version) VALUES (999)");
    newer.execute(&mut connection).await.unwrap();
    drop(connection);
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
    Store::open(dir.path(), Options::default()).await.unwrap().close().await;
    let mut old = connect(dir.path()).await;
    let first = include_str!("../migrations/sqlite/0001_first.sql");
    let tables = "SELECT 'DROP TABLE ' || name AS sql FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'";
    sqlx::raw_sql("PRAGMA foreign_keys = OFF").execute(&mut old).await.unwrap();
    for row in sqlx::query(tables).fetch_all(&mut old).await.unwrap() {
        sqlx::raw_sql(sqlx::AssertSqlSafe(row.get::<String, _>("sql")))
            .execute(&mut old)
            .await
            .unwrap();
    }
    sqlx::raw_sql(first).execute(&mut old).await.unwrap();
    sqlx::raw_sql(
        "CREATE TABLE schema_versions (version BIGINT NOT NULL PRIMARY KEY); INSERT INTO schema_versions VALUES (1);
         INSERT INTO fleets VALUES ('b', 'second', 'p', '', 2, 2, 1), ('a', 'first', 'p', '', 1, 1, 1)",
    )
    .execute(&mut old)
    .await
    .unwrap();
    drop(old);
    Store::open(dir.path(), Options::default()).await.unwrap().close().await;
    let rows = sqlx::query("SELECT name, extra FROM fleets ORDER BY serial");
    let rows = rows.fetch_all(&mut connect(dir.path()).await).await.unwrap();
    let names: Vec<String> = rows.iter().map(|row| row.get("name")).collect();
    assert_eq!(names, ["first", "second"]);
    assert_eq!(rows[0].get::<String, _>("extra"), "{}");
}
