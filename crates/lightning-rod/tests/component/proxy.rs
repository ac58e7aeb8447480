//! A middle box that can swallow everything without closing anything.

use std::net::SocketAddr;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

pub(crate) struct Proxy {
    pub(crate) address: SocketAddr,
    is_frozen: watch::Sender<bool>,
    _task: tokio::task::JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn start(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let is_frozen = watch::Sender::new(false);
        let frozen = is_frozen.clone();
        let _task = tokio::spawn(async move {
            loop {
                let (near, _) = listener.accept().await.unwrap();
                let far = TcpStream::connect(target).await.unwrap();
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                // A connection made after a thaw lives; those that were frozen stay silent for ever.
                let born = frozen.subscribe();
                tokio::spawn(pump(near_in, far_out, born.clone()));
                tokio::spawn(pump(far_in, near_out, born));
            }
        });
        Self { address, is_frozen, _task }
    }

    /// Swallows everything on the connections there are; new ones work again.
    pub(crate) fn freeze(&self) {
        self.is_frozen.send_replace(true);
        self.is_frozen.send_replace(false);
    }
}

async fn pump(
    mut from: tokio::net::tcp::OwnedReadHalf,
    mut to: tokio::net::tcp::OwnedWriteHalf,
    mut frozen: watch::Receiver<bool>,
) {
    let mut buffer = vec![0; 64 * 1024];
    loop {
        tokio::select! {
            biased;
            _ = frozen.changed() => {
                // Still open, and silent.
                std::future::pending::<()>().await;
            }
            read = from.read(&mut buffer) => match read {
                Ok(0) | Err(_) => {
                    let _ = to.shutdown().await;
                    return;
                }
                Ok(read) => if to.write_all(&buffer[..read]).await.is_err() { return },
            }
        }
    }
}
