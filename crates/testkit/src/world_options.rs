//! What a world is like before it starts.
//!
//! Invariant: whatever is said here, all ports of the cloud are those of the world's slot.

use crate::slot::SERVICE_PORTS;
use std::net::Ipv4Addr;

/// What a world is like.
#[derive(Debug, Clone)]
pub struct WorldOptions {
    pub(crate) settings: Vec<(String, String)>,
    pub(crate) address: Ipv4Addr,
    pub(crate) service_ports: u16,
}

impl Default for WorldOptions {
    fn default() -> Self {
        Self { settings: Vec::new(), address: Ipv4Addr::LOCALHOST, service_ports: SERVICE_PORTS }
    }
}

impl WorldOptions {
    /// So many public ports and no more, up to 15.
    #[must_use]
    pub fn service_ports(mut self, count: u16) -> Self {
        self.service_ports = count.clamp(1, SERVICE_PORTS);
        self
    }

    /// A setting of the cloud, such as `liveness.idle_ping_s`.
    #[must_use]
    pub fn set(mut self, key: &str, value: &str) -> Self {
        self.settings.push((variable("IOTRONIC", key), value.to_owned()));
        self
    }

    /// Listens at this address instead of loopback, in plain text.
    #[must_use]
    pub fn at(mut self, address: Ipv4Addr) -> Self {
        self.address = address;
        self.set("api.allow_plain", "true").set("services.listen", &address.to_string())
    }
}

/// The environment variable of a setting.
pub(crate) fn variable(prefix: &str, key: &str) -> String {
    format!("{prefix}__{}", key.to_uppercase().replace('.', "__"))
}
