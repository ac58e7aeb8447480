//! Medians and percentiles of durations, and processor time of processes.
//!
//! Invariant: nothing is interpolated: every quantile is a value that was measured.

use std::time::Duration;

/// The kernel's clock tick in `/proc`, the same on all Linux machines (`USER_HZ`).
const TICK: Duration = Duration::from_millis(10);

/// The value below which this share of all values lies; `share` is 0 to 1.
pub(crate) fn quantile(values: &[f64], share: f64) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    let last = sorted.len() - 1;
    let at = (share * last as f64).round() as usize;
    sorted[at.min(last)]
}

/// The middle value.
pub(crate) fn median(values: &[f64]) -> f64 {
    quantile(values, 0.5)
}

/// Milliseconds.
pub(crate) fn ms(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1000.0
}

/// User and system time of a process so far, all its threads.
pub(crate) fn processor_time(pid: u32) -> Duration {
    let text = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap();
    ticks(&text).map(|ticks| TICK * ticks).expect("proc(5)")
}

/// Fields 14 and 15; the program's name before them may hold spaces.
fn ticks(stat: &str) -> Option<u32> {
    let (_, rest) = stat.rsplit_once(')')?;
    let mut fields = rest.split_whitespace().skip(11);
    let (user, system): (u32, u32) = (fields.next()?.parse().ok()?, fields.next()?.parse().ok()?);
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn quantiles_are_values_that_were_measured() {
        let values = [5.0, 1.0, 3.0, 2.0, 4.0];
        assert_eq!(
            (median(&values), quantile(&values, 0.99), quantile(&values, 0.0)),
            (3.0, 5.0, 1.0)
        );
    }

    #[test]
    fn a_name_with_spaces_does_not_shift_the_fields() {
        let line = "7 (a (b) c) S 1 2 3 4 5 6 7 8 9 10 11 12 13 14";
        assert_eq!(ticks(line), Some(11 + 12));
    }
}
