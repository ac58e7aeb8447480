//! `[local]`: the page that the board shows to whoever is near it.

use serde::Deserialize;
use std::net::{Ipv4Addr, SocketAddr};

/// Upstream's port.
const PORT: u16 = 1474;

/// `[local]`
#[derive(Debug, Clone, Copy, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Local {
    /// Whether there is a page.
    pub enabled: bool,
    /// Where. Everybody who reaches it reads the board's status, and configures a board that belongs to no cloud yet.
    pub listen: SocketAddr,
}

impl Default for Local {
    fn default() -> Self {
        Self { enabled: false, listen: SocketAddr::from((Ipv4Addr::LOCALHOST, PORT)) }
    }
}
