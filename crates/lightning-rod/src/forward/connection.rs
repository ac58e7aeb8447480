//! A connection to a local service, which ends when the service leaves the table.

use model::service::Port;
use runtime::Cancel;
use std::future::Future;
use std::io;
use std::net::Ipv4Addr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tunnel::{Endpoint, Refusal, RefusalCode};

/// Time a local port has to take a connection.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// The connections of one service.
#[derive(Debug, Clone, Default)]
pub(super) struct Live {
    pub(super) cut: Cancel,
    pub(super) count: Arc<AtomicU32>,
}

/// A connection to a local service that ends with the service's place in the table.
pub struct Connection {
    stream: TcpStream,
    cut: Pin<Box<dyn Future<Output = ()> + Send>>,
    count: Arc<AtomicU32>,
}

impl Connection {
    /// Connects to a port of `127.0.0.1`.
    pub(super) async fn connect(port: Port, live: Live) -> Result<Self, Refusal> {
        let connecting = TcpStream::connect((Ipv4Addr::LOCALHOST, port.number()));
        match tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
            Ok(Ok(stream)) => Ok(Self::new(stream, live)),
            Ok(Err(error)) => Err(Refusal::new(RefusalCode::Unreachable, error.to_string())),
            Err(_) => Err(Refusal::new(RefusalCode::Timeout, "")),
        }
    }

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
