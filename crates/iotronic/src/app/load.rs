//! How a board was in the last hours.

use crate::app::access::Caller;
use crate::app::{Error, boards};
use crate::cloud::Cloud;
use model::Timestamp;
use store::load::{self, Sample};

/// Most samples of one answer; when there are more, evenly chosen ones.
const MAX_SAMPLES: usize = 1500;
const HOUR_MICROS: i64 = 3_600_000_000;

/// What a board reported in the last `hours`, oldest first.
///
/// # Errors
/// There is no such board that the caller may see.
pub async fn history(
    cloud: &Cloud,
    caller: &Caller,
    board: &str,
    hours: u32,
) -> Result<Vec<Sample>, Error> {
    let board = boards::get(cloud, caller, board).await?;
    let now = cloud.now();
    let back = HOUR_MICROS.saturating_mul(hours.into());
    let since = Timestamp::from_micros(now.micros().saturating_sub(back));
    Ok(thinned(load::since(&cloud.store, board.id, since, now).await?))
}

/// The newest one stays, whatever goes.
fn thinned(samples: Vec<Sample>) -> Vec<Sample> {
    let step = samples.len().div_ceil(MAX_SAMPLES).max(1);
    let mut chosen: Vec<_> = samples.into_iter().rev().step_by(step).collect();
    chosen.reverse();
    chosen
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn many_samples_are_thinned_evenly_and_the_newest_stays() {
        let sample =
            |number| Sample { at: Timestamp::from_micros(number), load: Default::default() };
        let few: Vec<_> = (0..10).map(sample).collect();
        assert_eq!(thinned(few.clone()), few);
        let many = thinned((0..10_000).map(sample).collect());
        assert!(many.len() <= MAX_SAMPLES && many.len() > MAX_SAMPLES / 2, "{}", many.len());
        assert_eq!(many.last(), Some(&sample(9_999)));
        assert!(many.windows(2).all(|pair| pair[0].at < pair[1].at));
        assert_eq!(thinned(Vec::new()), []);
    }
}
