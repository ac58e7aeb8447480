//! Bookings: boards by what they can do and where they are, for a time, out of what their owners offer.
//!
//! Invariants: of what is asked for, all boards are booked or none; a board is booked for one at a time. A booking is an
//! exclusive delegation from whoever made the offer, and ends like one.

use crate::app::access::Caller;
use crate::app::offers::candidates;
use crate::app::{Error, delegations};
use crate::cloud::Cloud;
use api::bookings::{MAX_COUNT, New};
use model::access::Action;
use model::delegation::{Delegation, Hold, Resource, Rights, Target, Window};
use model::{DelegationId, Invalid, ProjectId, UserId};
use store::Tx;
use store::boards::BoardRow;
use store::contributions::{self, ContributionRow};
use store::delegations::DelegationRow;

/// Books; `known` are the actions that can be delegated.
///
/// # Errors
/// The time or the filter is not valid, or too few boards are free.
pub async fn create(
    cloud: &Cloud,
    caller: &Caller,
    new: New,
    known: &[Action],
) -> Result<Vec<DelegationRow>, Error> {
    let window = Window::new(new.from.unwrap_or_else(|| cloud.now()), new.until)?;
    if window.until() <= cloud.now() {
        return Err(Invalid::new("until is over already; give a later end").into());
    }
    let count = new.count.unwrap_or(1);
    if !(1..=MAX_COUNT).contains(&count) {
        return Err(Invalid::new(format!("count {count} is not 1 to {MAX_COUNT}")).into());
    }
    let found = candidates(cloud, caller.project(), &new.which()).await?;
    let wish = Wish {
        project: caller.project().clone(),
        user: caller.principal().user.clone(),
        window,
        rights: new.rights,
        known: known.to_vec(),
        count: count as usize,
    };
    let boards = found.into_iter().map(|found| found.board).collect();
    let booked =
        cloud.store.transact(move |tx| Box::pin(async move { wish.book(tx, boards).await }));
    booked.await
}

/// What somebody wants to book.
struct Wish {
    project: ProjectId,
    user: UserId,
    window: Window,
    rights: Vec<String>,
    known: Vec<Action>,
    count: usize,
}

impl Wish {
    /// The first boards that are free, as many as were asked for.
    async fn book(self, tx: &mut Tx, boards: Vec<BoardRow>) -> Result<Vec<DelegationRow>, Error> {
        let mut booked = Vec::new();
        let mut reason = None;
        for board in boards {
            if booked.len() == self.count {
                break;
            }
            // The offer may have been changed since it was looked at.
            let Some(row) = contributions::of(&mut *tx, board.id).await? else { continue };
            match self.delegation(&board, row) {
                Ok(new) => {
                    let target = Target::board(board.id, Vec::new(), board.project.clone());
                    match store::delegations::create(tx, new, &target).await {
                        Ok(row) => booked.push(row),
                        Err(store::Error::Conflict(why)) => reason = Some(why),
                        Err(error) => return Err(error.into()),
                    }
                }
                Err(why) => reason = Some(why.0),
            }
        }
        if booked.len() == self.count {
            return Ok(booked);
        }
        let why = reason
            .map_or_else(|| "no more are offered there".into(), |why| format!("for one: {why}"));
        let text = format!(
            "{} of {} boards are free from {} to {}; {why}; nothing was booked",
            booked.len(),
            self.count,
            self.window.from(),
            self.window.until()
        );
        Err(store::Error::Conflict(text).into())
    }

    fn delegation(&self, board: &BoardRow, row: ContributionRow) -> Result<Delegation, Invalid> {
        let offer = row.said.offer.ok_or_else(|| Invalid::new("it is not offered any more"))?;
        if row.by == self.user {
            return Err(Invalid::new("one does not book from oneself"));
        }
        if !offer.is_for(&self.project, &self.window) {
            return Err(Invalid::new(format!("it is offered for {} h at most", offer.max_hours)));
        }
        if row.said.hours.as_ref().is_some_and(|hours| !hours.cover(&self.window)) {
            return Err(Invalid::new("the time does not lie in its hours"));
        }
        Ok(Delegation {
            id: DelegationId::new(),
            parent: None,
            resource: Resource::Board(board.id),
            delegator: row.by,
            delegated: self.user.clone(),
            rights: self.part_of(offer.rights)?,
            window: self.window,
            depth: 0,
            hold: Hold::Exclusive,
            revoked: false,
        })
    }

    fn part_of(&self, offered: Rights) -> Result<Rights, Invalid> {
        if self.rights.is_empty() {
            return Ok(offered);
        }
        let held: Vec<Action> =
            self.known.iter().copied().filter(|action| offered.allow(action.name)).collect();
        delegations::spelled_out(&self.rights, &held)
    }
}
