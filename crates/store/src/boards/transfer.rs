//! A board changes hands: what the giving project said about it ends here, so that it arrives with nothing of theirs.

use super::{BoardRow, WHAT, by_id};
use crate::audit::Entry;
use crate::events::NewEvent;
use crate::sql::Statement;
use crate::{Error, Tx, delegations, quotas};
use model::board::Status;
use model::delegation::Resource;
use model::quota::Counted;
use model::{BoardId, ProjectId, UserId};
use serde_json::json;

/// Gives a board to another project. Every delegation of it ends, as do its contribution, its place in a fleet and the claims by
/// which another machine could become it; what boards honour without the cloud is void. Name, labels, position and key
/// go along; what it reported of its load so far does not. What is on the board is the caller's to take off, before.
///
/// # Errors
/// There is none of this id, it cannot be given in its state, or the receiving project has a board of this name or too many.
pub async fn transfer(
    tx: &mut Tx,
    id: BoardId,
    to: &ProjectId,
    owner: &UserId,
) -> Result<BoardRow, Error> {
    let old = by_id(&mut *tx, None, id).await?;
    check(&old, to)?;
    quotas::check(tx, to, Counted::Boards, 1).await?;
    delegations::revoke_all_of(tx, &Resource::Board(id)).await?;
    for text in [
        "DELETE FROM contributions WHERE board = $1",
        "DELETE FROM transfers WHERE board = $1",
        "DELETE FROM claims WHERE replaces = $1",
        "DELETE FROM board_load WHERE board = $1",
    ] {
        tx.execute(Statement::new("give a board away", text).bind(id)).await?;
    }
    let statement = Statement::new(
        "give a board away",
        "UPDATE boards SET project = $1, owner = $2, fleet = NULL, updated_at = $3, revision = revision + 1, \
         rights_epoch = rights_epoch + 1, load = NULL, load_at = NULL WHERE id = $4",
    )
    .bind(to)
    .bind(owner)
    .bind(tx.now())
    .bind(id);
    tx.execute(statement).await.map_err(|error| error.duplicate_as(WHAT, "name"))?;
    tx.rights_changed();
    let row = by_id(&mut *tx, None, id).await?;
    tx.voided(vec![(id, row.rights_epoch)]);
    let body = json!({ "name": row.name, "from": old.project, "to": row.project });
    for project in [&old.project, &row.project] {
        tx.event(NewEvent::about(WHAT, "transferred", project, id, body.clone())).await?;
        tx.audit(Entry::new("board:transfer", WHAT, id).of(project).with(body.clone())).await?;
    }
    Ok(row)
}

fn check(board: &BoardRow, to: &ProjectId) -> Result<(), Error> {
    let text = if board.project == *to {
        "the board is in this project already"
    } else if board.status == Status::Decommissioned {
        "the board is decommissioned; claim a new one"
    } else if board.parked.is_some() {
        "the board is parked until somebody decides which machine it is"
    } else if board.legacy {
        "an upstream board proves nothing and stays in its project; give it up and register it in the other one"
    } else {
        return Ok(());
    };
    Err(Error::Conflict(text.into()))
}
