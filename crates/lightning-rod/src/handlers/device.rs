//! The calls about the device itself: reboot, restart, upgrade, packages, mounts, reset, network.
//!
//! Invariant: what ends the agent happens after its answer is on the disk: the delay has a floor, and the end of the process
//! waits for commands that are not finished.

use super::answer;
use crate::actions::Actions;
use crate::facts::network;
use crate::home::Home;
use base::tasks::Tasks;
use model::Kind;
use rpc::Fault;
use rpc::device::{Delay, MAX_DELAY_S, MIN_DELAY_S, Mount, PackageOperation, Upgrade};
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::watch;

/// Longest time the reboot command may take before it counts as failed.
const REBOOT_PATIENCE: Duration = Duration::from_secs(60);

/// The device.
#[derive(Clone)]
pub struct Device {
    reboot_command: Option<String>,
    tasks: Tasks,
    restart: Arc<watch::Sender<bool>>,
}

impl Device {
    /// A device that reboots by this command, if there is one.
    #[must_use]
    pub fn new(reboot_command: Option<String>, tasks: Tasks) -> Self {
        Self { reboot_command, tasks, restart: Arc::new(watch::Sender::new(false)) }
    }

    /// Waits until the agent should be restarted.
    pub async fn restart_asked(&self) {
        let mut restart = self.restart.subscribe();
        let _ = restart.wait_for(|asked| *asked).await;
    }

    /// Runs the configured command after the delay.
    pub(crate) fn reboot(&self, delay: Delay) -> Result<Value, Fault> {
        let Some(command) = self.reboot_command.clone() else {
            return Err(Fault::new(
                Kind::Forbidden,
                "this board's owner does not allow reboots; set device.reboot_command in its settings",
            ));
        };
        let delay = checked(delay)?;
        tracing::warn!(delay_s = delay.as_secs(), command, "device reboots on request");
        self.later("reboot", delay, async move { run(&command).await });
        Ok(Value::String(format!("rebooting in {} s", delay.as_secs())))
    }

    /// Restarts the agent after the delay.
    pub(crate) fn restart_agent(&self, delay: Delay) -> Result<Value, Fault> {
        let delay = checked(delay)?;
        tracing::warn!(delay_s = delay.as_secs(), "agent restarts on request");
        let restart = Arc::clone(&self.restart);
        self.later("restart", delay, async move {
            restart.send_replace(true);
        });
        Ok(Value::String(format!("restarting the agent in {} s", delay.as_secs())))
    }

    /// Makes the machine nobody's board once the answer has left, and starts the agent anew.
    pub(crate) fn reset(&self, home: Home) {
        let restart = Arc::clone(&self.restart);
        self.later("reset", Duration::from_secs(MIN_DELAY_S.into()), async move {
            if let Err(error) = home.forget() {
                tracing::error!(%error, "the board could not be made nobody's");
            }
            restart.send_replace(true);
        });
    }

    fn later(
        &self,
        name: &'static str,
        delay: Duration,
        work: impl Future<Output = ()> + Send + 'static,
    ) {
        let shutdown = self.tasks.shutdown().clone();
        self.tasks.spawn(name, async move {
            if shutdown.until(tokio::time::sleep(delay)).await.is_some() {
                work.await;
            }
        });
    }
}

fn checked(delay: Delay) -> Result<Duration, Fault> {
    if delay.delay > MAX_DELAY_S {
        let text = format!("the delay is at most {MAX_DELAY_S} s, not {}", delay.delay);
        return Err(Fault::new(Kind::Invalid, text));
    }
    Ok(Duration::from_secs(delay.delay.max(MIN_DELAY_S).into()))
}

async fn run(command: &str) {
    let mut words = command.split_ascii_whitespace();
    let Some(program) = words.next() else { return };
    let running = tokio::process::Command::new(program)
        .args(words)
        .stdin(std::process::Stdio::null())
        .status();
    match tokio::time::timeout(REBOOT_PATIENCE, running).await {
        Ok(Ok(status)) if status.success() => tracing::info!("reboot command done"),
        Ok(Ok(status)) => tracing::error!(command, %status, "reboot command failed"),
        Ok(Err(error)) => tracing::error!(command, %error, "reboot command cannot be started"),
        Err(_) => tracing::error!(command, "reboot command does not end"),
    }
}

/// Upgrades the agent, and restarts it into what it became.
pub(super) async fn upgrade(
    device: &Device,
    actions: &Actions,
    upgrade: Upgrade,
) -> Result<Value, Fault> {
    let upgrade = actions.upgrade(&answer(upgrade)?)?;
    Actions::run(&upgrade.words).await?;
    device.restart_agent(Delay::default())?;
    Ok(Value::String("LR upgraded".into()))
}

/// Runs a package manager.
pub(super) async fn package(
    actions: &Actions,
    operation: PackageOperation,
) -> Result<Value, Fault> {
    let operation = actions.package(&answer(operation)?)?;
    Actions::run(&operation.words).await?;
    Ok(Value::String("Package operation completed!".into()))
}

/// Mounts otherwise.
pub(super) async fn mount(actions: &Actions, mount: Mount) -> Result<Value, Fault> {
    actions.mount(&answer(mount)?).await.map(Value::String)
}

/// The network interfaces.
pub(super) fn network() -> Result<Value, Fault> {
    answer(network::interfaces())
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::tasks::Shutdown;

    fn device(command: Option<&str>) -> Device {
        Device::new(command.map(str::to_owned), Tasks::new(Shutdown::new()))
    }

    #[tokio::test]
    async fn a_reboot_without_a_command_and_an_endless_delay_are_refused() {
        let fault = device(None).reboot(Delay::default()).unwrap_err();
        assert_eq!(fault.kind, Kind::Forbidden);
        let fault = device(Some("true")).reboot(Delay { delay: MAX_DELAY_S + 1 }).unwrap_err();
        assert_eq!(fault.kind, Kind::Invalid);
    }

    #[tokio::test]
    async fn a_restart_comes_after_the_shortest_delay_at_least() {
        let device = device(None);
        let asked = std::time::Instant::now();
        device.restart_agent(Delay { delay: 0 }).unwrap();
        tokio::time::timeout(Duration::from_secs(10), device.restart_asked()).await.unwrap();
        assert!(asked.elapsed() >= Duration::from_secs(MIN_DELAY_S.into()));
    }

    #[tokio::test]
    async fn the_configured_command_is_run_with_its_words() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("rebooted");
        run(&format!("touch {}", file.display())).await;
        assert!(file.exists());
    }
}
