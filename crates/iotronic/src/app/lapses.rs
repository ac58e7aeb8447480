//! Lapses: what rested on a delegation ends with it, within [`PERIOD`] of its time or of the board's hours, and at once when it is
//! revoked. Nothing is looked for before the next end, the next minute (hours end with one), or a change of what is lent.
//!
//! Terminals and streams look after themselves ([`crate::app::standing`]); here is what stands in the store: open operations
//! are withdrawn, enabled services closed, plugins that a borrower put on a board taken off and those that one started
//! stopped. Each step is repeated until the store no longer shows the thing; a board that refuses is asked again after
//! [`PATIENCE`].

use crate::app::operations::{self, Order};
use crate::app::{Error, exposures, injections};
use crate::cloud::Cloud;
use model::{BoardId, DelegationId, Timestamp};
use rpc::Call;
use std::collections::HashMap;
use std::time::Duration;
use store::lapses::{self, Lapsed};
use store::{Tx, boards};
use tokio::time::sleep;

/// How late the end of a delegation may be noticed.
const PERIOD: Duration = Duration::from_millis(500);
/// After this the same thing is asked to end again.
const PATIENCE: Duration = Duration::from_secs(30);
const MINUTE: i64 = 60_000_000;

/// Looks for lapsed things as long as the cloud runs.
pub async fn watch(cloud: Cloud) {
    let mut lent = cloud.store.watch_lent();
    let mut told = HashMap::new();
    loop {
        lent.borrow_and_update();
        let now = cloud.now();
        let until = match cut(&cloud, &mut told, now).await {
            // What was told to end may just be about to begin.
            Ok(()) if !told.is_empty() => now.after(PERIOD),
            Ok(()) => next(&cloud, now).await,
            Err(error) => {
                tracing::error!(%error, "what rested on delegations that are over could not be ended");
                now.after(PERIOD)
            }
        };
        while cloud.now() < until {
            tokio::select! {
                Ok(()) = lent.changed() => break,
                // The clock may be set.
                () = sleep(PERIOD) => {}
            }
        }
    }
}

/// When something may lapse next, if nothing is changed before.
async fn next(cloud: &Cloud, now: Timestamp) -> Timestamp {
    let into_minute = now.micros().rem_euclid(MINUTE);
    let minute = Timestamp::from_micros(now.micros().saturating_add(MINUTE - into_minute));
    match lapses::next_end(&cloud.store, now).await {
        Ok(end) => end.map_or(minute, |end| end.min(minute)),
        Err(error) => {
            tracing::error!(%error, "it cannot be told when the next delegation ends");
            now.after(PERIOD)
        }
    }
}

/// Ends what has lapsed, but for what was told so a moment ago.
async fn cut(
    cloud: &Cloud,
    told: &mut HashMap<Lapsed, Timestamp>,
    now: Timestamp,
) -> Result<(), Error> {
    let mut lapsed = lapses::lapsed(&cloud.store, now).await?;
    let in_hours = lapses::in_hours(&cloud.store).await?.into_iter();
    lapsed.extend(in_hours.filter(|(_, said)| !said.is_open(now)).map(|(thing, _)| thing));
    told.retain(|_, at| now < at.after(PATIENCE));
    for thing in lapsed {
        if told.contains_key(&thing) {
            continue;
        }
        told.insert(thing, now);
        if let Err(error) = end(cloud, thing).await {
            tracing::warn!(?thing, %error, "what rested on a delegation that is over did not end");
        }
    }
    Ok(())
}

async fn end(cloud: &Cloud, thing: Lapsed) -> Result<(), Error> {
    let order = Order::of_the_cloud();
    match thing {
        Lapsed::Operation(_, operation) => operations::withdraw(cloud, operation).await.map(|_| ()),
        Lapsed::Exposure(board, service) => {
            let exposure = store::exposures::get(&cloud.store, board, service).await?;
            let board = boards::by_id(&cloud.store, None, board).await?;
            exposures::close(cloud, board, exposure, order).await.map(|_| ())
        }
        Lapsed::Injection(board, plugin) => {
            let board = boards::by_id(&cloud.store, None, board).await?;
            injections::take_off(cloud, board, plugin, order).await.map(|_| ())
        }
        Lapsed::Run(board, plugin) => {
            let board = boards::by_id(&cloud.store, None, board).await?;
            let stop = rpc::plugin::Stop { plugin, delay: 0 };
            operations::command(cloud, order, board, Call::PluginStop(stop)).await.map(|_| ())
        }
    }
}

/// Notes on what it rests that a command was given.
///
/// # Errors
/// The database failed.
pub(super) async fn note(
    tx: &mut Tx,
    board: BoardId,
    call: &Call,
    delegation: Option<DelegationId>,
) -> Result<(), store::Error> {
    match call {
        Call::ServiceEnable(enable) if delegation.is_some() => {
            lapses::exposure_rests_on(tx, (board, enable.service.uuid), delegation).await
        }
        // The owner's own word counts from then on.
        Call::PluginInject(inject) => {
            lapses::injection_rests_on(tx, (board, inject.plugin.uuid), delegation).await
        }
        Call::PluginStart(run) | Call::PluginReboot(run) => {
            lapses::run_rests_on(tx, (board, run.plugin), delegation).await
        }
        _ => Ok(()),
    }
}
