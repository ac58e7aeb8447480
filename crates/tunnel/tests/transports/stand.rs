//! A cloud and a board joined by one transport, a service behind the board, and the public port in front of the cloud.
//!
//! Invariant: every connection between the two goes over the line, so cutting it cuts all of them. Not here: what is checked.

use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};

use rustix::process::{Resource, getrlimit, setrlimit};
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tunnel::wstun::{Client, ClientSettings, Dialer};

use crate::common::{Pair, Table, link_on, public_port, tls};
use crate::support::{Board, Cloud, OnePort, Plain, asked, serve, settings};

/// What carries the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Transport {
    /// The link on TCP.
    WebSocket,
    /// The link on TLS.
    SecureWebSocket,
    /// The link on a connection that gives few bytes at a time, often one, and takes few.
    Crumbs,
    /// Upstream's dialect on TCP.
    Wstun,
    /// Upstream's dialect on TLS.
    SecureWstun,
}

impl Transport {
    /// Bytes of a large transfer.
    pub fn bulk(self) -> usize {
        if self == Self::Crumbs { 200_000 } else { 3_000_000 }
    }

    /// Connections at one time. TLS below the dialect takes a handshake for each, crumbs a million reads.
    pub fn many(self) -> u64 {
        match self {
            Self::SecureWstun | Self::Crumbs => 200,
            Self::WebSocket | Self::SecureWebSocket | Self::Wstun => 1_000,
        }
    }
}

/// Connections at one time that the dialect's two sides take.
const MOST: usize = 2_000;

/// All of it.
pub struct Stand {
    pub public: SocketAddr,
    line: Line,
    ends: Ends,
}

enum Ends {
    Link(Box<Pair>),
    Wstun { cloud: Box<Cloud>, _board: Board },
}

impl Stand {
    pub async fn new(transport: Transport, service: SocketAddr) -> Self {
        allow_many_files();
        match transport {
            Transport::WebSocket | Transport::SecureWebSocket | Transport::Crumbs => {
                Self::link(transport, service).await
            }
            Transport::Wstun | Transport::SecureWstun => Self::wstun(transport, service).await,
        }
    }

    async fn link(transport: Transport, service: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let line = Line::to(listener.local_addr().unwrap()).await;
        let (board, cloud) = tokio::join!(TcpStream::connect(line.address), listener.accept());
        let (board, cloud) = (board.unwrap(), cloud.unwrap().0);
        tunnel::tune(&board).unwrap();
        tunnel::tune(&cloud).unwrap();
        let table = Table::one(service);
        let pair = match transport {
            Transport::SecureWebSocket => {
                let (acceptor, connector) = tls();
                let name = ServerName::try_from("localhost").unwrap();
                let (board, cloud) =
                    tokio::join!(connector.connect(name, board), acceptor.accept(cloud));
                link_on(board.unwrap(), cloud.unwrap(), table).await
            }
            Transport::Crumbs => link_on(Crumbs::of(board), Crumbs::of(cloud), table).await,
            _ => link_on(board, cloud, table).await,
        };
        let public = public_port(pair.cloud.clone()).await;
        Self { public, line, ends: Ends::Link(Box::new(pair)) }
    }

    async fn wstun(transport: Transport, service: SocketAddr) -> Self {
        let public = Arc::new(TcpListener::bind("127.0.0.1:0").await.unwrap());
        let address = public.local_addr().unwrap();
        let mut settings = settings();
        settings.max_connections = MOST;
        settings.max_waiting = MOST;
        let (acceptor, connector) = tls();
        let cloud = match transport {
            Transport::SecureWstun => {
                let wrap = move |stream| acceptor.accept(stream);
                serve(settings, OnePort(public), address, wrap).await
            }
            _ => serve(settings, OnePort(public), address, |stream| async { Ok(stream) }).await,
        };
        let line = Line::to(cloud.address).await;
        let plain = Plain { cloud: line.address, target: service };
        let asked = asked(line.address, cloud.port());
        let settings = ClientSettings { max_connections: MOST, ..ClientSettings::default() };
        let board = match transport {
            Transport::SecureWstun => {
                Board::up(Client::new(asked, Secure { plain, connector }, settings)).await
            }
            _ => Board::up(Client::new(asked, plain, settings)).await,
        };
        Self { public: address, line, ends: Ends::Wstun { cloud: Box::new(cloud), _board: board } }
    }

