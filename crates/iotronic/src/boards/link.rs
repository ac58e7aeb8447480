//! One board's data link: who brings it, and its life.
//!
//! Invariant: nobody brings the link of a board without a signature by that board's key over this handshake; a board that
//! was given up brings none.

use super::Boards;
use model::BoardId;
use model::board::Status;
use std::net::SocketAddr;
use std::time::Duration;
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
        let connection = match handshake::accept(socket, self, HANDSHAKE_DEADLINE).await {
            Ok(connection) => connection,
            Err(error) => {
                tracing::warn!(?peer, %error, "refused a link");
                return;
            }
        };
        let Ok(board) = connection.identity().parse::<BoardId>() else { return };
        let settings = tunnel::Settings { liveness: self.watch(), ..tunnel::Settings::default() };
        let (link, driver) = Link::new(connection, NotAccepting, settings);
        let (number, old) = self.links().insert(board, link);
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
}

impl Gatekeeper for Boards {
    async fn verify(
        &self,
        identity: &str,
        transcript: &[u8],
        signature: &[u8; SIGNATURE],
    ) -> Result<(), String> {
        let refused = || REFUSAL.to_owned();
        let id: BoardId = identity.parse().map_err(|_| refused())?;
        let board = store::boards::by_id(self.store(), None, id).await.map_err(|_| refused())?;
        let key = board.public_key.filter(|_| board.status != Status::Decommissioned);
        match key {
            Some(key) if key.verifies(transcript, signature) => Ok(()),
            _ => Err(refused()),
        }
    }

    fn sign(&self, transcript: &[u8]) -> [u8; SIGNATURE] {
        self.key().sign(transcript)
    }
}
