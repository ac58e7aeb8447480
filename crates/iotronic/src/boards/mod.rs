//! The way to the boards.

use model::access::Principal;
use model::BoardId;
use rpc::{Call, Fault};
use serde_json::Value;
use std::time::Duration;

/// Everything that is connected. Cloning is cheap.
#[derive(Clone)]
pub struct Boards;

impl Boards {
    /// Asks a board something that changes nothing: sent at once, recorded behind.
    ///
    /// # Errors
    /// The board is not connected, answers with a fault, answers garbage, or does not answer within `timeout`.
    pub async fn query(
        &self,
        _board: &store::boards::Board,
        _principal: &Principal,
        _call: Call,
        _timeout: Duration,
    ) -> Result<Value, Fault> {
        Err(Fault::new(model::Kind::Internal, "being written"))
    }

    /// Whether the board can be called now.
    #[must_use]
    pub fn is_online(&self, _id: BoardId) -> bool {
        false
    }

    /// The native protocol spoken with it now; none while it is away.
    #[must_use]
    pub fn protocol(&self, _id: BoardId) -> Option<u32> {
        None
    }

    /// How many boards can be called now.
    #[must_use]
    pub fn online(&self) -> usize {
        0
    }

    /// Ends its control session and its link.
    pub async fn disconnect(&self, _id: BoardId, _reason: &str) {}

    /// Doorbell, after a commit: there are commands for this board in the store.
    pub fn ring(&self, _id: BoardId) {}
}
