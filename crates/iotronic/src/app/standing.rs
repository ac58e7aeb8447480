//! Standing: somebody's right to go on with something that lasts, such as a terminal or a stream of a board.
//!
//! Invariant: whoever waits for [`Standing::lost`] hears of it at once when a role, a sign-in or a delegation is taken away,
//! and within [`TICK`] when the time of one is over.

use crate::app::access::{Basis, Caller};
use crate::app::{Error, boards};
use crate::cloud::Cloud;
use crate::identity::tokens::Statement;
use model::board::Status;
use model::delegation::Part;
use model::{BoardId, Kind, Timestamp};
use rpc::Fault;
use std::time::Duration;
use tokio::time::sleep;

/// How late the end of a time may be noticed.
pub const TICK: Duration = Duration::from_millis(500);

/// Somebody's right to go on.
pub struct Standing {
    cloud: Cloud,
    caller: Caller,
    said: Statement,
    board: BoardId,
    part: Option<Part>,
    end: End,
}

/// When a sign-in ends, whatever else happens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// At this moment.
    At(Timestamp),
    /// With the session, which its page prolongs by being used.
    WithSession,
}

impl Standing {
    /// To do with `board` what the caller came for, by its sign-in.
    #[must_use]
    pub fn new(cloud: &Cloud, caller: Caller, said: Statement, board: BoardId, end: End) -> Self {
        Self { cloud: cloud.clone(), caller, said, board, part: None, end }
    }

    /// The same with a plugin or service on the board, which may be lent without it.
    #[must_use]
    pub fn about(self, part: Option<Part>) -> Self {
        Self { part, ..self }
    }

    /// Waits until it is lost; why.
    pub async fn lost(&self) -> Fault {
        let mut delegations = self.cloud.store.watch_rights();
        let mut grants = self.cloud.sign_in.watch();
        loop {
            delegations.borrow_and_update();
            grants.borrow_and_update();
            let until = match self.check().await {
                // At least one step, should an end lie on the very moment.
                Ok(until) => until.max(self.cloud.now().after(Duration::from_millis(1))),
                Err(fault) => return fault,
            };
            while self.cloud.now() < until {
                tokio::select! {
                    Ok(()) = delegations.changed() => break,
                    Ok(()) = grants.changed() => break,
                    () = sleep(TICK) => {}
                }
            }
        }
    }

    /// Whether it is there still; until when, if nothing is taken away before.
    ///
    /// # Errors
    /// It is not; why.
    pub async fn check(&self) -> Result<Timestamp, Fault> {
        let over = |kind, text: &str| Err(Fault::new(kind, text));
        let (cloud, now) = (&self.cloud, self.cloud.now());
        let until = match self.end {
            End::At(moment) => moment,
            End::WithSession => cloud.sign_in.session_end(&self.said),
        };
        if now >= until {
            return over(Kind::Unauthenticated, "your sign-in has expired; sign in again");
        }
        let grant = match cloud.sign_in.grant(&cloud.store, &self.said, now).await {
            Ok(Some(grant)) => grant,
            Ok(None) => return over(Kind::Unauthenticated, "your sign-in is not valid any more"),
            // Without an answer nobody stays in.
            Err(_) => return over(Kind::Internal, "the cloud cannot tell whether you still may"),
        };
        let caller = Caller::new(grant, self.caller.action());
        match self.basis(&caller).await {
            Ok(Basis::Roles) => Ok(until),
            Ok(Basis::Delegation(_, end)) => Ok(until.min(end)),
            Err(error) if error.kind() != Kind::NotFound => {
                over(error.kind(), &format!("your rights have changed: {error}"))
            }
            Err(_) => {
                over(Kind::NotFound, "the board was given up, or is not lent to you any more")
            }
        }
    }

    async fn basis(&self, caller: &Caller) -> Result<Basis, Error> {
        let (store, now) = (&self.cloud.store, self.cloud.now());
        let board = store::boards::by_id(store, None, self.board).await?;
        if board.status == Status::Decommissioned {
            return Err(store::Error::NotFound { what: "board" }.into());
        }
        boards::basis(store, caller, (board.id, &board.project, self.part), "board", now).await
    }
}
