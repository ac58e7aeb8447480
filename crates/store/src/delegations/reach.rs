//! Which delegations somebody has of a thing, each with all that it rests on.
//!
//! Invariant: what is read about a board (its fleets, its hours, the chains) is of one moment, because it is one statement, or
//! because the index answers, which knows only what was so at one moment.

use super::index::{Answer, Asked};
use super::{MAX_REACHING, WHAT, read};
use crate::boards::Borrower;
use crate::sql::{Reader, Row, Statement, few, one};
use crate::{Error, Store, fleets};
use model::contribution::{Contribution, Hours};
use model::delegation::{Delegation, MAX_DEPTH, Part, Resource, Target};
use model::{BoardId, DelegationId, FleetId, ProjectId, Timestamp, UserId};

/// Live delegations to a person that reach something.
#[derive(Debug, Clone, PartialEq)]
pub struct Reaching {
    /// What they reach, as they see it.
    pub target: Target,
    /// Each with those it rests on, up to the first.
    pub chains: Vec<Vec<Delegation>>,
}

/// Up the chains, from those that the statement has picked so far.
const UP: &str = " UNION ALL SELECT a.leaf, d.id, d.parent, a.step + 1 FROM above a JOIN delegations d ON d.id = a.parent \
     WHERE a.step < ";
const LINK: &str = "d.id, d.parent, d.project, resource, delegator, delegated, rights, starts_at, ends_at, depth, hold, \
     created_at, revoked_at, revoked_by";
const IN_ORDER: &str =
    " FROM above a JOIN delegations d ON d.id = a.id ORDER BY a.leaf, a.step LIMIT ";

/// A delegation and those it rests on, up to the first of its chain.
///
/// # Errors
/// The database failed.
pub async fn chain<'e>(from: impl Reader<'e>, id: DelegationId) -> Result<Vec<Delegation>, Error> {
    let mut statement = Statement::new(
        "read a chain",
        "WITH RECURSIVE above (leaf, id, parent, step) AS (SELECT id, id, parent, 0 FROM delegations WHERE 1 = 1",
    );
    statement.and_equals("id", Some(id));
    let rows = few(from, up(statement, ""), read).await?;
    Ok(rows.into_iter().map(|row| row.delegation).collect())
}

fn up(mut statement: Statement, more: &str) -> Statement {
    statement.push(UP).push_bind(u32::from(MAX_DEPTH) + 1);
    statement.push(") SELECT ").push(LINK).push(more).push(IN_ORDER).push_bind(MAX_REACHING);
    statement
}

/// Those that reach a thing which is no board: of itself, of its project.
///
/// # Errors
/// The database failed.
pub async fn reaching<'e>(
    from: impl Reader<'e>,
    to: &UserId,
    target: Target,
    now: Timestamp,
) -> Result<Reaching, Error> {
    if let Some(store) = from.committed()
        && let Some(known) = store.lent().of_thing(to, &target, now)
    {
        return Ok(known);
    }
    let mut statement = Statement::new("read delegations", "WITH RECURSIVE ");
    push_held(&mut statement, to, now);
    statement.push("SELECT ").push_bind(target.resource.to_string());
    statement.push(" UNION ALL SELECT ");
    statement.push_bind(Resource::Project(target.project.clone()).to_string()).push(")");
    let rows = few(from, up(statement, ""), read).await?;
    Ok(Reaching { target, chains: chains(rows.into_iter().map(|row| row.delegation)) })
}

/// Those that reach a board, or a part of it: of itself, of the fleets that it is in, of its project, of the part. The target
/// names the fleets when a chain rests on one.
///
/// # Errors
/// The database failed.
pub async fn reaching_board<'e>(
    from: impl Reader<'e>,
    to: &UserId,
    (board, project): (BoardId, &ProjectId),
    part: Option<Part>,
    now: Timestamp,
) -> Result<Reaching, Error> {
    let asked = Asked { to, board, project, part, now };
    if let Some(store) = from.committed()
        && let Some(known) = known(store, asked).await?
    {
        return Ok(known);
    }
    let mut statement = Statement::new(
        "read delegations of a board",
        "WITH RECURSIVE fleets (id) AS (SELECT fleet FROM fleet_members WHERE board = $1), ",
    )
    .bind(board);
    push_held(&mut statement, to, now);
    statement.push("SELECT 'fleet:' || id FROM fleets");
    for thing in asked.things() {
        statement.push(" UNION ALL SELECT ").push_bind(thing.to_string());
    }
    statement.push(")");
    let lent = ", (SELECT GROUP_CONCAT(id) FROM fleets) AS fleets, \
         (SELECT said FROM contributions WHERE board = $1 AND in_hours = 1) AS said";
    let rows = few(from, up(statement, lent), |row| Ok((read(row)?.delegation, lending(row)?)));
    let rows = rows.await?;
    let (fleets, hours) = rows.first().map(|(_, lending)| lending.clone()).unwrap_or_default();
    let target = Target::board(board, fleets, project.clone()).part(part).within(hours);
    Ok(Reaching { target, chains: chains(rows.into_iter().map(|(link, _)| link)) })
}

