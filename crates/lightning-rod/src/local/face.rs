//! What the board shows of itself, gathered from whoever knows it.
//!
//! Invariant: showing never waits for the cloud.

use crate::engine::State;
use serde_json::{Value, json};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// The services that are exposed, and whether their way to the cloud stands.
type Services = Arc<dyn Fn() -> (Vec<String>, bool) + Send + Sync>;

/// The board's face. Clones share it.
#[derive(Clone, Default)]
pub(crate) struct Face(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    uuid: Option<String>,
    name: Option<String>,
    agent: Option<String>,
    status: Option<String>,
    alive: Option<String>,
    link: Option<String>,
    services: Option<Services>,
}

impl fmt::Debug for Face {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Face")
    }
}

impl Face {
    /// Who the board is, its cloud's agent, and how far it has come in upstream's words.
    pub(crate) fn set_board(&self, uuid: &str, name: &str, agent: &str, status: &str) {
        let mut known = self.known();
        known.uuid = Some(uuid.to_owned());
        known.name = Some(name.to_owned());
        known.agent = Some(agent.to_owned());
        known.status = Some(status.to_owned());
    }

    pub(crate) fn set_name(&self, name: &str) {
        self.known().name = Some(name.to_owned());
    }

    pub(crate) fn set_status(&self, status: &str) {
        self.known().status = Some(status.to_owned());
    }

    pub(crate) fn set_alive(&self, said: &str) {
        self.known().alive = Some(said.to_owned());
    }

    /// The way to the cloud, as upstream's `connectivity`.
    pub(crate) fn set_link(&self, connectivity: &Value) {
        let part = |name| connectivity.get(name).and_then(Value::as_str);
        if let (Some(mac), Some(name), Some(address)) =
            (part("mac"), part("iface"), part("local_ip"))
        {
            self.known().link = Some(format!("{mac} - {name} - {address}"));
        }
    }

    pub(crate) fn set_services(
        &self,
        services: impl Fn() -> (Vec<String>, bool) + Send + Sync + 'static,
    ) {
        self.known().services = Some(Arc::new(services));
    }

    /// The members of upstream's `/info`.
    pub(crate) fn info(&self, state: &State, now: &str) -> Value {
        let services = self.known().services.clone();
        let (list, is_up) = services.map_or_else(Default::default, |services| services());
        let known = self.known();
        let (session, iotronic) = match state {
            State::Online(id) => {
                (json!(id), known.alive.clone().unwrap_or_else(|| "connected".into()))
            }
            State::Offline(_) | State::Unenrolled => (json!("N/A"), "not_connected".into()),
        };
        json!({
            "board_id": known.uuid,
            "board_name": known.name,
            "wagent": known.agent,
            "session_id": session,
            "timestamp": now,
            "wstun_status": if is_up { "Online" } else { "Offline" },
            "board_reg_status": known.status.clone().unwrap_or_else(|| "first_boot".into()),
            "iotronic_status": iotronic,
            "service_list": if list.is_empty() { json!("no services exposed!") } else { json!(list) },
            "webservice_list": [],
            "serial_dev": serial(),
            "nic": known.link.clone().unwrap_or_else(|| "N/A".into()),
            "lr_version": env!("CARGO_PKG_VERSION"),
        })
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The serial number that boards tell.
fn serial() -> String {
    let text = std::fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let line = text.lines().find_map(|line| line.strip_prefix("Serial"));
    let value =
        line.and_then(|line| line.split_once(':')).map(|(_, value)| value.trim().to_owned());
    value.filter(|value| !value.is_empty()).unwrap_or_else(|| "N/A".into())
}
