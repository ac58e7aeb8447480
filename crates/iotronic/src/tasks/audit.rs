//! Signs heads of the audit: after so many rows, or after so long when there is any. And writes the counts of reads and of
//! those who signed in.

use crate::app::{audit, looks};
use crate::cloud::Cloud;
use std::time::{Duration, Instant};
use store::audit::{last_row, newest_head};

/// How often it is looked whether a head is due.
const PERIOD: Duration = Duration::from_secs(1);
/// Between two writings of counts.
const FLUSH: Duration = Duration::from_secs(60);
/// Rest after a failure, which will not pass within a second.
const REST: Duration = Duration::from_secs(60);

pub(super) async fn run(cloud: Cloud) {
    let mut period = tokio::time::interval(PERIOD);
    let (mut signed, mut flushed) = (Instant::now(), Instant::now());
    loop {
        period.tick().await;
        let step = step(&cloud, &mut signed, &mut flushed).await;
        if let Err(error) = step {
            tracing::error!(%error, "the audit could not be signed; s4t audit verify tells what is wrong with it");
            tokio::time::sleep(REST).await;
        }
    }
}

async fn step(
    cloud: &Cloud,
    signed: &mut Instant,
    flushed: &mut Instant,
) -> Result<(), store::Error> {
    if flushed.elapsed() >= FLUSH {
        *flushed = Instant::now();
        cloud.sign_in.tell_counts(&cloud.store);
        looks::flush(cloud).await?;
    }
    let set = cloud.settings.audit;
    let head = newest_head(&cloud.store).await?.map_or(0, |head| head.size);
    let rows = last_row(&cloud.store).await?.saturating_sub(head);
    let is_due = signed.elapsed() >= Duration::from_secs(set.head_s);
    if rows >= set.head_rows.into() || (rows > 0 && is_due) {
        audit::sign(cloud).await?;
        *signed = Instant::now();
    }
    Ok(())
}
