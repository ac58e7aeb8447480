//! `stack4things.enrol`: a machine presents a claim and becomes a board.
//!
//! Invariant: the key that is bound is the key that signed this session's challenge; the same key gets the same answer
//! again, any other is refused and logged. Deliberately not here: the rules of claims, which are the store's.

use super::Boards;
use super::agent::{Caller, told};
use super::registry::Entry;
use base::key::PublicKey;
use model::Kind;
use model::claim::Claim;
use rpc::Fault;
use rpc::enrol::{Enrol, Enrolled};
use serde_json::Value;

/// Longest host name that is listened to (RFC 1035).
const MAX_HOSTNAME: usize = 253;

pub(super) async fn enrol(boards: Boards, caller: Caller, asked: Enrol) -> Result<Value, Fault> {
    let Some(Entry::Enrolling(machine)) = caller.entry else {
        return Err(Fault::new(Kind::Forbidden, "only a machine that came to enrol may enrol"));
    };
    let key = PublicKey::from_bytes(machine);
    let redeemed = redeem(&boards, key, &asked).await.inspect_err(|fault| {
        tracing::warn!(
            key = key.fingerprint(),
            reason = fault.message,
            "refused to enrol a machine"
        );
    })?;
    let board = redeemed.board;
    if redeemed.fresh {
        tracing::info!(board = %board.id, name = %board.name, key = key.fingerprint(), "enrolled a board");
        // Whoever had this identity before has it no more.
        boards.disconnect(board.id, "another machine took over this board").await;
    }
    told(&Enrolled { uuid: board.id, name: board.name, project: board.project })
}

async fn redeem(
    boards: &Boards,
    key: PublicKey,
    asked: &Enrol,
) -> Result<store::claims::Redeemed, Fault> {
    let hash = Claim::hash(&asked.secret);
    let hostname = &asked.hostname;
    let is_sound = hostname.len() <= MAX_HOSTNAME && !hostname.chars().any(char::is_control);
    let hint = (is_sound && !hostname.is_empty()).then(|| hostname.clone());
    let job = boards.store().write(move |tx| {
        Box::pin(async move {
            let now = tx.now();
            let redeemed = store::claims::redeem(tx, &hash, &key, now, hint.as_deref()).await?;
            if redeemed.fresh {
                // A machine that takes a board over gets its plugins and services; a new board has none.
                crate::app::replacement::refill(tx, &redeemed.board).await?;
            }
            Ok(redeemed)
        })
    });
    job.await.map_err(super::fault)
}
