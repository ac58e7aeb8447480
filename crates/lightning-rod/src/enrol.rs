//! Enrolment: a machine with a claim becomes a board.
//!
//! Invariants: the key is on the disk before the claim is presented, so a lost reply can be asked for again; the claim is
//! kept nowhere once it was used; what the cloud said is on the disk before anybody is told of success.

use crate::clock::BoardClock;
use crate::cloud::{Cloud, Error as CloudError, Joined, Trust, Who, join};
use crate::cloud_call::call;
use crate::error::Error;
use crate::facts::hostname;
use crate::home::{Home, Identity, Lock};
use crate::settings::Settings;
use base::backoff::Backoff;
use base::key::{KeyPair, to_hex};
use model::Kind;
use model::claim::Claim;
use rpc::enrol::{Enrol, Enrolled};
use rpc::handshake::REFUSED_KEY;
use rpc::uri::ENROL;
use std::sync::{Arc, OnceLock};
use std::time::Duration;
use tokio::time::Instant;

/// How long a cloud that cannot be reached is tried.
const PATIENCE: Duration = Duration::from_secs(30);

/// Enrols this home with a claim. The same claim again gives the same answer.
///
/// # Errors
/// The claim is malformed or refused, the home belongs to another board, or the cloud could not be reached for
/// half a minute.
pub async fn enrol(home: &Home, settings: &Settings, claim: &str) -> Result<Identity, Error> {
    let claim: Claim = claim.parse().map_err(Error::Claim)?;
    let _alone = home.lock(Lock::Enrol)?;
    let claim_sha256 = to_hex(&Claim::hash(&claim.secret));
    if let Some(identity) = home.identity()? {
        if identity.claim_sha256 == claim_sha256 {
            return Ok(identity);
        }
        let Identity { uuid, name, url, .. } = identity;
        return Err(Error::Enrolled { uuid, name, url });
    }
    let key = home.key()?;
    let clock = Arc::new(BoardClock::open(&home.path("clock")));
    let seen = Arc::new(OnceLock::new());
    let trust = match &claim.authority {
        Some(fingerprint) => Trust::Fingerprint(fingerprint.clone(), Arc::clone(&seen)),
        None => Trust::Public(settings.cloud.authorities.clone()),
    };
    let cloud = Cloud::new(&claim.url, &claim.pin, trust, Arc::clone(&clock))?;
    let (enrolled, joined) = match patiently(&cloud, &key, settings, &claim).await {
        // The key of a board that was given up or replaced; nobody is known by it any more.
        Err(Error::Cloud(CloudError::Aborted { uri, .. })) if uri == REFUSED_KEY => {
            tracing::warn!("the cloud refuses this machine's old key, making a new one");
            patiently(&cloud, &home.new_key()?, settings, &claim).await?
        }
        done => done?,
    };
    joined.teach(&clock);
    let identity = Identity {
        uuid: enrolled.uuid,
        name: enrolled.name,
        project: enrolled.project,
        url: claim.url.clone(),
        // An old claim names the key that led to the present one.
        pin: joined.cloud.fingerprint(),
        cloud: joined.cloud.to_string(),
        authority: seen.get().cloned(),
        claim_sha256,
    };
    home.save_identity(&identity)?;
    Ok(identity)
}

async fn patiently(
    cloud: &Cloud,
    key: &KeyPair,
    settings: &Settings,
    claim: &Claim,
) -> Result<(Enrolled, Joined), Error> {
    let until = Instant::now() + PATIENCE;
    let mut backoff = Backoff::new(Duration::from_millis(500), Duration::from_secs(5));
    loop {
        let error = match once(cloud, key, settings, claim).await {
            Ok(done) => return Ok(done),
            Err(error) => error,
        };
        let wait = backoff.next_delay(base::secret::random_unit());
        if !may_pass(&error) || Instant::now() + wait >= until {
            return Err(error);
        }
        tracing::warn!(%error, retry_in_ms = wait.as_millis() as u64, "enrolment is tried again");
        tokio::time::sleep(wait).await;
    }
}

async fn once(
    cloud: &Cloud,
    key: &KeyPair,
    settings: &Settings,
    claim: &Claim,
) -> Result<(Enrolled, Joined), Error> {
    let joined = join(cloud, Who::Newcomer, key, settings).await?;
    let ask = Enrol { secret: claim.secret.clone(), hostname: hostname() };
    let enrolled = call(&joined.session, ENROL, &ask).await?;
    joined.session.close();
    Ok((enrolled, joined))
}

/// Whether trying again may help.
pub(crate) fn may_pass(error: &Error) -> bool {
    match error {
        Error::Cloud(CloudError::Tls { .. }) => false,
        error => matches!(error.kind(), Kind::Unreachable | Kind::Timeout | Kind::Exhausted),
    }
}
