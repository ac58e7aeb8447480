//! Removes history that is not kept any longer, in small batches so that it never holds up other writes for long.

use crate::app::recordings;
use crate::cloud::Cloud;
use model::Timestamp;
use std::time::Duration;
use store::{audit, claims, events, idempotency, identity, load, operations, requests};

/// How often.
const PERIOD: Duration = Duration::from_secs(600);
const DAY: u64 = 24 * 3600;
/// Days for which the record of an expired claim is kept.
const CLAIM_DAYS: u64 = 90;
/// Batches in one turn; the rest waits for the next.
const MAX_BATCHES: usize = 1000;

pub(super) async fn run(cloud: Cloud) {
    let mut period = tokio::time::interval(PERIOD);
    loop {
        period.tick().await;
        if let Err(error) = step(&cloud).await {
            tracing::error!(%error, "old records could not be removed");
        }
    }
}

async fn step(cloud: &Cloud) -> Result<(), store::Error> {
    recordings::sweep(cloud, cloud.now()).await?;
    for _ in 0..MAX_BATCHES {
        if batch(cloud).await? == 0 {
            return Ok(());
        }
        tokio::task::yield_now().await;
    }
    Ok(())
}

/// One batch of everything; gives how many records went.
async fn batch(cloud: &Cloud) -> Result<u64, store::Error> {
    let kept = cloud.settings.retention;
    let now = cloud.now();
    let operations_before = before(now, kept.operations_days.into());
    let claims_before = before(now, CLAIM_DAYS);
    let audit_before = before(now, kept.audit_days.into());
    let job = cloud.store.write(move |tx| {
        Box::pin(async move {
            let mut removed = operations::trim(tx, operations_before, kept.operations).await?;
            removed += requests::trim(tx, operations_before).await?;
            removed += events::trim(tx, kept.events).await?;
            removed += idempotency::trim(tx, now).await?;
            removed += claims::trim(tx, claims_before).await?;
            removed += load::trim(tx, now).await?;
            removed += identity::trim_revoked(tx, now).await?;
            if kept.audit_days > 0 {
                removed += audit::prune(tx, audit_before).await?;
                removed += audit::trim_reads(tx, audit_before).await?;
            }
            Ok(removed)
        })
    });
    job.await
}

fn before(now: Timestamp, days: u64) -> Timestamp {
    let back =
        i64::try_from(days.saturating_mul(DAY).saturating_mul(1_000_000)).unwrap_or(i64::MAX);
    Timestamp::from_micros(now.micros().saturating_sub(back))
}
