//! Messages in, bytes out; no socket.
//!
//! Invariant: every frame is whole, minimal and, for a client, masked with a fresh key from the operating system.

use crate::frame::{self, Opcode};
use crate::message::{MAX_CONTROL, Message};
use crate::{Role, mask};

/// Bytes of randomness fetched at a time: 64 masking keys for one system call.
const KEY_POOL: usize = 256;
/// Capacity of the outgoing buffer that is kept between flushes of a busy connection.
const KEEP_MAX: usize = 256 * 1024;
/// Capacity that is kept on a quiet connection.
const KEEP_QUIET: usize = 4 * 1024;
/// Small flushes in a row after which a grown buffer is given back.
const QUIET_FLUSHES: u32 = 32;

/// The sending half of the codec.
#[derive(Debug)]
pub struct Encoder {
    role: Role,
    out: Vec<u8>,
    sent: usize,
    keys: Vec<u8>,
    quiet_flushes: u32,
}

impl Encoder {
    /// An encoder for what `role` sends.
    pub fn new(role: Role) -> Self {
        Self { role, out: Vec::new(), sent: 0, keys: Vec::new(), quiet_flushes: 0 }
    }

    /// Appends one message as one frame. A control body is cut to the 125 bytes the protocol allows.
    pub fn feed(&mut self, message: &Message) {
        match message {
            Message::Text(body) => self.append(Opcode::Text, body, &[]),
            Message::Binary(body) => self.append(Opcode::Binary, body, &[]),
            Message::Ping(body) => self.append(Opcode::Ping, control(body), &[]),
            Message::Pong(body) => self.append(Opcode::Pong, control(body), &[]),
            Message::Close(None) => self.append(Opcode::Close, &[], &[]),
            Message::Close(Some(reason)) => {
                let text = reason.wire_text().as_bytes();
                self.append(Opcode::Close, &reason.code.to_be_bytes(), text);
            }
        }
    }

    /// Appends one text frame; the caller vouches for UTF-8 by the type.
    pub fn feed_text(&mut self, text: &str) {
        self.append(Opcode::Text, text.as_bytes(), &[]);
    }

    /// Appends one binary frame made of two pieces, so that the caller needs no buffer of its own.
    pub fn feed_binary_with(&mut self, header: &[u8], payload: &[u8]) {
        self.append(Opcode::Binary, header, payload);
    }

    /// Bytes that wait to be sent.
    pub fn pending(&self) -> usize {
        self.out.len() - self.sent
    }

    /// What waits to be sent.
    pub fn bytes(&self) -> &[u8] {
        self.out.get(self.sent..).unwrap_or_default()
    }

    /// Takes away the first `count` bytes: they are sent.
    pub fn consume(&mut self, count: usize) {
        self.sent = (self.sent + count).min(self.out.len());
        if self.sent < self.out.len() {
            return;
        }
        let used = self.out.len();
        self.out.clear();
        self.sent = 0;
        self.give_back(used);
    }

    fn give_back(&mut self, used: usize) {
        let is_quiet = used * 4 < self.out.capacity();
        self.quiet_flushes = if is_quiet { self.quiet_flushes + 1 } else { 0 };
        let keep = if self.quiet_flushes >= QUIET_FLUSHES { KEEP_QUIET } else { KEEP_MAX };
        if self.out.capacity() > keep {
            self.out = Vec::new();
            self.quiet_flushes = 0;
        }
    }

    fn append(&mut self, opcode: Opcode, first: &[u8], second: &[u8]) {
        let length = first.len() + second.len();
        self.out.reserve(frame::MAX_HEADER + length);
        match self.role {
            Role::Server => {
                frame::append_header(&mut self.out, opcode, length, None);
                self.out.extend_from_slice(first);
                self.out.extend_from_slice(second);
            }
            Role::Client => {
                let key = self.next_key();
                frame::append_header(&mut self.out, opcode, length, Some(key));
                let key = mask::append(&mut self.out, first, key);
                mask::append(&mut self.out, second, key);
            }
        }
    }

    /// Keys must be unpredictable (section 10.3), so they come from the operating system, many at a time.
    fn next_key(&mut self) -> [u8; 4] {
        if self.keys.len() < 4 {
            self.keys.resize(KEY_POOL, 0);
            getrandom::fill(&mut self.keys).expect("the operating system provides randomness");
        }
        let rest = self.keys.len().saturating_sub(4);
        let key = self.keys.last_chunk::<4>().copied().unwrap_or_default();
        self.keys.truncate(rest);
        key
    }
}

fn control(body: &[u8]) -> &[u8] {
    body.get(..MAX_CONTROL).unwrap_or(body)
}
