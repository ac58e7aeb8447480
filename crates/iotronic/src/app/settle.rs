//! What the end of an operation means for other nouns, in the same transaction.
//!
//! Things may have moved on since the command was given (a service is being disabled, a plugin was forgotten); then the end
//! of the old command changes nothing. A public port that is free by this is closed by
//! [`crate::app::exposures::close_removed`].

use model::operation::Outcome;
use model::plugin::{InjectionState, RunState};
use model::service::ExposureState;
use model::{Kind, PluginId, ServiceId, Timestamp};
use rpc::Method;
use serde_json::Value;
use std::str::FromStr;
use store::exposures;
use store::injections::{self, InjectionChange};
use store::operations::OperationRow;
use store::{Error, Tx};

/// Carries an operation's outcome over to what it was about. A command that never reached its board counts as
/// [`Outcome::Cancelled`].
///
/// # Errors
/// The database failed.
pub async fn settle(
    tx: &mut Tx,
    operation: &OperationRow,
    outcome: &Outcome,
    _now: Timestamp,
) -> Result<(), Error> {
    let Ok(method) = operation.method.parse::<Method>() else { return Ok(()) };
    let settled = match method {
        Method::PluginInject => injected(tx, operation, outcome).await,
        Method::PluginRemove => removed(tx, operation, outcome).await,
        Method::PluginStart | Method::PluginReboot => {
            runs(tx, operation, outcome, RunState::Running).await
        }
        Method::PluginStop => runs(tx, operation, outcome, RunState::Stopped).await,
        Method::ServiceEnable => enabled(tx, operation, outcome).await,
        Method::ServiceRestore => restored(tx, operation, outcome).await,
        Method::ServiceDisable => disabled(tx, operation, outcome).await,
        Method::DevicePing
        | Method::DeviceEcho
        | Method::DeviceReboot
        | Method::DeviceRestartLR
        | Method::DeviceNetConfig
        | Method::DeviceUpgradeLR
        | Method::DevicePkgOperation
        | Method::DeviceMountFs
        | Method::DeviceRestSubmit
        | Method::DeviceFactoryReset
        | Method::DeviceRotateKey
        | Method::DeviceLogs
        | Method::PluginCall
        | Method::PluginStatus
        | Method::PluginLogs
        | Method::ServicesStatus
        | Method::TerminalOpen
        | Method::ForwardOpen
        | Method::OperationCancel
        | Method::RightsEpoch => Ok(()),
    };
    match settled {
        // It was forgotten in the meantime.
        Err(Error::NotFound { .. }) => Ok(()),
        other => other,
    }
}

fn subject<T: FromStr>(operation: &OperationRow, noun: &str) -> Option<T> {
    operation.subject.as_ref()?.get(noun)?.as_str()?.parse().ok()
}

/// Why it did not happen, in words for people.
fn reason(outcome: &Outcome) -> Option<String> {
    match outcome {
        Outcome::Done(_) => None,
        Outcome::Failed(fault) => Some(fault.message.clone()),
        Outcome::Cancelled => Some("withdrawn before it was done".into()),
        Outcome::Unknown => Some("the board cannot say how it ended".into()),
    }
}

async fn injected(tx: &mut Tx, operation: &OperationRow, outcome: &Outcome) -> Result<(), Error> {
    let Some(plugin) = subject::<PluginId>(operation, "plugin") else { return Ok(()) };
    let state = match outcome {
        Outcome::Done(_) => InjectionState::Injected,
        Outcome::Failed(_) | Outcome::Cancelled | Outcome::Unknown => InjectionState::Failed,
    };
    let change = InjectionChange {
        state: Some(state),
        last_error: Some(reason(outcome)),
        revision_injected: revision(operation).filter(|_| state == InjectionState::Injected),
        ..InjectionChange::default()
    };
    let now = injections::get(&mut *tx, operation.board, plugin).await?;
    // Removed in the meantime, it stays so; of several injections the last word counts.
    if now.state != InjectionState::Removing {
        injections::update(tx, operation.board, plugin, change).await?;
    }
    Ok(())
}

