//! A terminal as a page sees it: the WebSocket of `GET /v2/boards/{board}/terminal`, driven by hand.
//!
//! Invariant: every wait has an end that says what was seen so far.

use crate::wait::PATIENCE;
use api::terminals::{FromClient, FromCloud, SUBPROTOCOL};
use std::time::Duration;
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout};
use websocket::handshake::HandshakeError;
use websocket::{Limits, Message, Reader, Writer};

/// Most bytes in one message of the cloud.
const MAX_MESSAGE: usize = 1 << 20;

/// What comes from the cloud.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Said {
    /// Bytes of the screen.
    Screen(Vec<u8>),
    /// A text message.
    Text(FromCloud),
    /// The connection ended.
    Gone,
}

/// A terminal that was asked for.
#[derive(Debug)]
pub struct Terminal {
    reader: Reader<tokio::io::ReadHalf<TcpStream>>,
    writer: Writer<tokio::io::WriteHalf<TcpStream>>,
    /// What the screen showed and nobody has looked for yet.
    seen: Vec<u8>,
    // Last, so that the sockets go first.
    runtime: tokio::runtime::Runtime,
}

impl Terminal {
    /// Asks the cloud at `at` for a terminal; `path` is that of the route, with its query.
    ///
    /// # Errors
    /// The status and the beginning of the body with which the upgrade was refused.
    pub fn ask(at: &str, token: &str, path: &str) -> Result<Self, (u16, String)> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let asked = runtime.block_on(async {
            let stream = TcpStream::connect(at).await.unwrap();
            stream.set_nodelay(true).unwrap();
            let headers = [("x-auth-token", token)];
            let limits = Limits { max_message: MAX_MESSAGE };
            websocket::handshake::client(stream, at, path, &[SUBPROTOCOL], &headers, limits).await
        });
        match asked {
            Ok((socket, _)) => {
                let (reader, writer) = socket.split();
                Ok(Self { reader, writer, seen: Vec::new(), runtime })
            }
            Err(HandshakeError::Status { status, body }) => Err((status, body)),
            Err(error) => panic!("the terminal's handshake: {error}"),
        }
    }

    /// Types.
    pub fn send(&mut self, bytes: &[u8]) {
        self.writer.feed_binary_with(&[], bytes);
        self.flush();
    }

    /// Types as far as the cloud takes it within so long; whether it took all.
    pub fn try_send(&mut self, bytes: &[u8], within: Duration) -> bool {
        self.writer.feed_binary_with(&[], bytes);
        let flushed = async { timeout(within, self.writer.flush()).await };
        matches!(self.runtime.block_on(flushed), Ok(Ok(())))
    }

    /// A text message, sound or not.
    pub fn send_text(&mut self, text: &str) {
        self.writer.feed_text(text);
        self.flush();
    }

    /// The screen has another size.
    pub fn resize(&mut self, cols: u16, rows: u16) {
        let text = serde_json::to_string(&FromClient::Resize { cols, rows }).unwrap();
        self.send_text(&text);
    }

    /// Nothing more is typed.
    pub fn end_input(&mut self) {
        let text = serde_json::to_string(&FromClient::EndOfInput {}).unwrap();
        self.send_text(&text);
    }

    fn flush(&mut self) {
        let flushed = async { timeout(PATIENCE, self.writer.flush()).await };
        // A connection that ended is found by the next read.
        let _ = self.runtime.block_on(flushed).expect("the cloud takes what is typed");
    }

    /// What comes next within so long; nothing when nothing does.
    pub fn next(&mut self, within: Duration) -> Option<Said> {
        let Self { reader, writer, runtime, .. } = self;
        runtime.block_on(async {
            let deadline = Instant::now() + within;
            loop {
                let next = tokio::time::timeout_at(deadline, reader.next()).await.ok()?;
                match next {
                    Ok(Message::Binary(bytes)) => return Some(Said::Screen(bytes.to_vec())),
                    Ok(Message::Text(text)) => {
                        return Some(Said::Text(serde_json::from_slice(&text).unwrap()));
                    }
                    Ok(Message::Ping(body)) => {
                        writer.feed(&Message::Pong(body));
                        let _ = writer.flush().await;
                    }
                    Ok(Message::Pong(_)) => {}
                    Ok(Message::Close(_)) | Err(_) => return Some(Said::Gone),
                }
            }
        })
    }

    /// Waits for the first message, which says that the shell runs; as which user.
    ///
    /// # Panics
    /// Something else comes first.
    #[track_caller]
    pub fn ready(&mut self) -> String {
        match self.next(PATIENCE) {
            Some(Said::Text(FromCloud::Ready { user, .. })) => user,
            other => panic!("the terminal is not ready: {other:?}"),
        }
    }

    /// Reads until the screen shows `text`, and forgets all up to its end; what stood before it.
    ///
    /// # Panics
    /// It does not come.
    #[track_caller]
    pub fn wait_for(&mut self, text: &str) -> String {
        loop {
            let at = self.seen.windows(text.len()).position(|window| window == text.as_bytes());
            if let Some(at) = at {
                let before = self.seen.drain(..at + text.len()).take(at).collect::<Vec<_>>();
                return String::from_utf8_lossy(&before).into_owned();
            }
            match self.next(PATIENCE) {
                Some(Said::Screen(bytes)) => self.seen.extend(bytes),
                other => {
                    let seen = String::from_utf8_lossy(&self.seen);
                    panic!("{other:?} instead of {text:?}; the screen shows {seen:?}")
                }
            }
        }
    }

    /// Reads to the end: all that was on the screen, and the last text message.
    ///
    /// # Panics
    /// It does not end within so long, or without a last message.
    #[track_caller]
    pub fn rest(&mut self, within: Duration) -> (Vec<u8>, FromCloud) {
        let deadline = std::time::Instant::now() + within;
        let mut last = None;
        loop {
            let left = deadline.saturating_duration_since(std::time::Instant::now());
            match self.next(left) {
                Some(Said::Screen(bytes)) => self.seen.extend(bytes),
                Some(Said::Text(said)) => last = Some(said),
                Some(Said::Gone) => {
                    let last = last.expect("the last message says why");
                    return (std::mem::take(&mut self.seen), last);
                }
                None => panic!("the terminal does not end within {within:?}; last: {last:?}"),
            }
        }
    }

    /// Leaves without a word, as a page that is closed.
    pub fn leave(self) {}
}
