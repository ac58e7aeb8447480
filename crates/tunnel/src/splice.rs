//! A channel and a connection, made one: bytes both ways until both directions have ended.
//! Invariant: byte-exact; an end of either direction is passed on as just that; a reset of either side
//! becomes a reset of the other (TCP's RST, never its FIN); the connection is read only as far as the
//! channel has room, and nothing is held while both sides are idle.
//! Not here: accepting or connecting.

use std::future::poll_fn;
use std::io;
use std::mem;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};

use bytes::{Buf, BufMut, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, DuplexStream};
use tokio::net::{TcpStream, UnixStream};

use crate::channel::Channel;
use crate::frame::MAX_DATA;
use crate::machine::ChannelError;
use crate::reason::ResetReason;

/// Reads from this size on are passed on in their buffer, smaller ones are copied out of it.
const SHARED: usize = 16 * 1024;

/// A connection that a channel can be joined with.
pub trait Endpoint: AsyncRead + AsyncWrite + Unpin + Send {
    /// Settings for forwarding, once, before the first byte.
    fn prepare(&mut self) {}
    /// Makes the coming drop an abortive close where the connection knows one.
    fn abort(&mut self) {}
}

impl Endpoint for TcpStream {
    fn prepare(&mut self) {
        // Fails only on a connection that is already gone, which the next read reports.
        let _ = self.set_nodelay(true);
    }

    fn abort(&mut self) {
        let _ = self.set_zero_linger();
    }
}

impl Endpoint for Box<dyn Endpoint> {
    fn prepare(&mut self) {
        (**self).prepare();
    }

    fn abort(&mut self) {
        (**self).abort();
    }
}

/// Joins two links: a channel of one leads to a channel of another.
impl Endpoint for Channel {
    fn abort(&mut self) {
        self.reset(ResetReason::ConnectionReset);
    }
}

impl Endpoint for UnixStream {}
impl Endpoint for DuplexStream {}

/// What passed before both directions ended.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Spliced {
    /// Bytes from the connection into the channel.
    pub sent: u64,
    /// Bytes from the channel into the connection.
    pub received: u64,
}

/// Why a splice ended early. The other side has been reset.
#[derive(Debug, thiserror::Error)]
pub enum SpliceError {
    /// The channel was reset or refused.
    #[error(transparent)]
    Channel(#[from] ChannelError),
    /// The connection failed.
    #[error("forwarded connection failed: {0}")]
    Connection(#[from] io::Error),
}

/// Joins the two and moves bytes until both directions have ended or one side is cut. Dropping the
/// future cuts both.
pub async fn splice(channel: Channel, endpoint: impl Endpoint) -> Result<Spliced, SpliceError> {
    let mut cut = CutOnDrop { endpoint, end: End::Open };
    cut.endpoint.prepare();
    let mut outward = Outward::Reading;
    let mut inward = Inward::Taking;
    let mut moved = Spliced::default();
    let outcome = poll_fn(|cx| {
        if let Poll::Ready(error) = channel.poll_cut(cx) {
            return Poll::Ready(Err(error.into()));
        }
        let out = outward.poll(cx, &channel, &mut cut.endpoint, &mut moved.sent)?;
        let back = inward.poll(cx, &channel, &mut cut.endpoint, &mut moved.received)?;
        if out.is_ready() && back.is_ready() { Poll::Ready(Ok(())) } else { Poll::Pending }
    })
    .await;
    match outcome {
        Ok(()) => {
            cut.end = End::Orderly;
            Ok(moved)
        }
        Err(error) => {
            if let SpliceError::Connection(error) = &error {
                channel.reset(reset_reason(error));
            }
            Err(error)
        }
    }
}

/// A connection that is reset unless both directions ended in order, whatever happens to its task.
struct CutOnDrop<E: Endpoint> {
    endpoint: E,
    end: End,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Orderly,
}

impl<E: Endpoint> Drop for CutOnDrop<E> {
    fn drop(&mut self) {
        if self.end == End::Open {
            self.endpoint.abort();
        }
    }
}

fn reset_reason(error: &io::Error) -> ResetReason {
    match error.kind() {
        io::ErrorKind::ConnectionReset
        | io::ErrorKind::ConnectionAborted
        | io::ErrorKind::BrokenPipe => ResetReason::ConnectionReset,
        _ => ResetReason::Failed,
    }
}

/// From the connection into the channel.
enum Outward {
    Reading,
    Finished,
}

impl Outward {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        channel: &Channel,
        endpoint: &mut (impl Endpoint + ?Sized),
        sent: &mut u64,
    ) -> Poll<Result<(), SpliceError>> {
        loop {
            match self {
                Self::Reading => {
                    let room = ready!(channel.poll_room(cx))?;
                    let read = ready!(forward(cx, channel, endpoint, room.min(MAX_DATA)))?;
                    *sent += read as u64;
                    if read == 0 {
                        channel.finish()?;
                        *self = Self::Finished;
                    }
                }
                Self::Finished => return Poll::Ready(Ok(())),
            }
        }
    }
}

/// Moves one read into the channel. A buffer is only held as long as there are many bytes in it.
fn forward(
    cx: &mut Context<'_>,
    channel: &Channel,
    endpoint: &mut (impl Endpoint + ?Sized),
    most: usize,
) -> Poll<Result<usize, SpliceError>> {
    let mut buffer = channel.spare().take();
    let read = pin!(endpoint.read_buf(&mut (&mut buffer).limit(most))).poll(cx)?;
    if buffer.len() >= SHARED {
        channel.send(buffer.freeze())?;
        return read.map(Ok);
    }
    if !buffer.is_empty() {
        channel.send_copy(&buffer)?;
    }
    channel.spare().give_back(buffer);
    read.map(Ok)
}

/// From the channel into the connection.
enum Inward {
    Taking,
    Writing { rest: Bytes, taken: usize },
    Closing,
    Finished,
}

impl Inward {
    fn poll(
        &mut self,
        cx: &mut Context<'_>,
        channel: &Channel,
        endpoint: &mut (impl Endpoint + ?Sized),
        received: &mut u64,
    ) -> Poll<Result<(), SpliceError>> {
        loop {
            match self {
                Self::Taking => {
                    *self = match ready!(channel.poll_take(cx, MAX_DATA))? {
                        Some(rest) => Self::Writing { taken: rest.len(), rest },
                        None => Self::Closing,
                    };
                }
                Self::Writing { rest, taken } => {
                    let written = ready!(Pin::new(&mut *endpoint).poll_write(cx, rest))?;
                    if written == 0 {
                        return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into()));
                    }
                    rest.advance(written);
                    *received += written as u64;
                    if rest.is_empty() {
                        channel.consumed(mem::take(taken));
                        *self = Self::Taking;
                    }
                }
                Self::Closing => {
                    ready!(Pin::new(&mut *endpoint).poll_shutdown(cx))?;
                    *self = Self::Finished;
                }
                Self::Finished => return Poll::Ready(Ok(())),
            }
        }
    }
}
