//! A board's key, from the outside: have it changed.

use crate::app::access::Caller;
use crate::app::operations::{Order, command};
use crate::app::{Error, boards};
use crate::cloud::Cloud;
use model::Kind;
use rpc::{Call, Method};
use store::boards::BoardRow;
use store::operations::OperationRow;

/// Lets a board make itself a new key.
///
/// # Errors
/// There is no such board, or it cannot do that.
pub async fn rotate(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    order: Order,
) -> Result<OperationRow, Error> {
    let board = boards::get(cloud, caller, ident).await?;
    if !can(&board) {
        let text = "the board's agent cannot change its key; update it, or replace the board";
        return Err(Error::new(Kind::Conflict, text));
    }
    command(cloud, order, board, Call::DeviceRotateKey).await
}

/// Whether the board's agent said so.
pub(super) fn can(board: &BoardRow) -> bool {
    let word = Method::DeviceRotateKey.word();
    !board.legacy && board.capabilities.iter().any(|capability| capability == word)
}
