//! A board whose key two machines have: somebody says which of them goes on.
//!
//! The cloud cannot tell the machine from its copy: both hold the key. So a person decides, and a new key makes the decision
//! last (decision record 0007): the first thing that is asked of the machine that goes on is to change its key.

use crate::app::access::Caller;
use crate::app::operations::{Order, submit};
use crate::app::{Error, boards, keys};
use crate::cloud::Cloud;
use api::operations::Commanding;
use rpc::Call;
use std::net::IpAddr;
use store::boards::BoardRow;

/// Lets the machine that connects next, from the address where one is given, be the board.
///
/// # Errors
/// There is no such board, or it is not parked.
pub async fn unpark(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    from: Option<IpAddr>,
) -> Result<BoardRow, Error> {
    let board = boards::get(cloud, caller, ident).await?;
    // What the answer of this request is kept under is not this command's.
    let order = Order::new(caller, Commanding::default())?.without_key();
    let job = cloud.store.write(move |tx| {
        Box::pin(async move {
            let row = store::boards::unpark(tx, board.id, from).await?;
            if keys::can(&row) {
                submit(tx, &order, &row, &Call::DeviceRotateKey).await?;
            }
            Ok(row)
        })
    });
    Ok(job.await?)
}
