//! Waiting longer after each failure, with jitter so that a fleet does not return in step.
//!
//! Invariant: every delay lies in `[base/2, cap]`; the caller passes randomness in, so tests are exact.

use std::time::Duration;

/// Exponential backoff with "equal jitter": half of the delay is fixed, half is random.
#[derive(Debug, Clone)]
pub struct Backoff {
    base: Duration,
    cap: Duration,
    failures: u32,
}

impl Backoff {
    /// Delays start near `base` and double up to `cap`.
    #[must_use]
    pub fn new(base: Duration, cap: Duration) -> Self {
        Self { base, cap, failures: 0 }
    }

    /// Forgets earlier failures, after a success that lasted.
    pub fn reset(&mut self) {
        self.failures = 0;
    }

    /// How many failures have been counted since the last reset.
    #[must_use]
    pub fn failures(&self) -> u32 {
        self.failures
    }

    /// Counts one more failure and says how long to wait; `random` is any value in `0.0..1.0`.
    pub fn next_delay(&mut self, random: f64) -> Duration {
        let doubled = self.base.saturating_mul(1u32 << self.failures.min(16));
        self.failures = self.failures.saturating_add(1);
        let half = doubled.min(self.cap) / 2;
        half + half.mul_f64(random.clamp(0.0, 1.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn delays_grow_to_the_cap_and_start_again_after_a_reset() {
        let mut backoff = Backoff::new(Duration::from_millis(100), Duration::from_secs(1));
        let delays: Vec<_> = (0..6).map(|_| backoff.next_delay(1.0).as_millis()).collect();
        assert_eq!(delays, [100, 200, 400, 800, 1000, 1000]);
        backoff.reset();
        assert_eq!(backoff.next_delay(0.0).as_millis(), 50);
    }
}
