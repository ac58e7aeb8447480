//! Claims: make the right to enrol boards, look at it, withdraw it.

use crate::app::access::Caller;
use crate::app::{Error, contributions, find, fleets};
use crate::cloud::Cloud;
use api::claims::{DEFAULT_LIFE_S, New};
use base::secret;
use model::access::Action;
use model::claim::Claim;
use model::{ClaimId, Invalid};
use std::time::Duration;
use store::Page;
use store::claims::{self, ClaimRow, NewClaim};

/// Longest life of a claim: ten years, for images that are flashed once.
const MAX_LIFE_S: u64 = 10 * 365 * 24 * 3600;

/// A new secret: its hash to store, and the text that carries it.
pub(super) fn secret(cloud: &Cloud) -> ([u8; 32], String) {
    let secret = secret::random_text::<32>();
    let hash = Claim::hash(&secret);
    let claim = Claim {
        url: cloud.public_url.clone(),
        pin: cloud.key.public().fingerprint(),
        secret,
        authority: cloud.authority.clone(),
    };
    (hash, claim.to_string())
}

/// Makes a claim; the text is seen this once. `known` are the actions that can be delegated.
///
/// # Errors
/// A value is out of range, there is no such fleet, or the board's name is taken.
pub async fn create(
    cloud: &Cloud,
    caller: &Caller,
    new: New,
    known: &[Action],
) -> Result<(ClaimRow, String), Error> {
    let life = new.expires_in_s.unwrap_or(DEFAULT_LIFE_S);
    if !(1..=MAX_LIFE_S).contains(&life) {
        let text = format!("expires_in_s {life} is not 1 to {MAX_LIFE_S}");
        return Err(Invalid::new(text).into());
    }
    let fleet = match &new.fleet {
        Some(ident) => Some(fleets::get(cloud, caller, ident).await?.id),
        None => None,
    };
    let contribution = match new.contribution {
        Some(said) => Some(contributions::checked(caller, caller.project(), said, known)?),
        None => None,
    };
    let (secret_hash, text) = secret(cloud);
    let new = NewClaim {
        id: ClaimId::new(),
        name: new.name,
        project: caller.project().clone(),
        owner: caller.principal().user.clone(),
        secret_hash,
        uses: new.uses.unwrap_or(1),
        expires_at: cloud.now().after(Duration::from_secs(life)),
        labels: new.labels,
        fleet,
        replaces: None,
        contribution,
    };
    let claim =
        cloud.store.write(move |tx| Box::pin(async move { claims::create(tx, new).await })).await?;
    Ok((claim, text))
}

/// The claim of this id.
///
/// # Errors
/// There is none that the caller may see.
pub async fn get(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<ClaimRow, Error> {
    let id = find::id("claim", ident, api::claims::PATH)?;
    let claim = claims::get(&cloud.store, caller.scope(), id).await?;
    caller.may(&claim.project, "claim")?;
    Ok(claim)
}

/// Claims that the caller may see, in order of creation.
///
/// # Errors
/// The store failed.
pub async fn list(cloud: &Cloud, caller: &Caller, page: Page) -> Result<Vec<ClaimRow>, Error> {
    Ok(claims::list(&cloud.store, caller.scope(), page).await?)
}

/// Withdraws a claim; boards that it enrolled stay.
///
/// # Errors
/// There is none that the caller may see.
pub async fn revoke(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<(), Error> {
    let id = get(cloud, caller, ident).await?.id;
    cloud
        .store
        .write(move |tx| Box::pin(async move { claims::revoke(tx, None, id).await }))
        .await?;
    Ok(())
}