/// The revision that went out with `PluginInject`.
fn revision(operation: &OperationRow) -> Option<i64> {
    operation.arguments.get(0)?.get("revision").and_then(Value::as_i64)
}

async fn removed(tx: &mut Tx, operation: &OperationRow, outcome: &Outcome) -> Result<(), Error> {
    let Some(plugin) = subject::<PluginId>(operation, "plugin") else { return Ok(()) };
    if gone(outcome) {
        let now = injections::get(&mut *tx, operation.board, plugin).await?;
        return match now.state {
            InjectionState::Removing => injections::delete(tx, operation.board, plugin).await,
            _ => Ok(()),
        };
    }
    let now = injections::get(&mut *tx, operation.board, plugin).await?;
    if now.state != InjectionState::Removing {
        return Ok(());
    }
    // It is there still, if it ever was.
    let state = match now.revision_injected {
        Some(_) => InjectionState::Injected,
        None => InjectionState::Failed,
    };
    let change = InjectionChange {
        state: Some(state),
        last_error: Some(reason(outcome)),
        ..InjectionChange::default()
    };
    injections::update(tx, operation.board, plugin, change).await.map(|_| ())
}

/// Whether the board does not have it any more.
fn gone(outcome: &Outcome) -> bool {
    match outcome {
        Outcome::Done(_) => true,
        Outcome::Failed(fault) => fault.kind == Kind::NotFound,
        Outcome::Cancelled | Outcome::Unknown => false,
    }
}

async fn runs(
    tx: &mut Tx,
    operation: &OperationRow,
    outcome: &Outcome,
    state: RunState,
) -> Result<(), Error> {
    let Some(plugin) = subject::<PluginId>(operation, "plugin") else { return Ok(()) };
    if let Outcome::Done(_) = outcome {
        let change = InjectionChange { run_state: Some(state), ..InjectionChange::default() };
        injections::update(tx, operation.board, plugin, change).await?;
    }
    Ok(())
}

async fn enabled(tx: &mut Tx, operation: &OperationRow, outcome: &Outcome) -> Result<(), Error> {
    let Some(service) = subject::<ServiceId>(operation, "service") else { return Ok(()) };
    let now = exposures::get(&mut *tx, operation.board, service).await?;
    match (now.state, outcome) {
        (ExposureState::Enabling, Outcome::Done(_)) => {
            let state = ExposureState::Enabled;
            exposures::set_state(tx, operation.board, service, state).await.map(|_| ())
        }
        (ExposureState::Enabling, Outcome::Failed(_) | Outcome::Cancelled) => {
            exposures::delete(tx, operation.board, service).await
        }
        // Undecided: whoever asked may restore or disable it.
        (ExposureState::Enabling, Outcome::Unknown)
        | (ExposureState::Enabled | ExposureState::Disabling, _) => Ok(()),
    }
}

async fn restored(tx: &mut Tx, operation: &OperationRow, outcome: &Outcome) -> Result<(), Error> {
    match outcome {
        Outcome::Done(_) => enabled(tx, operation, outcome).await,
        Outcome::Failed(_) | Outcome::Cancelled | Outcome::Unknown => Ok(()),
    }
}

async fn disabled(tx: &mut Tx, operation: &OperationRow, outcome: &Outcome) -> Result<(), Error> {
    let Some(service) = subject::<ServiceId>(operation, "service") else { return Ok(()) };
    let now = exposures::get(&mut *tx, operation.board, service).await?;
    match now.state {
        ExposureState::Disabling if gone(outcome) => {
            exposures::delete(tx, operation.board, service).await
        }
        ExposureState::Enabling | ExposureState::Enabled | ExposureState::Disabling => Ok(()),
    }
}
