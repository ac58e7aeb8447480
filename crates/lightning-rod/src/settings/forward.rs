//! `[forward]`: which ports of the board people of the cloud may reach without a service (`s4t forward`). All of them where
//! nothing is said: whoever may forward may also make services.

use model::service::Port;
use serde::Deserialize;
use std::ops::RangeInclusive;

/// `[forward]`
#[derive(Debug, Clone, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Forward {
    /// Ports, such as `"22"`, and ranges of them, such as `"8000-8999"`; an empty list: none.
    pub ports: Option<Vec<Ports>>,
}

/// A port, or a range of ports.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Ports(RangeInclusive<u16>);

impl Forward {
    /// Whether the owner lets this port be reached.
    #[must_use]
    pub fn allows(&self, port: Port) -> bool {
        let has = |ports: &Vec<Ports>| ports.iter().any(|ports| ports.0.contains(&port.number()));
        self.ports.as_ref().is_none_or(has)
    }
}

impl TryFrom<String> for Ports {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is neither a port, such as 22, nor a range, such as 8000-8999");
        let port = |text: &str| text.trim().parse::<u16>().ok().filter(|port| *port > 0);
        let (first, last) = text.split_once('-').unwrap_or((&text, &text));
        let first = port(first).ok_or_else(wrong)?;
        let last = port(last).filter(|last| first <= *last).ok_or_else(wrong)?;
        Ok(Self(first..=last))
    }
}
