//! A copy of the database while the cloud runs, and what becomes of a copy that takes the place of a database that is lost.
//!
//! Invariants: a copy holds every commit that was answered before it began and no half of any; taking it stops no write. A
//! restored database gives out no right that a board would take for one of an epoch that is over.
//!
//! Deliberately not here: the files beside the database, and the file that all of it goes into.

use crate::audit::Entry;
use crate::events::NewEvent;
use crate::schema;
use crate::sql::Statement;
use crate::store::{DATABASE, connect};
use crate::{Error, Tx};
use model::Timestamp;
use rusqlite::{Connection, OpenFlags};
use serde_json::json;
use std::path::Path;
use std::time::Duration;
use uuid::Uuid;

/// How long it waits for a lock; only the recovery of a database that was killed can hold one.
const PATIENCE: Duration = Duration::from_secs(30);
/// Faults of a damaged file that are looked for.
const FAULTS: &str = "PRAGMA integrity_check(1)";

/// Copies the database in `dir` into `to`, an empty file, and gives the version of its schema. The copy is not synced.
///
/// # Errors
/// There is no database, or it cannot be read or the copy not written.
pub fn copy(dir: &Path, to: &Path) -> Result<i64, Error> {
    let wrong = |source| Error::Folder { path: to.to_owned(), source };
    let name = to.to_str().ok_or_else(|| wrong(std::io::ErrorKind::InvalidFilename.into()))?;
    // Readers of a database in this mode take part in its shared memory, so they open it for writing.
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = || -> rusqlite::Result<Connection> {
        let connection = Connection::open_with_flags(dir.join(DATABASE), flags)?;
        connection.busy_timeout(PATIENCE)?;
        Ok(connection)
    };
    let connection = open().map_err(Error::sql("open the database"))?;
    let copied = connection.execute("VACUUM INTO ?1", [name]);
    copied.map_err(Error::sql("copy the database"))?;
    version(to)
}

/// Looks whether a copy is whole and not newer than this program, and gives the version of its schema.
///
/// # Errors
/// It is not.
pub fn check(file: &Path) -> Result<i64, Error> {
    let found = version(file)?;
    let known = schema::newest();
    if found > known {
        return Err(Error::Newer { found, known });
    }
    let connection = read_only(file)?;
    let said = connection.query_row(FAULTS, [], |row| row.get::<_, String>(0));
    match said.map_err(Error::sql("check the database"))?.as_str() {
        "ok" => Ok(found),
        fault => Err(Error::Unreadable { column: "database", reason: fault.to_owned() }),
    }
}

/// A recording that a copy tells of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// Its id.
    pub id: Uuid,
    /// Size of its file.
    pub bytes: u64,
    /// The digest of its file.
    pub sha256: String,
}

/// Recordings that have ended and are not erased, in order of their ids.
///
/// # Errors
/// The copy cannot be read.
pub fn recordings(copy: &Path) -> Result<Vec<Recorded>, Error> {
    let text = "SELECT id, bytes, sha256 FROM recordings WHERE ended_at IS NOT NULL AND erased_at IS NULL \
                AND sha256 IS NOT NULL ORDER BY id";
    let rows = Statement::new("list recordings", text).rows(&read_only(copy)?)?;
    rows.iter()
        .map(|row| {
            let id = row.text("id")?;
            let wrong =
                |error: uuid::Error| Error::Unreadable { column: "id", reason: error.to_string() };
            Ok(Recorded {
                id: Uuid::try_parse(&id).map_err(wrong)?,
                bytes: row.number("bytes")?,
                sha256: row.text("sha256")?,
            })
        })
        .collect()
}

/// The newest schema that this program knows.
#[must_use]
pub fn newest_schema() -> i64 {
    schema::newest()
}

fn version(file: &Path) -> Result<i64, Error> {
    let text = "SELECT COALESCE(MAX(version), 0) FROM schema_versions";
    let found = read_only(file)?.query_row(text, [], |row| row.get(0));
    found.map_err(Error::sql("read the schema version"))
}

fn read_only(file: &Path) -> Result<Connection, Error> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    Connection::open_with_flags(file, flags).map_err(Error::sql("open the copy"))
}

/// Tells that this database is a copy of that moment. Boards may know later epochs of rights than the copy does: each gets one
/// that is later than any before, because none was ever raised more often than once a second.
///
/// # Errors
/// The database failed.
pub async fn restored(tx: &mut Tx, cloud: &str, made_at: Timestamp) -> Result<(), Error> {
    let seconds = tx.now().micros().div_euclid(1_000_000);
    let statement = Statement::new(
        "raise the boards' epochs",
        "UPDATE boards SET rights_epoch = CASE WHEN rights_epoch < $1 THEN $1 ELSE rights_epoch + 1 END",
    );
    tx.execute(statement.bind(seconds)).await?;
    let detail = json!({ "made_at": made_at });
    tx.event(NewEvent {
        project: None,
        kind: "cloud.restored".into(),
        subject_type: "cloud",
        subject_id: cloud.to_owned(),
        body: detail.clone(),
    })
    .await?;
    tx.audit(Entry::new("cloud:restore", "cloud", cloud).with(detail)).await
}

/// Makes the one file of a database that was written to, so that it can be moved.
///
/// # Errors
/// The database failed, or somebody has it open.
pub fn settle(dir: &Path) -> Result<(), Error> {
    let connection = connect(&dir.join(DATABASE))?;
    let checkpoint = "PRAGMA wal_checkpoint(TRUNCATE)";
    let busy = connection.query_row(checkpoint, [], |row| row.get::<_, i64>(0));
    if busy.map_err(Error::sql("settle the database"))? != 0 {
        return Err(Error::Locked(dir.to_owned()));
    }
    connection.close().map_err(|(_, error)| Error::sql("close the database")(error))
}
