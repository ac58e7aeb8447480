//! Offers: boards that their owners let others book, found by what they can do and where they are.
//!
//! Deliberately not here: whether they are free (`bookings`, in the transaction that books).

use crate::app::Error;
use crate::app::access::Caller;
use crate::cloud::Cloud;
use api::bookings::Which;
use api::contributions::Offer;
use model::board::Position;
use model::contribution::{self, Contribution};
use model::label::Selector;
use model::{Invalid, ProjectId};
use store::Page;
use store::boards::{self, Among, BoardRow, Filter};
use store::contributions;

/// Most boards that are looked at for one booking or list of offers.
const MAX_LOOKED_AT: usize = contributions::MAX_OFFERED as usize;
/// Metres when nothing is said.
const RADIUS_M: f64 = 1_000.0;

/// Boards that the caller may book, the nearest first.
///
/// # Errors
/// A filter is not valid.
pub async fn list(cloud: &Cloud, caller: &Caller, which: &Which) -> Result<Vec<Offer>, Error> {
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

/// A board that somebody may book.
pub(super) struct Found {
    pub(super) board: BoardRow,
    distance_m: Option<f64>,
    offer: contribution::Offer,
    said: Contribution,
}

/// What is offered to people of `project`, the nearest first.
///
/// # Errors
/// A filter is not valid, or the database failed.
pub(super) async fn candidates(
    cloud: &Cloud,
    project: &ProjectId,
    which: &Which,
) -> Result<Vec<Found>, Error> {
    let (near, radius_m) = place(which)?;
    let selector: Selector = which.selector.as_deref().unwrap_or_default().parse()?;
    let mut said = contributions::offered(&cloud.store).await?;
    let mut found = Vec::new();
    for board in offered(cloud, selector).await? {
        if which.sensor.as_ref().is_some_and(|name| !board.facts.sensors.contains(name)) {
            continue;
        }
        let distance_m = near.and_then(|near| Some(position(&board)?.metres_to(&near)));
        if near.is_some() && distance_m.is_none_or(|metres| metres > radius_m) {
            continue;
        }
        let Some(row) = said.remove(&board.id) else { continue };
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
