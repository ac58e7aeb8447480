//! The board's table of services, and the channels that lead to them.
//!
//! Invariant: a channel leads to `127.0.0.1` and the port of a service in the table, or nowhere; a service that leaves the
//! table takes its connections with it.

use super::connection::{Connection, Live};
use crate::home::{self, Home};
use crate::table::Table;
use model::service::Port;
use model::{Kind, ServiceId};
use rpc::Fault;
use rpc::service::{Enable, Status};
use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;
use tokio::sync::{Notify, watch};
use tunnel::{Acceptor, Refusal, RefusalCode};
use uuid::Uuid;

/// Most services of one board.
pub const MAX_SERVICES: usize = 1000;
/// How long an answer that needs the link waits for it.
const LINK_PATIENCE: Duration = Duration::from_secs(5);

/// The board's services. Clones share them.
#[derive(Debug, Clone)]
pub struct Services {
    table: Table<ServiceId, Enable>,
    live: Arc<Mutex<HashMap<ServiceId, Live>>>,
    pub(super) link: Arc<watch::Sender<LinkState>>,
    pub(super) wake: Arc<Notify>,
    is_link_wanted: Arc<AtomicBool>,
}

/// Where the link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// No link, or none that works.
    Down,
    /// Channels can be opened.
    Up,
}

impl Services {
    /// Opens the table in the agent's folder.
    ///
    /// # Errors
    /// The file is unreadable or damaged.
    pub fn open(home: &Home) -> Result<Self, home::Error> {
        Ok(Self {
            table: Table::open(&home.path("services.json"))?,
            live: Arc::default(),
            link: Arc::new(watch::Sender::new(LinkState::Down)),
            wake: Arc::default(),
            is_link_wanted: Arc::default(),
        })
    }

    /// Enters a service, or its new port; false when the table is full.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn enter(&self, enable: Enable) -> Result<bool, home::Error> {
        let entered = self
            .table
            .change(|rows| {
                let has_room = rows.len() < MAX_SERVICES || rows.contains_key(&enable.service.uuid);
                if has_room {
                    rows.insert(enable.service.uuid, enable);
                }
                has_room
            })
            .await?;
        self.retry_now();
        Ok(entered)
    }

    /// Takes a service out and cuts its connections.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn remove(&self, service: ServiceId) -> Result<(), home::Error> {
        self.table.change(|rows| rows.remove(&service)).await?;
        if let Some(live) = self.live().remove(&service) {
            live.cut.cancel();
        }
        Ok(())
    }

    /// Takes all of them out.
    ///
    /// # Errors
    /// The table cannot be written.
    pub async fn clear(&self) -> Result<(), home::Error> {
        for row in self.table.all() {
            self.remove(row.service.uuid).await?;
        }
        Ok(())
    }

    /// The table with what is open now.
    #[must_use]
    pub fn status(&self) -> Vec<Status> {
        let live = self.live();
        let connections = |service| {
            live.get(&service).map_or(0, |live: &Live| live.count.load(Ordering::Relaxed))
        };
        self.table
            .all()
            .into_iter()
            .map(|row| Status {
                uuid: row.service.uuid,
                name: row.service.name,
                local_port: row.service.port,
                public_port: row.public_port,
                connections: connections(row.service.uuid),
            })
            .collect()
    }

    /// One line for each service, and whether the link stands, for the local page.
    pub(crate) fn shown(&self) -> (Vec<String>, bool) {
        let line = |row: Enable| {
            format!("{} - {} - {}", row.service.name, row.public_port, row.service.port)
        };
        (self.table.all().into_iter().map(line).collect(), *self.link.borrow() == LinkState::Up)
    }

    /// The link is needed from now on; waits until it stands.
    ///
    /// # Errors
    /// It does not come up in time.
    pub async fn bring_link(&self) -> Result<(), Fault> {
        self.want_link();
        match self.link_up(LINK_PATIENCE).await {
            LinkState::Up => Ok(()),
            LinkState::Down => Err(Fault::new(
                Kind::Unreachable,
                "the board's data link does not come up; its log says why",
            )),
        }
    }

    /// Waits until the link stands, or until `patience` is over.
    pub async fn link_up(&self, patience: Duration) -> LinkState {
        let mut link = self.link.subscribe();
        let up = link.wait_for(|state| *state == LinkState::Up);
        match tokio::time::timeout(patience, up).await {
            Ok(Ok(_)) => LinkState::Up,
            _ => LinkState::Down,
        }
    }

    /// A link that waits before it is tried again is tried now.
    pub fn retry_now(&self) {
        self.wake.notify_one();
    }

    /// The link is needed for something else than a service, and stands from now on.
    pub fn want_link(&self) {
        self.is_link_wanted.store(true, Ordering::Relaxed);
        self.retry_now();
    }

    /// Waits until there is a service, or another need of the link.
    pub(super) async fn needs_link(&self) {
        while self.table.is_empty() && !self.is_link_wanted.load(Ordering::Relaxed) {
            self.wake.notified().await;
        }
    }

    fn port(&self, service: ServiceId) -> Option<Port> {
        Some(self.table.get(&service)?.service.port)
    }

    fn live(&self) -> MutexGuard<'_, HashMap<ServiceId, Live>> {
        self.live.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Acceptor for Services {
    type Target = Connection;

    async fn accept(&self, service_key: &[u8]) -> Result<Connection, Refusal> {
        let unknown = || Refusal::new(RefusalCode::UnknownService, "");
        let service = read_key(service_key).ok_or_else(unknown)?;
        // Entered before connecting, so that a removal meanwhile cuts this one too.
        let live = self.live().entry(service).or_default().clone();
        let Some(port) = self.port(service) else {
            self.live().remove(&service);
            return Err(unknown());
        };
        Connection::connect(port, live).await
    }
}

