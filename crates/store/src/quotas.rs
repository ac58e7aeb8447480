//! Quotas: how much a project has, how much it may have, and the refusal when it would be more.
//!
//! Invariant: what is counted is counted in the transaction that adds to it, and there is one writer; so however many ask at
//! once, exactly as many are had as the limit says. Nothing is counted beside the rows themselves. Deliberately not here: the
//! limits of the configuration, which come with [`crate::Options`].

use crate::audit::Entry;
use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, first, json, one};
use crate::{Error, Tx, identity};
use model::ProjectId;
use model::quota::{Counted, Own, Setting};
use serde_json::json;

/// How much a project has, and what was said about how much it may have.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct QuotaRow {
    /// What was said; the rest is the configuration's.
    pub own: Own,
    /// How many there are, in the order of [`Counted::ALL`].
    pub used: [u64; Counted::ALL.len()],
}

const fn count(counted: Counted) -> &'static str {
    match counted {
        Counted::Boards => {
            "SELECT COUNT(*) AS used FROM boards WHERE project = $1 AND status <> 'decommissioned'"
        }
        Counted::Services => "SELECT COUNT(*) AS used FROM services WHERE project = $1",
        Counted::Plugins => "SELECT COUNT(*) AS used FROM plugins WHERE project = $1",
        Counted::PluginBytes => {
            "SELECT COALESCE(SUM(bytes), 0) AS used FROM plugins WHERE project = $1"
        }
    }
}

/// What a project has and may have, all of one moment.
///
/// # Errors
/// The database failed.
pub async fn of<'e>(from: impl Reader<'e>, project: &ProjectId) -> Result<QuotaRow, Error> {
    let mut statement = Statement::new(
        "read a quota",
        "SELECT (SELECT said FROM quotas WHERE project = $1) AS said",
    )
    .bind(project);
    for counted in Counted::ALL {
        statement.push(", (").push(count(counted)).push(") AS ").push(counted.word());
    }
    one(from, statement, "quota", read).await
}

/// Says something else about some limits of a project.
///
/// # Errors
/// There is no such project.
pub async fn change(
    tx: &mut Tx,
    project: &ProjectId,
    settings: &[(Counted, Setting)],
) -> Result<QuotaRow, Error> {
    identity::get_project(&mut *tx, project).await?;
    let mut own = said(tx, project).await?;
    for (counted, setting) in settings {
        own.set(*counted, *setting);
    }
    let statement = Statement::new(
        "store a quota",
        "INSERT INTO quotas (project, said) VALUES ($1, $2) ON CONFLICT (project) DO UPDATE SET said = $2",
    )
    .bind(project)
    .bind(json(&own)?);
    tx.execute(statement).await?;
    let body = json!({ "own": own });
    tx.event(NewEvent::about("quota", "updated", project, project, body.clone())).await?;
    tx.audit(Entry::new("quota:update", "project", project).of(project).with(body)).await?;
    of(&mut *tx, project).await
}

/// Forgets what was said about a project that is deleted.
pub(crate) async fn forget(tx: &mut Tx, project: &ProjectId) -> Result<(), Error> {
    let text = "DELETE FROM quotas WHERE project = $1";
    tx.execute(Statement::new("delete a quota", text).bind(project)).await.map(|_| ())
}

/// Refuses when `added` more are too many. To be asked before they are added, in the same transaction.
///
/// # Errors
/// [`Error::OverQuota`].
pub(crate) async fn check(
    tx: &mut Tx,
    project: &ProjectId,
    counted: Counted,
    added: u64,
) -> Result<(), Error> {
    let defaults = tx.quota();
    let (limit, _) = said(tx, project).await?.limit(counted, &defaults);
    if limit.admits(u64::MAX, added) {
        return Ok(());
    }
    let statement = Statement::new("count for a quota", count(counted)).bind(project);
    let used = one(&mut *tx, statement, "quota", |row| row.number("used")).await?;
    if limit.admits(used, added) {
        return Ok(());
    }
    Err(Error::OverQuota { counted, used, added, limit })
}

async fn said(tx: &mut Tx, project: &ProjectId) -> Result<Own, Error> {
    let text = "SELECT said FROM quotas WHERE project = $1";
    let statement = Statement::new("read a quota", text).bind(project);
    Ok(first(&mut *tx, statement, |row| row.json("said")).await?.unwrap_or_default())
}

fn read(row: &Row) -> Result<QuotaRow, Error> {
    let mut used = [0; Counted::ALL.len()];
    for (place, counted) in used.iter_mut().zip(Counted::ALL) {
        *place = row.number(counted.word())?;
    }
    Ok(QuotaRow { own: row.json_optional("said")?.unwrap_or_default(), used })
}
