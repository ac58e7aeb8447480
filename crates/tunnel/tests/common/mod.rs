//! A link over real loopback sockets, services behind it, and the public side in front of it.
#![allow(dead_code, reason = "each test file uses a part")]
#![allow(clippy::unwrap_used, clippy::panic, clippy::indexing_slicing, reason = "tests")]
#![allow(unreachable_pub, reason = "shared by test files")]

use std::collections::HashMap;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::{TlsAcceptor, TlsConnector};
use tunnel::handshake::{self, Credentials, Gatekeeper, HANDSHAKE_DEADLINE, SIGNATURE};
use tunnel::{
    Acceptor, Ended, Link, NotAccepting, Refusal, RefusalCode, ServiceKey, Settings, splice,
};
use websocket::{Role, WebSocket};

/// Nothing here takes longer on an idle machine than a tenth of this.
pub const PATIENCE: Duration = Duration::from_secs(60);

pub async fn soon<T>(what: &str, future: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, future).await.unwrap_or_else(|_| panic!("{what} took too long"))
}

/// Waits until a condition holds.
pub async fn until(what: &str, mut condition: impl FnMut() -> bool) {
    soon(what, async {
        while !condition() {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    })
    .await;
}

/// A stand-in for keys: a digest of a shared secret and the transcript.
pub fn toy_signature(secret: u8, transcript: &[u8]) -> [u8; SIGNATURE] {
    let mut signature = [secret; SIGNATURE];
    for (index, byte) in transcript.iter().enumerate() {
        let slot = &mut signature[index % SIGNATURE];
        *slot = slot.wrapping_mul(31).wrapping_add(*byte);
    }
    signature
}

pub struct Board {
    pub secret: u8,
    pub expects: u8,
}

pub const BOARD: Board = Board { secret: 1, expects: 2 };

impl Credentials for Board {
    fn identity(&self) -> &str {
        "board-1"
    }
    fn sign(&self, transcript: &[u8]) -> [u8; SIGNATURE] {
        toy_signature(self.secret, transcript)
    }
    fn check_peer(&self, transcript: &[u8], signature: &[u8; SIGNATURE]) -> bool {
        *signature == toy_signature(self.expects, transcript)
    }
}

pub struct Cloud;

impl Gatekeeper for Cloud {
    async fn verify(
        &self,
        identity: &str,
        transcript: &[u8],
        signature: &[u8; SIGNATURE],
    ) -> Result<(), String> {
        if identity == "board-1" && *signature == toy_signature(1, transcript) {
            Ok(())
        } else {
            Err("unknown board or wrong key".into())
        }
    }
    fn sign(&self, transcript: &[u8]) -> [u8; SIGNATURE] {
        toy_signature(2, transcript)
    }
}

/// The board's own table.
#[derive(Clone, Default)]
pub struct Table(pub HashMap<Vec<u8>, SocketAddr>);

impl Table {
    pub fn one(address: SocketAddr) -> Self {
        Self(HashMap::from([(b"service".to_vec(), address)]))
    }
}

impl Acceptor for Table {
    type Target = TcpStream;

    async fn accept(&self, service_key: &[u8]) -> Result<TcpStream, Refusal> {
        let Some(target) = self.0.get(service_key) else {
            return Err(Refusal::new(RefusalCode::UnknownService, ""));
        };
        TcpStream::connect(target)
            .await
            .map_err(|error| Refusal::new(RefusalCode::Unreachable, error.to_string()))
    }
}

pub fn key() -> ServiceKey {
    ServiceKey::new(&b"service"[..]).unwrap()
}

pub fn socket(stream: TcpStream, role: Role) -> WebSocket<TcpStream> {
    tunnel::tune(&stream).unwrap();
    WebSocket::new(stream, role, handshake::limits(), Bytes::new())
}

/// Two ends of one loopback connection.
pub async fn connected() -> (TcpStream, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (near, far) = tokio::join!(TcpStream::connect(address), listener.accept());
    (near.unwrap(), far.unwrap().0)
}

/// Both ends of a link, each driven by its own task.
pub struct Pair {
    pub cloud: Link,
    pub board: Link,
    pub cloud_task: JoinHandle<Arc<Ended>>,
    pub board_task: JoinHandle<Arc<Ended>>,
}

pub async fn link(table: impl Acceptor, settings: Settings) -> Pair {
    let (board_end, cloud_end) = connected().await;
    link_over(board_end, cloud_end, table, settings).await
}

pub async fn link_over(
    board_end: TcpStream,
    cloud_end: TcpStream,
    table: impl Acceptor,
    settings: Settings,
) -> Pair {
    tunnel::tune(&board_end).unwrap();
    tunnel::tune(&cloud_end).unwrap();
    link_with(board_end, cloud_end, table, settings).await
}

/// A link on any two ends of a byte stream. However busy the machine is, nobody takes the other for dead.
pub async fn link_on<B, C>(board_end: B, cloud_end: C, table: impl Acceptor) -> Pair
where
    B: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let liveness = websocket::Settings { active_dead: PATIENCE, ..websocket::Settings::default() };
    link_with(board_end, cloud_end, table, Settings { liveness, ..Settings::default() }).await
}

