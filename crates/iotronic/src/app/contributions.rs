//! Contributions: what its owner gives of a board, and who may book it.

use crate::app::access::Caller;
use crate::app::{Error, boards, delegations};
use crate::cloud::Cloud;
use api::contributions::{New, Offering};
use model::access::{Action, Decision, decide};
use model::contribution::{Contribution, MAX_BOOKING_H, Offer};
use model::{BoardId, Invalid, ProjectId};
use rpc::plugin::Limits;
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
    let row = cloud.store.write(move |tx| {
        Box::pin(async move { contributions::put(tx, board.id, &said, &by).await })
    });
    Ok(row.await?)
}

/// Says nothing any more.
///
/// # Errors
/// There is no such board, or nothing was said.
pub async fn delete(cloud: &Cloud, caller: &Caller, board: &str) -> Result<(), Error> {
    let board = boards::get(cloud, caller, board).await?;
    let done = cloud
        .store
        .write(move |tx| Box::pin(async move { contributions::delete(tx, board.id).await }));
    Ok(done.await?)
}

/// With the rights of the offer spelled out: those that the caller has in the board's project.
pub(super) fn checked(
    caller: &Caller,
    project: &ProjectId,
    new: New,
    known: &[Action],
) -> Result<Contribution, Error> {
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
        ..own
    }
}

fn least<T: Ord>(own: Option<T>, cap: Option<T>) -> Option<T> {
    match (own, cap) {
        (Some(own), Some(cap)) => Some(own.min(cap)),
        (own, cap) => own.or(cap),
    }
}
