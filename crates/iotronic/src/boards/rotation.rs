//! `rotate_key`: a board is known by another key from now on.
//!
//! Invariants: the session proved the old key and the request proves the new one; both switch in one transaction, after which
//! the old one is refused for good; asking again gives the same answer.

use super::Boards;
use super::agent::{Caller, told};
use super::connection::the_caller;
use base::key::{PublicKey, to_hex};
use model::Kind;
use rpc::Fault;
use rpc::rotation::{RotateKey, Rotated};
use serde_json::Value;

pub(super) async fn rotate_key(
    boards: Boards,
    caller: Caller,
    asked: RotateKey,
) -> Result<Value, Fault> {
    let board = the_caller(&caller, asked.board_uuid)?;
    let old = boards.registry().key(caller.session).map(PublicKey::from_bytes);
    let old = old.ok_or_else(|| Fault::new(Kind::Forbidden, "this session proved no key"))?;
    if asked.public_key == to_hex(old.as_bytes()) {
        // The answer to the first time was lost.
        return told(&Rotated { key: old.fingerprint() });
    }
    let new = asked.proven(caller.session, &old).ok_or_else(|| {
        let text =
            "the new key was not proven for this session and the key that it was opened with";
        Fault::new(Kind::Unauthenticated, text)
    })?;
    let job = boards.store().write(move |tx| {
        Box::pin(async move { store::boards::rotate(tx, board, &old, &new).await })
    });
    job.await.map_err(super::fault)?;
    boards.registry().rekeyed(caller.session, *new.as_bytes());
    tracing::info!(%board, key = new.fingerprint(), "a board has a new key");
    told(&Rotated { key: new.fingerprint() })
}
