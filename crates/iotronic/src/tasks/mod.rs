//! Reconcilers: each wakes up, reads how things stand, takes one idempotent step and reports. A lost signal loses only time.

mod deadlines;
mod retention;
mod sweep;

use crate::cloud::Cloud;
use base::tasks::Tasks;

/// Starts all of them.
pub fn start(cloud: &Cloud, tasks: &Tasks) {
    let stop = tasks.shutdown();
    let (ends, cuts, rings) = (stop.clone(), stop.clone(), stop.clone());
    let (deadlines, retention, sweep) = (cloud.clone(), cloud.clone(), cloud.clone());
    tasks.spawn("deadlines", async move {
        ends.until(deadlines::run(deadlines)).await;
    });
    tasks.spawn("retention", async move {
        cuts.until(retention::run(retention)).await;
    });
    tasks.spawn("sweep", async move {
        rings.until(sweep::run(sweep)).await;
    });
}
