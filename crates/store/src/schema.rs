//! The schema and how an older database becomes it: numbered files, forward only, each applied once in one transaction.
//!
//! Invariant: a file that was released is never edited; the next change is the next file.

use crate::Error;
use sqlx::{Connection as _, Row as _, SqliteConnection};

const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("../migrations/sqlite/0001_first.sql")),
    (2, include_str!("../migrations/sqlite/0002_upstream.sql")),
    (3, include_str!("../migrations/sqlite/0003_answer_headers.sql")),
];

const LEDGER: &str =
    "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT NOT NULL PRIMARY KEY)";

/// Brings the database to the newest schema.
pub(crate) async fn migrate(connection: &mut SqliteConnection) -> Result<(), Error> {
    let applied = version(connection).await?;
    let known = MIGRATIONS.last().map_or(0, |(version, _)| *version);
    if applied > known {
        return Err(Error::Newer { found: applied, known });
    }
    for (version, text) in MIGRATIONS.iter().filter(|(version, _)| *version > applied) {
        apply(connection, *version, text).await.map_err(Error::sql("apply a schema migration"))?;
    }
    Ok(())
}

async fn version(connection: &mut SqliteConnection) -> Result<i64, Error> {
    let doing = "read the schema version";
    sqlx::raw_sql(LEDGER).execute(&mut *connection).await.map_err(Error::sql(doing))?;
    let row = sqlx::query("SELECT COALESCE(MAX(version), 0) AS version FROM schema_versions")
        .fetch_one(connection)
        .await
        .map_err(Error::sql(doing))?;
    row.try_get("version").map_err(Error::sql(doing))
}

async fn apply(
    connection: &mut SqliteConnection,
    version: i64,
    text: &'static str,
) -> Result<(), sqlx::Error> {
    let mut transaction = connection.begin().await?;
    sqlx::raw_sql(text).execute(&mut *transaction).await?;
    sqlx::query("INSERT INTO schema_versions (version) VALUES ($1)")
        .bind(version)
        .execute(&mut *transaction)
        .await?;
    transaction.commit().await
}
