//! How often somebody may ask, and how much one request may carry, on every route alike.
//!
//! Invariants: who signed in is counted by user and anybody else by address (one /64 network of IPv6), so that a stranger cannot
//! use up a user's share; the memory of who asked is bounded. The measure is a bucket that refills steadily (GCRA: one moment
//! for each asker says it all). Deliberately not here: failed sign-ins (`identity/throttle`), and the boards' own routes, whose
//! connections are bounded where they are accepted.

use crate::cloud::Cloud;
use crate::http::answer::Failure;
use crate::http::authenticate::token;
use crate::http::extract::too_large;
use crate::http::{MAX_BODY, Peer, cookie};
use crate::settings::Limits;
use axum::body::HttpBody as _;
use axum::extract::{Request, State};
use axum::middleware::Next;
use axum::response::{IntoResponse as _, Response};
use model::{Kind, UserId};
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Askers that are told apart; at the bound those whose bucket is full again are forgotten, then any.
const MAX_ASKERS: usize = 20_000;

/// Whoever asks.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Asker {
    User(UserId),
    Network(Option<IpAddr>),
}

/// The buckets.
pub(crate) struct Rates {
    /// Time that one request takes of a bucket.
    step: Duration,
    /// Time that a full bucket holds.
    depth: Duration,
    /// When each bucket will be full again.
    full_at: Mutex<HashMap<Asker, Instant>>,
}

impl Rates {
    /// With these bounds.
    pub(crate) fn new(limits: &Limits) -> Self {
        let step = Duration::from_secs(1) / limits.requests_per_s.max(1);
        let depth = step.saturating_mul(limits.requests_burst.max(1));
        Self { step, depth, full_at: Mutex::default() }
    }

    /// Takes one request out of the bucket; how long to wait when it is empty.
    fn take(&self, asker: Asker, now: Instant) -> Result<(), Duration> {
        let mut buckets = self.full_at.lock().unwrap_or_else(PoisonError::into_inner);
        if buckets.len() >= MAX_ASKERS && !buckets.contains_key(&asker) {
            make_room(&mut buckets, now);
        }
        let full_at = buckets.entry(asker).or_insert(now);
        let after = (*full_at).max(now) + self.step;
        let over = after.saturating_duration_since(now).saturating_sub(self.depth);
        if !over.is_zero() {
            return Err(over);
        }
        *full_at = after;
        Ok(())
    }
}

fn make_room(buckets: &mut HashMap<Asker, Instant>, now: Instant) {
    buckets.retain(|_, full_at| *full_at > now);
    if buckets.len() >= MAX_ASKERS {
        let some: Vec<Asker> = buckets.keys().take(MAX_ASKERS / 16).cloned().collect();
        for asker in some {
            buckets.remove(&asker);
        }
    }
}

/// Refuses what is too much.
pub(crate) async fn limit(
    State((cloud, rates)): State<(Cloud, Arc<Rates>)>,
    request: Request,
    next: Next,
) -> Response {
    if request.body().size_hint().lower() > MAX_BODY as u64 {
        return too_large().into_response();
    }
    match rates.take(asker(&cloud, &request), Instant::now()) {
        Ok(()) => next.run(request).await,
        Err(wait) => {
            let seconds = wait.as_secs().saturating_add(1);
            let text = format!("too many requests; try again in {seconds} s");
            let failure = Failure::new(Kind::Exhausted, text);
            Failure { retry_after: Some(seconds), ..failure }.into_response()
        }
    }
}

fn asker(cloud: &Cloud, request: &Request) -> Asker {
    let headers = request.headers();
    // A request with two tokens is refused later; until then it is anybody's.
    let token = token(headers).ok().flatten().or_else(|| cookie::token(cloud, headers));
    match token.and_then(|token| cloud.tokens.read(token, cloud.now()).ok()) {
        Some(said) => Asker::User(said.user),
        None => {
            let address = request.extensions().get::<Peer>().map(|peer| peer.0.ip());
            Asker::Network(address.map(network))
        }
    }
}

fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rates(requests_per_s: u32, requests_burst: u32) -> Rates {
        Rates::new(&Limits { requests_per_s, requests_burst, ..Limits::default() })
    }

    fn from(number: u32) -> Asker {
        Asker::Network(Some(IpAddr::V4(number.into())))
    }

    #[test]
    fn a_bucket_gives_its_burst_and_then_its_rate() {
        let (rates, start) = (rates(10, 5), Instant::now());
        for _ in 0..5 {
            assert_eq!(rates.take(from(1), start), Ok(()));
        }
        let wait = rates.take(from(1), start).unwrap_err();
        assert_eq!(wait, Duration::from_millis(100));
        assert_eq!(rates.take(from(2), start), Ok(()), "another's bucket");
        assert_eq!(rates.take(from(1), start + wait), Ok(()));
        assert!(rates.take(from(1), start + wait).is_err());
    }

    #[test]
    fn the_memory_of_askers_is_bounded() {
        let (rates, start) = (rates(1, 1), Instant::now());
        for number in 0..u32::try_from(MAX_ASKERS).unwrap() * 2 {
            let _ = rates.take(from(number), start);
        }
        assert!(rates.full_at.lock().unwrap().len() <= MAX_ASKERS);
    }

    #[test]
    fn a_network_of_ipv6_is_one_asker() {
        let one = network("2001:db8::1".parse().unwrap());
        assert_eq!(one, network("2001:db8::ffff".parse().unwrap()));
        assert_ne!(one, network("2001:db8:0:1::1".parse().unwrap()));
    }
}
