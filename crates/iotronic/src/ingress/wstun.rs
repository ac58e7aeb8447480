//! Who may have which public port by upstream's tunnels.
//!
//! Invariant: a port is given to nobody but for an exposure of a legacy board that is connected now, and where the client
//! says which board it is, to that board only. The client proves nothing: that is upstream's protocol.

use super::session::Session;
use crate::boards::Boards;
use model::service::ExposureState;
use store::exposures::{self, ExposureRow};
use tokio::net::TcpStream;
use tunnel::wstun::{Allowed, Denied, Policy, Request, Visit};
use tunnel::{Accounted, Endpoint};

/// The policy.
pub(crate) struct Allow {
    pub(super) boards: Boards,
}

impl Policy for Allow {
    async fn allow(&self, request: &Request) -> Result<Allowed, Denied> {
        let judged = self.judge(request).await;
        if let Err(denied) = &judged {
            tracing::warn!(peer = %request.peer, port = %request.port, board = request.board, reason = denied.reason, legacy = true, "refused a tunnel");
        }
        judged.map(|()| Allowed::Bind)
    }

    async fn admit(&self, visit: Visit, client: TcpStream) -> Option<Box<dyn Endpoint>> {
        let store = self.boards.store();
        let port = visit.port.get();
        let exposure = exposures::by_public_port(store, port).await.ok().flatten()?;
        let session = Session::begin(store, &super::place(&exposure, port), visit.from.ip());
        match session {
            Ok(mut session) => {
                session.ends("done");
                Some(Box::new(Accounted::new(client, session)))
            }
            Err(error) => {
                tracing::warn!(%error, port, legacy = true, "a connection cannot be written into the audit and was turned away");
                None
            }
        }
    }
}

impl Allow {
    async fn judge(&self, request: &Request) -> Result<(), Denied> {
        let port = request.port.get();
        let found = exposures::by_public_port(self.boards.store(), port).await;
        let exposure = match found {
            Ok(exposure) => exposure.filter(is_open),
            Err(error) => {
                tracing::error!(%error, port, "an exposure could not be read");
                None
            }
        };
        let Some(exposure) = exposure else {
            return Err(denied("no service of an upstream board is enabled on this port"));
        };
        let board = exposure.board.to_string();
        if request.board.as_ref().is_some_and(|said| !said.eq_ignore_ascii_case(&board)) {
            return Err(denied("this port is another board's"));
        }
        if !self.boards.is_connected(exposure.board) {
            return Err(denied("the board of this port is not connected; connect it first"));
        }
        Ok(())
    }
}

fn is_open(exposure: &ExposureRow) -> bool {
    exposure.legacy && exposure.state != ExposureState::Disabling
}

fn denied(reason: &str) -> Denied {
    Denied { reason: reason.to_owned() }
}
