//! What the audit keeps of a connection to a service: who came from where, to which board, when, and how many bytes passed.
//!
//! Invariants: nobody is let in whose begin cannot be queued for the audit; whatever ends a connection, its task dropped
//! included, its end is written.

use model::audit::ActorKind;
use model::{BoardId, ProjectId, ServiceId};
use serde_json::json;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll};
use std::time::Instant;
use store::audit::Entry;
use store::{Error, Store};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tunnel::Endpoint;
use uuid::Uuid;

/// What is exposed, and where.
#[derive(Clone)]
pub(super) struct Place {
    pub(super) project: ProjectId,
    pub(super) board: BoardId,
    pub(super) service: ServiceId,
    pub(super) port: u16,
    pub(super) legacy: bool,
}

/// Bytes that passed.
#[derive(Default)]
pub(super) struct Meter {
    /// From the client.
    sent: AtomicU64,
    /// To the client.
    received: AtomicU64,
}

/// A connection under way; its end is written when this is dropped.
pub(super) struct Session {
    store: Store,
    place: Place,
    id: Uuid,
    began: Instant,
    meter: Arc<Meter>,
    outcome: &'static str,
}

impl Session {
    /// Writes the begin, behind.
    ///
    /// # Errors
    /// It cannot be queued: the connection must be turned away.
    pub(super) fn begin(store: &Store, place: &Place, from: IpAddr) -> Result<Self, Error> {
        let id = Uuid::now_v7();
        let entry = entry("service:connect", place, id, json!({ "port": place.port }));
        let entry = entry.by(ActorKind::Anybody, "").personal("address", None, from);
        store.write_behind_or_refuse(move |tx| Box::pin(tx.audit(entry)))?;
        Ok(Self {
            store: store.clone(),
            place: place.clone(),
            id,
            began: Instant::now(),
            meter: Arc::default(),
            outcome: "cut",
        })
    }

    pub(super) fn meter(&self) -> Arc<Meter> {
        Arc::clone(&self.meter)
    }

    /// How it ends, unless it is dropped before.
    pub(super) fn ends(&mut self, outcome: &'static str) {
        self.outcome = outcome;
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let more = json!({
            "sent": self.meter.sent.load(Ordering::Relaxed),
            "received": self.meter.received.load(Ordering::Relaxed),
            "ms": u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX),
        });
        let entry = entry("service:disconnect", &self.place, self.id, more).ending(self.outcome);
        let entry = entry.by(ActorKind::Anybody, "");
        // Bounded by the connections that there may be.
        self.store.write_at_last(move |tx| Box::pin(tx.audit(entry)));
    }
}

fn entry(verb: &'static str, place: &Place, id: Uuid, mut detail: serde_json::Value) -> Entry {
    if let Some(detail) = detail.as_object_mut() {
        detail.insert("board".into(), place.board.to_string().into());
        detail.insert("session".into(), id.to_string().into());
        if place.legacy {
            detail.insert("legacy".into(), true.into());
        }
    }
    Entry::new(verb, "service", place.service).of(&place.project).with(detail)
}

/// A connection by an upstream board's tunnel, with its session: it ends when the tunnel lets it go.
pub(super) struct Carried {
    client: Metered,
    session: Session,
}

impl Carried {
    pub(super) fn new(client: TcpStream, mut session: Session) -> Self {
        session.ends("done");
        Self { client: Metered::new(client, session.meter()), session }
    }
}

impl Endpoint for Carried {
    fn prepare(&mut self) {
        self.client.prepare();
    }

    fn abort(&mut self) {
        self.session.ends("reset");
        self.client.abort();
    }
}

impl AsyncRead for Carried {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.client).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Carried {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.client).poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.client).poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.client.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.client).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.client).poll_shutdown(cx)
    }
}

/// A client's connection that counts.
pub(super) struct Metered {
    client: TcpStream,
    meter: Arc<Meter>,
}

impl Metered {
    pub(super) fn new(client: TcpStream, meter: Arc<Meter>) -> Self {
        Self { client, meter }
    }

    fn wrote(&self, done: &Poll<io::Result<usize>>) {
        if let Poll::Ready(Ok(count)) = done {
            self.meter.received.fetch_add(*count as u64, Ordering::Relaxed);
        }
    }
}

impl Endpoint for Metered {
    fn prepare(&mut self) {
        self.client.prepare();
    }

    fn abort(&mut self) {
        self.client.abort();
    }
}

impl AsyncRead for Metered {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let before = buffer.filled().len();
        let done = Pin::new(&mut self.client).poll_read(cx, buffer);
        let count = buffer.filled().len().saturating_sub(before);
        self.meter.sent.fetch_add(count as u64, Ordering::Relaxed);
        done
    }
}

impl AsyncWrite for Metered {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.client).poll_write(cx, bytes);
        self.wrote(&done);
        done
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.client).poll_write_vectored(cx, parts);
        self.wrote(&done);
        done
    }

    fn is_write_vectored(&self) -> bool {
        self.client.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.client).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.client).poll_shutdown(cx)
    }
}
