//! The three serialisers of WAMP, and the two seams through which messages are read and written in any of them.
//!
//! Invariants: any bytes give a value or an error in time and memory linear in their length; nothing is nested deeper
//! than [`MAX_DEPTH`]; a payload that passed [`Fields`] is well formed, so it may be forwarded as it is.

mod build;
mod cbor;
mod json;
mod msgpack;

use bytes::Bytes;
use serde_json::Value;

pub use build::{binary_to_text as binary_text, text_to_binary as text_binary};

use crate::{Arguments, Dict};

/// Deepest nesting of lists and dictionaries.
pub const MAX_DEPTH: usize = 64;

/// A WAMP serialiser.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Serialiser {
    /// `wamp.2.json`, in text frames.
    Json,
    /// `wamp.2.msgpack`, in binary frames.
    MessagePack,
    /// `wamp.2.cbor`, in binary frames.
    Cbor,
}

impl Serialiser {
    /// All of them, the cheapest for us first.
    pub const ALL: [Self; 3] = [Self::Cbor, Self::MessagePack, Self::Json];

    /// The subprotocols of [`Self::ALL`].
    pub const SUBPROTOCOLS: [&'static str; 3] = ["wamp.2.cbor", "wamp.2.msgpack", "wamp.2.json"];

    /// The WebSocket subprotocol.
    pub fn subprotocol(self) -> &'static str {
        match self {
            Self::Json => "wamp.2.json",
            Self::MessagePack => "wamp.2.msgpack",
            Self::Cbor => "wamp.2.cbor",
        }
    }

    /// The serialiser of a subprotocol.
    pub fn from_subprotocol(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|serialiser| serialiser.subprotocol() == name)
    }
}

