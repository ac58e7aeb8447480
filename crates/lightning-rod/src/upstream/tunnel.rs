//! One tunnel of the wstun dialect: from a public port of the cloud to a local service, built again when it breaks.
//!
//! Invariant: everything of it ends when it is dropped.

use crate::cloud::{Address, Cloud, Scheme, Stream};
use base::backoff::Backoff;
use std::io;
use std::net::Ipv4Addr;
use std::num::NonZeroU16;
use std::time::{Duration, Instant};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tunnel::wstun::{Asked, Client, ClientSettings, Dialer};

/// First and longest wait before trying again.
const FIRST_WAIT: Duration = Duration::from_millis(500);
const LONGEST_WAIT: Duration = Duration::from_secs(30);
/// A tunnel that stood so long was a good one.
const GOOD: Duration = Duration::from_secs(10);
/// The cloud closes a control socket at once whose port is taken.
const SETTLED: Duration = Duration::from_millis(200);
/// Time a local service has to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The way to the cloud's tunnel server.
#[derive(Debug, Clone)]
pub(super) struct Way {
    cloud: Cloud,
    address: Address,
    board: String,
    liveness: websocket::Settings,
}

impl Way {
    pub(super) fn new(
        cloud: Cloud,
        address: Address,
        board: String,
        liveness: websocket::Settings,
    ) -> Self {
        Self { cloud, address, board, liveness }
    }

    pub(super) fn host(&self) -> &str {
        &self.address.host
    }
}

/// How a tunnel stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Standing {
    /// It is being built; why it is not there yet, if something went wrong.
    Building(Option<String>),
    /// The cloud listens for it.
    Up,
}

/// A tunnel.
#[derive(Debug)]
pub(super) struct Tunnel {
    standing: watch::Receiver<Standing>,
    task: JoinHandle<()>,
}

impl Drop for Tunnel {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl Tunnel {
    /// Builds a tunnel, for as long as the value lives.
    pub(super) fn dig(way: &Way, public_port: NonZeroU16, local_port: NonZeroU16) -> Self {
        let (tell, standing) = watch::channel(Standing::Building(None));
        let asked = Asked {
            host: way.address.authority(),
            port: public_port,
            board: Some(way.board.clone()),
        };
        let settings = ClientSettings { liveness: way.liveness, ..ClientSettings::default() };
        let client = Client::new(asked, Ends { cloud: way.cloud.clone(), local_port }, settings);
        Self { standing, task: tokio::spawn(keep(client, tell)) }
    }

    pub(super) fn watch(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }

    pub(super) fn is_up(&self) -> bool {
        *self.standing.borrow() == Standing::Up
    }

    /// How it stands, for people.
    pub(super) fn state(&self) -> String {
        match &*self.standing.borrow() {
            Standing::Up => "open".into(),
            Standing::Building(None) => "being opened".into(),
            Standing::Building(Some(why)) => format!("closed: {why}"),
        }
    }
}

/// Waits until a tunnel stands; else why it does not.
pub(super) async fn up(
    mut standing: watch::Receiver<Standing>,
    patience: Duration,
) -> Result<(), String> {
    let is_up = |standing: &Standing| *standing == Standing::Up;
    let waited = tokio::time::timeout(patience, standing.wait_for(is_up)).await;
    match waited.map(|seen| seen.is_ok()) {
        Ok(true) => Ok(()),
        Ok(false) => Err("it was closed".into()),
        Err(_) => Err(match &*standing.borrow() {
            Standing::Building(Some(why)) => why.clone(),
            _ => "the tunnel server does not answer".into(),
        }),
    }
}

async fn keep(mut client: Client<Ends>, tell: watch::Sender<Standing>) {
    let mut backoff = Backoff::new(FIRST_WAIT, LONGEST_WAIT);
    loop {
        let began = Instant::now();
        let why = match client.connect().await {
            Err(error) => error.to_string(),
            Ok(control) => {
                let serving = client.serve(control);
                tokio::pin!(serving);
                let settled = tokio::time::timeout(SETTLED, &mut serving).await;
                match settled {
                    Ok(ended) => ended.to_string(),
                    Err(_) => {
                        tell.send_replace(Standing::Up);
                        serving.await.to_string()
                    }
                }
            }
        };
        if began.elapsed() > GOOD {
            backoff.reset();
        }
        tracing::warn!(why, "tunnel is not there");
        tell.send_replace(Standing::Building(Some(why)));
        tokio::time::sleep(backoff.next_delay(base::secret::random_unit())).await;
    }
}

/// The two ends of a tunnel.
struct Ends {
    cloud: Cloud,
    local_port: NonZeroU16,
}

impl Dialer for Ends {
    type Cloud = Box<dyn Stream>;
    type Target = TcpStream;

    async fn cloud(&self) -> io::Result<Self::Cloud> {
        let opened = self.cloud.stream(tunnel::wstun::tune).await;
        opened.map(|(stream, _)| stream).map_err(io::Error::other)
    }

    async fn target(&self) -> io::Result<TcpStream> {
        let connecting = TcpStream::connect((Ipv4Addr::LOCALHOST, self.local_port.get()));
        let late = || io::Error::new(io::ErrorKind::TimedOut, "the service does not take it");
        tokio::time::timeout(CONNECT_TIMEOUT, connecting).await.map_err(|_| late())?
    }
}

/// The address of the tunnel server: the router's host, upstream's port.
pub(super) fn address(router: &Address, port: u16) -> String {
    let scheme = match router.scheme {
        Scheme::Plain => "http",
        Scheme::Tls => "https",
    };
    let host = &router.host;
    let host = if host.contains(':') { format!("[{host}]") } else { host.clone() };
    format!("{scheme}://{host}:{port}")
}
