//! `GET /v2/boards/{board}/forward`: the way to a port of a board over a WebSocket, as [`api::forwards`] describes it.
//!
//! Who may not, and what the board refuses, is refused over HTTP. Invariant: whatever ends a forward, the client is told why
//! in the link's last frame, and the event log too.

use crate::app::access::Caller;
use crate::app::forwards::{self, Forward};
use crate::cloud::Cloud;
use crate::http::Peer;
use crate::http::answer::{Answer, Failure};
use crate::http::extract::{Path, Query, SignedIn, wrong};
use crate::http::upgrade::{self, Wanted};
use api::forwards::{Opening, SUBPROTOCOL};
use axum::Extension;
use axum::extract::{Request, State};
use model::Kind;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tunnel::{GoAway, GoAwayCode, Limits, Link, Settings, Side, handshake};
use websocket::WebSocket;

/// Forwards of all boards at one time; further ones are refused.
const MAX_FORWARDS: usize = 1000;
/// Connections in one forward at one time, and the bytes in memory that wait in it, each way.
const LIMITS: Limits =
    Limits { channels: 1000, receive_budget: 4 * 1024 * 1024, send_budget: 4 * 1024 * 1024 };
/// How long connections may finish when the cloud stops.
const GRACE: Duration = Duration::from_secs(1);

/// The places of all forwards. Cloning is cheap.
#[derive(Clone)]
pub(crate) struct Places(Arc<Semaphore>);

impl Default for Places {
    fn default() -> Self {
        Self(Arc::new(Semaphore::new(MAX_FORWARDS)))
    }
}

/// Reach a port of a board: a WebSocket with subprotocol `s4t.forward.v1`, on which both ends speak the frames of a tunnel
/// link. The client opens a channel with key `port` for each connection.
#[utoipa::path(
    get, path = "/v2/boards/{board}/forward", tag = "boards", params(Opening),
    responses((status = 101))
)]
pub(crate) async fn forward(
    caller: Caller,
    SignedIn(said): SignedIn,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Query(opening): Query<Opening>,
    Extension(places): Extension<Places>,
    request: Request,
) -> Answer {
    let from = request.extensions().get::<Peer>().map(|peer| peer.0);
    let asked = forwards::ask(&cloud, caller, said, &board, from).await?;
    let port = opening.port.ok_or_else(|| wrong("port is missing: which port of the board?"))?;
    let place = places.0.try_acquire_owned().map_err(|_| {
        let text = format!("{MAX_FORWARDS} forwards are open, the most there may be; end some");
        Failure::new(Kind::Exhausted, text)
    })?;
    let forward = asked.open(port).await?;
    let opener = Opener { cloud, forward, place };
    let wanted =
        Wanted { subprotocols: &[SUBPROTOCOL], limits: handshake::limits(), tune: tunnel::tune };
    Ok(upgrade::upgrade(request, wanted, move |socket, _| async move {
        match socket {
            upgrade::Socket::Plain(socket) => opener.serve(socket).await,
            upgrade::Socket::Encrypted(socket) => opener.serve(socket).await,
            upgrade::Socket::Other(socket) => opener.serve(socket).await,
        }
    }))
}

/// All that is needed once the WebSocket stands.
struct Opener {
    cloud: Cloud,
    forward: Forward,
    place: OwnedSemaphorePermit,
}

impl Opener {
    async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send>(self, socket: WebSocket<S>) {
        let Self { cloud, forward, place } = self;
        let connection = handshake::vouched(socket, Side::Listened, "client".to_owned());
        let settings = Settings { limits: LIMITS, liveness: cloud.settings.liveness.watch() };
        let (link, driver) = Link::new(connection, forward.way(), settings);
        let standing = forward.standing();
        let begun = forward.opened().await;
        let end = async {
            let (away, grace) = if let Err(fault) = &begun {
                (GoAway::new(GoAwayCode::Revoked, fault.message.clone()), Duration::ZERO)
            } else {
                tokio::select! {
                    fault = standing.lost() => {
                        (GoAway::new(GoAwayCode::Revoked, fault.message), Duration::ZERO)
                    }
                    () = cloud.shutdown.begun() => {
                        (GoAway::new(GoAwayCode::Shutdown, "the cloud is stopping"), GRACE)
                    }
                }
            };
            link.leave(away, grace).await;
            std::future::pending::<()>().await;
        };
        let ended = tokio::select! {
            ended = driver.run() => ended,
            () = end => return,
        };
        if begun.is_ok() {
            forward.closed(&ended.to_string()).await;
        }
        drop(place);
    }
}
