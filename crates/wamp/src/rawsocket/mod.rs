//! WAMP over a plain byte stream, TCP or Unix (specification, section RawSocket transport): four bytes of handshake, then
//! messages with a length in front, pings and pongs.
//!
//! Invariants: no message longer than the receiver allows is sent; nothing that arrives grows a buffer past
//! [`Limits::max_message`] by more than one read. What is read and written is told in the words of `websocket`, so one
//! pump drives both. Deliberately not here: listeners and TLS; a stream has one serialiser, chosen by its client.

mod handshake;
mod socket;

pub use handshake::{HandshakeError, accept, offer};
pub(crate) use socket::{Reader, Writer};

use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use websocket::Limits;

use crate::codec::Serialiser;

/// The first byte of a handshake, which tells it from HTTP and TLS.
pub const MAGIC: u8 = 0x7f;

/// A connection past its handshake.
#[derive(Debug)]
pub struct RawSocket<S> {
    io: S,
    serialiser: Serialiser,
    limits: Limits,
    /// Longest message that the peer takes.
    peer_max: usize,
}

impl<S: AsyncRead + AsyncWrite> RawSocket<S> {
    /// The serialiser that its client chose.
    pub fn serialiser(&self) -> Serialiser {
        self.serialiser
    }

    pub(crate) fn split(self) -> (Reader<ReadHalf<S>>, Writer<WriteHalf<S>>) {
        let (read, write) = tokio::io::split(self.io);
        let reader = Reader::new(read, self.serialiser, self.limits);
        (reader, Writer::new(write, self.peer_max))
    }
}
