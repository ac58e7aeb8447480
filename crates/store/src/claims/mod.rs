//! Claims: the right to enrol boards, and its one use that matters, [`redeem`].
//!
//! Invariants: only the hash of a secret is stored; a use of a claim is bound to the first key that took it, and that key,
//! and no other, gets the same board whenever it asks again.

mod redeem;

pub use redeem::{Redeemed, redeem};

use crate::audit::Entry;
use crate::boards;
use crate::events::NewEvent;
use crate::sql::{Reader, Row, Statement, all, json, one};
use crate::{Error, Page, Tx};
use model::board::Event;
use model::contribution::Contribution;
use model::label::Labels;
use model::{BoardId, ClaimId, FleetId, Invalid, Name, ProjectId, Timestamp, UserId};
use serde_json::json;

const WHAT: &str = "claim";
/// Most boards one claim may enrol.
pub const MAX_USES: u32 = 100_000;
/// Longest claim name that leaves place for `-` and a short id.
const NAME_STEM: usize = 240;

/// A claim.
#[derive(Debug, Clone, PartialEq)]
pub struct ClaimRow {
    /// Its id.
    pub id: ClaimId,
    /// The board's name; for many uses the stem of the boards' names.
    pub name: Name,
    /// The project the boards will be in.
    pub project: ProjectId,
    /// Who made it, and will own the boards.
    pub owner: UserId,
    /// Boards it may still enrol.
    pub uses_left: u32,
    /// Boards it might enrol in all.
    pub uses_total: u32,
    /// Until when.
    pub expires_at: Timestamp,
    /// Labels of the boards.
    pub labels: Labels,
    /// Fleet of the boards.
    pub fleet: Option<FleetId>,
    /// The board that another machine is to take over.
    pub replaces: Option<BoardId>,
    /// What is given of the boards.
    pub contribution: Option<Contribution>,
    /// Since when.
    pub created_at: Timestamp,
    /// Whether it was withdrawn.
    pub revoked: bool,
}

/// A claim to make.
#[derive(Debug, Clone, PartialEq)]
pub struct NewClaim {
    /// Its id.
    pub id: ClaimId,
    /// The board's name, or the stem of the boards' names.
    pub name: Name,
    /// The project the boards will be in.
    pub project: ProjectId,
    /// Who makes it.
    pub owner: UserId,
    /// [`model::claim::Claim::hash`] of the secret.
    pub secret_hash: [u8; 32],
    /// How many boards it may enrol, 1 to [`MAX_USES`].
    pub uses: u32,
    /// Until when.
    pub expires_at: Timestamp,
    /// Labels of the boards.
    pub labels: Labels,
    /// Fleet of the boards.
    pub fleet: Option<FleetId>,
    /// The board that another machine is to take over; then the claim has one use.
    pub replaces: Option<BoardId>,
    /// What is given of the boards.
    pub contribution: Option<Contribution>,
}

const SELECT: &str = "SELECT id, name, project, owner, uses_left, uses_total, expires_at, labels, fleet, replaces, revoked, \
     created_at, contribution FROM claims WHERE 1 = 1";

/// Makes a claim. One that replaces a board moves that board to `replacing`.
///
/// # Errors
/// The count of uses is out of range; there is no such fleet or board to replace in the project; that board was never
/// enrolled or is given up; a board of the name exists already.
pub async fn create(tx: &mut Tx, new: NewClaim) -> Result<ClaimRow, Error> {
    check_uses(&new)?;
    boards::check_fleet(tx, &new.project, new.fleet).await?;
    match new.replaces {
        Some(board) => {
            boards::by_id(&mut *tx, Some(&new.project), board).await?;
            boards::set_status(tx, board, Event::ReplacementClaimed).await?;
        }
        None if new.uses == 1 => refuse_taken_name(tx, &new).await?,
        None => {}
    }
    let statement = Statement::new(
        "create a claim",
        "INSERT INTO claims (id, name, project, owner, secret_hash, uses_left, uses_total, expires_at, labels, fleet, \
         replaces, revoked, created_at, contribution) VALUES ($1, $2, $3, $4, $5, $6, $6, $7, $8, $9, $10, 0, $11, $12)",
    )
    .bind(new.id)
    .bind(&new.name)
    .bind(&new.project)
    .bind(&new.owner)
    .bind(&new.secret_hash)
    .bind(new.uses)
    .bind(new.expires_at)
    .bind(json(&new.labels)?)
    .bind(new.fleet)
    .bind(new.replaces)
    .bind(tx.now())
    .bind(new.contribution.as_ref().map(json).transpose()?);
    tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "secret"))?;
    let row = get(&mut *tx, None, new.id).await?;
    tell(tx, &row, "created").await?;
    let detail = json!({
        "uses": row.uses_total, "expires_at": row.expires_at, "fleet": row.fleet, "replaces": row.replaces,
    });
    let entry = Entry::new("claim:create", WHAT, row.id).of(&row.project).with(detail);
    tx.audit(entry.or_by(Some(&row.owner))).await?;
    Ok(row)
}

