//! Bookings: boards for oneself and for a time; offers: which can be had.

use crate::failure::Failure;
use crate::operation::Query;
use crate::output::Output;
use crate::session::Session;
use api::Page;
use api::bookings::{Booked, New, OFFERS, PATH, Which};
use clap::{Args, Subcommand};
use model::Timestamp;
use serde_json::Value;

const COLUMNS: &[&str] = &["id", "resource", "delegator", "from", "until"];
const OFFERED: &[&str] = &["board", "name", "distance_m", "sensors", "max_hours"];

/// Bookings: boards for oneself and for a time, out of what their owners offer.
#[derive(Subcommand)]
pub(crate) enum Command {
    /// Book boards: as many as are asked for, or none. `delegation delete` gives one back.
    Create(Booking),
    /// List the boards that one may book, the nearest first.
    Offers(Where),
}

/// Which boards.
#[derive(Args)]
pub(crate) struct Where {
    /// With these labels, such as kind=lamp.
    #[arg(long)]
    selector: Option<String>,
    /// With a sensor of this name.
    #[arg(long)]
    sensor: Option<String>,
    /// Near this place: LATITUDE,LONGITUDE.
    #[arg(long, allow_hyphen_values = true)]
    near: Option<String>,
    /// Within so many metres of it.
    #[arg(long, requires = "near")]
    radius_m: Option<f64>,
}

/// What is booked.
#[derive(Args)]
pub(crate) struct Booking {
    #[command(flatten)]
    which: Where,
    /// How many.
    #[arg(long, default_value_t = 1)]
    count: u32,
    /// From when (default now), as 2026-01-31T09:00:00Z.
    #[arg(long)]
    from: Option<Timestamp>,
    /// Until when.
    #[arg(long)]
    until: Timestamp,
    /// What is to be done with them (default: whatever their offers allow).
    #[arg(short = 'r', long = "right")]
    rights: Vec<String>,
}

impl Command {
    pub(crate) fn run(self, session: &Session, out: &mut Output) -> Result<(), Failure> {
        match self {
            Self::Create(booking) => {
                let booked: Booked = session.client.post(PATH, &booking.into_new())?;
                out.list(&booked.items, COLUMNS)
            }
            Self::Offers(which) => {
                let Which { selector, sensor, near, radius_m } = which.into_which();
                let query = Query::default()
                    .add("selector", selector)
                    .add("sensor", sensor)
                    .add("near", near)
                    .add("radius_m", radius_m.map(|metres| metres.to_string()));
                let offers: Page<Value> = session.client.get(&query.on(OFFERS))?;
                out.list(&offers.items, OFFERED)
            }
        }
    }
}

impl Where {
    fn into_which(self) -> Which {
        let Self { selector, sensor, near, radius_m } = self;
        Which { selector, sensor, near, radius_m }
    }
}

impl Booking {
    fn into_new(self) -> New {
        let Which { selector, sensor, near, radius_m } = self.which.into_which();
        let (count, rights) = (Some(self.count), self.rights);
        New { selector, sensor, near, radius_m, count, from: self.from, until: self.until, rights }
    }
}
