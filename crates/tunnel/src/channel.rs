//! A channel as its owner holds it: bytes out, bytes in, half-close, reset.
//! Invariant: dropping it tells the peer (unless both sides have finished, a reset), so no channel
//! outlives its owner; reading past the peer's Finish gives the end, past a reset the error.
//! Not here: the connection behind it (`splice.rs`).

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::frame::ChannelId;
use crate::machine::{ChannelError, Taken};
use crate::reason::{Refusal, ResetReason};
use crate::shared::{Shared, Wait};
use crate::spare::Spare;

/// One end of one channel. Also an `AsyncRead` and `AsyncWrite`, whose shutdown is a half-close.
#[derive(Debug)]
pub struct Channel {
    shared: Arc<Shared>,
    id: ChannelId,
}

impl Channel {
    pub(crate) fn new(shared: Arc<Shared>, id: ChannelId) -> Self {
        Self { shared, id }
    }

    /// Its number on the link, for logs.
    pub fn id(&self) -> ChannelId {
        self.id
    }

    /// Waits until the peer has accepted the channel. Not needed before writing or reading.
    pub async fn answered(&self) -> Result<(), ChannelError> {
        poll_fn(|cx| {
            self.shared.call(|state| match state.machine.answered(self.id) {
                Ok(true) => Poll::Ready(Ok(())),
                Ok(false) => {
                    state.wait(self.id, Wait::Answer, cx);
                    Poll::Pending
                }
                Err(error) => Poll::Ready(Err(error)),
            })
        })
        .await
    }

    /// The next bytes, at most `limit`; `None` after the peer's Finish. They stay on the peer's account
    /// until [`Self::consumed`] is called for them: that is what slows a sender to its reader.
    pub fn poll_take(
        &self,
        cx: &Context<'_>,
        limit: usize,
    ) -> Poll<Result<Option<Bytes>, ChannelError>> {
        self.shared.call(|state| match state.machine.take(self.id, limit) {
            Ok(Taken::Bytes(bytes)) => Poll::Ready(Ok(Some(bytes))),
            Ok(Taken::Finished) => Poll::Ready(Ok(None)),
            Ok(Taken::Nothing) => {
                state.wait(self.id, Wait::Bytes, cx);
                Poll::Pending
            }
            Err(error) => Poll::Ready(Err(error)),
        })
    }

    /// As many taken bytes are done with.
    pub fn consumed(&self, bytes: usize) {
        self.shared.call(|state| state.machine.consumed(self.id, bytes));
    }

    /// Waits until bytes may be sent; how many.
    pub fn poll_room(&self, cx: &Context<'_>) -> Poll<Result<usize, ChannelError>> {
        self.shared.call(|state| match state.machine.room(self.id) {
            Ok(0) => {
                state.wait(self.id, Wait::Room, cx);
                Poll::Pending
            }
            room => Poll::Ready(room),
        })
    }

    /// Sends bytes, no more than [`Self::poll_room`] allowed.
    pub fn send(&self, bytes: Bytes) -> Result<(), ChannelError> {
        self.shared.call(|state| state.machine.send(self.id, bytes))
    }

    /// Like [`Self::send`], for a few bytes whose buffer is needed again.
    pub fn send_copy(&self, bytes: &[u8]) -> Result<(), ChannelError> {
        self.shared.call(|state| state.machine.send_copy(self.id, bytes))
    }

    /// Ends our direction behind what was sent; the other goes on.
    pub fn finish(&self) -> Result<(), ChannelError> {
        self.shared.call(|state| state.machine.finish(self.id))
    }

    /// Cuts the channel; what is under way in either direction is lost.
    pub fn reset(&self, reason: ResetReason) {
        self.shared.call(|state| state.machine.reset(self.id, reason));
    }

    /// Ready when the channel was reset or refused; otherwise wakes the caller when that happens, or
    /// when there is something to take.
    pub(crate) fn poll_cut(&self, cx: &Context<'_>) -> Poll<ChannelError> {
        self.shared.call(|state| match state.machine.answered(self.id) {
            Err(error) => Poll::Ready(error),
            Ok(_) => {
                state.wait(self.id, Wait::Bytes, cx);
                Poll::Pending
            }
        })
    }

    pub(crate) fn spare(&self) -> &Spare {
        &self.shared.spare
    }

    pub(crate) fn accept(&self) {
        self.shared.call(|state| state.machine.accept(self.id));
    }

    pub(crate) fn refuse(&self, refusal: Refusal) {
        self.shared.call(|state| state.machine.refuse(self.id, refusal));
    }
}

impl Drop for Channel {
    fn drop(&mut self) {
        self.shared.call(|state| {
            state.machine.release(self.id);
            state.forget(self.id);
        });
    }
}

impl From<ChannelError> for io::Error {
    fn from(error: ChannelError) -> Self {
        let kind = match &error {
            ChannelError::Reset(_) => io::ErrorKind::ConnectionReset,
            ChannelError::Refused(_) => io::ErrorKind::ConnectionRefused,
            ChannelError::Finished => io::ErrorKind::BrokenPipe,
            ChannelError::NoRoom => io::ErrorKind::InvalidInput,
        };
        Self::new(kind, error)
    }
}

impl AsyncRead for Channel {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        if let Some(bytes) = ready!(self.poll_take(cx, buf.remaining()))? {
            buf.put_slice(&bytes);
            self.consumed(bytes.len());
        }
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Channel {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        if buf.is_empty() {
            return Poll::Ready(Ok(0));
        }
        let room = ready!(self.poll_room(cx))?;
        let piece = buf.get(..room).unwrap_or(buf);
        self.send_copy(piece)?;
        Poll::Ready(Ok(piece.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(self.finish().map_err(io::Error::from))
    }
}