/// The same from memory; none when the database is to be asked.
pub(super) async fn known(store: &Store, asked: Asked<'_>) -> Result<Option<Reaching>, Error> {
    let index = store.lent();
    let mut answer = index.of_board(asked);
    if let Answer::WhichFleets(since) = answer {
        let fleets = fleets::of_board(store, asked.board).await?;
        index.learn(asked.board, fleets, since);
        answer = index.of_board(asked);
    }
    match answer {
        Answer::Known(reaching) => Ok(Some(reaching)),
        Answer::WhichFleets(_) | Answer::Unsure => Ok(None),
    }
}

/// The live ones that a person holds; of which things is to follow.
fn push_held(statement: &mut Statement, to: &UserId, now: Timestamp) {
    statement.push(
        "above (leaf, id, parent, step) AS (SELECT id, id, parent, 0 FROM delegations WHERE revoked_at IS NULL",
    );
    statement.and_equals("delegated", Some(to));
    statement.push(" AND ends_at > ").push_bind(now).push(" AND resource IN (");
}

/// `OR` a row of `table` is lent to somebody for what they want to do, by itself or with its whole project.
pub(crate) fn push_lent(statement: &mut Statement, to: &Borrower, noun: &str, table: &str) {
    statement.push(
        " OR EXISTS (SELECT 1 FROM delegations d WHERE d.revoked_at IS NULL AND d.delegated = ",
    );
    statement.push_bind(&to.user).push(" AND d.starts_at <= ").push_bind(to.now);
    statement.push(" AND d.ends_at > ").push_bind(to.now);
    if let Some(action) = to.action {
        statement.push(" AND d.rights LIKE ").push_bind(format!("%\"{action}\"%"));
    }
    statement.push(" AND d.resource IN ('").push(noun).push("' || ").push(table).push(".id, ");
    statement.push("'project:' || ").push(table).push(".project))");
}

/// Links in order of their chains, each chain from its leaf up.
fn chains(links: impl Iterator<Item = Delegation>) -> Vec<Vec<Delegation>> {
    let mut chains: Vec<Vec<Delegation>> = Vec::new();
    for link in links {
        match chains.last_mut() {
            Some(chain) if chain.last().is_some_and(|low| low.parent == Some(link.id)) => {
                chain.push(link);
            }
            _ => chains.push(vec![link]),
        }
    }
    chains
}

/// A board as delegations see it: the fleets that it is in, and the hours in which it is lent.
///
/// # Errors
/// The database failed.
pub async fn target<'e>(
    from: impl Reader<'e>,
    board: BoardId,
    project: ProjectId,
) -> Result<Target, Error> {
    let text = "SELECT (SELECT GROUP_CONCAT(fleet) FROM fleet_members WHERE board = $1) AS fleets, \
         (SELECT said FROM contributions WHERE board = $1 AND in_hours = 1) AS said";
    let statement = Statement::new("read how a board is lent", text).bind(board);
    let (fleets, hours) = one(from, statement, "board", lending).await?;
    Ok(Target::board(board, fleets, project).within(hours))
}

fn lending(row: &Row) -> Result<(Vec<FleetId>, Option<Hours>), Error> {
    let fleets = row.text_optional("fleets")?;
    let fleets = fleets.as_deref().unwrap_or_default().split(',').filter(|id| !id.is_empty());
    let said = row.json_optional::<Contribution>("said")?;
    Ok((fleets.map(str::parse).collect::<Result<_, _>>()?, said.and_then(|said| said.hours)))
}

/// Whether anything is delegated to a person at this moment or will be.
///
/// # Errors
/// The database failed.
pub async fn has_any<'e>(
    from: impl Reader<'e>,
    to: &UserId,
    now: Timestamp,
) -> Result<bool, Error> {
    let text = "SELECT EXISTS (SELECT 1 FROM delegations WHERE delegated = $1 AND revoked_at IS NULL AND ends_at > $2) AS any";
    let statement = Statement::new("look for delegations", text).bind(to).bind(now);
    one(from, statement, WHAT, |row| row.yes("any")).await
}
