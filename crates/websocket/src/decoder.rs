//! Bytes in, whole messages out; no socket, no clock.
//!
//! Invariants: however the input is cut, the same messages come out; buffered bytes never exceed the largest message
//! plus one read; after an error or a close frame nothing more comes out. Payloads of unfragmented messages are lent
//! out of the receive buffer without a copy; if the borrower drops them before the next read, the buffer is used again.

use bytes::buf::Limit;
use bytes::{BufMut, Bytes, BytesMut};

use crate::error::Violation;
use crate::frame::{Fin, Header, MAX_HEADER, Opcode};
use crate::message::{CloseReason, Message};
use crate::{Limits, Role, mask};

/// Room for one read on a quiet connection.
const WINDOW_MIN: usize = 4 * 1024;
/// Room for one read on a busy connection: a frame of 64 KiB with its headers. Larger brings nothing.
const WINDOW_MAX: usize = 64 * 1024 + 64;
/// Small reads in a row after which a grown buffer is given back.
const QUIET_READS: u32 = 32;
/// A buffer that grew past this for one message is given back right after it.
const KEEP_MAX: usize = 4 * WINDOW_MAX;

/// The receiving half of the codec.
#[derive(Debug)]
pub struct Decoder {
    role: Role,
    limits: Limits,
    buffer: BytesMut,
    header: Option<Header>,
    fragments: Option<Fragments>,
    end: End,
    window: usize,
    quiet_reads: u32,
    /// Largest room asked for since the buffer was last given back.
    grown_to: usize,
}

#[derive(Debug)]
struct Fragments {
    opcode: Opcode,
    body: BytesMut,
    /// Bytes of a text that are known to be whole characters.
    checked: usize,
}

impl Fragments {
    /// Looks at what has come of a text, so that a bad one is refused before its end (section 8.1).
    fn check(&mut self) -> Result<(), Violation> {
        if self.opcode != Opcode::Text {
            return Ok(());
        }
        match std::str::from_utf8(self.body.get(self.checked..).unwrap_or_default()) {
            Ok(_) => self.checked = self.body.len(),
            Err(error) if error.error_len().is_none() => self.checked += error.valid_up_to(),
            Err(_) => return Err(Violation::NotUtf8),
        }
        Ok(())
    }

    fn whole(self) -> Result<Message, Violation> {
        match self.opcode {
            Opcode::Text if self.checked < self.body.len() => Err(Violation::NotUtf8),
            Opcode::Text => Ok(Message::Text(self.body.freeze())),
            _ => Ok(Message::Binary(self.body.freeze())),
        }
    }
}

#[derive(Debug, Clone, Copy)]
enum End {
    Open,
    Closed,
    Failed(Violation),
}

impl Decoder {
    /// A decoder for what the peer of `role` sends; `leftover` is what the handshake read too far.
    pub fn new(role: Role, limits: Limits, leftover: Bytes) -> Self {
        Self {
            role,
            limits,
            buffer: BytesMut::from(leftover),
            header: None,
            fragments: None,
            end: End::Open,
            window: WINDOW_MIN,
            quiet_reads: 0,
            grown_to: WINDOW_MIN,
        }
    }

    /// Adds received bytes by copy; the socket shell reads straight into the buffer instead.
    pub fn feed(&mut self, bytes: &[u8]) {
        self.buffer.extend_from_slice(bytes);
    }

    /// The next whole message, `None` while bytes are missing. After an error the same error comes again.
    pub fn decode(&mut self) -> Result<Option<Message>, Violation> {
        match self.end {
            End::Failed(violation) => return Err(violation),
            End::Closed if self.buffer.is_empty() => return Ok(None),
            End::Closed => return self.fail(Violation::AfterClose),
            End::Open => {}
        }
        loop {
            match self.decode_frame() {
                Ok(Frame::Missing) => return Ok(None),
                Ok(Frame::Fragment) => {}
                Ok(Frame::Message(message)) => {
                    if matches!(message, Message::Close(_)) {
                        self.end = End::Closed;
                        self.buffer.clear();
                    }
                    return Ok(Some(message));
                }
                Err(violation) => return self.fail(violation),
            }
        }
    }

    /// Whether the input may end here: no frame and no fragmented message is under way.
    pub fn is_between_messages(&self) -> bool {
        let is_clean = self.buffer.is_empty() && self.header.is_none() && self.fragments.is_none();
        is_clean || matches!(self.end, End::Closed)
    }

    fn fail(&mut self, violation: Violation) -> Result<Option<Message>, Violation> {
        self.end = End::Failed(violation);
        self.buffer = BytesMut::new();
        self.fragments = None;
        Err(violation)
    }

