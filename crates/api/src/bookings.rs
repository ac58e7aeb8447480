//! Bookings: boards for oneself and for a time, by what they can do and where they are.

use model::Timestamp;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

/// Path of the collection.
pub const PATH: &str = "/v2/bookings";
/// Path of what can be booked.
pub const OFFERS: &str = "/v2/offers";
/// Most boards of one booking.
pub const MAX_COUNT: u32 = 100;

/// Which boards.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize, IntoParams)]
#[serde(default, deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub struct Which {
    /// With these labels, such as `kind=lamp`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// With a sensor of this name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// Near this place: `LATITUDE,LONGITUDE` in degrees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub near: Option<String>,
    /// Within so many metres of it (default 1,000).
    #[serde(skip_serializing_if = "Option::is_none")]
    pub radius_m: Option<f64>,
}

/// A new booking: all its boards, or none.
#[derive(Debug, Clone, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewBooking)]
pub struct New {
    /// With these labels, such as `kind=lamp`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub selector: Option<String>,
    /// With a sensor of this name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub sensor: Option<String>,
    /// Near this place, the nearest first: `LATITUDE,LONGITUDE` in degrees.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub near: Option<String>,
    /// Within so many metres of it (default 1,000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub radius_m: Option<f64>,
    /// How many (default 1).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub count: Option<u32>,
    /// From when (default now).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Timestamp>,
    /// Until when.
    pub until: Timestamp,
    /// What is to be done with them (default: whatever their offers allow).
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub rights: Vec<String>,
}

impl New {
    /// Which boards.
    #[must_use]
    pub fn which(&self) -> Which {
        Which {
            selector: self.selector.clone(),
            sensor: self.sensor.clone(),
            near: self.near.clone(),
            radius_m: self.radius_m,
        }
    }
}

/// What was booked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, ToSchema)]
pub struct Booked {
    /// An exclusive delegation for each board; deleting it gives the board back.
    pub items: Vec<crate::delegations::Delegation>,
}
