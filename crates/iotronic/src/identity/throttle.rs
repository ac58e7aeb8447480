//! Slows down guessing: counts failed sign-ins for each pair of user and address, and for each address alone.
//!
//! By pair, so that a stranger cannot lock a user out everywhere. Bounded: at the bound the oldest count is forgotten.

use model::Timestamp;
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Failures of one user from one address before it must wait.
pub const PER_PAIR: u32 = 10;
/// Failures from one address, whoever it says it is, before it must wait.
pub const PER_ADDRESS: u32 = 100;
/// How long failures count.
pub const WINDOW: Duration = Duration::from_secs(300);
/// Most counts kept.
const MAX_COUNTS: usize = 10_000;
/// Longest part of a user's name that is told apart.
const MAX_NAME: usize = 64;

/// The counts.
#[derive(Default)]
pub struct Throttle(Mutex<HashMap<Key, Count>>);

#[derive(Clone, PartialEq, Eq, Hash)]
struct Key {
    user: Option<String>,
    network: Option<IpAddr>,
}

struct Count {
    since: Timestamp,
    failures: u32,
}

impl Throttle {
    /// How long `user` at `address` must wait before it may try again, if it must.
    pub fn must_wait(
        &self,
        user: &str,
        address: Option<IpAddr>,
        now: Timestamp,
    ) -> Option<Duration> {
        let counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        limits(user, address).filter_map(|(key, most)| counts.get(&key)?.wait(most, now)).max()
    }

    /// Counts a failure.
    pub fn failed(&self, user: &str, address: Option<IpAddr>, now: Timestamp) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, _) in limits(user, address) {
            if !counts.contains_key(&key) {
                make_room(&mut counts, now);
            }
            let count = counts.entry(key).or_insert(Count { since: now, failures: 0 });
            if count.is_over(now) {
                *count = Count { since: now, failures: 0 };
            }
            count.failures = count.failures.saturating_add(1);
        }
    }

    /// Forgets the failures of `user` at `address`, which just signed in.
    pub fn succeeded(&self, user: &str, address: Option<IpAddr>) {
        let mut counts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some((pair, _)) = limits(user, address).next() {
            counts.remove(&pair);
        }
    }
}

impl Count {
    fn is_over(&self, now: Timestamp) -> bool {
        self.since.until(now) >= WINDOW
    }

    fn wait(&self, most: u32, now: Timestamp) -> Option<Duration> {
        let left = WINDOW.checked_sub(self.since.until(now))?;
        (self.failures >= most && !left.is_zero()).then_some(left)
    }
}

fn limits(user: &str, address: Option<IpAddr>) -> impl Iterator<Item = (Key, u32)> {
    let user = user.chars().take(MAX_NAME).collect();
    let network = address.map(network);
    let alone = network.map(|network| (Key { user: None, network: Some(network) }, PER_ADDRESS));
    [(Key { user: Some(user), network }, PER_PAIR)].into_iter().chain(alone)
}

/// One home has a whole /64 of IPv6 addresses (RFC 6177), so they count as one.
fn network(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(six) => IpAddr::V6((six.to_bits() & !u128::from(u64::MAX)).into()),
    }
}

fn make_room(counts: &mut HashMap<Key, Count>, now: Timestamp) {
    if counts.len() < MAX_COUNTS {
        return;
    }
    counts.retain(|_, count| !count.is_over(now));
    if counts.len() < MAX_COUNTS {
        return;
    }
    let oldest = counts.iter().min_by_key(|(_, count)| count.since).map(|(key, _)| key.clone());
    if let Some(oldest) = oldest {
        counts.remove(&oldest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: Option<IpAddr> = Some(IpAddr::V4(std::net::Ipv4Addr::LOCALHOST));

    #[test]
    fn the_eleventh_guess_waits_and_another_address_does_not() {
        let (throttle, now) = (Throttle::default(), Timestamp::from_micros(0));
        for _ in 0..PER_PAIR {
            assert_eq!(throttle.must_wait("ada", HOME, now), None);
            throttle.failed("ada", HOME, now);
        }
        assert_eq!(throttle.must_wait("ada", HOME, now), Some(WINDOW));
        assert_eq!(throttle.must_wait("bob", HOME, now), None);
        assert_eq!(throttle.must_wait("ada", "192.0.2.1".parse().ok(), now), None);
        assert_eq!(throttle.must_wait("ada", HOME, now.after(WINDOW)), None);
    }

    #[test]
    fn an_address_that_tries_many_names_waits_too() {
        let (throttle, now) = (Throttle::default(), Timestamp::from_micros(0));
        let address = |last| format!("2001:db8::{last}").parse().ok();
        for index in 0..PER_ADDRESS {
            throttle.failed(&format!("user-{index}"), address(index), now);
        }
        assert!(throttle.must_wait("anybody", address(9999), now).is_some());
    }

    #[test]
    fn a_success_clears_the_count() {
        let (throttle, now) = (Throttle::default(), Timestamp::from_micros(0));
        for _ in 0..PER_PAIR {
            throttle.failed("ada", HOME, now);
        }
        throttle.succeeded("ada", HOME);
        assert_eq!(throttle.must_wait("ada", HOME, now), None);
    }

    #[test]
    fn the_map_of_counts_stays_bounded() {
        let (throttle, now) = (Throttle::default(), Timestamp::from_micros(0));
        for index in 0..MAX_COUNTS + 50 {
            throttle.failed(&index.to_string(), None, now);
        }
        assert!(throttle.0.lock().unwrap().len() <= MAX_COUNTS);
    }
}
