//! Bookings: boards by what they can do and where they are, for a time, out of what their owners offer.
//!
//! Invariants: of what is asked for, all boards are booked or none; a board is booked for one at a time. A booking is an
//! exclusive delegation from whoever made the offer, and ends like one.

use crate::app::access::Caller;
use crate::app::{Error, delegations};
use crate::cloud::Cloud;
use api::bookings::{MAX_COUNT, New, Which};
use api::contributions::Offer;
use model::access::Action;
use model::board::Position;
use model::contribution::{self, Contribution};
use model::delegation::{Delegation, Hold, Resource, Rights, Target, Window};
use model::label::Selector;
use model::{DelegationId, Invalid, ProjectId, UserId};
use store::boards::{self, Among, BoardRow, Filter};
use store::contributions::{self, ContributionRow};
use store::delegations::DelegationRow;
use store::{Page, Tx};

/// Most boards that are looked at for one booking or list of offers.
const MAX_LOOKED_AT: usize = 20_000;
/// Metres when nothing is said.
const RADIUS_M: f64 = 1_000.0;

/// Boards that the caller may book, the nearest first.
///
/// # Errors
/// A filter is not valid.
pub async fn offers(cloud: &Cloud, caller: &Caller, which: &Which) -> Result<Vec<Offer>, Error> {
    let mut offers = Vec::new();
    for found in candidates(cloud, caller.project(), which).await? {
        let Found { board, distance_m, offer, said, .. } = found;
        offers.push(Offer {
            board: board.id,
            position: position(&board),
            distance_m,
            sensors: board.facts.sensors.iter().cloned().collect(),
            name: board.name,
            rights: offer.rights,
            hours: said.hours,
            max_hours: offer.max_hours,
        });
    }
    Ok(offers)
}

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

struct Found {
    board: BoardRow,
    distance_m: Option<f64>,
    offer: contribution::Offer,
    said: Contribution,
}

/// What is offered to people of `project`, the nearest first.
async fn candidates(
    cloud: &Cloud,
    project: &ProjectId,
    which: &Which,
) -> Result<Vec<Found>, Error> {
    let (near, radius_m) = place(which)?;
    let selector: Selector = which.selector.as_deref().unwrap_or_default().parse()?;
    let mut found = Vec::new();
    for board in offered(cloud, selector).await? {
        if which.sensor.as_ref().is_some_and(|name| !board.facts.sensors.contains(name)) {
            continue;
        }
        let distance_m = near.and_then(|near| Some(position(&board)?.metres_to(&near)));
        if near.is_some() && distance_m.is_none_or(|metres| metres > radius_m) {
            continue;
        }
        let Some(row) = contributions::of(&cloud.store, board.id).await? else { continue };
        let Some(offer) = row.said.offer.clone() else { continue };
        if offer.projects.is_empty() || offer.projects.contains(project) {
            found.push(Found { board, distance_m, offer, said: row.said });
        }
    }
    let distance = |found: &Found| found.distance_m.unwrap_or_default();
    found.sort_by(|one, other| distance(one).total_cmp(&distance(other)));
    Ok(found)
}

async fn offered(cloud: &Cloud, selector: Selector) -> Result<Vec<BoardRow>, Error> {
    let filter = Filter { selector, among: Among::Offered, ..Filter::default() };
    let (mut all, mut page) = (Vec::new(), Page::default());
    loop {
        let rows = boards::list(&cloud.store, None, &filter, page).await?;
        let is_last = rows.len() < page.limit as usize;
        page.marker = rows.last().map(|row| row.id.uuid());
        all.extend(rows);
        if is_last || all.len() >= MAX_LOOKED_AT {
            return Ok(all);
        }
    }
}

fn place(which: &Which) -> Result<(Option<Position>, f64), Invalid> {
    let radius_m = which.radius_m.unwrap_or(RADIUS_M);
    if !(radius_m > 0.0 && radius_m.is_finite()) {
        return Err(Invalid::new(format!("radius_m {radius_m} is not above 0")));
    }
    let Some(text) = &which.near else {
        let alone = which.radius_m.is_some();
        return if alone {
            Err(Invalid::new("radius_m goes with near"))
        } else {
            Ok((None, radius_m))
        };
    };
    let wrong = || {
        Invalid::new(format!(
            "near {text:?} is not LATITUDE,LONGITUDE in degrees, such as 38.19,15.55"
        ))
    };
    let (latitude, longitude) = text.split_once(',').ok_or_else(wrong)?;
    let degrees = |text: &str| text.trim().parse::<f64>().map_err(|_| wrong());
    let near = Position::at(degrees(latitude)?, degrees(longitude)?)?;
    Ok((Some(near), radius_m))
}

/// What a person says, else what the board says.
fn position(board: &BoardRow) -> Option<Position> {
    board.position.or(board.facts.position)
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
