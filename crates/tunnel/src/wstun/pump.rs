//! A data socket and a connection, made one.
//! Invariant: what one side said before it ended reaches the other before that one is ended; whatever
//! breaks resets the connection (TCP's RST, never its FIN), so that a part is never taken for the whole.
//! At most one message of each direction is held.
//! Not here: how the two came to be, liveness of the data socket.

use std::future::{Future, poll_fn};
use std::io;
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::{Buf, Bytes};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadHalf, WriteHalf};
use tokio::time::{Instant, Sleep};
use websocket::{CloseReason, Message, Reader, WebSocket, Writer};

use super::FAREWELL;
use super::window::{PIECE_MAX, Window};
use crate::splice::Endpoint;

/// With so much unsent, nothing more that would want an answer is read.
const UNSENT_MAX: usize = 2 * PIECE_MAX;
/// How long the first bytes wait for the answer to the ping before they are sent all the same: for a peer that answers no
/// pings this is late, for a slow one that is asked for many connections at once anything sooner is lost.
const EARLY: Duration = Duration::from_secs(10);

/// Bytes that passed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Moved {
    /// From the connection into the data socket.
    pub sent: u64,
    /// From the data socket into the connection.
    pub received: u64,
}

/// Why a connection was cut before both sides had ended in order. Both have been reset or closed.
#[derive(Debug, thiserror::Error)]
pub enum PumpError {
    /// The connection failed.
    #[error("forwarded connection failed: {0}")]
    Connection(#[from] io::Error),
    /// The data socket failed or its peer broke the rules.
    #[error("data socket failed: {0}")]
    Socket(#[from] websocket::Error),
    /// The peer closed for another reason than the end of its connection.
    #[error("the peer cut the connection: code {code} {text:?}")]
    Peer {
        /// The close code.
        code: u16,
        /// The peer's words.
        text: String,
    },
    /// Text on a data socket.
    #[error("the peer sent text on a data socket; only binary frames carry data")]
    Text,
    /// One side had ended and the other neither said anything nor ended.
    #[error("one side had ended and the other was silent for too long")]
    Lingering,
    /// The peer, which had ended, does not wait for our end.
    #[error("the peer hung up before it had heard the end of the connection")]
    HungUp,
    /// The port was cut.
    #[error("the port was cut")]
    Cut,
}

impl PumpError {
    /// What the peer is told.
    fn farewell(&self) -> Option<CloseReason> {
        let (code, text) = match self {
            Self::Connection(_) => (1011, "connection reset"),
            Self::Socket(error) => (error.close_code()?, ""),
            Self::Peer { code, .. } => (*code, ""),
            Self::Text => (1003, "only binary frames carry data"),
            Self::Lingering => (1000, ""),
            Self::HungUp => return None,
            Self::Cut => (1001, "port cut"),
        };
        Some(CloseReason::new(code, text))
    }
}

/// When the connection's first bytes may be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Start {
    /// At once.
    Now,
    /// Once the peer has shown that it listens.
    WhenHeard,
}

/// Moves bytes until both sides have ended, one side is cut, or `cut` returns. Dropping the future cuts
/// both.
pub(super) async fn pump<S, E>(
    socket: WebSocket<S>,
    endpoint: E,
    start: Start,
    linger: Duration,
    cut: impl Future<Output = ()>,
) -> Result<Moved, PumpError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    E: Endpoint,
{
    let mut pump = Pump::new(socket, endpoint, start, linger);
    let mut cut = pin!(cut);
    let outcome = poll_fn(|cx| match cut.as_mut().poll(cx) {
        Poll::Ready(()) => Poll::Ready(Err(PumpError::Cut)),
        Poll::Pending => pump.poll(cx),
    })
    .await;
    let farewell = outcome.as_ref().err().and_then(PumpError::farewell);
    if outcome.is_ok() {
        pump.ends = Ends::Orderly;
    }
    pump.part(farewell).await;
    outcome.map(|()| pump.moved)
}

struct Pump<S, E: Endpoint> {
    reader: Reader<ReadHalf<S>>,
    writer: Writer<WriteHalf<S>>,
    endpoint: E,
    outward: Outward,
    inward: Inward,
    /// Something was fed to the writer and is not known to be sent.
    unflushed: bool,
    buffer: Window,
    linger: Duration,
    timer: Option<Pin<Box<Sleep>>>,
    moved: Moved,
    ends: Ends,
}

/// From the connection into the data socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Outward {
    Held,
    Open,
    Ended,
}

