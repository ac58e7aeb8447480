//! The two listeners of upstream boards: WAMP at `/`, and wstun.
//!
//! Invariants: they are open only when `legacy.enabled` says so; each takes no more connections than the API listener
//! may; what cannot shake hands in time is cut. Deliberately not here: who is let in (`boards`, `ingress`).

use super::Error;
use super::stream::Io;
use crate::boards::MAX_MESSAGE;
use crate::cloud::Cloud;
use crate::settings::Settings;
use crate::tls::{Tls, Versions};
use base::tasks::Shutdown;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::{JoinHandle, JoinSet};
use wamp::Serialiser;
use websocket::Limits;
use websocket::handshake::Refusal;

/// Time for the TLS handshake.
const TLS_TIMEOUT: Duration = Duration::from_secs(10);
/// Rest after the system could not accept.
const REST: Duration = Duration::from_millis(100);

/// Both listeners, bound.
pub(super) struct Doors {
    wamp: TcpListener,
    wstun: TcpListener,
    /// Where they really listen.
    pub(super) addresses: Addresses,
}

/// Where upstream boards are let in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Addresses {
    /// WAMP.
    pub wamp: SocketAddr,
    /// wstun.
    pub wstun: SocketAddr,
}

impl Doors {
    /// Binds both, when upstream boards are let in at all.
    pub(super) async fn bind(settings: &Settings) -> Result<Option<Self>, Error> {
        if !settings.legacy.enabled {
            return Ok(None);
        }
        let (wamp, at_wamp) = bind("wamp.listen", settings.wamp.listen).await?;
        let (wstun, at_wstun) = bind("wstun.listen", settings.wstun.listen).await?;
        let addresses = Addresses { wamp: at_wamp, wstun: at_wstun };
        Ok(Some(Self { wamp, wstun, addresses }))
    }

    /// Lets boards in until the shutdown; then what is connected goes on until the task is aborted.
    pub(super) fn open(
        self,
        cloud: &Cloud,
        tls: Option<Tls>,
        shutdown: &Shutdown,
    ) -> JoinHandle<()> {
        let places = usize::try_from(cloud.settings.limits.connections).unwrap_or(usize::MAX);
        let wamp = Door { tls: tls.clone(), places, shutdown: shutdown.clone() };
        let wstun = Door { tls, places, shutdown: shutdown.clone() };
        let (for_wamp, for_wstun) = (cloud.clone(), cloud.clone());
        let control = wamp.keep(self.wamp, move |io, peer| speak(for_wamp.clone(), io, peer));
        let tunnels = wstun.keep(self.wstun, move |io, peer| tunnel(for_wstun.clone(), io, peer));
        tokio::spawn(async move {
            tokio::join!(control, tunnels);
        })
    }
}

async fn bind(key: &'static str, address: SocketAddr) -> Result<(TcpListener, SocketAddr), Error> {
    let listener = TcpListener::bind(address).await;
    let bound = listener.and_then(|listener| Ok((listener.local_addr()?, listener)));
    let (really, listener) = bound.map_err(|source| Error::Listen { key, address, source })?;
    Ok((listener, really))
}

struct Door {
    tls: Option<Tls>,
    places: usize,
    shutdown: Shutdown,
}

impl Door {
    async fn keep<F, S>(self, listener: TcpListener, serve: F)
    where
        F: Fn(Io, SocketAddr) -> S + Clone + Send + 'static,
        S: Future<Output = ()> + Send + 'static,
    {
        let places = Arc::new(Semaphore::new(self.places));
        let mut running = JoinSet::new();
        let accepting = async {
            loop {
                while running.try_join_next().is_some() {}
                // Never closed, so this fails never.
                let Ok(place) = Arc::clone(&places).acquire_owned().await else { return };
                match listener.accept().await {
                    Ok((io, peer)) => {
                        let (tls, serve) = (self.tls.clone(), serve.clone());
                        running.spawn(async move {
                            let _place = place;
                            // What fails here fails again at the first byte.
                            let _ = tunnel::wstun::tune(&io);
                            if let Some(io) = encrypt(tls, io, peer).await {
                                serve(io, peer).await;
                            }
                        });
                    }
                    Err(error) => {
                        tracing::warn!(%error, "a connection of an upstream board could not be accepted");
                        tokio::time::sleep(REST).await;
                    }
                }
            }
        };
        self.shutdown.until(accepting).await;
        drop(listener);
        while running.join_next().await.is_some() {}
    }
}

async fn encrypt(tls: Option<Tls>, io: TcpStream, peer: SocketAddr) -> Option<Io> {
    let Some(tls) = tls else { return Some(Io::Plain(io)) };
    match tokio::time::timeout(TLS_TIMEOUT, tls.acceptor(Versions::Older).accept(io)).await {
        Ok(Ok(io)) => Some(Io::Encrypted(Box::new(io))),
        Ok(Err(error)) => {
            tracing::debug!(%peer, %error, "a TLS handshake failed");
            None
        }
        Err(_) => {
            tracing::debug!(%peer, "a TLS handshake took too long");
            None
        }
    }
}

async fn speak(cloud: Cloud, io: Io, peer: SocketAddr) {
    match io {
        Io::Plain(io) => control(cloud, io, peer).await,
        Io::Encrypted(io) => control(cloud, *io, peer).await,
    }
}

async fn control<S>(cloud: Cloud, io: S, peer: SocketAddr)
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut serialiser = None;
    let limits = Limits { max_message: MAX_MESSAGE };
    let accepted = websocket::handshake::server(io, limits, |request| {
        let offered = &request.subprotocols;
        let ours = Serialiser::SUBPROTOCOLS.into_iter();
        let chosen = ours.into_iter().find(|ours| offered.iter().any(|name| name == ours));
        serialiser = chosen.and_then(Serialiser::from_subprotocol);
        chosen.map(|chosen| Some(chosen.to_owned())).ok_or(Refusal::Subprotocol)
    });
    match (accepted.await, serialiser) {
        (Ok((socket, _)), Some(serialiser)) => {
            cloud.boards.serve_legacy(socket, serialiser, Some(peer)).await;
        }
        (Ok(_), None) => {}
        (Err(error), _) => tracing::debug!(%peer, %error, "an upstream board could not connect"),
    }
}

async fn tunnel(cloud: Cloud, io: Io, peer: SocketAddr) {
    let server = cloud.ingress.wstun();
    let served = match io {
        Io::Plain(io) => server.serve(io, peer).await,
        Io::Encrypted(io) => server.serve(*io, peer).await,
    };
    match served {
        Ok(served) => tracing::debug!(%peer, ?served, "a wstun socket ended"),
        Err(error) => {
            tracing::info!(%peer, %error, legacy = true, "a wstun socket came to nothing")
        }
    }
}
