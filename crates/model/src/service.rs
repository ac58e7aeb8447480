//! Services: what listens on a board and can be reached through the cloud.

use crate::Invalid;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::str::FromStr;
use utoipa::ToSchema;

/// A TCP port, 1 to 65535.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema,
)]
#[serde(try_from = "u32", into = "u32")]
#[schema(value_type = u16, minimum = 1)]
pub struct Port(u16);

impl Port {
    /// The number.
    #[must_use]
    pub fn number(self) -> u16 {
        self.0
    }
}

impl TryFrom<u32> for Port {
    type Error = Invalid;
    fn try_from(number: u32) -> Result<Self, Invalid> {
        match u16::try_from(number) {
            Ok(port) if port > 0 => Ok(Self(port)),
            _ => Err(Invalid::new(format!("{number} is not a port: 1 to 65535"))),
        }
    }
}

impl From<Port> for u32 {
    fn from(port: Port) -> u32 {
        port.0.into()
    }
}

impl fmt::Display for Port {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl FromStr for Port {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        text.parse::<u32>()
            .map_err(|_| Invalid::new(format!("{text:?} is not a port: 1 to 65535")))?
            .try_into()
    }
}

/// What the service speaks below.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Protocol {
    /// A byte stream.
    #[default]
    Tcp,
}

/// Where the exposure of a service on a board stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ExposureState {
    /// The port is reserved; the board has not confirmed yet.
    Enabling,
    /// Reachable whenever the board is online.
    Enabled,
    /// Cut for users already; the board has not confirmed yet.
    Disabling,
}

impl ExposureState {
    /// The word used everywhere.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Enabling => "enabling",
            Self::Enabled => "enabled",
            Self::Disabling => "disabling",
        }
    }
}

impl FromStr for ExposureState {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        match text {
            "enabling" => Ok(Self::Enabling),
            "enabled" => Ok(Self::Enabled),
            "disabling" => Ok(Self::Disabling),
            _ => Err(Invalid::new(format!(
                "{text:?} is not an exposure state: enabling enabled disabling"
            ))),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_one_to_65535() {
        assert_eq!(serde_json::from_str::<Port>("22").unwrap().number(), 22);
        for wrong in ["0", "65536", "-1", "\"22\""] {
            assert!(serde_json::from_str::<Port>(wrong).is_err(), "{wrong}");
        }
    }
}