    /// Ends every connection between cloud and board, without a word of the protocol.
    pub fn cut(&self) {
        self.line.cut.send_replace(true);
    }

    pub async fn visit(&self) -> TcpStream {
        let stream = TcpStream::connect(self.public).await.unwrap();
        stream.set_nodelay(true).unwrap();
        stream
    }

    /// What the two sides still hold: connections and bytes.
    pub fn held(&self) -> (usize, u64) {
        match &self.ends {
            Ends::Link(pair) => {
                let [cloud, board] = [&pair.cloud, &pair.board].map(|link| link.memory());
                let bytes = cloud.promised + board.promised + (cloud.queued + board.queued) as u64;
                (pair.cloud.stats().channels + pair.board.stats().channels, bytes)
            }
            Ends::Wstun { cloud, .. } => {
                let stats = cloud.server.stats();
                (stats.connections + stats.waiting, 0)
            }
        }
    }
}

/// A thousand connections are more files than a process may have open by default.
fn allow_many_files() {
    let mut limit = getrlimit(Resource::Nofile);
    limit.current = limit.maximum;
    setrlimit(Resource::Nofile, limit).unwrap();
}

/// A relay of TCP connections that can cut all of them.
struct Line {
    address: SocketAddr,
    cut: watch::Sender<bool>,
}

impl Line {
    async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (cut, is_cut) = watch::channel(false);
        tokio::spawn(async move {
            while let Ok((mut near, _)) = listener.accept().await {
                let mut is_cut = is_cut.clone();
                tokio::spawn(async move {
                    let mut far = TcpStream::connect(target).await.unwrap();
                    near.set_nodelay(true).unwrap();
                    far.set_nodelay(true).unwrap();
                    let relay = tokio::io::copy_bidirectional_with_sizes(
                        &mut near, &mut far, 65_536, 65_536,
                    );
                    tokio::select! {
                        _ = relay => {}
                        _ = is_cut.wait_for(|is_cut| *is_cut) => {}
                    }
                });
            }
        });
        Self { address, cut }
    }
}

/// TLS to the cloud.
struct Secure {
    plain: Plain,
    connector: tokio_rustls::TlsConnector,
}

impl Dialer for Secure {
    type Cloud = tokio_rustls::client::TlsStream<TcpStream>;
    type Target = TcpStream;

    async fn cloud(&self) -> io::Result<Self::Cloud> {
        let name = ServerName::try_from("localhost").unwrap();
        self.connector.connect(name, self.plain.cloud().await?).await
    }

    async fn target(&self) -> io::Result<TcpStream> {
        self.plain.target().await
    }
}

/// A connection that is read one to seven bytes at a time and written up to 1,000 at a time.
struct Crumbs {
    io: TcpStream,
    turn: usize,
}

impl Crumbs {
    fn of(io: TcpStream) -> Self {
        Self { io, turn: 0 }
    }
}

impl AsyncRead for Crumbs {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let mut crumb = [0; 7];
        self.turn += 1;
        let most = [1, 7, 1, 3][self.turn % 4].min(buf.remaining());
        let mut short = ReadBuf::new(&mut crumb[..most]);
        let outcome = Pin::new(&mut self.io).poll_read(cx, &mut short);
        buf.put_slice(short.filled());
        outcome
    }
}

impl AsyncWrite for Crumbs {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let most = bytes.len().min(1_000);
        Pin::new(&mut self.io).poll_write(cx, &bytes[..most])
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.io).poll_shutdown(cx)
    }
}
