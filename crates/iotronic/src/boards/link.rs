//! One board's data link: who brings it, and its life.
//!
//! Invariant: nobody brings the link of a board without a signature by that board's key over this handshake; a board that
//! was given up, is parked or has another key by now brings none.

use super::Boards;
use base::key::PublicKey;
use model::BoardId;
use model::board::Status;
use std::net::SocketAddr;
use std::sync::OnceLock;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite};
use tunnel::handshake::{self, Gatekeeper, HANDSHAKE_DEADLINE, SIGNATURE};
use tunnel::{GoAway, GoAwayCode, Link, NotAccepting};
use websocket::WebSocket;

/// What a dialler is told, whatever was wrong: it knows its own key, and a stranger learns nothing.
const REFUSAL: &str =
    "no board of this identity and key is known here; enrol it, or look at its status in the cloud";

impl Boards {
    /// Runs the connection of a board's link to its end.
    pub(crate) async fn serve_link<S>(&self, socket: WebSocket<S>, peer: Option<SocketAddr>)
    where
        S: AsyncRead + AsyncWrite + Unpin + Send,
    {
        let door = Door { boards: self, proven: OnceLock::new() };
        let connection = match handshake::accept(socket, &door, HANDSHAKE_DEADLINE).await {
            Ok(connection) => connection,
            Err(error) => {
                if let Some(count) = self.link_strangers().turned_away(Instant::now()) {
                    tracing::warn!(?peer, %error, count, "refused a link");
                }
                return;
            }
        };
        let Ok(board) = connection.identity().parse::<BoardId>() else { return };
        let settings = tunnel::Settings { liveness: self.watch(), ..tunnel::Settings::default() };
        let (link, driver) = Link::new(connection, NotAccepting, settings);
        let (number, old) = self.links().insert(board, link);
        if self.key_of(board).await.as_ref() != door.proven.get() {
            // It changed between the proof and the entry above; whoever changes it from now on finds the link and ends it.
            tracing::warn!(%board, ?peer, "refused a link: the board has another key by now");
            self.links().remove(board, number);
            return;
        }
        let leave = async {
            if let Some(old) = old {
                let away = GoAway::new(
                    GoAwayCode::Shutdown,
                    "a newer link of the board replaces this one",
                );
                old.leave(away, Duration::ZERO).await;
            }
            std::future::pending::<()>().await;
        };
        tracing::debug!(%board, number, "link stands");
        let ended = tokio::select! {
            ended = driver.run() => ended,
            () = leave => return,
        };
        self.links().remove(board, number);
        tracing::debug!(%board, number, reason = %ended, "link ended");
    }

    /// The key of a board that has one and was neither given up nor parked.
    async fn key_of(&self, id: BoardId) -> Option<PublicKey> {
        let board = store::boards::by_id(self.store(), None, id).await.ok()?;
        board
            .public_key
            .filter(|_| board.status != Status::Decommissioned && board.parked.is_none())
    }
}

/// One link's door: remembers which key was proven there.
struct Door<'a> {
    boards: &'a Boards,
    proven: OnceLock<PublicKey>,
}

impl Gatekeeper for Door<'_> {
    async fn verify(
        &self,
        identity: &str,
        transcript: &[u8],
        signature: &[u8; SIGNATURE],
    ) -> Result<(), String> {
        let refused = || REFUSAL.to_owned();
        let id: BoardId = identity.parse().map_err(|_| refused())?;
        let key = self.boards.key_of(id).await.ok_or_else(refused)?;
        if !key.verifies(transcript, signature) {
            return Err(refused());
        }
        self.proven.set(key).map_err(|_| refused())
    }

    fn sign(&self, transcript: &[u8]) -> [u8; SIGNATURE] {
        self.boards.key().sign(transcript)
    }
}
