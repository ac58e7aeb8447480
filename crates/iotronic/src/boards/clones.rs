//! One key, two machines: who proves the key of a board that has a session is let in only when that session is dead.
//!
//! Invariants: a session is dead when it does not answer a ping in time, which is what a board that was restarted or whose
//! network changed leaves behind; two that live are the board neither of them, and the store says so before anybody is told.
//! Deliberately not here: the decision, which is a person's (`app/parking`).

use super::policy::{Gate, Kick};
use super::registry::Occupant;
use model::board::Parked;
use model::{BoardId, OperationId};
use rpc::handshake::PARKED_KEY;
use rpc::{Method, Request, uri};
use serde_json::json;
use std::net::SocketAddr;
use std::time::Duration;
use store::boards::BoardRow;
use tunnel::{GoAway, GoAwayCode};
use wamp::{Abort, Arguments, CallOptions};

/// Time the earlier session gets to show that it lives, as that of an upstream board.
const PROOF_WITHIN: Duration = Duration::from_secs(2);
/// Longest instance that is remembered.
const MAX_INSTANCE: usize = 64;
/// What both machines are told.
const PARKED: &str = "two machines answer with this board's key; neither is the board until somebody decides: \
                      s4t board unpark, or s4t board replace";

impl Gate {
    /// Refuses a machine whose board has another one that lives, and parks the board.
    pub(super) async fn refuse_clone(
        &self,
        board: &BoardRow,
        instance: &str,
        peer: Option<SocketAddr>,
    ) -> Result<(), Abort> {
        let Some(held) = self.registry.occupant(board.id) else { return Ok(()) };
        // One process with two sessions has lost the first.
        let is_same = !instance.is_empty() && held.instance == instance;
        if is_same || !self.lives(board, held.session).await {
            return Ok(());
        }
        self.park(board.id, &held, peer).await?;
        Err(parked())
    }

    async fn lives(&self, board: &BoardRow, session: u64) -> bool {
        let Some(agent) = self.agent.get() else { return false };
        let method = Method::DevicePing.word();
        let now = self.now();
        let request = Request::new(
            OperationId::new(),
            board.id,
            board.project.clone(),
            method,
            now,
            Some(now.after(PROOF_WITHIN)),
        );
        let procedure = uri::board_procedure(session, board.id, method);
        let arguments = Arguments::list(vec![json!(request), json!({})]);
        let called = agent.call(&procedure, arguments, CallOptions::within(PROOF_WITHIN)).await;
        match called.map_err(super::call::failure) {
            // Whatever it says, it is there.
            Ok(_) | Err(super::call::Failure::Garbage(_) | super::call::Failure::Busy) => true,
            Err(super::call::Failure::Lost | super::call::Failure::Late) => false,
        }
    }

    async fn park(
        &self,
        board: BoardId,
        held: &Occupant,
        newcomer: Option<SocketAddr>,
    ) -> Result<(), Abort> {
        let parked = Parked {
            since: self.now(),
            holder: held.address,
            newcomer: newcomer.map(|peer| peer.ip()),
        };
        tracing::error!(
            %board, holder = ?parked.holder, newcomer = ?parked.newcomer,
            "two machines answer with one board's key; the board is parked"
        );
        let job = self.store.write(move |tx| {
            Box::pin(async move { store::boards::park(tx, board, &parked).await })
        });
        job.await.map_err(super::policy::storeless)?;
        let kick = Kick { session: held.session, reason: PARKED.to_owned() };
        if self.kicks.try_send(kick).is_err() {
            tracing::error!(session = held.session, "too many sessions to end at once");
        }
        if let Some(link) = self.links.take(board) {
            link.leave(GoAway::new(GoAwayCode::Shutdown, PARKED), Duration::ZERO).await;
        }
        Ok(())
    }
}

fn parked() -> Abort {
    Abort::new(PARKED_KEY, PARKED)
}

/// Refuses a machine while its board is parked, and one that is not where the decision said.
pub(super) fn check_decided(board: &BoardRow, peer: Option<SocketAddr>) -> Result<(), Abort> {
    if board.parked.is_some() {
        return Err(parked());
    }
    let Some(from) = board.admits_from else { return Ok(()) };
    if peer.is_some_and(|peer| peer.ip().to_canonical() == from.to_canonical()) {
        return Ok(());
    }
    tracing::warn!(board = %board.id, ?peer, %from, "refused a machine that is not where the board was said to be");
    let text = "after two machines answered with this key, another address was said to be the board's until it has a new key";
    Err(Abort::new(PARKED_KEY, text))
}

/// A machine's word for one life of its process; one that is too long counts as none.
pub(super) fn instance(said: String) -> String {
    if said.len() <= MAX_INSTANCE { said } else { String::new() }
}
