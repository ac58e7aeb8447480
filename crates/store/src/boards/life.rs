//! A board's life: status moves, a new key, the end.

use super::{BoardRow, WHAT, by_id, fresh, tell};
use crate::audit::Entry;
use crate::sql::{Reader, Row, Statement, first};
use crate::{Error, Refusal, Tx};
use crate::{delegations, operations};
use base::key::PublicKey;
use model::audit::ActorKind;
use model::board::{Event, Status};
use model::delegation::Resource;
use model::{BoardId, ProjectId, Timestamp};
use serde_json::json;

/// A key that is refused for good.
#[derive(Debug, Clone, PartialEq)]
pub struct RefusedKey {
    /// The board it was the key of.
    pub board: BoardId,
    /// Why: `replaced`, `rotated` or `decommissioned`.
    pub reason: String,
    /// Since when.
    pub at: Timestamp,
}

/// Why this key is refused for good, if it is.
///
/// # Errors
/// The database failed.
pub async fn refused_key<'e>(
    from: impl Reader<'e>,
    public_key: &PublicKey,
) -> Result<Option<RefusedKey>, Error> {
    let statement = Statement::new(
        "read a refused key",
        "SELECT board, reason, at FROM refused_keys WHERE public_key = $1",
    )
    .bind(public_key);
    let read = |row: &Row| {
        Ok(RefusedKey {
            board: row.parse("board")?,
            reason: row.text("reason")?,
            at: row.time("at")?,
        })
    };
    first(from, statement, read).await
}

/// Moves a board along its life and writes `board.<status>` when the status changed.
///
/// # Errors
/// There is none of this id, or the move is not legal.
pub async fn set_status(tx: &mut Tx, id: BoardId, event: Event) -> Result<Status, Error> {
    let old = by_id(&mut *tx, None, id).await?;
    let status = old.status.next(event).map_err(|invalid| Error::Conflict(invalid.0))?;
    if status == old.status {
        return Ok(status);
    }
    let statement =
        Statement::new("set a board's status", "UPDATE boards SET status = $1 WHERE id = $2")
            .bind(status.word())
            .bind(id);
    tx.execute(statement).await?;
    tell(tx, &BoardRow { status, ..old }, status.word()).await?;
    Ok(status)
}

/// Gives a board up: its key is refused from now on, its open operations end, its ports are freed, its plugins forgotten.
/// The row stays, by id.
///
/// # Errors
/// There is none in the scope, it is decommissioned already, or its revision is not `expected`.
pub async fn decommission(
    tx: &mut Tx,
    scope: Option<&ProjectId>,
    id: BoardId,
    expected: Option<i64>,
) -> Result<BoardRow, Error> {
    let old = by_id(&mut *tx, scope, id).await?;
    fresh(old.revision, expected)?;
    set_status(tx, id, Event::Decommissioned).await?;
    if let Some(key) = &old.public_key {
        refuse(tx, key, id, "decommissioned").await?;
    }
    operations::abandon_all(tx, id).await?;
    delegations::revoke_all_of(tx, &Resource::Board(id)).await?;
    for text in [
        "DELETE FROM exposures WHERE board = $1",
        "DELETE FROM injections WHERE board = $1",
        "DELETE FROM transfers WHERE board = $1",
        "UPDATE upstream_boards SET code = NULL WHERE board = $1",
    ] {
        tx.execute(Statement::new("decommission a board", text).bind(id)).await?;
    }
    let statement = Statement::new(
        "decommission a board",
        "UPDATE boards SET public_key = NULL, session = NULL, parked = NULL, admits_from = NULL, updated_at = $1, \
         revision = revision + 1 WHERE id = $2",
    )
    .bind(tx.now())
    .bind(id);
    tx.execute(statement).await?;
    tx.audit(Entry::new("board:decommission", WHAT, id).of(&old.project)).await?;
    by_id(&mut *tx, None, id).await
}

