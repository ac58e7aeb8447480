//! The service calls, on upstream's `services.json`, and the tunnels that keep the promises.
//!
//! Invariants: a tunnel leads to `127.0.0.1` and the local port of a row in the book, or nowhere; a service that leaves the
//! book takes its tunnel and its connections with it.

use super::book::Book;
use super::reply::Reply;
use super::tunnel::{Tunnel, Way};
use crate::forward::MAX_SERVICES;
use crate::home::Error;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::{Map, Value, json};
use std::collections::HashMap;
use std::num::NonZeroU16;
use std::path::Path;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use uuid::Uuid;

/// How long an answer waits for the tunnel.
const PATIENCE: Duration = Duration::from_secs(5);
/// In place of the process that upstream would have: no process has this number, so that an upstream agent that takes the
/// folder over again kills nobody.
const NO_PROCESS: i64 = i32::MAX as i64;
/// Longest name.
const MAX_NAME: usize = 255;

/// A row of `services.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
struct Row {
    name: String,
    #[serde(deserialize_with = "lenient_port")]
    public_port: NonZeroU16,
    #[serde(deserialize_with = "lenient_port")]
    local_port: NonZeroU16,
    #[serde(default)]
    pid: Value,
    #[serde(default)]
    enabled_at: String,
    #[serde(default)]
    updated_at: String,
    #[serde(flatten)]
    other: Map<String, Value>,
}

/// The services of this board. Clones share them.
#[derive(Clone)]
pub(super) struct Services {
    book: Book<Row>,
    way: Way,
    tunnels: Arc<Mutex<HashMap<Uuid, Tunnel>>>,
}

impl Services {
    pub(super) fn open(home: &Path, way: Way) -> Result<Self, Error> {
        let book = Book::open(home.join("services.json"), "services")?;
        Ok(Self { book, way, tunnels: Arc::default() })
    }

    /// Opens the tunnels of the book.
    pub(super) fn restore_all(&self) {
        for (uuid, row) in self.book.all() {
            self.dig(uuid, &row);
        }
    }

    pub(super) async fn enable(
        &self,
        service: &Value,
        public_port: &Value,
        now: &str,
    ) -> Result<Reply, String> {
        let (uuid, name) = self.open_up(service, public_port, now).await?;
        let port = self.book.get(uuid).map(|row| row.public_port.get()).unwrap_or_default();
        let text = format!("Cloud service '{name}' exposed on port {port} on {}", self.way.host());
        Ok(Reply::success(text))
    }

    pub(super) async fn restore(
        &self,
        service: &Value,
        public_port: &Value,
        now: &str,
    ) -> Result<Reply, String> {
        let (uuid, name) = self.open_up(service, public_port, now).await?;
        let port = self.book.get(uuid).map(|row| row.public_port.get()).unwrap_or_default();
        Ok(Reply::success(format!("service {name} restored on port {port} on {}", self.way.host())))
    }

    pub(super) async fn disable(&self, service: &Value) -> Result<Reply, String> {
        let uuid = uuid(service)?;
        self.tunnels().remove(&uuid);
        let row =
            self.book.change(|rows| rows.remove(&uuid)).await.map_err(|error| error.to_string())?;
        let Some(row) = row else {
            return Ok(Reply::success(format!("ServiceDisable result:  {uuid} already removed!")));
        };
        tracing::info!(service = %uuid, name = row.name, "service disabled");
        Ok(Reply::success(format!("Cloud service '{}' tunnel disabled.", row.name)))
    }

    /// What upstream reads from `lsof` and `ps`: one line for each tunnel; there are no processes.
    pub(super) fn status(&self) -> Reply {
        let tunnels = self.tunnels();
        let line = |(uuid, row): (Uuid, Row)| {
            let state = tunnels.get(&uuid).map_or_else(|| "closed".to_owned(), Tunnel::state);
            let (host, public, local) = (self.way.host(), row.public_port, row.local_port);
            format!("{} 127.0.0.1:{local} <- {host}:{public} ({state})", row.name)
        };
        let sockets: Vec<_> = self.book.all().into_iter().map(line).collect();
        Reply::success(json!({ "sockets": sockets, "procs": [] }))
    }

    /// Names and ports, as upstream's local page lists them.
    pub(super) fn list(&self) -> Vec<String> {
        let line = |(_, row): (Uuid, Row)| {
            format!("{} - {} - {}", row.name, row.public_port, row.local_port)
        };
        self.book.all().into_iter().map(line).collect()
    }

    /// Whether some tunnel stands.
    pub(super) fn is_any_up(&self) -> bool {
        self.tunnels().values().any(Tunnel::is_up)
    }

    /// Takes every service away.
    pub(super) async fn clear(&self) -> Result<(), String> {
        self.tunnels().clear();
        self.book.change(|rows| rows.clear()).await.map_err(|error| error.to_string())
    }

