//! Operations: how commands begin, are waited for and withdrawn.

use crate::app::Error;
use crate::cloud::Cloud;
use model::access::Principal;
use model::OperationId;
use std::time::Duration;
use store::boards::Board;
use store::operations::Operation;

/// Stores a command for `board` inside the caller's transaction; the caller rings the board's doorbell after the commit.
///
/// # Errors
/// The database failed.
pub async fn submit(
    _tx: &mut store::Tx,
    _principal: &Principal,
    _board: &Board,
    _call: rpc::Call,
    _deadline: Option<Duration>,
) -> Result<Operation, store::Error> {
    Err(store::Error::Closed)
}

/// The operation once it has ended, or as it stands when `patience` is over.
///
/// # Errors
/// There is none of this id.
pub async fn wait(_cloud: &Cloud, _id: OperationId, _patience: Duration) -> Result<Operation, Error> {
    Err(store::Error::Closed.into())
}