/// Removes a decommissioned board with its operations; its key stays refused.
///
/// # Errors
/// There is none in the scope, or it is not decommissioned.
pub async fn delete(tx: &mut Tx, scope: Option<&ProjectId>, id: BoardId) -> Result<(), Error> {
    let old = by_id(&mut *tx, scope, id).await?;
    if old.status != Status::Decommissioned {
        return Err(Error::Conflict("the board is in use; decommission it first".into()));
    }
    let statement = Statement::new("delete a board", "DELETE FROM boards WHERE id = $1").bind(id);
    tx.execute(statement).await?;
    tell(tx, &old, "deleted").await?;
    tx.audit(Entry::new("board:delete", WHAT, id).of(&old.project)).await
}

/// Gives a board another key in place of `old`, which is refused from now on; writes `board.rekeyed`. Doing it twice changes
/// nothing. What the old key was told by a claim, the new one is told.
///
/// # Errors
/// There is none of this id, it has a third key by now, it is parked, or the new key is another board's or refused.
pub async fn rotate(
    tx: &mut Tx,
    id: BoardId,
    old: &PublicKey,
    new: &PublicKey,
) -> Result<BoardRow, Error> {
    let row = by_id(&mut *tx, None, id).await?;
    if row.public_key.as_ref() == Some(new) {
        return Ok(row);
    }
    if row.public_key.as_ref() != Some(old) {
        return Err(Error::Conflict("the board has another key by now".into()));
    }
    if row.parked.is_some() {
        return Err(Error::Conflict("the board is parked until somebody decides".into()));
    }
    if refused_key(&mut *tx, new).await?.is_some() {
        return Err(Refusal::KeyRefused.into());
    }
    refuse(tx, old, id, "rotated").await?;
    let text = "UPDATE boards SET public_key = $1, admits_from = NULL, updated_at = $2, \
                revision = revision + 1 WHERE id = $3";
    let statement =
        Statement::new("give a board another key", text).bind(new).bind(tx.now()).bind(id);
    tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "key"))?;
    let text = "UPDATE claim_redemptions SET public_key = $1 WHERE public_key = $2 AND board = $3";
    tx.execute(Statement::new("move a redemption", text).bind(new).bind(old).bind(id)).await?;
    let row = by_id(&mut *tx, None, id).await?;
    tell(tx, &row, "rekeyed").await?;
    let entry = Entry::new("board:rekey", WHAT, id).of(&row.project).by(ActorKind::Board, id);
    tx.audit(entry.with(json!({ "key": new.fingerprint() }))).await?;
    Ok(row)
}

/// Binds a new key to a board that another machine takes over; the old key is refused from now on.
pub(crate) async fn rebind(tx: &mut Tx, id: BoardId, key: &PublicKey) -> Result<BoardRow, Error> {
    let old = by_id(&mut *tx, None, id).await?;
    set_status(tx, id, Event::Enrolled).await?;
    if let Some(replaced) = &old.public_key {
        refuse(tx, replaced, id, "replaced").await?;
    }
    let statement = Statement::new(
        "bind a key to a board",
        "UPDATE boards SET public_key = $1, session = NULL, parked = NULL, admits_from = NULL, updated_at = $2, \
         revision = revision + 1 WHERE id = $3",
    )
    .bind(key)
    .bind(tx.now())
    .bind(id);
    tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "key"))?;
    let row = by_id(&mut *tx, None, id).await?;
    tell(tx, &row, "replaced").await?;
    Ok(row)
}

async fn refuse(tx: &mut Tx, key: &PublicKey, id: BoardId, reason: &str) -> Result<(), Error> {
    let statement = Statement::new(
        "refuse a key",
        "INSERT INTO refused_keys (public_key, board, reason, at) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
    )
    .bind(key)
    .bind(id)
    .bind(reason)
    .bind(tx.now());
    tx.execute(statement).await.map(|_| ())
}