    /// Closes every tunnel; the book stays.
    pub(super) fn close(&self) {
        self.tunnels().clear();
    }

    /// Enters the service and waits for its tunnel; a new one whose tunnel does not stand is taken out again.
    async fn open_up(
        &self,
        service: &Value,
        public_port: &Value,
        now: &str,
    ) -> Result<(Uuid, String), String> {
        let uuid = uuid(service)?;
        let name =
            service.get("name").and_then(Value::as_str).filter(|name| name.len() <= MAX_NAME);
        let name = name.ok_or("the service's name is no text of at most 255 bytes")?.to_owned();
        let local_port = port(service.get("port").unwrap_or(&Value::Null))
            .ok_or("the service's port is none")?;
        let public_port = port(public_port).ok_or("the public port is none")?;
        let older = self.book.get(uuid);
        let row = Row {
            name: name.clone(),
            public_port,
            local_port,
            pid: NO_PROCESS.into(),
            enabled_at: older.as_ref().map_or(now, |row| &row.enabled_at).to_owned(),
            updated_at: older.as_ref().map_or("", |_| now).to_owned(),
            other: older.as_ref().map(|row| row.other.clone()).unwrap_or_default(),
        };
        self.enter(uuid, row.clone()).await?;
        self.dig(uuid, &row);
        let standing = self.tunnels().get(&uuid).map(Tunnel::watch);
        let Some(standing) = standing else { return Ok((uuid, name)) };
        if let Err(why) = super::tunnel::up(standing, PATIENCE).await {
            self.put_back(uuid, older).await;
            return Err(format!("Error spawning '{name}' service tunnel: {why}"));
        }
        tracing::info!(service = %uuid, name, %public_port, %local_port, "service enabled");
        Ok((uuid, name))
    }

    async fn enter(&self, uuid: Uuid, row: Row) -> Result<(), String> {
        let entered = self.book.change(|rows| {
            let has_room = rows.len() < MAX_SERVICES || rows.contains_key(&uuid);
            if has_room {
                rows.insert(uuid, row);
            }
            has_room
        });
        match entered.await.map_err(|error| error.to_string())? {
            true => Ok(()),
            false => {
                Err(format!("the board has {MAX_SERVICES} services already; disable one first"))
            }
        }
    }

    async fn put_back(&self, uuid: Uuid, older: Option<Row>) {
        let changed = self.book.change(|rows| match older.clone() {
            Some(row) => rows.insert(uuid, row),
            None => rows.remove(&uuid),
        });
        if let Err(error) = changed.await {
            tracing::error!(%error, "services.json cannot be put back");
        }
        match older {
            Some(row) => self.dig(uuid, &row),
            None => drop(self.tunnels().remove(&uuid)),
        }
    }

    /// A new tunnel in place of the old one.
    fn dig(&self, uuid: Uuid, row: &Row) {
        let mut tunnels = self.tunnels();
        // The old one goes first: it holds the public port.
        tunnels.remove(&uuid);
        tunnels.insert(uuid, Tunnel::dig(&self.way, row.public_port, row.local_port));
    }

    fn tunnels(&self) -> MutexGuard<'_, HashMap<Uuid, Tunnel>> {
        self.tunnels.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn uuid(service: &Value) -> Result<Uuid, String> {
    let text = service.get("uuid").and_then(Value::as_str).unwrap_or_default();
    text.parse().map_err(|_| "the service's uuid is none".to_owned())
}

/// A port as number or text.
fn port(value: &Value) -> Option<NonZeroU16> {
    match value {
        Value::String(text) => text.parse().ok(),
        other => other.as_u64().and_then(|port| u16::try_from(port).ok()).and_then(NonZeroU16::new),
    }
}

fn lenient_port<'de, D: Deserializer<'de>>(deserializer: D) -> Result<NonZeroU16, D::Error> {
    let value = Value::deserialize(deserializer)?;
    port(&value).ok_or_else(|| serde::de::Error::custom(format!("{value} is no port")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_are_numbers_or_texts() {
        assert_eq!(port(&json!("22")), port(&json!(22)));
        for wrong in [
            json!(0),
            json!(65536),
            json!("x"),
            json!("22; reboot"),
            json!(null),
            json!(-1),
            json!(2.5),
        ] {
            assert_eq!(port(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_row_of_upstream_is_read() {
        let text = r#"{"name":"SSH","public_port":50001,"local_port":"22","pid":812,
                       "enabled_at":"2026-01-01T00:00:00.000000","updated_at":"","odd":1}"#;
        let row: Row = serde_json::from_str(text).unwrap();
        assert_eq!((row.local_port.get(), &row.other["odd"]), (22, &json!(1)));
    }
}