    fn decode_frame(&mut self) -> Result<Frame, Violation> {
        let header = match self.header {
            Some(header) => header,
            None => match Header::parse(&self.buffer, self.role)? {
                Some(header) => *self.header.insert(self.admit(header)?),
                None => return Ok(Frame::Missing),
            },
        };
        let total = header.size + header.payload as usize;
        let Some(frame) = self.buffer.get_mut(..total) else { return Ok(Frame::Missing) };
        if let (Some(key), Some(payload)) = (header.key, frame.get_mut(header.size..)) {
            mask::apply(payload, key);
        }
        self.header = None;
        let payload = self.buffer.split_to(total).freeze().slice(header.size..);
        if total > KEEP_MAX {
            self.give_back();
        }
        self.accept(header, payload)
    }

    /// Checks a fresh header against what is under way, before any of its payload is buffered.
    fn admit(&self, header: Header) -> Result<Header, Violation> {
        let begun = match (&self.fragments, header.opcode) {
            (_, opcode) if opcode.is_control() => 0,
            (Some(fragments), Opcode::Continuation) => fragments.body.len(),
            (None, Opcode::Continuation) => return Err(Violation::NothingToContinue),
            (Some(_), _) => return Err(Violation::Interleaved),
            (None, _) => 0,
        };
        let limit = self.limits.max_message;
        let room = limit.saturating_sub(begun) as u64;
        if header.payload > room && !header.opcode.is_control() {
            return Err(Violation::TooLong { limit });
        }
        Ok(header)
    }

    fn accept(&mut self, header: Header, payload: Bytes) -> Result<Frame, Violation> {
        match (header.opcode, header.fin) {
            (Opcode::Ping, _) => Ok(Frame::Message(Message::Ping(payload))),
            (Opcode::Pong, _) => Ok(Frame::Message(Message::Pong(payload))),
            (Opcode::Close, _) => Ok(Frame::Message(Message::Close(CloseReason::parse(&payload)?))),
            (Opcode::Continuation, fin) => self.resume(fin, &payload),
            (opcode, Fin::Last) => whole(opcode, payload).map(Frame::Message),
            (opcode, Fin::More) => {
                let mut first = Fragments { opcode, body: BytesMut::from(&*payload), checked: 0 };
                first.check()?;
                self.fragments = Some(first);
                Ok(Frame::Fragment)
            }
        }
    }

    fn resume(&mut self, fin: Fin, payload: &[u8]) -> Result<Frame, Violation> {
        let Some(mut fragments) = self.fragments.take() else {
            return Err(Violation::NothingToContinue);
        };
        fragments.body.extend_from_slice(payload);
        fragments.check()?;
        match fin {
            Fin::Last => fragments.whole().map(Frame::Message),
            Fin::More => {
                self.fragments = Some(fragments);
                Ok(Frame::Fragment)
            }
        }
    }

    /// Where the next read goes. Inside a long frame the read stops with the header of the following one, so that no
    /// piece of a payload has to be moved; a declared length alone never reserves more than one window beyond what came.
    pub(crate) fn room(&mut self) -> Limit<&mut BytesMut> {
        let missing = self.missing();
        let room = if missing > self.window {
            (missing + MAX_HEADER).min(WINDOW_MAX.max(self.buffer.len()))
        } else {
            self.window
        };
        self.grown_to = self.grown_to.max(room);
        let spare = self.buffer.capacity() - self.buffer.len();
        if spare < missing.min(room) || spare < room / 2 {
            self.buffer.reserve(room);
        }
        let limit = if missing > self.window { room } else { usize::MAX };
        (&mut self.buffer).limit(limit)
    }

    /// Learns from the size of a read: busy connections get a large window, quiet ones give it back.
    pub(crate) fn note_read(&mut self, read: usize) {
        if read * 2 > self.window {
            self.quiet_reads = 0;
            self.window = (self.window * 4).min(WINDOW_MAX);
            return;
        }
        self.quiet_reads += 1;
        if self.quiet_reads >= QUIET_READS && self.grown_to > WINDOW_MIN {
            self.window = WINDOW_MIN;
            self.give_back();
        }
    }

    fn missing(&self) -> usize {
        self.header.map_or(0, |header| {
            (header.size + header.payload as usize).saturating_sub(self.buffer.len())
        })
    }

    fn give_back(&mut self) {
        self.buffer = BytesMut::from(&*self.buffer);
        self.quiet_reads = 0;
        self.grown_to = WINDOW_MIN;
    }
}

enum Frame {
    Missing,
    Fragment,
    Message(Message),
}

fn whole(opcode: Opcode, body: Bytes) -> Result<Message, Violation> {
    if opcode != Opcode::Text {
        return Ok(Message::Binary(body));
    }
    match std::str::from_utf8(&body) {
        Ok(_) => Ok(Message::Text(body)),
        Err(_) => Err(Violation::NotUtf8),
    }
}
