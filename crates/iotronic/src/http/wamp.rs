//! `GET /wamp`: the boards' control channel.

use crate::cloud::Cloud;
use axum::Router;

/// The route.
pub fn routes() -> Router<Cloud> {
    Router::new()
}