/// A service's key on a link is its id, as 16 bytes or as text.
fn read_key(key: &[u8]) -> Option<ServiceId> {
    let uuid = Uuid::from_slice(key).ok().or_else(|| Uuid::try_parse_ascii(key).ok())?;
    Some(uuid.into())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rpc::service::Service;
    use std::io;
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    fn enable(port: u16) -> Enable {
        let service = Service {
            uuid: ServiceId::new(),
            name: "echo".parse().unwrap(),
            port: Port::try_from(u32::from(port)).unwrap(),
            protocol: Default::default(),
        };
        Enable { service, public_port: Port::try_from(20_000).unwrap() }
    }

    #[tokio::test]
    async fn a_channel_leads_to_a_service_of_the_table_or_nowhere() {
        let dir = tempfile::tempdir().unwrap();
        let services = Services::open(&Home::open(dir.path()).unwrap()).unwrap();
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let row = enable(listener.local_addr().unwrap().port());
        let key = row.service.uuid;
        for wrong in [key.uuid().as_bytes().as_slice(), b"127.0.0.1:22", b"", &[0; 64]] {
            let refused = services.accept(wrong).await.err().unwrap();
            assert_eq!(refused.code, RefusalCode::UnknownService);
        }
        assert!(services.live().is_empty());
        services.enter(row).await.unwrap();
        let mut connection = services.accept(key.to_string().as_bytes()).await.unwrap();
        let (mut there, _) = listener.accept().await.unwrap();
        connection.write_all(b"hello").await.unwrap();
        let mut read = [0; 5];
        there.read_exact(&mut read).await.unwrap();
        assert_eq!(services.status()[0].connections, 1);

        services.remove(key).await.unwrap();
        let error = connection.read(&mut read).await.unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::ConnectionReset);
        drop(connection);
        assert!(services.status().is_empty());
        assert!(services.accept(key.uuid().as_bytes()).await.is_err());
    }

    #[tokio::test]
    async fn a_service_that_does_not_listen_is_unreachable() {
        let dir = tempfile::tempdir().unwrap();
        let services = Services::open(&Home::open(dir.path()).unwrap()).unwrap();
        // Nobody ever listens there.
        let row = enable(1);
        let key = row.service.uuid;
        services.enter(row).await.unwrap();
        let refused = services.accept(key.uuid().as_bytes()).await.err().unwrap();
        assert_eq!(refused.code, RefusalCode::Unreachable);
    }
}
