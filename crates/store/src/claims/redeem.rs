//! The one use of a claim that matters: binding a key to a board.

use super::{ClaimRow, NAME_STEM, SELECT, read};
use crate::audit::Entry;
use crate::boards::{self, BoardRow, NewBoard};
use crate::sql::{Statement, first};
use crate::{Error, Refusal, Tx, contributions};
use base::key::PublicKey;
use model::audit::ActorKind;
use model::board::Status;
use model::facts::Facts;
use model::{BoardId, ClaimId, Name, Timestamp};
use serde_json::json;

/// Digits of a short id; more when it is taken.
const SHORT_ID: [usize; 3] = [8, 12, 32];
/// Longest host name that is taken over from a board that enrols, in characters.
const MAX_HINT: usize = 64;

/// What a claim gave a key.
#[derive(Debug, Clone, PartialEq)]
pub struct Redeemed {
    /// The board it is now.
    pub board: BoardRow,
    /// False when the same key had asked before.
    pub fresh: bool,
}

/// Binds `public_key` to a board by the claim whose secret has this hash; see the head of this file.
/// `host_hint` is the host name the board gives, kept among its facts until it connects.
///
/// # Errors
/// [`Error::Refused`] with the reason; or the board's name has been taken since the claim was made.
pub async fn redeem(
    tx: &mut Tx,
    secret_hash: &[u8; 32],
    public_key: &PublicKey,
    now: Timestamp,
    host_hint: Option<&str>,
) -> Result<Redeemed, Error> {
    let mut statement = Statement::new("read a claim", SELECT);
    statement.and_equals("secret_hash", Some(secret_hash));
    let claim = first(&mut *tx, statement, read).await?.ok_or(Refusal::UnknownClaim)?;
    if boards::refused_key(&mut *tx, public_key).await?.is_some() {
        return Err(Refusal::KeyRefused.into());
    }
    let bound = boards::by_key(&mut *tx, public_key).await?;
    if let Some(board) = bound {
        let same = redeemed_by(tx, claim.id, public_key).await? == Some(board.id);
        return same
            .then_some(Redeemed { board, fresh: false })
            .ok_or(Refusal::KeyOfAnotherBoard.into());
    }
    check_open(&claim, now)?;
    let board = match claim.replaces {
        Some(board) => replace(tx, board, public_key).await?,
        None => enrol(tx, &claim, public_key, host_hint).await?,
    };
    use_up(tx, claim.id, public_key, board.id, now).await?;
    let detail = json!({
        "claim": claim.id, "key": public_key.fingerprint(), "owner": board.owner, "replaced": claim.replaces.is_some(),
    });
    let entry = Entry::new("claim:redeem", "board", board.id).of(&board.project).with(detail);
    tx.audit(entry.by(ActorKind::Board, board.id)).await?;
    Ok(Redeemed { board, fresh: true })
}

async fn redeemed_by(
    tx: &mut Tx,
    claim: ClaimId,
    key: &PublicKey,
) -> Result<Option<BoardId>, Error> {
    let statement = Statement::new(
        "read a redemption",
        "SELECT board FROM claim_redemptions WHERE claim = $1 AND public_key = $2",
    )
    .bind(claim)
    .bind(key);
    first(&mut *tx, statement, |row| row.parse("board")).await
}

fn check_open(claim: &ClaimRow, now: Timestamp) -> Result<(), Refusal> {
    if claim.revoked {
        return Err(Refusal::Revoked);
    }
    if claim.uses_left == 0 {
        return Err(Refusal::UsedUp);
    }
    if claim.expires_at <= now {
        return Err(Refusal::Expired);
    }
    Ok(())
}

async fn replace(tx: &mut Tx, id: BoardId, key: &PublicKey) -> Result<BoardRow, Error> {
    if boards::by_id(&mut *tx, None, id).await?.status == Status::Decommissioned {
        return Err(Refusal::ReplacedBoardGone.into());
    }
    boards::rebind(tx, id, key).await
}

async fn enrol(
    tx: &mut Tx,
    claim: &ClaimRow,
    key: &PublicKey,
    host_hint: Option<&str>,
) -> Result<BoardRow, Error> {
    let id = BoardId::new();
    let hostname = host_hint.unwrap_or_default().chars().take(MAX_HINT).collect();
    let new = NewBoard {
        id,
        name: board_name(tx, claim, id).await?,
        project: claim.project.clone(),
        owner: claim.owner.clone(),
        fleet: claim.fleet,
        public_key: Some(*key),
        labels: claim.labels.clone(),
        position: None,
        facts: Facts { hostname, ..Facts::default() },
    };
    let board = boards::create(tx, new).await?;
    if let Some(said) = &claim.contribution {
        contributions::put(tx, board.id, said, &claim.owner).await?;
    }
    Ok(board)
}

/// The claim's name for one use; with the end of the id (its random part) for many.
async fn board_name(tx: &mut Tx, claim: &ClaimRow, id: BoardId) -> Result<Name, Error> {
    if claim.uses_total == 1 {
        return Ok(claim.name.clone());
    }
    let stem: String = claim.name.as_str().chars().take(NAME_STEM).collect();
    let digits = id.uuid().simple().to_string();
    for length in SHORT_ID {
        let short: String = digits.chars().skip(digits.len().saturating_sub(length)).collect();
        let name = format!("{stem}-{short}").chars().take(255).collect::<String>();
        match boards::get(&mut *tx, Some(&claim.project), &name).await {
            Err(Error::NotFound { .. }) => return Ok(name.try_into()?),
            Ok(_) => {}
            Err(error) => return Err(error),
        }
    }
    Err(Error::Duplicate { what: "board", field: "name" })
}

async fn use_up(
    tx: &mut Tx,
    claim: ClaimId,
    key: &PublicKey,
    board: BoardId,
    now: Timestamp,
) -> Result<(), Error> {
    let statement = Statement::new(
        "use up a claim",
        "UPDATE claims SET uses_left = uses_left - 1 WHERE id = $1 AND uses_left > 0",
    )
    .bind(claim);
    if tx.execute(statement).await? == 0 {
        return Err(Refusal::UsedUp.into());
    }
    let statement = Statement::new(
        "record a redemption",
        "INSERT INTO claim_redemptions (claim, public_key, board, at) VALUES ($1, $2, $3, $4)",
    )
    .bind(claim)
    .bind(key)
    .bind(board)
    .bind(now);
    tx.execute(statement).await.map(|_| ())
}
