//! A new machine took over a board: what the old one had is given to it again.
//!
//! Called in the transaction that binds the new key, so that no crash forgets it. For a board that is quite new there is
//! nothing to give and this does nothing.

use crate::app::{exposures, injections};
use api::operations::DEFAULT_DEADLINE_S;
use model::OperationId;
use model::plugin::InjectionState;
use model::service::ExposureState;
use rpc::Call;
use rpc::call::Nature;
use serde_json::Value;
use std::time::Duration;
use store::boards::BoardRow;
use store::operations::{self, NewOperation, Start};
use store::{Error, Tx};

/// Stores commands that put plugins and services on the new machine.
///
/// # Errors
/// The database failed.
pub async fn refill(tx: &mut Tx, board: &BoardRow) -> Result<(), Error> {
    for injection in store::injections::list_for_board(&mut *tx, board.id).await? {
        if injection.state == InjectionState::Removing {
            continue;
        }
        store::injections::put(tx, board.id, injection.plugin, injection.on_boot).await?;
        let plugin = store::plugins::by_id(&mut *tx, None, injection.plugin).await?;
        let (source, revision) = store::plugins::source(&mut *tx, injection.plugin).await?;
        let inject = injections::described(plugin, source, revision, injection.on_boot)?;
        give(tx, board, &Call::PluginInject(Box::new(inject))).await?;
    }
    for exposure in store::exposures::list_for_board(&mut *tx, board.id).await? {
        if exposure.state != ExposureState::Disabling {
            give(tx, board, &Call::ServiceRestore(exposures::described(&exposure)?)).await?;
        }
    }
    Ok(())
}

async fn give(tx: &mut Tx, board: &BoardRow, call: &Call) -> Result<(), Error> {
    let new = NewOperation {
        id: OperationId::new(),
        project: board.project.clone(),
        board: board.id,
        method: call.method().word().to_owned(),
        arguments: Value::Array(call.arguments()),
        idempotent: call.method().nature() != Nature::Once,
        created_by: None,
        deadline: tx.now().after(Duration::from_secs(DEFAULT_DEADLINE_S)),
        subject: crate::app::operations::subject(call),
        start: Start::Pending,
        main: None,
        delegation: None,
    };
    operations::submit(tx, new).await.map(|_| ())
}
