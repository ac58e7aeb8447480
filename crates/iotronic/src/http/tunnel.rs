//! `GET /tunnel`: the boards' data links. The request is upgraded and the connection handed to `boards`.

use super::Peer;
use super::upgrade::{self, Wanted};
use crate::cloud::Cloud;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;

/// The route.
pub fn routes() -> Router<Cloud> {
    Router::new().route("/tunnel", get(link))
}

async fn link(State(cloud): State<Cloud>, request: Request) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let wanted =
        Wanted { subprotocols: &[], limits: tunnel::handshake::limits(), tune: tunnel::tune };
    upgrade::upgrade(request, wanted, move |socket, _| async move {
        match socket {
            upgrade::Socket::Plain(socket) => cloud.boards.serve_link(socket, peer).await,
            upgrade::Socket::Encrypted(socket) => cloud.boards.serve_link(socket, peer).await,
            upgrade::Socket::Other(socket) => cloud.boards.serve_link(socket, peer).await,
        }
    })
}
