//! What carries messages: a WebSocket or a raw socket, in the words of `websocket`.
//!
//! Invariant: both halves may be dropped at any await and used again without loss.

use tokio::io::{AsyncRead, AsyncWrite};
use websocket::{Error, Message};

use crate::codec::Serialiser;
use crate::rawsocket;

/// The receiving half.
pub(crate) trait Receive: Send {
    fn next(&mut self) -> impl Future<Output = Result<Message, Error>> + Send;
    /// The next message if it needs no reading.
    fn next_buffered(&mut self) -> Result<Option<Message>, Error>;
}

/// The sending half.
pub(crate) trait Deliver: Send {
    /// Queues a control message.
    fn feed(&mut self, message: &Message);
    /// Queues a WAMP message that is encoded already.
    fn feed_encoded(&mut self, serialiser: Serialiser, encoded: &[u8]);
    /// Bytes that are queued.
    fn pending(&self) -> usize;
    fn flush(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
    fn shutdown(&mut self) -> impl Future<Output = Result<(), Error>> + Send;
}

impl<R: AsyncRead + Unpin + Send> Receive for websocket::Reader<R> {
    fn next(&mut self) -> impl Future<Output = Result<Message, Error>> + Send {
        self.next()
    }

    fn next_buffered(&mut self) -> Result<Option<Message>, Error> {
        self.next_buffered()
    }
}

impl<W: AsyncWrite + Unpin + Send> Deliver for websocket::Writer<W> {
    fn feed(&mut self, message: &Message) {
        self.feed(message);
    }

    fn feed_encoded(&mut self, serialiser: Serialiser, encoded: &[u8]) {
        match serialiser {
            Serialiser::Json => {
                let text = std::str::from_utf8(encoded).unwrap_or_default();
                debug_assert_eq!(text.len(), encoded.len(), "JSON is written as UTF-8");
                self.feed_text(text);
            }
            Serialiser::MessagePack | Serialiser::Cbor => self.feed_binary_with(encoded, &[]),
        }
    }

    fn pending(&self) -> usize {
        self.pending()
    }

    fn flush(&mut self) -> impl Future<Output = Result<(), Error>> + Send {
        self.flush()
    }

    fn shutdown(&mut self) -> impl Future<Output = Result<(), Error>> + Send {
        self.shutdown()
    }
}

impl<R: AsyncRead + Unpin + Send> Receive for rawsocket::Reader<R> {
    fn next(&mut self) -> impl Future<Output = Result<Message, Error>> + Send {
        self.next()
    }

    fn next_buffered(&mut self) -> Result<Option<Message>, Error> {
        self.next_buffered()
    }
}

impl<W: AsyncWrite + Unpin + Send> Deliver for rawsocket::Writer<W> {
    fn feed(&mut self, message: &Message) {
        self.feed(message);
    }

    fn feed_encoded(&mut self, _serialiser: Serialiser, encoded: &[u8]) {
        self.feed_body(encoded);
    }

    fn pending(&self) -> usize {
        self.pending()
    }

    fn flush(&mut self) -> impl Future<Output = Result<(), Error>> + Send {
        self.flush()
    }

    fn shutdown(&mut self) -> impl Future<Output = Result<(), Error>> + Send {
        self.shutdown()
    }
}