/// Why bytes are not a message or a value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CodecError {
    /// The bytes end too early.
    #[error("the bytes end inside a value")]
    Truncated,
    /// Bytes follow the message.
    #[error("bytes follow the end of the message")]
    Trailing,
    /// Not well formed.
    #[error("not well formed: {0}")]
    Malformed(&'static str),
    /// Nested too deeply.
    #[error("nested deeper than {MAX_DEPTH} levels")]
    TooDeep,
    /// A field of another type than the message asks for.
    #[error("expected {0}")]
    Expected(&'static str),
    /// The message has too few or too many elements.
    #[error("a message of type {0} does not have {1} elements")]
    Length(u64, usize),
    /// A message type nobody defined.
    #[error("message type {0} is unknown")]
    UnknownType(u64),
}

/// A payload as it stands in a message: a list of arguments, or one binary value that only the ends understand.
pub(crate) enum Raw {
    List(Bytes),
    Opaque(Bytes),
}

/// The elements of one received message, read in order.
pub(crate) trait Fields {
    /// Elements not yet read.
    fn left(&self) -> usize;
    fn id(&mut self) -> Result<u64, CodecError>;
    fn text(&mut self) -> Result<String, CodecError>;
    fn dict(&mut self) -> Result<Dict, CodecError>;
    /// A list, or a binary value in its place, as it stands in the message, checked but not read.
    fn raw_payload(&mut self) -> Result<Raw, CodecError>;
    /// A dictionary as it stands in the message, checked but not read.
    fn raw_dict(&mut self) -> Result<Bytes, CodecError>;
}

/// The elements of one message to send, written in order. The count given at the start must be kept.
pub(crate) trait Emit {
    fn id(&mut self, id: u64);
    fn text(&mut self, text: &str);
    fn dict(&mut self, dict: &Dict);
    fn list(&mut self, list: &[Value]);
    /// An element that is already in this serialiser.
    fn raw(&mut self, raw: &[u8]);
}

/// Opens a received message.
pub(crate) fn open<T>(
    serialiser: Serialiser,
    message: &Bytes,
    read: impl Read<T>,
) -> Result<T, CodecError> {
    match serialiser {
        Serialiser::Json => {
            json::Reader::open(message).and_then(|mut reader| read.read(&mut reader))
        }
        Serialiser::MessagePack => {
            msgpack::Reader::open(message).and_then(|mut reader| read.read(&mut reader))
        }
        Serialiser::Cbor => {
            cbor::Reader::open(message).and_then(|mut reader| read.read(&mut reader))
        }
    }
}

/// What reads a message, whatever its serialiser.
pub(crate) trait Read<T> {
    fn read<F: Fields>(self, fields: &mut F) -> Result<T, CodecError>;
}

/// What writes a message, whatever its serialiser.
pub(crate) trait Write {
    /// How many elements it will write.
    fn count(&self) -> usize;
    fn write<E: Emit>(&self, emit: &mut E);
}

/// Appends a message to `out`.
pub(crate) fn seal(serialiser: Serialiser, out: &mut Vec<u8>, message: &impl Write) {
    match serialiser {
        Serialiser::Json => {
            let mut writer = json::Writer::begin(out);
            message.write(&mut writer);
            writer.end();
        }
        Serialiser::MessagePack => {
            message.write(&mut msgpack::Writer::begin(out, message.count()));
        }
        Serialiser::Cbor => message.write(&mut cbor::Writer::begin(out, message.count())),
    }
}

/// Reads a list and a dictionary of application values; empty bytes stand for absent ones.
pub(crate) fn read_arguments(
    serialiser: Serialiser,
    list: &[u8],
    keywords: &[u8],
) -> Result<Arguments, CodecError> {
    let mut arguments = Arguments::default();
    if !list.is_empty() {
        let Value::Array(read) = read_value(serialiser, list)? else {
            return Err(CodecError::Expected("a list of arguments"));
        };
        arguments.list = read;
    }
    if !keywords.is_empty() {
        let Value::Object(read) = read_value(serialiser, keywords)? else {
            return Err(CodecError::Expected("a dictionary of arguments"));
        };
        arguments.keywords = read;
    }
    Ok(arguments)
}

/// Reads one value that fills `bytes`.
pub fn read_value(serialiser: Serialiser, bytes: &[u8]) -> Result<Value, CodecError> {
    match serialiser {
        Serialiser::Json => json::read_value(bytes),
        Serialiser::MessagePack => msgpack::read_value(bytes),
        Serialiser::Cbor => cbor::read_value(bytes),
    }
}

/// Appends one value to `out`.
pub fn write_value(serialiser: Serialiser, out: &mut Vec<u8>, value: &Value) {
    match serialiser {
        Serialiser::Json => json::write_value(out, value),
        Serialiser::MessagePack => msgpack::write_value(out, value),
        Serialiser::Cbor => cbor::write_value(out, value),
    }
}

/// Payloads up to this size are copied out of the receive buffer, so that a waiting message does not hold all of it.
const COPY_BELOW: usize = 2048;

/// A piece of a received message that outlives it.
fn keep(message: &Bytes, piece: &[u8]) -> Bytes {
    if piece.len() < COPY_BELOW { Bytes::copy_from_slice(piece) } else { message.slice_ref(piece) }
}

/// The whole number that a value is; peers in JavaScript write large ones as floats.
pub(crate) fn number_of(value: &Value) -> Option<u64> {
    value.as_u64().or_else(|| value.as_f64().and_then(whole))
}

/// The whole number that a float stands for, within the range of WAMP ids.
fn whole(float: f64) -> Option<u64> {
    const MAX_ID: f64 = 9_007_199_254_740_992.0;
    ((0.0..=MAX_ID).contains(&float) && float.fract() == 0.0).then_some(float as u64)
}

/// Bytes read from the front; the two binary serialisers share it.
struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0 }
    }

    fn take(&mut self, count: usize) -> Result<&'a [u8], CodecError> {
        let end = self.at.checked_add(count).ok_or(CodecError::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(CodecError::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    fn array<const N: usize>(&mut self) -> Result<[u8; N], CodecError> {
        self.take(N)?.first_chunk().copied().ok_or(CodecError::Truncated)
    }

    fn byte(&mut self) -> Result<u8, CodecError> {
        self.array::<1>().map(|[byte]| byte)
    }

    fn peek(&self) -> Result<u8, CodecError> {
        self.bytes.get(self.at).copied().ok_or(CodecError::Truncated)
    }

    fn text(&mut self, count: usize) -> Result<&'a str, CodecError> {
        std::str::from_utf8(self.take(count)?)
            .map_err(|_| CodecError::Malformed("text is not UTF-8"))
    }

    fn since(&self, start: usize) -> &'a [u8] {
        self.bytes.get(start..self.at).unwrap_or_default()
    }

    fn is_at_end(&self) -> bool {
        self.at == self.bytes.len()
    }
}

fn deeper(depth: usize) -> Result<usize, CodecError> {
    if depth < MAX_DEPTH { Ok(depth + 1) } else { Err(CodecError::TooDeep) }
}