/// From the data socket into the connection.
#[derive(Debug, PartialEq, Eq)]
enum Inward {
    Open,
    Delivering(Bytes),
    Ending,
    Ended,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ends {
    Open,
    Orderly,
}

impl<S, E> Pump<S, E>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
    E: Endpoint,
{
    fn new(socket: WebSocket<S>, mut endpoint: E, start: Start, linger: Duration) -> Self {
        endpoint.prepare();
        let (reader, writer) = socket.split();
        let mut pump = Self {
            reader,
            writer,
            endpoint,
            outward: Outward::Open,
            inward: Inward::Open,
            unflushed: false,
            buffer: Window::default(),
            linger,
            timer: None,
            moved: Moved::default(),
            ends: Ends::Open,
        };
        if start == Start::WhenHeard {
            pump.outward = Outward::Held;
            pump.feed(&Message::Ping(Bytes::new()));
            pump.timer = Some(Box::pin(tokio::time::sleep(EARLY)));
        }
        pump
    }

    fn feed(&mut self, message: &Message) {
        self.writer.feed(message);
        self.unflushed = true;
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PumpError>> {
        loop {
            // All are asked in each round, so that all that wait are woken.
            let progress = [
                self.poll_receive(cx)?,
                self.poll_deliver(cx)?,
                self.poll_read(cx)?,
                self.poll_flush(cx)?,
                self.poll_timer(cx)?,
            ];
            let is_over = self.outward == Outward::Ended && self.inward == Inward::Ended;
            if is_over && !self.unflushed {
                return Poll::Ready(Ok(()));
            }
            if progress.iter().all(Poll::is_pending) {
                return Poll::Pending;
            }
        }
    }

    /// Takes one message, when the last one is delivered; after the peer's close watches it hang up.
    fn poll_receive(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PumpError>> {
        let is_watching = self.inward == Inward::Ended && self.outward != Outward::Ended;
        let is_reading = self.inward == Inward::Open && self.writer.pending() < UNSENT_MAX;
        if !is_watching && !is_reading {
            return Poll::Pending;
        }
        let received = ready!(pin!(self.reader.next()).poll(cx));
        let message = match received {
            Ok(message) => message,
            Err(websocket::Error::Closed | websocket::Error::Io(_)) if is_watching => {
                return Poll::Ready(Err(PumpError::HungUp));
            }
            // After our close some peers just hang up.
            Err(websocket::Error::Closed) if self.outward == Outward::Ended => Message::Close(None),
            Err(error) => return Poll::Ready(Err(error.into())),
        };
        Poll::Ready(self.take(message))
    }

    fn take(&mut self, message: Message) -> Result<(), PumpError> {
        match message {
            Message::Binary(bytes) => {
                self.release();
                if !bytes.is_empty() {
                    self.inward = Inward::Delivering(bytes);
                }
            }
            Message::Pong(_) => self.release(),
            Message::Ping(body) => self.feed(&Message::Pong(body)),
            Message::Text(_) => return Err(PumpError::Text),
            Message::Close(None) => self.inward = Inward::Ending,
            Message::Close(Some(CloseReason { code: 1000, .. })) => self.inward = Inward::Ending,
            Message::Close(Some(CloseReason { code, text })) => {
                return Err(PumpError::Peer { code, text });
            }
        }
        Ok(())
    }

    /// The peer listens: what the connection says may go.
    fn release(&mut self) {
        if self.outward == Outward::Held {
            self.outward = Outward::Open;
            self.timer = None;
        }
    }

    fn poll_deliver(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PumpError>> {
        match &mut self.inward {
            Inward::Delivering(rest) => {
                let written = ready!(Pin::new(&mut self.endpoint).poll_write(cx, rest))?;
                if written == 0 {
                    return Poll::Ready(Err(io::Error::from(io::ErrorKind::WriteZero).into()));
                }
                rest.advance(written);
                self.moved.received += written as u64;
                if rest.is_empty() {
                    self.inward = Inward::Open;
                }
                self.note_life();
            }
            Inward::Ending => {
                ready!(Pin::new(&mut self.endpoint).poll_shutdown(cx))?;
                self.inward = Inward::Ended;
                self.release();
                self.note_end();
            }
            Inward::Open | Inward::Ended => return Poll::Pending,
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once and frames it, when the last frame is sent.
    fn poll_read(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PumpError>> {
        if self.outward != Outward::Open || self.unflushed {
            return Poll::Pending;
        }
        let buffer = self.buffer.open();
        let read = ready!(pin!(self.endpoint.read(buffer)).poll(cx))?;
        if read == 0 {
            self.feed(&Message::Close(Some(CloseReason::new(1000, ""))));
            self.outward = Outward::Ended;
            self.note_end();
        } else {
            self.writer.feed_binary_with(&[], self.buffer.filled(read));
            self.unflushed = true;
            self.moved.sent += read as u64;
            self.note_life();
        }
        Poll::Ready(Ok(()))
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PumpError>> {
        if !self.unflushed {
            return Poll::Pending;
        }
        let flushed = ready!(pin!(self.writer.flush()).poll(cx));
        self.unflushed = false;
        match flushed {
            Ok(()) => Poll::Ready(Ok(())),
            // The peer has closed and hung up: our answer to its close has no reader.
            Err(_) if self.is_only_answering() => Poll::Ready(Ok(())),
            Err(error) => Poll::Ready(Err(error.into())),
        }
    }

    fn is_only_answering(&self) -> bool {
        self.outward == Outward::Ended && self.inward == Inward::Ended
    }

    fn poll_timer(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), PumpError>> {
        let Some(timer) = &mut self.timer else { return Poll::Pending };
        ready!(timer.as_mut().poll(cx));
        if self.outward != Outward::Held {
            return Poll::Ready(Err(PumpError::Lingering));
        }
        self.release();
        Poll::Ready(Ok(()))
    }

    /// One side has ended: from now on silence of the other counts.
    fn note_end(&mut self) {
        self.timer = Some(Box::pin(tokio::time::sleep(self.linger)));
    }

    fn note_life(&mut self) {
        let has_ended = self.outward == Outward::Ended || self.inward == Inward::Ended;
        if let Some(timer) = self.timer.as_mut().filter(|_| has_ended) {
            timer.as_mut().reset(Instant::now() + self.linger);
        }
    }

    /// Says the last words and closes the data socket; the connection follows when it is dropped.
    async fn part(&mut self, farewell: Option<CloseReason>) {
        if let Some(reason) = farewell
            && self.outward != Outward::Ended
        {
            self.writer.feed(&Message::Close(Some(reason)));
        }
        // A peer that does not take them has gone already.
        let _ = tokio::time::timeout(FAREWELL, self.writer.shutdown()).await;
    }
}

impl<S, E: Endpoint> Drop for Pump<S, E> {
    fn drop(&mut self) {
        if self.ends == Ends::Open {
            self.endpoint.abort();
        }
    }
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use proptest::prelude::*;
    use tokio::io::{AsyncWriteExt, DuplexStream, duplex};
    use websocket::{Limits, Role};

    use super::*;

    const LINGER: Duration = Duration::from_secs(5);

    fn socket(io: DuplexStream, role: Role) -> WebSocket<DuplexStream> {
        WebSocket::new(io, role, Limits::default(), Bytes::new())
    }

    /// Writes in pieces, ends, and gives back what came.
    async fn talk(end: DuplexStream, words: Vec<u8>, piece: usize) -> Vec<u8> {
        let (mut read, mut write) = tokio::io::split(end);
        let mut heard = Vec::new();
        let speak = async {
            for piece in words.chunks(piece) {
                write.write_all(piece).await.unwrap();
            }
            write.shutdown().await.unwrap();
        };
        let ((), read) = tokio::join!(speak, read.read_to_end(&mut heard));
        read.unwrap();
        heard
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        /// Pipes of any width, so that everything blocks everywhere.
        #[test]
        fn both_sides_hear_exactly_what_the_other_said(
            widths in (7..2_000usize, 7..200_000usize, 7..2_000usize),
            question in proptest::collection::vec(any::<u8>(), 0..20_000),
            answer in proptest::collection::vec(any::<u8>(), 0..100_000),
            pieces in (1..20_000usize, 1..100_000usize),
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
            let (outcome, heard, told) = runtime.block_on(async {
                let (customer, public) = duplex(widths.0);
                let (cloud, board) = duplex(widths.1);
                let (local, service) = duplex(widths.2);
                let (cloud, board) = (socket(cloud, Role::Server), socket(board, Role::Client));
                let both = async {
                    tokio::try_join!(
                        pump(cloud, public, Start::WhenHeard, LINGER, pending()),
                        pump(board, local, Start::Now, LINGER, pending()),
                    )
                };
                tokio::join!(
                    both,
                    talk(customer, question.clone(), pieces.0),
                    talk(service, answer.clone(), pieces.1),
                )
            });
            let (cloud, board) = outcome.unwrap();
            prop_assert_eq!((cloud.sent, cloud.received), (question.len() as u64, answer.len() as u64));
            prop_assert_eq!((board.sent, board.received), (cloud.received, cloud.sent));
            prop_assert!(heard == answer && told == question);
        }
    }

    #[tokio::test]
    async fn a_cut_tells_the_peer_and_ends() {
        let (cloud, board) = duplex(1000);
        let (public, _customer) = duplex(1000);
        let (mut reader, _writer) = socket(board, Role::Client).split();
        let cut = async {};
        let outcome = pump(socket(cloud, Role::Server), public, Start::Now, LINGER, cut).await;
        assert!(matches!(outcome, Err(PumpError::Cut)));
        let Ok(Message::Close(Some(reason))) = reader.next().await else { panic!("no close") };
        assert_eq!(reason.code, 1001);
    }
}
