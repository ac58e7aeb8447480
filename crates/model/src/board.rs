//! A board's life cycle and position.

use crate::{Invalid, Timestamp};
use serde::{Deserialize, Serialize};
use std::fmt;
use std::net::IpAddr;
use std::str::FromStr;
use utoipa::ToSchema;

/// Where a board stands in its life (upstream's words, and two more).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Known, and never seen: its first key has not been presented yet.
    Registered,
    /// Enrolled, and not connected now.
    Offline,
    /// Connected, and able to be called.
    Online,
    /// Enrolled before, waiting for another machine to take over its identity.
    Replacing,
    /// Given up: its key is refused for good.
    Decommissioned,
}

/// What happens to a board.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A key was bound to it by a claim.
    Enrolled,
    /// It can be called.
    CameOnline,
    /// Its control channel ended.
    WentOffline,
    /// The operator wants another machine to take over.
    ReplacementClaimed,
    /// The operator gives it up.
    Decommissioned,
}

impl Status {
    /// The next status.
    ///
    /// # Errors
    /// The move is not legal; the text says why.
    pub fn next(self, event: Event) -> Result<Self, Invalid> {
        use Event as E;
        use Status as S;
        match (self, event) {
            (S::Decommissioned, _) => {
                Err(Invalid::new("the board is decommissioned; claim a new one"))
            }
            (_, E::Decommissioned) => Ok(S::Decommissioned),
            (S::Registered | S::Replacing | S::Offline | S::Online, E::Enrolled) => Ok(S::Offline),
            (S::Offline | S::Online | S::Replacing, E::CameOnline) => Ok(S::Online),
            (S::Offline | S::Online, E::WentOffline) => Ok(S::Offline),
            (S::Replacing, E::WentOffline) => Ok(S::Replacing),
            (S::Offline | S::Online | S::Replacing, E::ReplacementClaimed) => Ok(S::Replacing),
            (S::Registered, E::CameOnline | E::WentOffline) => {
                Err(Invalid::new("the board is not enrolled yet"))
            }
            (S::Registered, E::ReplacementClaimed) => {
                Err(Invalid::new("the board was never enrolled; its first claim is still open"))
            }
        }
    }

    /// The word used everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Registered => "registered",
            Self::Offline => "offline",
            Self::Online => "online",
            Self::Replacing => "replacing",
            Self::Decommissioned => "decommissioned",
        }
    }
}

impl fmt::Display for Status {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.word())
    }
}

impl FromStr for Status {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        [Self::Registered, Self::Offline, Self::Online, Self::Replacing, Self::Decommissioned]
            .into_iter()
            .find(|status| status.word() == text)
            .ok_or_else(|| {
                Invalid::new(format!(
                    "{text:?} is not a board status: registered, offline, online, replacing or decommissioned"
                ))
            })
    }
}

/// Two machines answered with the key of one board at the same time. Neither is the board until somebody decides.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct Parked {
    /// Since when.
    pub since: Timestamp,
    /// Where the machine was that was connected.
    #[schema(value_type = Option<String>)]
    pub holder: Option<IpAddr>,
    /// Where the other one came from.
    #[schema(value_type = Option<String>)]
    pub newcomer: Option<IpAddr>,
}

/// Where a board is (WGS 84).
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, try_from = "RawPosition")]
pub struct Position {
    /// Degrees north, -90 to 90.
    pub latitude: f64,
    /// Degrees east, -180 to 180.
    pub longitude: f64,
    /// Metres above the ellipsoid.
    pub altitude: f64,
}

impl Position {
    /// On the ground.
    ///
    /// # Errors
    /// The degrees are out of range.
    pub fn at(latitude: f64, longitude: f64) -> Result<Self, Invalid> {
        RawPosition { latitude, longitude, altitude: 0.0 }.try_into()
    }

    /// Metres to another one along the surface of a sphere of the Earth's mean radius (6,371,008.8 m; haversine).
    #[must_use]
    pub fn metres_to(&self, other: &Self) -> f64 {
        let (lat, other_lat) = (self.latitude.to_radians(), other.latitude.to_radians());
        let (dlat, dlon) = (other_lat - lat, (other.longitude - self.longitude).to_radians());
        let half =
            (dlat / 2.0).sin().powi(2) + lat.cos() * other_lat.cos() * (dlon / 2.0).sin().powi(2);
        2.0 * 6_371_008.8 * half.sqrt().min(1.0).asin()
    }
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawPosition {
    latitude: f64,
    longitude: f64,
    #[serde(default)]
    altitude: f64,
}

impl TryFrom<RawPosition> for Position {
    type Error = Invalid;
    fn try_from(raw: RawPosition) -> Result<Self, Invalid> {
        if !(-90.0..=90.0).contains(&raw.latitude) || !(-180.0..=180.0).contains(&raw.longitude) {
            return Err(Invalid::new(
                "latitude lies in -90..90 and longitude in -180..180 degrees",
            ));
        }
        if !(-100_000.0..=1_000_000.0).contains(&raw.altitude) {
            return Err(Invalid::new("altitude lies in -100,000..1,000,000 metres"));
        }
        Ok(Self { latitude: raw.latitude, longitude: raw.longitude, altitude: raw.altitude })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn distances_are_those_of_the_globe() {
        let at = |latitude, longitude| Position { latitude, longitude, altitude: 0.0 };
        let quarter = at(0.0, 0.0).metres_to(&at(0.0, 90.0));
        assert!((quarter - 10_007_557.2).abs() < 1.0, "{quarter}");
        let step = at(38.19, 15.55).metres_to(&at(38.20, 15.55));
        assert!((step - 1_111.95).abs() < 0.1, "{step}");
        let over_the_date_line = at(0.0, 179.9).metres_to(&at(0.0, -179.9));
        assert!((over_the_date_line - 22_239.0).abs() < 1.0, "{over_the_date_line}");
        assert!(at(1.0, 1.0).metres_to(&at(1.0, 1.0)).abs() < 1e-6);
    }

    #[test]
    fn a_board_is_online_only_after_it_was_enrolled_and_never_after_it_was_given_up() {
        assert!(Status::Registered.next(Event::CameOnline).is_err());
        let enrolled = Status::Registered.next(Event::Enrolled).unwrap();
        assert_eq!(enrolled.next(Event::CameOnline), Ok(Status::Online));
        assert!(Status::Decommissioned.next(Event::Enrolled).is_err());
    }

    #[test]
    fn positions_are_on_the_globe() {
        assert!(
            serde_json::from_str::<Position>(r#"{"latitude":38.19,"longitude":15.55}"#).is_ok()
        );
        assert!(
            serde_json::from_str::<Position>(r#"{"latitude":138.19,"longitude":15.55}"#).is_err()
        );
    }
}
