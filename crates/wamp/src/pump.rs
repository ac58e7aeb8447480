//! The one task that owns a connection after its session is established, on either end.
//!
//! Invariants: one write carries all that was queued; reading goes on while a write waits, so two peers that both send
//! much cannot block each other; pings are answered; a silent peer is given up in the time that [`Liveness`] allows.

use std::time::{Duration, Instant};

use bytes::Bytes;
use tokio::time::Sleep;
use websocket::{Activity, CloseReason, Error, Liveness, Step};

use crate::codec::Serialiser;
use crate::ended::Ended;
use crate::mailbox::Mailbox;
use crate::message::{self, Message};
use crate::transport::{Deliver, Receive};

/// Bytes in the outgoing buffer above which no further messages are encoded.
const HIGH_WATER: usize = 256 * 1024;
/// Messages handled before what they caused is sent.
const BATCH: usize = 64;
/// Encoding space that is kept between messages.
const KEEP_SCRATCH: usize = 64 * 1024;
/// Time for the last words.
const FAREWELL: Duration = Duration::from_secs(1);

/// Who takes what arrives.
pub(crate) trait Inbound: Send + Sync {
    /// Takes one message; a text says how it breaks the protocol.
    fn receive(&self, message: Message) -> Result<(), &'static str>;
    /// Whether something waits for the peer.
    fn activity(&self) -> Activity;
}

/// A connection on which WAMP messages go both ways.
pub(crate) struct Connection<R, W> {
    reader: R,
    writer: W,
    serialiser: Serialiser,
    scratch: Vec<u8>,
    /// The close code of RFC 6455 for what went wrong below WAMP.
    close_code: Option<u16>,
}

impl<R: Receive, W: Deliver> Connection<R, W> {
    pub(crate) fn new((reader, writer): (R, W), serialiser: Serialiser) -> Self {
        Self { reader, writer, serialiser, scratch: Vec::new(), close_code: None }
    }

    /// The next message; pings are answered on the way. For establishing only: one write for each answer.
    pub(crate) async fn receive(&mut self) -> Result<Message, Ended> {
        loop {
            let frame = self.reader.next().await;
            match self.open(frame)? {
                Some(message) => return Ok(message),
                None => self.writer.flush().await.map_err(|error| lost(&error))?,
            }
        }
    }

    /// Sends one message at once.
    pub(crate) async fn send(&mut self, message: &Message) -> Result<(), Ended> {
        self.encode(message);
        self.writer.flush().await.map_err(|error| lost(&error))
    }

    /// Sends a last message and closes.
    pub(crate) async fn part(&mut self, message: &Message) -> Result<(), Ended> {
        self.encode(message);
        let reason = CloseReason::new(1000, "");
        self.writer.feed(&websocket::Message::Close(Some(reason)));
        self.writer.shutdown().await.map_err(|error| lost(&error))
    }

    fn encode(&mut self, message: &Message) {
        self.scratch.clear();
        message::encode(self.serialiser, &mut self.scratch, message);
        self.writer.feed_encoded(self.serialiser, &self.scratch);
        if self.scratch.capacity() > KEEP_SCRATCH {
            self.scratch = Vec::new();
        }
    }

    /// What a frame means: a message, or nothing for the session.
    fn open(&mut self, frame: Result<websocket::Message, Error>) -> Result<Option<Message>, Ended> {
        let frame = frame.map_err(|error| {
            self.close_code = error.close_code();
            lost(&error)
        })?;
        if let Some(reply) = frame.reply() {
            self.writer.feed(&reply);
        }
        match frame {
            websocket::Message::Text(body) => self.decode(&body, Frame::Text).map(Some),
            websocket::Message::Binary(body) => self.decode(&body, Frame::Binary).map(Some),
            websocket::Message::Ping(_) | websocket::Message::Pong(_) => Ok(None),
            websocket::Message::Close(reason) => Err(Ended::Lost(closed_text(reason.as_ref()))),
        }
    }

    fn decode(&self, body: &Bytes, frame: Frame) -> Result<Message, Ended> {
        let expected = match self.serialiser {
            Serialiser::Json => Frame::Text,
            Serialiser::MessagePack | Serialiser::Cbor => Frame::Binary,
        };
        if frame != expected {
            return Err(Ended::Violation("the frame's type is not the serialiser's".into()));
        }
        message::decode(self.serialiser, body)
            .map_err(|error| Ended::Violation(format!("message cannot be read: {error}")))
    }

    /// Runs the session to its end, tells `over`, and gives the peer its farewell.
    pub(crate) async fn run(
        mut self,
        mailbox: &Mailbox,
        inbound: &impl Inbound,
        liveness: Liveness,
        over: impl FnOnce(&Ended),
    ) -> Ended {
        let ended = self.pump(mailbox, inbound, liveness).await;
        // What is said from now on is said to nobody; those who wait learn it before the farewell takes its time.
        mailbox.stop(ended.clone());
        over(&ended);
        if tokio::time::timeout(FAREWELL, self.farewell(&ended)).await.is_err() {
            tracing::debug!(%ended, "the peer did not take its farewell in time");
        }
        ended
    }

