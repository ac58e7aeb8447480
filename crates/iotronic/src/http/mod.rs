//! The floor that speaks HTTP: reads requests, asks `app`, writes answers, decides nothing.

pub mod openapi;
pub mod tunnel;
mod upgrade;
pub mod wamp;

use crate::cloud::Cloud;

/// The address a connection comes from; whoever accepts connections puts it into each request's extensions, so that failed
/// sign-ins can be counted by it.
#[derive(Debug, Clone, Copy)]
pub struct Peer(pub std::net::SocketAddr);

/// Everything that is served on the public port.
pub fn router(cloud: Cloud) -> axum::Router {
    axum::Router::new().with_state(cloud)
}
