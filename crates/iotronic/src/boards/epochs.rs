//! Tells boards that rights of an earlier epoch are void.
//!
//! Invariant: the store knows the epoch before a board is told; a board that was not reached hears of it when it connects.

use super::Boards;
use super::call;
use model::{BoardId, OperationId};
use rpc::{Call, Request};
use std::time::Duration;
use tokio::sync::broadcast::error::RecvError;

/// Time a board gets to confirm.
const WITHIN: Duration = Duration::from_secs(10);

/// Tells boards of each epoch that is raised, as long as the cloud runs.
pub async fn watch(boards: Boards) {
    let mut voided = boards.store().watch_voided();
    loop {
        match voided.recv().await {
            Ok(epochs) => epochs.iter().for_each(|(board, epoch)| tell(&boards, *board, *epoch)),
            Err(RecvError::Lagged(commits)) => {
                tracing::warn!(
                    commits,
                    "boards were not told of new epochs; they hear of them when they connect"
                );
            }
            Err(RecvError::Closed) => return,
        }
    }
}

/// Tells a board that is connected, in a task of its own.
pub(super) fn tell(boards: &Boards, id: BoardId, epoch: u32) {
    let Some(online) = boards.registry().online(id).filter(|online| !online.is_legacy()) else {
        return;
    };
    let told = boards.clone();
    boards.tasks().spawn("epoch", async move {
        let Ok(row) = store::boards::by_id(told.store(), None, id).await else { return };
        let asked = Call::RightsEpoch(epoch);
        let now = told.now();
        let request = Request::new(
            OperationId::new(),
            id,
            row.project,
            asked.method().word(),
            now,
            Some(now.after(WITHIN)),
        );
        let said = call::call(&told, id, &online, &request, asked.arguments(), WITHIN).await;
        if let Err(failure) = said.map(rpc::Envelope::into_value) {
            tracing::warn!(board = %id, epoch, ?failure, "a board was not told of its epoch; it hears of it when it connects");
        }
    });
}
