//! `GET /wamp`: the boards' control channel. The request is upgraded and the connection handed to the router.

use super::Peer;
use super::upgrade::{self, Wanted};
use crate::boards::MAX_MESSAGE;
use crate::cloud::Cloud;
use axum::Router;
use axum::extract::{Request, State};
use axum::response::Response;
use axum::routing::get;
use wamp::Serialiser;
use websocket::Limits;

/// The route.
pub fn routes() -> Router<Cloud> {
    Router::new().route("/wamp", get(control))
}

async fn control(State(cloud): State<Cloud>, request: Request) -> Response {
    let peer = request.extensions().get::<Peer>().map(|peer| peer.0);
    let wanted = Wanted {
        subprotocols: &Serialiser::SUBPROTOCOLS,
        limits: Limits { max_message: MAX_MESSAGE },
        tune: |_| Ok(()),
    };
    upgrade::upgrade(request, wanted, move |socket, subprotocol| async move {
        let Some(serialiser) = subprotocol.and_then(Serialiser::from_subprotocol) else { return };
        match socket {
            upgrade::Socket::Plain(socket) => cloud.boards.serve(socket, serialiser, peer).await,
            upgrade::Socket::Encrypted(socket) => {
                cloud.boards.serve(socket, serialiser, peer).await
            }
            upgrade::Socket::Other(socket) => cloud.boards.serve(socket, serialiser, peer).await,
        }
    })
}
