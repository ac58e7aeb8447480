//! A board whose key two machines have: somebody says which of them goes on.
//!
//! The cloud cannot tell the machine from its copy: both hold the key. So a person decides, and a new key makes the decision
//! last (decision record 0007).

use crate::app::access::Caller;
use crate::app::{Error, boards};
use crate::cloud::Cloud;
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
    let board = boards::get(cloud, caller, ident).await?.id;
    let job = cloud
        .store
        .write(move |tx| Box::pin(async move { store::boards::unpark(tx, board, from).await }));
    Ok(job.await?)
}
