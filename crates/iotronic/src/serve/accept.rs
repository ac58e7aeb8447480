//! The API listener: accepts connections, encrypts them where configured, and speaks HTTP/1.1 on them.
//!
//! Invariants: no more connections than the limit, those of boards included (further ones wait in the kernel's queue); a
//! client that is slow to shake hands or to send its head is cut; at shutdown each connection finishes the request it is at.

use super::stream::{Io, Stream};
use crate::http::{Older, Peer};
use crate::tls::{Tls, Versions};
use axum::Router;
use base::tasks::Shutdown;
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, server::conn::http1};
use hyper_util::rt::{TokioIo, TokioTimer};
use rustls::ProtocolVersion;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;
use tower::ServiceExt as _;

/// Time for the TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// Time for the head of a request, the wait for the next request included.
const HEAD_TIMEOUT: Duration = Duration::from_secs(30);
/// Largest head of a request.
const MAX_HEAD: usize = 32 * 1024;
/// Rest after the system could not accept (usually: no more file descriptors).
const REST: Duration = Duration::from_millis(100);

/// The listener with all it needs.
pub(super) struct Acceptor {
    pub(super) listener: TcpListener,
    pub(super) tls: Option<Tls>,
    pub(super) router: Router,
    pub(super) versions: Versions,
    pub(super) connections: u32,
    pub(super) shutdown: Shutdown,
}

impl Acceptor {
    /// Serves until the shutdown, then waits until the last request has been answered.
    pub(super) async fn run(self) {
        let places =
            Arc::new(Semaphore::new(usize::try_from(self.connections).unwrap_or(usize::MAX)));
        let mut running = JoinSet::new();
        let shutdown = self.shutdown.clone();
        let accepting = async {
            loop {
                while running.try_join_next().is_some() {}
                // Never closed, so this fails never.
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                match self.listener.accept().await {
                    Ok((io, peer)) => {
                        let connection = Connection {
                            tls: self.tls.clone(),
                            versions: self.versions,
                            router: self.router.clone(),
                            shutdown: self.shutdown.clone(),
                            peer,
                        };
                        running.spawn(async move {
                            let _ = io.set_nodelay(true);
                            if let Some(io) = connection.encrypt(io).await {
                                let spoken = spoken(&io);
                                connection.speak(Stream::new(io, place), spoken).await;
                            }
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection could not be accepted");
                        tokio::time::sleep(REST).await;
                    }
                }
            }
        };
        shutdown.until(accepting).await;
        drop(self.listener);
        while running.join_next().await.is_some() {}
    }
}

/// What is spoken below; plain text, where it is allowed, is nobody's older version.
fn spoken(io: &Io) -> Versions {
    match io {
        Io::Encrypted(io)
            if io.get_ref().1.protocol_version() == Some(ProtocolVersion::TLSv1_2) =>
        {
            Versions::Older
        }
        Io::Encrypted(_) | Io::Plain(_) => Versions::Newest,
    }
}

struct Connection {
    tls: Option<Tls>,
    versions: Versions,
    router: Router,
    shutdown: Shutdown,
    peer: SocketAddr,
}

impl Connection {
    async fn encrypt(&self, io: TcpStream) -> Option<Io> {
        let Some(tls) = &self.tls else { return Some(Io::Plain(io)) };
        let handshake = tokio::time::timeout(TLS_TIMEOUT, tls.acceptor(self.versions).accept(io));
        match self.shutdown.until(handshake).await? {
            Ok(Ok(io)) => Some(Io::Encrypted(Box::new(io))),
            Ok(Err(error)) => {
                tracing::debug!(peer = %self.peer, %error, "a TLS handshake failed");
                None
            }
            Err(_) => {
                tracing::debug!(peer = %self.peer, "a TLS handshake took too long");
                None
            }
        }
    }

    async fn speak(self, io: Stream, spoken: Versions) {
        let Self { router, shutdown, peer, .. } = self;
        let service = service_fn(move |mut request: Request<Incoming>| {
            request.extensions_mut().insert(Peer(peer));
            if spoken == Versions::Older {
                request.extensions_mut().insert(Older);
            }
            router.clone().oneshot(request)
        });
        let connection = http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(HEAD_TIMEOUT)
            .max_buf_size(MAX_HEAD)
            .serve_connection(TokioIo::new(io), service)
            .with_upgrades();
        let mut connection = std::pin::pin!(connection);
        let ended = tokio::select! {
            ended = connection.as_mut() => ended,
            () = shutdown.begun() => {
                connection.as_mut().graceful_shutdown();
                connection.await
            }
        };
        if let Err(error) = ended {
            tracing::debug!(%peer, %error, "a connection ended badly");
        }
    }
}