async fn link_with<B, C>(
    board_end: B,
    cloud_end: C,
    table: impl Acceptor,
    settings: Settings,
) -> Pair
where
    B: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    C: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (board_end, cloud_end) = (
        WebSocket::new(board_end, Role::Client, handshake::limits(), Bytes::new()),
        WebSocket::new(cloud_end, Role::Server, handshake::limits(), Bytes::new()),
    );
    let (dialled, accepted) = tokio::join!(
        handshake::dial(board_end, &BOARD, HANDSHAKE_DEADLINE),
        handshake::accept(cloud_end, &Cloud, HANDSHAKE_DEADLINE),
    );
    let (board, board_driver) = Link::new(dialled.unwrap(), table, settings);
    let (cloud, cloud_driver) = Link::new(accepted.unwrap(), NotAccepting, settings);
    Pair {
        cloud,
        board,
        cloud_task: tokio::spawn(cloud_driver.run()),
        board_task: tokio::spawn(board_driver.run()),
    }
}

/// A certificate made for the occasion, and a client that trusts it.
pub fn tls() -> (TlsAcceptor, TlsConnector) {
    let made = rcgen::generate_simple_self_signed(vec!["localhost".into()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let server = rustls::ServerConfig::builder().with_no_client_auth();
    let server = server.with_single_cert(vec![certificate.clone()], key).unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(certificate).unwrap();
    let client =
        rustls::ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    (Arc::new(server).into(), Arc::new(client).into())
}

/// The public port: every connection becomes a channel.
pub async fn public_port(link: Link) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            let Ok(channel) = link.open_eagerly(key()) else { continue };
            tokio::spawn(splice(channel, client));
        }
    });
    address
}

/// A service that runs `serve` for every connection.
pub async fn service<F, R>(serve: F) -> SocketAddr
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(serve(stream));
        }
    });
    address
}

/// Sends back what it gets, and the end too.
pub async fn echo(mut stream: TcpStream) {
    let (mut read, mut write) = stream.split();
    let _ = tokio::io::copy(&mut read, &mut write).await;
    let _ = write.shutdown().await;
}

/// A link, a service on the board, and the public address that leads to it.
pub async fn forwarded<F, R>(serve: F) -> (Pair, SocketAddr)
where
    F: Fn(TcpStream) -> R + Send + 'static,
    R: Future<Output = ()> + Send + 'static,
{
    let pair = link(Table::one(service(serve).await), Settings::default()).await;
    let address = public_port(pair.cloud.clone()).await;
    (pair, address)
}

/// Bytes that differ for every seed.
pub fn noise(seed: u64, length: usize) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut bytes = Vec::with_capacity(length + 8);
    while bytes.len() < length {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(length);
    bytes
}

pub async fn read_to_end(stream: &mut (impl AsyncReadExt + Unpin)) -> Vec<u8> {
    let mut bytes = Vec::new();
    soon("reading to the end", stream.read_to_end(&mut bytes)).await.unwrap();
    bytes
}

pub async fn write_all(stream: &mut (impl AsyncWriteExt + Unpin), bytes: &[u8]) {
    soon("writing", stream.write_all(bytes)).await.unwrap();
}
