//! Waiting for a condition instead of sleeping.
//!
//! Invariant: the wait ends at its deadline with the last reason why the condition did not hold.

use std::time::{Duration, Instant};

/// Long enough for anything on a busy machine with debug binaries; tests that measure say their own time.
pub const PATIENCE: Duration = Duration::from_secs(60);
/// Between two looks.
const LOOK: Duration = Duration::from_millis(20);

/// Looks until `look` finds something, and answers it.
///
/// # Panics
/// It found nothing within the time; the panic names the last reason.
#[track_caller]
pub fn until<T>(what: &str, within: Duration, mut look: impl FnMut() -> Result<T, String>) -> T {
    let deadline = Instant::now() + within;
    loop {
        match look() {
            Ok(found) => return found,
            Err(reason) if Instant::now() >= deadline => {
                panic!("waited {} ms for {what}, and still: {reason}", within.as_millis())
            }
            Err(_) => std::thread::sleep(LOOK),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_success_ends_the_wait() {
        let mut looks = 0;
        let found = until("three looks", PATIENCE, || {
            looks += 1;
            if looks == 3 { Ok(looks) } else { Err("too few".to_owned()) }
        });
        assert_eq!(found, 3);
    }

    #[test]
    #[should_panic(expected = "still: it rains")]
    fn the_last_reason_is_told() {
        until("sun", Duration::from_millis(1), || Err::<(), _>("it rains".to_owned()));
    }
}
