//! The codec on a socket: two halves, each owned by one task.
//!
//! Invariants: [`Reader::next`] and [`Writer::flush`] may be dropped at any await and called again without loss; a
//! flush is one write whenever the socket takes all.
//!
//! Deliberately not here: who answers pings and closes, and when a silent peer is given up ([`crate::Liveness`]).

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, ReadHalf, WriteHalf};

use crate::{Decoder, Encoder, Error, Limits, Message, Role};

/// A connection past its opening handshake.
#[derive(Debug)]
pub struct WebSocket<S> {
    io: S,
    role: Role,
    limits: Limits,
    leftover: Bytes,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> WebSocket<S> {
    /// Wraps an upgraded connection; `leftover` is what the handshake read beyond its end.
    pub fn new(io: S, role: Role, limits: Limits, leftover: Bytes) -> Self {
        Self { io, role, limits, leftover }
    }

    /// The two halves, for two tasks or for one `select!`.
    pub fn split(self) -> (Reader<ReadHalf<S>>, Writer<WriteHalf<S>>) {
        let (read, write) = tokio::io::split(self.io);
        (Reader::new(read, self.role, self.limits, self.leftover), Writer::new(write, self.role))
    }

    /// The parts, for sockets with a cheaper split of their own: feed them to [`Reader::new`] and [`Writer::new`].
    pub fn into_parts(self) -> (S, Role, Limits, Bytes) {
        (self.io, self.role, self.limits, self.leftover)
    }
}

/// The receiving half.
#[derive(Debug)]
pub struct Reader<R> {
    io: R,
    decoder: Decoder,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    /// A receiving half on any byte stream.
    pub fn new(io: R, role: Role, limits: Limits, leftover: Bytes) -> Self {
        Self { io, decoder: Decoder::new(role, limits, leftover) }
    }

    /// The next message. Cancel safe. [`Error::Closed`] when the peer ended the stream between messages.
    pub async fn next(&mut self) -> Result<Message, Error> {
        loop {
            if let Some(message) = self.decoder.decode()? {
                return Ok(message);
            }
            let read = self.io.read_buf(&mut self.decoder.room()).await?;
            if read == 0 {
                return Err(self.end());
            }
            self.decoder.note_read(read);
        }
    }

    /// The next message if it is already in the buffer; never reads. For owners that batch.
    pub fn next_buffered(&mut self) -> Result<Option<Message>, Error> {
        Ok(self.decoder.decode()?)
    }

    fn end(&self) -> Error {
        if self.decoder.is_between_messages() { Error::Closed } else { Error::Truncated }
    }
}

/// The sending half.
#[derive(Debug)]
pub struct Writer<W> {
    io: W,
    encoder: Encoder,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    /// A sending half on any byte stream.
    pub fn new(io: W, role: Role) -> Self {
        Self { io, encoder: Encoder::new(role) }
    }

    /// Encodes a message into the outgoing buffer; [`Self::flush`] sends it.
    pub fn feed(&mut self, message: &Message) {
        self.encoder.feed(message);
    }

    /// Encodes one text frame.
    pub fn feed_text(&mut self, text: &str) {
        self.encoder.feed_text(text);
    }

    /// Encodes one binary frame out of two pieces.
    pub fn feed_binary_with(&mut self, header: &[u8], payload: &[u8]) {
        self.encoder.feed_binary_with(header, payload);
    }

    /// Bytes in the outgoing buffer.
    pub fn pending(&self) -> usize {
        self.encoder.pending()
    }

    /// Sends all that is pending. Cancel safe: what was sent is not sent again.
    pub async fn flush(&mut self) -> Result<(), Error> {
        while self.encoder.pending() > 0 {
            let written = self.io.write(self.encoder.bytes()).await?;
            if written == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into());
            }
            self.encoder.consume(written);
        }
        Ok(self.io.flush().await?)
    }

    /// The stream below; what is pending is dropped.
    pub fn into_inner(self) -> W {
        self.io
    }

    /// Ends the outgoing stream (FIN, and TLS close where there is TLS), after what is pending.
    pub async fn shutdown(&mut self) -> Result<(), Error> {
        self.flush().await?;
        Ok(self.io.shutdown().await?)
    }
}
