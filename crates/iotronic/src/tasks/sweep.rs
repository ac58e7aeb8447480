//! Makes up for lost signals: rings every doorbell and tries closed public ports again, slowly.

use crate::cloud::Cloud;
use std::time::Duration;

/// How often.
const PERIOD: Duration = Duration::from_secs(30);

pub(super) async fn run(cloud: Cloud) {
    let mut period = tokio::time::interval(PERIOD);
    loop {
        period.tick().await;
        cloud.boards.ring_all();
        cloud.ingress.retry().await;
    }
}