fn check_uses(new: &NewClaim) -> Result<(), Invalid> {
    if !(1..=MAX_USES).contains(&new.uses) {
        return Err(Invalid::new(format!("{} uses are not 1 to {MAX_USES}", new.uses)));
    }
    if new.replaces.is_some() && new.uses != 1 {
        return Err(Invalid::new("a claim that replaces a board has one use"));
    }
    Ok(())
}

async fn refuse_taken_name(tx: &mut Tx, new: &NewClaim) -> Result<(), Error> {
    match boards::get(&mut *tx, Some(&new.project), new.name.as_str()).await {
        Ok(_) => Err(Error::Duplicate { what: "board", field: "name" }),
        Err(Error::NotFound { .. }) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The claim of this id.
///
/// # Errors
/// There is none in the scope.
pub async fn get<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    id: ClaimId,
) -> Result<ClaimRow, Error> {
    let mut statement = Statement::new("read a claim", SELECT);
    statement.and_equals("id", Some(id)).and_equals("project", scope);
    one(from, statement, WHAT, read).await
}

/// Claims in order of creation, whatever became of them.
///
/// # Errors
/// The database failed.
pub async fn list<'e>(
    from: impl Reader<'e>,
    scope: Option<&ProjectId>,
    page: Page,
) -> Result<Vec<ClaimRow>, Error> {
    let mut statement = Statement::new("list claims", SELECT);
    statement.and_equals("project", scope);
    all(from, statement.page("id", page), read).await
}

/// Withdraws a claim; boards it enrolled stay. Doing it twice changes nothing.
///
/// # Errors
/// There is none in the scope.
pub async fn revoke(
    tx: &mut Tx,
    scope: Option<&ProjectId>,
    id: ClaimId,
) -> Result<ClaimRow, Error> {
    let row = get(&mut *tx, scope, id).await?;
    if row.revoked {
        return Ok(row);
    }
    let statement =
        Statement::new("revoke a claim", "UPDATE claims SET revoked = 1 WHERE id = $1").bind(id);
    tx.execute(statement).await?;
    let row = ClaimRow { revoked: true, ..row };
    tell(tx, &row, "revoked").await?;
    tx.audit(Entry::new("claim:delete", WHAT, row.id).of(&row.project)).await?;
    Ok(row)
}

/// Removes claims that expired before `expired`, and with them the answer to a lost reply. Gives how many.
///
/// # Errors
/// The database failed.
pub async fn trim(tx: &mut Tx, expired: Timestamp) -> Result<u64, Error> {
    let text = "DELETE FROM claims WHERE expires_at < $1";
    tx.execute(Statement::new("trim claims", text).bind(expired)).await
}

async fn tell(tx: &mut Tx, row: &ClaimRow, verb: &str) -> Result<(), Error> {
    let body = json!({ "name": row.name, "replaces": row.replaces });
    tx.event(NewEvent::about(WHAT, verb, &row.project, row.id, body)).await.map(|_| ())
}

fn read(row: &Row) -> Result<ClaimRow, Error> {
    Ok(ClaimRow {
        id: row.parse("id")?,
        name: row.parse("name")?,
        project: row.parse("project")?,
        owner: row.parse("owner")?,
        uses_left: row.number("uses_left")?,
        uses_total: row.number("uses_total")?,
        expires_at: row.time("expires_at")?,
        labels: row.json("labels")?,
        fleet: row.parse_optional("fleet")?,
        replaces: row.parse_optional("replaces")?,
        created_at: row.time("created_at")?,
        revoked: row.yes("revoked")?,
        contribution: row.json_optional("contribution")?,
    })
}
