//! The calls about the device itself, in upstream's words.
//!
//! Invariant: what changes the machine beyond the agent's folder is an action that its owner allows, or refused.

use super::reply::Reply;
use crate::actions::{Actions, Operation, Upgrade};
use crate::facts::{self, network};
use model::Timestamp;
use rpc::device::{Delay, MAX_DELAY_S};
use serde_json::Value;
use std::fmt::Write as _;
use std::time::Duration;

/// The device of an upstream board.
#[derive(Clone)]
pub(super) struct Device {
    actions: Actions,
    native: crate::handlers::device::Device,
}

impl Device {
    pub(super) fn new(actions: Actions, native: crate::handlers::device::Device) -> Self {
        Self { actions, native }
    }

    pub(super) fn ping(&self, now: Timestamp) -> Reply {
        Reply::success(format!("{} @ {}", facts::hostname(), moment(now)))
    }

    pub(super) fn echo(&self, parameters: &Value, now: Timestamp) -> Reply {
        match parameters.get("say") {
            Some(Value::String(say)) => Reply::success(format!("{say} @ {}", moment(now))),
            Some(say) => Reply::success(format!("{say} @ {}", moment(now))),
            None => Reply::success(moment(now)),
        }
    }

    pub(super) fn reboot(&self, parameters: &Value) -> Result<Reply, String> {
        let done = self.native.reboot(delay(parameters)?);
        done.map(Reply::success).map_err(|fault| fault.message)
    }

    pub(super) fn restart_agent(&self, parameters: &Value) -> Result<Reply, String> {
        let done = self.native.restart_agent(delay(parameters)?);
        done.map(Reply::success).map_err(|fault| fault.message)
    }

    /// The interfaces as a text for people, which is what upstream answers.
    pub(super) fn network(&self) -> Reply {
        let mut text = String::new();
        for interface in network::interfaces() {
            let (name, state, mtu) = (&interface.name, &interface.state, interface.mtu);
            let _ = writeln!(text, "{name}: {state}  mtu {mtu}");
            if !interface.mac.is_empty() {
                let _ = writeln!(text, "        ether {}", interface.mac);
            }
            for address in &interface.addresses {
                let family = if address.contains(':') { "inet6" } else { "inet" };
                let _ = writeln!(text, "        {family} {address}");
            }
        }
        Reply::success(text.trim_end())
    }

    pub(super) async fn mount(&self, parameters: &Value) -> Result<Reply, String> {
        self.actions.mount(parameters).await.map(Reply::success).map_err(|fault| fault.message)
    }

    /// Checks a package operation; what is to be run.
    pub(super) fn package(&self, parameters: &Value) -> Result<Operation, String> {
        let checked = self.actions.package(parameters);
        checked.map_err(|fault| format!("Error in parameters: {}", fault.message))
    }

    /// Checks an upgrade; what is to be run, and the version.
    pub(super) fn upgrade(&self, parameters: &Value) -> Result<Upgrade, String> {
        self.actions.upgrade(parameters).map_err(|fault| fault.message)
    }

    pub(super) async fn submit(&self, parameters: &Value) -> Result<Reply, String> {
        self.actions.submit(parameters).await.map(Reply::success).map_err(|fault| fault.message)
    }

    pub(super) fn may_reset(&self) -> Result<(), String> {
        self.actions.may_reset().map_err(|fault| fault.message)
    }

    /// Runs what takes long.
    pub(super) async fn long(words: &[String]) -> Result<String, String> {
        Actions::run(words).await.map_err(|fault| fault.message)
    }
}

/// Seconds in a member of the parameters, as number or text; none when it is absent.
pub(super) fn seconds(parameters: &Value, name: &str) -> Result<Option<Duration>, String> {
    let wrong = || format!("{name} is a number of seconds, 0 to {MAX_DELAY_S}");
    let seconds = match parameters.get(name) {
        None | Some(Value::Null) => return Ok(None),
        Some(Value::String(text)) if text.is_empty() => return Ok(None),
        Some(Value::String(text)) => text.parse().map_err(|_| wrong())?,
        Some(other) => other.as_f64().ok_or_else(wrong)?,
    };
    if (0.0..=f64::from(MAX_DELAY_S)).contains(&seconds) {
        return Ok(Some(Duration::from_secs_f64(seconds)));
    }
    Err(wrong())
}

fn delay(parameters: &Value) -> Result<Delay, String> {
    let seconds = seconds(parameters, "delay")?.map(|delay| delay.as_secs());
    let delay = seconds.and_then(|seconds| u32::try_from(seconds).ok());
    Ok(delay.map_or_else(Delay::default, |delay| Delay { delay }))
}

/// A moment as upstream writes it: no zone.
pub(super) fn moment(time: Timestamp) -> String {
    time.to_string().trim_end_matches('Z').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn odd_delays_are_named_and_absent_ones_take_the_shortest() {
        assert_eq!(delay(&json!({"delay": "10"})).unwrap().delay, 10);
        assert_eq!(delay(&json!(null)).unwrap().delay, 3);
        for wrong in [json!(-1), json!("x"), json!([1]), json!(1e300), json!("NaN")] {
            assert!(delay(&json!({"delay": wrong})).is_err(), "{wrong}");
        }
    }
}
