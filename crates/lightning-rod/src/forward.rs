//! The services of this board and the link on which the cloud reaches them.
//!
//! Invariants: a channel leads to `127.0.0.1` and the port of a service in this board's own table, or nowhere; a service
//! that leaves the table takes its connections with it. The link is opened when the table has something in it, and stands
//! from then on; it comes back by itself, with growing waits.

use crate::cloud::{Cloud, Error};
use crate::home::{self, Home};
use crate::table::Table;
use base::backoff::Backoff;
use base::key::{KeyPair, PublicKey};
use base::tasks::Shutdown;
use model::service::Port;
use model::{BoardId, ServiceId};
use rpc::service::{Enable, Status};
use runtime::Cancel;
use std::collections::HashMap;
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::{Notify, watch};
use tunnel::handshake::{Credentials, HANDSHAKE_DEADLINE};
use tunnel::{Acceptor, Endpoint, Link, Refusal, RefusalCode};
use uuid::Uuid;

/// Where links are opened, below the cloud's address.
pub const PATH: &str = "/tunnel";
/// Most services of one board.
pub const MAX_SERVICES: usize = 1000;
/// Time a local service has to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);
/// A link that stood so long was a good one: waiting starts small again.
const GOOD_LINK: Duration = Duration::from_secs(10);
/// Time that channels get to finish when the agent ends.
const GRACE: Duration = Duration::from_secs(1);

/// The board's services. Clones share them.
#[derive(Debug, Clone)]
pub struct Services {
    table: Table<ServiceId, Enable>,
    live: Arc<Mutex<HashMap<ServiceId, Live>>>,
    link: Arc<watch::Sender<LinkState>>,
    wake: Arc<Notify>,
}

/// Where the link stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LinkState {
    /// No link, or none that works.
    Down,
    /// Channels can be opened.
    Up,
}

/// The connections of one service.
#[derive(Debug, Clone, Default)]
struct Live {
    cut: Cancel,
    count: Arc<AtomicU32>,
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
        // Whoever waits to try again tries now.
        self.wake.notify_one();
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

    /// Waits until the link stands, or until `patience` is over.
    pub async fn link_up(&self, patience: Duration) -> LinkState {
        let mut link = self.link.subscribe();
        let up = link.wait_for(|state| *state == LinkState::Up);
        match tokio::time::timeout(patience, up).await {
            Ok(Ok(_)) => LinkState::Up,
            _ => LinkState::Down,
        }
    }

    async fn not_empty(&self) {
        while self.table.is_empty() {
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
        let connecting = TcpStream::connect((Ipv4Addr::LOCALHOST, port.number()));
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(stream)) => Ok(Connection::new(stream, live)),
            Ok(Err(error)) => Err(Refusal::new(RefusalCode::Unreachable, error.to_string())),
            Err(_) => Err(Refusal::new(RefusalCode::Timeout, "")),
        }
    }
}

/// A service's key on a link is its id, as 16 bytes or as text.
fn read_key(key: &[u8]) -> Option<ServiceId> {
    let uuid = Uuid::from_slice(key).ok().or_else(|| Uuid::try_parse_ascii(key).ok())?;
    Some(uuid.into())
}

/// A connection to a local service that ends with the service's place in the table.
pub struct Connection {
    stream: TcpStream,
    cut: Pin<Box<dyn Future<Output = ()> + Send>>,
    count: Arc<AtomicU32>,
}

impl Connection {
    fn new(stream: TcpStream, live: Live) -> Self {
        live.count.fetch_add(1, Ordering::Relaxed);
        let cut = live.cut;
        Self { stream, cut: Box::pin(async move { cut.cancelled().await }), count: live.count }
    }

    fn check(&mut self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.cut.as_mut().poll(cx) {
            Poll::Pending => Ok(()),
            Poll::Ready(()) => {
                // Stays ready for the next poll.
                self.cut = Box::pin(std::future::ready(()));
                Err(io::Error::new(io::ErrorKind::ConnectionReset, "the service was disabled"))
            }
        }
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::Relaxed);
    }
}

