//! Contributions: what its owner gives of a board, and who may book it.

use crate::app::access::Caller;
use crate::app::{Error, boards, delegations, injections};
use crate::cloud::Cloud;
use api::contributions::{New, Offering};
use model::access::{Action, Decision, decide};
use model::contribution::{Contribution, MAX_BOOKING_H, Offer};
use model::{BoardId, Invalid, ProjectId};
use rpc::plugin::{Limits, Together};
use store::Tx;
use store::boards::BoardRow;
use store::contributions::{self, ContributionRow};

/// What is given of a board, if anything is said about it.
///
/// # Errors
/// There is no such board.
pub async fn get(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
) -> Result<(BoardId, Option<ContributionRow>), Error> {
    let board = boards::get(cloud, caller, board).await?;
    Ok((board.id, contributions::of(&cloud.store, board.id).await?))
}

/// Says what is given of a board; `known` are the actions that can be delegated.
///
/// # Errors
/// There is no such board, or the offer gives what cannot be given.
pub async fn put(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
    new: New,
    known: &[Action],
) -> Result<ContributionRow, Error> {
    let board = boards::get(cloud, caller, board).await?;
    let said = checked(caller, &board.project, new, known)?;
    let by = caller.principal().user.clone();
    let id = board.id;
    let row = cloud.store.write(move |tx| {
        Box::pin(async move {
            let before = contributions::of(&mut *tx, board.id).await?;
            let row = contributions::put(tx, board.id, &said, &by).await?;
            bind(tx, &board, before, Some(&row.said)).await?;
            Ok(row)
        })
    });
    let row = row.await?;
    cloud.boards.ring(id);
    Ok(row)
}

/// New caps hold for what borrowers have on the board already.
async fn bind(
    tx: &mut Tx,
    board: &BoardRow,
    before: Option<ContributionRow>,
    said: Option<&Contribution>,
) -> Result<(), store::Error> {
    let old = before.map(|row| row.said.caps);
    if old == said.map(|said| said.caps) {
        return Ok(());
    }
    injections::bind_anew(tx, board, said).await
}

/// Says nothing any more.
///
/// # Errors
/// There is no such board, or nothing was said.
pub async fn delete(cloud: &Cloud, caller: &Caller, board: &str) -> Result<(), Error> {
    let board = boards::get(cloud, caller, board).await?;
    let id = board.id;
    let done = cloud.store.write(move |tx| {
        Box::pin(async move {
            let before = contributions::of(&mut *tx, board.id).await?;
            contributions::delete(tx, board.id).await?;
            bind(tx, &board, before, None).await
        })
    });
    done.await?;
    cloud.boards.ring(id);
    Ok(())
}

/// With the rights of the offer spelled out: those that the caller has in the board's project.
pub(super) fn checked(
    caller: &Caller,
    project: &ProjectId,
    new: New,
    known: &[Action],
) -> Result<Contribution, Error> {
    new.caps.check()?;
    let offer = match new.offer {
        Some(Offering { rights, projects, max_hours }) => {
            if !(1..=MAX_BOOKING_H).contains(&max_hours) {
                let text = format!("max_hours {max_hours} is not 1 to {MAX_BOOKING_H}");
                return Err(Invalid::new(text).into());
            }
            let may = |action: &Action| {
                delegations::is_of_boards(*action)
                    && decide(caller.principal(), *action, project) == Decision::Allow
            };
            let held: Vec<Action> = known.iter().copied().filter(may).collect();
            Some(Offer { rights: delegations::spelled_out(&rights, &held)?, projects, max_hours })
        }
        None => None,
    };
    Ok(Contribution { hours: new.hours, caps: new.caps, offer })
}

/// The limits of a plugin that a borrower brings: its own, and no more than the board's owner gives.
pub(super) fn within(own: Limits, said: &Contribution) -> Limits {
    let caps = said.caps;
    Limits {
        cpu_s: least(own.cpu_s, caps.cpu_s),
        memory_bytes: least(own.memory_bytes, caps.memory_bytes),
        processes: least(own.processes, caps.processes),
        file_bytes: least(own.file_bytes, caps.file_bytes),
        together: Some(Together {
            cpu_percent: caps.cpu_percent,
            memory_bytes: caps.memory_bytes,
            processes: caps.processes,
        }),
        ..own
    }
}

fn least<T: Ord>(own: Option<T>, cap: Option<T>) -> Option<T> {
    match (own, cap) {
        (Some(own), Some(cap)) => Some(own.min(cap)),
        (own, cap) => own.or(cap),
    }
}
