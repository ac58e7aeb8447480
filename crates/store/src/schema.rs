//! The schema and how an older database becomes it: numbered files, forward only, each applied once in one transaction.
//!
//! Invariant: a file that was released is never edited; the next change is the next file.

use crate::Error;
use rusqlite::Connection;

const MIGRATIONS: &[(i64, &str)] = &[
    (1, include_str!("../migrations/sqlite/0001_first.sql")),
    (2, include_str!("../migrations/sqlite/0002_upstream.sql")),
    (3, include_str!("../migrations/sqlite/0003_answer_headers.sql")),
    (4, include_str!("../migrations/sqlite/0004_requests.sql")),
    (5, include_str!("../migrations/sqlite/0005_load.sql")),
    (6, include_str!("../migrations/sqlite/0006_delegations.sql")),
    (7, include_str!("../migrations/sqlite/0007_fleet_rules.sql")),
    (8, include_str!("../migrations/sqlite/0008_lapses.sql")),
    (9, include_str!("../migrations/sqlite/0009_keys.sql")),
    (10, include_str!("../migrations/sqlite/0010_identity.sql")),
    (11, include_str!("../migrations/sqlite/0011_audit.sql")),
    (12, include_str!("../migrations/sqlite/0012_contributions.sql")),
    (13, include_str!("../migrations/sqlite/0013_quotas.sql")),
    (14, include_str!("../migrations/sqlite/0014_lent_plugins.sql")),
    (15, include_str!("../migrations/sqlite/0015_transfers.sql")),
    (16, include_str!("../migrations/sqlite/0016_givers.sql")),
    (17, include_str!("../migrations/sqlite/0017_recordings.sql")),
    (18, include_str!("../migrations/sqlite/0018_ends.sql")),
];

const LEDGER: &str =
    "CREATE TABLE IF NOT EXISTS schema_versions (version BIGINT NOT NULL PRIMARY KEY)";

/// Brings the database to the newest schema.
pub(crate) fn migrate(connection: &mut Connection) -> Result<(), Error> {
    let applied = version(connection).map_err(Error::sql("read the schema version"))?;
    let known = newest();
    if applied > known {
        return Err(Error::Newer { found: applied, known });
    }
    for (version, text) in MIGRATIONS.iter().filter(|(version, _)| *version > applied) {
        apply(connection, *version, text).map_err(Error::sql("apply a schema migration"))?;
    }
    Ok(())
}

/// The newest version that is known here.
pub(crate) fn newest() -> i64 {
    MIGRATIONS.last().map_or(0, |(version, _)| *version)
}

fn version(connection: &Connection) -> rusqlite::Result<i64> {
    connection.execute_batch(LEDGER)?;
    let text = "SELECT COALESCE(MAX(version), 0) FROM schema_versions";
    connection.query_row(text, [], |row| row.get(0))
}

fn apply(connection: &mut Connection, version: i64, text: &str) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(text)?;
    transaction.execute("INSERT INTO schema_versions (version) VALUES (?1)", [version])?;
    transaction.commit()
}