    async fn pump(
        &mut self,
        mailbox: &Mailbox,
        inbound: &impl Inbound,
        mut liveness: Liveness,
    ) -> Ended {
        let mut batch = Vec::new();
        let alarm = tokio::time::sleep(Duration::ZERO);
        tokio::pin!(alarm);
        loop {
            if let Some(ended) = self.fill(mailbox, &mut batch) {
                return ended;
            }
            if let Err(ended) = self.watch(&mut liveness, inbound.activity(), alarm.as_mut()) {
                return ended;
            }
            let has_pending = self.writer.pending() > 0;
            tokio::select! {
                frame = self.reader.next() => {
                    liveness.on_receive(Instant::now());
                    if let Err(ended) = self.take(frame, inbound) {
                        return ended;
                    }
                }
                flushed = self.writer.flush(), if has_pending => {
                    if let Err(error) = flushed {
                        return lost(&error);
                    }
                }
                () = mailbox.changed() => {}
                () = alarm.as_mut() => {}
            }
        }
    }

    /// Encodes what is queued, up to the high-water mark. Gives back the order to stop once all before it is encoded.
    fn fill(&mut self, mailbox: &Mailbox, batch: &mut Vec<Message>) -> Option<Ended> {
        let pending = self.writer.pending();
        let stop = mailbox.take(batch, HIGH_WATER.saturating_sub(pending));
        for message in batch.drain(..) {
            self.encode(&message);
        }
        stop
    }

    /// Pings when it is time to, and sets the alarm for the next look.
    fn watch(
        &mut self,
        liveness: &mut Liveness,
        activity: Activity,
        alarm: std::pin::Pin<&mut Sleep>,
    ) -> Result<(), Ended> {
        let now = Instant::now();
        liveness.set_active(now, activity);
        loop {
            match liveness.poll(now) {
                Step::Ping => self.writer.feed(&websocket::Message::Ping(Bytes::new())),
                Step::Dead => return Err(Ended::Silent),
                Step::Wait(until) => {
                    let until = tokio::time::Instant::from_std(until);
                    // An alarm that rings too early only looks again; setting it anew each time would cost more.
                    if until < alarm.deadline() || alarm.is_elapsed() {
                        alarm.reset(until);
                    }
                    return Ok(());
                }
            }
        }
    }

    /// Handles a frame and those that came with it.
    fn take(
        &mut self,
        frame: Result<websocket::Message, Error>,
        inbound: &impl Inbound,
    ) -> Result<(), Ended> {
        let mut frame = frame;
        for _ in 0..BATCH {
            if let Some(message) = self.open(frame)? {
                deliver(message, inbound)?;
            }
            frame = match self.reader.next_buffered() {
                Ok(Some(next)) => Ok(next),
                Ok(None) => return Ok(()),
                Err(error) => Err(error),
            };
        }
        // One more frame is in hand: it is handled too, then the others get their turn.
        match self.open(frame)? {
            Some(message) => deliver(message, inbound),
            None => Ok(()),
        }
    }

    async fn farewell(&mut self, ended: &Ended) {
        match ended.farewell() {
            Some((reason, text)) => self.say_goodbye(ended, reason, text).await,
            // The echo of the peer's close frame may wait to be sent.
            None if matches!(ended, Ended::Lost(_)) => {}
            None => return,
        }
        if let Err(error) = self.writer.shutdown().await {
            tracing::debug!(%error, "the farewell was not sent");
        }
    }

    async fn say_goodbye(&mut self, ended: &Ended, reason: &str, text: &str) {
        let message = match ended {
            Ended::Violation(what) => Message::abort(reason, what),
            _ => Message::goodbye(reason, text),
        };
        self.encode(&message);
        if matches!(ended, Ended::Closed) && self.writer.flush().await.is_ok() {
            self.await_goodbye().await;
        }
        let code = match ended {
            Ended::Violation(_) => self.close_code.unwrap_or(1002),
            _ => 1000,
        };
        self.writer.feed(&websocket::Message::Close(Some(CloseReason::new(code, reason))));
    }

    /// Reads on until the peer has said goodbye too, or is gone.
    async fn await_goodbye(&mut self) {
        loop {
            match self.receive().await {
                Ok(Message::Goodbye { .. }) | Err(_) => return,
                Ok(_) => {}
            }
        }
    }
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Frame {
    Text,
    Binary,
}

fn deliver(message: Message, inbound: &impl Inbound) -> Result<(), Ended> {
    match message {
        Message::Goodbye { details, reason } => {
            Err(Ended::Goodbye { reason, message: message_of(&details) })
        }
        Message::Abort { details, reason } => {
            Err(Ended::Refused(crate::Abort::new(reason, message_of(&details))))
        }
        message => inbound.receive(message).map_err(|what| Ended::Violation(what.into())),
    }
}

/// The text for people in the details of GOODBYE and ABORT.
pub(crate) fn message_of(details: &crate::Dict) -> String {
    let text = details.get("message").and_then(serde_json::Value::as_str);
    text.unwrap_or_default().to_owned()
}

pub(crate) fn lost(error: &Error) -> Ended {
    match error {
        Error::Violation(violation) => Ended::Violation(violation.to_string()),
        Error::Closed | Error::Truncated | Error::Io(_) => Ended::Lost(error.to_string()),
    }
}

fn closed_text(reason: Option<&CloseReason>) -> String {
    match reason {
        None => "the peer closed it without a reason".into(),
        Some(reason) => format!("the peer closed it with {} {}", reason.code, reason.text),
    }
}
