//! How often somebody looked: counts by the hour, because a row for each look would bury the rest.

use crate::sql::{Reader, Row, Statement, all};
use crate::{Error, Tx};
use model::{ProjectId, Timestamp, UserId};

/// Microseconds of an hour.
const HOUR: i64 = 3_600_000_000;
/// Most counts of one read, or of one call of [`trim_reads`].
const MAX: u32 = 1000;

/// How often somebody did something that changes nothing, within an hour.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Reads {
    /// The hour's begin.
    pub hour: Timestamp,
    /// In which project.
    pub project: ProjectId,
    /// Who.
    pub actor: UserId,
    /// What, `type:operation`.
    pub verb: String,
    /// How often.
    pub times: u64,
}

impl Reads {
    /// The hour of a moment.
    #[must_use]
    pub fn hour_of(at: Timestamp) -> Timestamp {
        Timestamp::from_micros(at.micros().div_euclid(HOUR).saturating_mul(HOUR))
    }
}

/// Adds counts to those that are stored.
///
/// # Errors
/// The database failed.
pub async fn count_reads(tx: &mut Tx, reads: &[Reads]) -> Result<(), Error> {
    for one in reads {
        let statement = Statement::new(
            "count reads",
            "INSERT INTO audit_reads (hour, project, actor, verb, times) VALUES ($1, $2, $3, $4, $5) \
             ON CONFLICT (hour, project, actor, verb) DO UPDATE SET times = audit_reads.times + excluded.times",
        )
        .bind(one.hour.micros().div_euclid(HOUR))
        .bind(&one.project)
        .bind(&one.actor)
        .bind(one.verb.as_str())
        .bind(super::number(one.times));
        tx.execute(statement).await?;
    }
    Ok(())
}

/// Counts, newest hour first, of one project or of all, at most `limit` (and 1000).
///
/// # Errors
/// The database failed.
pub async fn list_reads<'e>(
    from: impl Reader<'e>,
    project: Option<&ProjectId>,
    actor: Option<&str>,
    limit: u32,
) -> Result<Vec<Reads>, Error> {
    let mut statement = Statement::new(
        "read counts",
        "SELECT hour, project, actor, verb, times FROM audit_reads WHERE 1 = 1",
    );
    statement.and_equals("project", project).and_equals("actor", actor);
    statement
        .push(" ORDER BY hour DESC, project, actor, verb LIMIT ")
        .push_bind(limit.clamp(1, MAX));
    all(from, statement, read).await
}

/// Removes counts of hours before; gives how many.
///
/// # Errors
/// The database failed.
pub async fn trim_reads(tx: &mut Tx, older_than: Timestamp) -> Result<u64, Error> {
    let statement = Statement::new("trim counts", "DELETE FROM audit_reads WHERE hour < $1");
    tx.execute(statement.bind(older_than.micros().div_euclid(HOUR))).await
}

fn read(row: &Row) -> Result<Reads, Error> {
    Ok(Reads {
        hour: Timestamp::from_micros(row.int("hour")?.saturating_mul(HOUR)),
        project: row.parse("project")?,
        actor: row.parse("actor")?,
        verb: row.text("verb")?,
        times: row.number("times")?,
    })
}