impl AsyncRead for Connection {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Connection {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.check(cx)?;
        Pin::new(&mut self.stream).poll_write(cx, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl Endpoint for Connection {
    fn prepare(&mut self) {
        self.stream.prepare();
    }

    fn abort(&mut self) {
        self.stream.abort();
    }
}

/// Who the board is on a link, and whom it expects there.
#[derive(Debug, Clone)]
pub struct LinkCredentials {
    identity: String,
    key: KeyPair,
    cloud: PublicKey,
}

impl LinkCredentials {
    /// The board proves `key`; the other end must prove `cloud`.
    #[must_use]
    pub fn new(board: BoardId, key: KeyPair, cloud: PublicKey) -> Self {
        Self { identity: board.to_string(), key, cloud }
    }
}

impl Credentials for LinkCredentials {
    fn identity(&self) -> &str {
        &self.identity
    }

    fn sign(&self, transcript: &[u8]) -> [u8; 64] {
        self.key.sign(transcript)
    }

    fn check_peer(&self, transcript: &[u8], signature: &[u8; 64]) -> bool {
        self.cloud.verifies(transcript, signature)
    }
}

/// Keeps the link until `shutdown`.
pub async fn run(
    services: Services,
    cloud: Cloud,
    credentials: LinkCredentials,
    liveness: websocket::Settings,
    shutdown: Shutdown,
) {
    let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(30));
    loop {
        if shutdown.until(services.not_empty()).await.is_none() {
            return;
        }
        let started = Instant::now();
        let ended = one_link(&services, &cloud, &credentials, liveness, &shutdown).await;
        services.link.send_replace(LinkState::Down);
        if shutdown.has_begun() {
            return;
        }
        if started.elapsed() > GOOD_LINK {
            backoff.reset();
        }
        let wait = backoff.next_delay(base::secret::random_unit());
        tracing::warn!(reason = ended, retry_in_ms = wait.as_millis() as u64, "tunnel link lost");
        let woken = shutdown.until(tokio::time::timeout(wait, services.wake.notified()));
        if woken.await.is_none() {
            return;
        }
    }
}

/// Opens a link and stays on it; gives back why it ended.
async fn one_link(
    services: &Services,
    cloud: &Cloud,
    credentials: &LinkCredentials,
    liveness: websocket::Settings,
    shutdown: &Shutdown,
) -> String {
    let opened = shutdown.until(open(cloud, credentials)).await;
    let connection = match opened {
        Some(Ok(connection)) => connection,
        Some(Err(error)) => return error,
        None => return "the agent is stopping".into(),
    };
    let settings = tunnel::Settings { liveness, ..tunnel::Settings::default() };
    let (link, driver) = Link::new(connection, services.clone(), settings);
    tracing::info!("tunnel link up");
    services.link.send_replace(LinkState::Up);
    let ended = {
        let running = driver.run();
        let leaving = async {
            shutdown.begun().await;
            link.shutdown(GRACE).await
        };
        tokio::select! {
            ended = running => ended,
            ended = leaving => ended,
        }
    };
    ended.to_string()
}

async fn open(
    cloud: &Cloud,
    credentials: &LinkCredentials,
) -> Result<tunnel::Authenticated<Box<dyn crate::cloud::Stream>>, String> {
    let text = |error: Error| error.to_string();
    let opened = cloud.open(PATH, &[], tunnel::handshake::limits()).await.map_err(text)?;
    tunnel::handshake::dial(opened.socket, credentials, HANDSHAKE_DEADLINE)
        .await
        .map_err(|error| error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use rpc::service::Service;
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
        let port = {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            listener.local_addr().unwrap().port()
        };
        let row = enable(port);
        let key = row.service.uuid;
        services.enter(row).await.unwrap();
        let refused = services.accept(key.uuid().as_bytes()).await.err().unwrap();
        assert_eq!(refused.code, RefusalCode::Unreachable);
    }
}
