//! What becomes of a board whose key two machines have: it is parked, and somebody lets it go on.
//!
//! Invariants: being parked survives the cloud; a new key ends it (`life`), and so does [`unpark`]. Deliberately not here: how
//! two machines are told from one that came back, which the cloud finds out by asking.

use super::{BoardRow, WHAT, by_id};
use crate::audit::Entry;
use crate::events::NewEvent;
use crate::sql::{Statement, json};
use crate::{Error, Tx};
use model::BoardId;
use model::board::{Parked, Status};
use serde_json::json;
use std::net::IpAddr;

/// Parks a board and writes `board.cloned`; one that is parked or given up stays as it is. Gives whether it was done.
///
/// # Errors
/// There is none of this id.
pub async fn park(tx: &mut Tx, id: BoardId, parked: &Parked) -> Result<bool, Error> {
    let old = by_id(&mut *tx, None, id).await?;
    if old.parked.is_some() || old.status == Status::Decommissioned {
        return Ok(false);
    }
    let text = "UPDATE boards SET parked = $1, admits_from = NULL WHERE id = $2";
    let statement = Statement::new("park a board", text).bind(json(parked)?).bind(id);
    tx.execute(statement).await?;
    let body = json!({
        "name": old.name, "status": old.status, "fleet": old.fleet,
        "holder": parked.holder, "newcomer": parked.newcomer,
    });
    tx.event(NewEvent::about(WHAT, "cloned", &old.project, id, body)).await?;
    tx.audit(Entry::new("board:park", WHAT, id).of(&old.project)).await?;
    Ok(true)
}

/// Lets the machine that connects next, from the address where one is given, be the board; writes `board.unparked`.
///
/// # Errors
/// There is none of this id, or it is not parked.
pub async fn unpark(tx: &mut Tx, id: BoardId, from: Option<IpAddr>) -> Result<BoardRow, Error> {
    let old = by_id(&mut *tx, None, id).await?;
    if old.parked.is_none() {
        return Err(Error::Conflict("the board is not parked; there is nothing to decide".into()));
    }
    let text = "UPDATE boards SET parked = NULL, admits_from = $1, updated_at = $2, \
                revision = revision + 1 WHERE id = $3";
    let statement = Statement::new("unpark a board", text)
        .bind(from.map(|address| address.to_string()))
        .bind(tx.now())
        .bind(id);
    tx.execute(statement).await?;
    let body = json!({
        "name": old.name, "status": old.status, "fleet": old.fleet, "admits_from": from,
    });
    tx.event(NewEvent::about(WHAT, "unparked", &old.project, id, body)).await?;
    tx.audit(Entry::new("board:unpark", WHAT, id).of(&old.project)).await?;
    by_id(&mut *tx, None, id).await
}
