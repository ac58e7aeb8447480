//! Messages with a length in front, in both directions.
//!
//! Invariants: [`Reader::next`] and [`Writer::flush`] may be dropped at any await and called again without loss; a flush
//! is one write whenever the stream takes all.

use bytes::{Buf as _, Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use websocket::{Error, Limits, Message, Violation};

use crate::codec::Serialiser;

/// Bytes in front of a message: its kind and its length.
const HEADER: usize = 4;
/// Room for one read.
const WINDOW: usize = 16 * 1024;
/// Capacity of a buffer that is kept when it is empty.
const KEEP_MAX: usize = 256 * 1024;

const MESSAGE: u8 = 0;
const PING: u8 = 1;
const PONG: u8 = 2;

/// The receiving half.
#[derive(Debug)]
pub(crate) struct Reader<R> {
    io: R,
    serialiser: Serialiser,
    max: usize,
    buffer: BytesMut,
}

impl<R: AsyncRead + Unpin> Reader<R> {
    pub(super) fn new(io: R, serialiser: Serialiser, limits: Limits) -> Self {
        Self { io, serialiser, max: limits.max_message, buffer: BytesMut::new() }
    }

    /// The next message, ping or pong.
    pub(crate) async fn next(&mut self) -> Result<Message, Error> {
        loop {
            if let Some(message) = self.next_buffered()? {
                return Ok(message);
            }
            // A length that was announced reserves no more than one read.
            self.buffer.reserve(WINDOW);
            if self.io.read_buf(&mut self.buffer).await? == 0 {
                let is_clean = self.buffer.is_empty();
                return Err(if is_clean { Error::Closed } else { Error::Truncated });
            }
        }
    }

    /// The same if it is in the buffer already.
    pub(crate) fn next_buffered(&mut self) -> Result<Option<Message>, Error> {
        let Some(header) = self.buffer.first_chunk::<HEADER>() else { return Ok(None) };
        let [kind, high, middle, low] = *header;
        let length = usize::from(high) << 16 | usize::from(middle) << 8 | usize::from(low);
        if length > self.max {
            return Err(Violation::TooLong { limit: self.max }.into());
        }
        if !matches!(kind, MESSAGE | PING | PONG) {
            return Err(Violation::ReservedOpcode(kind).into());
        }
        if self.buffer.len() < HEADER + length {
            return Ok(None);
        }
        self.buffer.advance(HEADER);
        let body = self.buffer.split_to(length).freeze();
        if self.buffer.is_empty() && length > KEEP_MAX {
            self.buffer = BytesMut::new();
        }
        self.open(kind, body).map(Some)
    }

    fn open(&self, kind: u8, body: Bytes) -> Result<Message, Error> {
        Ok(match (kind, self.serialiser) {
            (PING, _) => Message::Ping(body),
            (PONG, _) => Message::Pong(body),
            (_, Serialiser::Json) if std::str::from_utf8(&body).is_err() => {
                return Err(Violation::NotUtf8.into());
            }
            (_, Serialiser::Json) => Message::Text(body),
            (_, Serialiser::MessagePack | Serialiser::Cbor) => Message::Binary(body),
        })
    }
}

/// The sending half.
#[derive(Debug)]
pub(crate) struct Writer<W> {
    io: W,
    peer_max: usize,
    out: Vec<u8>,
    sent: usize,
    /// A message was longer than the peer takes; it was not written, and nothing more is.
    is_over: bool,
}

impl<W: AsyncWrite + Unpin> Writer<W> {
    pub(super) fn new(io: W, peer_max: usize) -> Self {
        Self { io, peer_max, out: Vec::new(), sent: 0, is_over: false }
    }

    /// Appends a message, ping or pong. There is no close but the end of the stream.
    pub(crate) fn feed(&mut self, message: &Message) {
        match message {
            Message::Text(body) | Message::Binary(body) => self.append(MESSAGE, body),
            Message::Ping(body) => self.append(PING, body),
            Message::Pong(body) => self.append(PONG, body),
            Message::Close(_) => {}
        }
    }

    /// Appends one message.
    pub(crate) fn feed_body(&mut self, body: &[u8]) {
        self.append(MESSAGE, body);
    }

    fn append(&mut self, kind: u8, body: &[u8]) {
        if self.is_over || body.len() > self.peer_max {
            self.is_over = true;
            return;
        }
        let [.., high, middle, low] = (body.len() as u32).to_be_bytes();
        self.out.extend_from_slice(&[kind, high, middle, low]);
        self.out.extend_from_slice(body);
    }

    /// Bytes that wait to be sent.
    pub(crate) fn pending(&self) -> usize {
        let unsent = self.out.len() - self.sent;
        // A failure waits to be told too.
        if self.is_over { unsent.max(1) } else { unsent }
    }

    /// Sends all that is pending.
    pub(crate) async fn flush(&mut self) -> Result<(), Error> {
        while let Some(unsent) = self.out.get(self.sent..).filter(|unsent| !unsent.is_empty()) {
            let written = self.io.write(unsent).await?;
            if written == 0 {
                return Err(std::io::Error::from(std::io::ErrorKind::WriteZero).into());
            }
            self.sent += written;
        }
        self.out.clear();
        self.sent = 0;
        if self.out.capacity() > KEEP_MAX {
            self.out = Vec::new();
        }
        self.io.flush().await?;
        if self.is_over {
            return Err(Violation::TooLong { limit: self.peer_max }.into());
        }
        Ok(())
    }

    /// Ends the outgoing stream after what is pending.
    pub(crate) async fn shutdown(&mut self) -> Result<(), Error> {
        // What was too long is not sent any more; the farewell says why.
        self.is_over = false;
        self.flush().await?;
        Ok(self.io.shutdown().await?)
    }
}
