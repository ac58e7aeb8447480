//! Reconcilers: each wakes up, reads how things stand, takes one idempotent step and reports. A lost signal loses only time.

mod audit;
mod deadlines;
mod retention;
mod sweep;

use crate::app::{backups, exposures, lapses};
use crate::boards::epochs;
use crate::cloud::Cloud;
use base::tasks::Tasks;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;

/// Starts all of them.
pub fn start(cloud: &Cloud, tasks: &Tasks) {
    let stop = tasks.shutdown();
    let until_stop = |name, work: BoxFuture<'static, ()>| {
        let stop = stop.clone();
        tasks.spawn(name, async move {
            stop.until(work).await;
        });
    };
    until_stop("audit", audit::run(cloud.clone()).boxed());
    until_stop("backups", backups::watch(cloud.clone()).boxed());
    until_stop("deadlines", deadlines::run(cloud.clone()).boxed());
    until_stop("retention", retention::run(cloud.clone()).boxed());
    until_stop("sweep", sweep::run(cloud.clone()).boxed());
    until_stop("lapses", lapses::watch(cloud.clone()).boxed());
    until_stop("epochs", epochs::watch(cloud.boards.clone()).boxed());
    until_stop("removed exposures", exposures::close_removed(cloud.clone()).boxed());
}
