//! An endpoint whose bytes are counted, for whoever keeps account of it.
//! Invariant: what was read from the endpoint and what it took are counted exactly, and the account lives as long as it does.
//! Not here: what becomes of the figures.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::splice::Endpoint;

/// Bytes that passed. Shared while they pass.
#[derive(Debug, Default)]
pub struct Count {
    read: AtomicU64,
    written: AtomicU64,
}

impl Count {
    /// Bytes read from the endpoint.
    pub fn read(&self) -> u64 {
        self.read.load(Ordering::Relaxed)
    }

    /// Bytes that the endpoint took.
    pub fn written(&self) -> u64 {
        self.written.load(Ordering::Relaxed)
    }

    fn took(&self, done: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = done {
            self.written.fetch_add(*count as u64, Ordering::Relaxed);
        }
    }
}

/// Who keeps account. Dropped with the endpoint.
pub trait Account: Unpin + Send {
    /// Where bytes are counted.
    fn count(&self) -> &Count;
    /// The endpoint will not end in order.
    fn aborted(&mut self) {}
}

impl Account for Arc<Count> {
    fn count(&self) -> &Count {
        self
    }
}

/// An endpoint and its account.
#[derive(Debug)]
pub struct Accounted<E, A> {
    endpoint: E,
    account: A,
}

impl<E: Endpoint, A: Account> Accounted<E, A> {
    /// Counts from here on.
    pub fn new(endpoint: E, account: A) -> Self {
        Self { endpoint, account }
    }
}

impl<E: Endpoint, A: Account> Endpoint for Accounted<E, A> {
    fn prepare(&mut self) {
        self.endpoint.prepare();
    }

    fn abort(&mut self) {
        self.account.aborted();
        self.endpoint.abort();
    }
}

impl<E: Endpoint, A: Account> AsyncRead for Accounted<E, A> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let done = Pin::new(&mut self.endpoint).poll_read(cx, buffer);
        let count = buffer.filled().len().saturating_sub(before);
        self.account.count().read.fetch_add(count as u64, Ordering::Relaxed);
        done
    }
}

impl<E: Endpoint, A: Account> AsyncWrite for Accounted<E, A> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.endpoint).poll_write(cx, bytes);
        self.account.count().took(&done);
        done
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.endpoint).poll_write_vectored(cx, parts);
        self.account.count().took(&done);
        done
    }

    fn is_write_vectored(&self) -> bool {
        self.endpoint.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.endpoint).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.endpoint).poll_shutdown(cx)
    }
}
