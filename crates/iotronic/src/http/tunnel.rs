//! `GET /tunnel`: the boards' links.

use crate::cloud::Cloud;
use axum::Router;

/// The route.
pub fn routes() -> Router<Cloud> {
    Router::new()
}
