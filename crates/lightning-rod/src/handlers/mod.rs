//! What a board does when it is called: one struct, one file for each noun, one `match`.
//!
//! Invariant: every call of the contract has its arm here; the compiler holds the list. Not here: journal, envelopes and the
//! order of things (`dispatch`).

pub mod device;
pub mod forwards;
pub(crate) mod guests;
pub mod logs;
pub mod operations;
pub mod plugins;
pub mod services;
pub mod terminals;

use crate::actions::Actions;
use crate::agent_log::AgentLog;
use crate::clock::BoardClock;
use crate::epoch::Epoch;
use crate::forward::{Ports, Services};
use crate::home::Home;
use crate::operations::Operations;
use crate::rotation::Rotation;
use crate::terminal::Terminals;
use device::Device;
use plugins::Plugins;
use rpc::{Board, Call, Fault, Request};
use serde_json::Value;
use std::sync::Arc;

/// The real board.
#[derive(Clone)]
pub struct RealBoard {
    /// The board itself.
    pub device: Device,
    /// What its owner lets the cloud do to the machine.
    pub(crate) actions: Actions,
    /// Its folder.
    pub home: Home,
    /// What was injected.
    pub plugins: Plugins,
    /// What can be reached.
    pub services: Services,
    /// Ports that may be reached without being services.
    pub ports: Ports,
    /// Shells for people of the cloud.
    pub terminals: Terminals,
    /// What runs now.
    pub operations: Operations,
    /// The agent's log.
    pub log: AgentLog,
    /// The time.
    pub clock: Arc<BoardClock>,
    /// Changes the board's key.
    pub rotation: Rotation,
    /// The age of rights.
    pub epoch: Epoch,
}

impl Board for RealBoard {
    async fn handle(&self, request: Request, call: Call) -> Result<Value, Fault> {
        match call {
            Call::DevicePing => Ok(Value::String(self.clock.now().to_string())),
            Call::DeviceEcho(echo) => Ok(Value::String(echo.say)),
            Call::DeviceReboot(delay) => self.device.reboot(delay),
            Call::DeviceRestartLR(delay) => self.device.restart_agent(delay),
            Call::DeviceNetConfig => device::network(),
            Call::DeviceUpgradeLR(upgrade) => {
                device::upgrade(&self.device, &self.actions, upgrade).await
            }
            Call::DevicePkgOperation(operation) => device::package(&self.actions, operation).await,
            Call::DeviceMountFs(mount) => device::mount(&self.actions, mount).await,
            Call::DeviceRestSubmit(submission) => self.actions.submit(&answer(submission)?).await,
            Call::DeviceFactoryReset => self.factory_reset().await,
            Call::DeviceRotateKey => self.rotation.rotate().await.map(Value::String),
            Call::RightsEpoch(epoch) => self.raise_epoch(epoch).await,
            Call::DeviceLogs(read) => logs::agent(&self.log, read).await,
            Call::PluginInject(inject) => self.plugins.inject(*inject).await,
            Call::PluginRemove(plugin) => self.plugins.remove(plugin).await,
            Call::PluginCall(run) => {
                self.plugins.call(run, self.operations.token(request.uuid)).await
            }
            Call::PluginStart(run) => self.plugins.start(run).await,
            Call::PluginStop(stop) => self.plugins.stop(stop).await,
            Call::PluginReboot(run) => self.plugins.reboot(run).await,
            Call::PluginStatus(plugin) => self.plugins.status(plugin),
            Call::PluginLogs(logs) => self.plugins.logs(logs).await,
            Call::ServiceEnable(enable) => services::enable(&self.services, enable).await,
            Call::ServiceDisable(service) => services::disable(&self.services, service).await,
            Call::ServiceRestore(enable) => services::enable(&self.services, enable).await,
            Call::ServicesStatus => services::status(&self.services),
            Call::TerminalOpen(open) => {
                terminals::open(&self.terminals, &self.services, open).await
            }
            Call::ForwardOpen(open) => forwards::open(&self.ports, &self.services, open).await,
            Call::OperationCancel(operation) => operations::cancel(&self.operations, operation),
        }
    }
}

impl RealBoard {
    async fn raise_epoch(&self, epoch: u32) -> Result<Value, Fault> {
        let own = self.epoch.clone();
        blocking(move || own.raise(epoch)).await??;
        tracing::info!(epoch, "rights of earlier epochs are void");
        answer(self.epoch.now())
    }

    /// The plugins and services go at once, the board's name and key after the answer has left.
    async fn factory_reset(&self) -> Result<Value, Fault> {
        self.actions.may_reset()?;
        tracing::warn!("factory reset on request");
        self.services.clear().await?;
        self.plugins.clear().await?;
        self.device.reset(self.home.clone());
        Ok(Value::String("Device reset completed".into()))
    }
}

/// Something that writes files, away from the reactor's thread.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> T + Send + 'static,
) -> Result<T, Fault> {
    let failed = |_| Fault::new(model::Kind::Internal, "the work failed; look at the agent's log");
    tokio::task::spawn_blocking(work).await.map_err(failed)
}

/// An answer as JSON.
fn answer(value: impl serde::Serialize) -> Result<Value, Fault> {
    serde_json::to_value(value).map_err(|error| {
        Fault::new(model::Kind::Internal, format!("answer cannot be written: {error}"))
    })
}
