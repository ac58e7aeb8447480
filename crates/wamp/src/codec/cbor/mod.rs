//! `wamp.2.cbor`: RFC 8949, the types that WAMP has.
//!
//! Tags are read over; simple values other than booleans, null and undefined are refused; keys of dictionaries are
//! texts. Indefinite lengths are read inside a message, never written.

mod write;

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;

use super::build::{Build, Check, Tree};
use super::{CodecError, Cursor, Fields, Raw, deeper, keep, number_of};
use crate::Dict;

pub(super) use write::{Writer, write_value};

/// Depth inside the list that a message is.
const IN_MESSAGE: usize = 1;

const UNSIGNED: u8 = 0;
const NEGATIVE: u8 = 1;
const BINARY: u8 = 2;
const TEXT: u8 = 3;
const LIST: u8 = 4;
const DICT: u8 = 5;
const TAG: u8 = 6;
const BREAK: u8 = 0xff;

/// The first bytes of a value: major type, and what the rest of them says.
#[derive(Clone, Copy)]
struct Head {
    major: u8,
    low: u8,
    argument: Argument,
}

#[derive(Clone, Copy)]
enum Argument {
    Number(u64),
    Indefinite,
}

impl Head {
    fn read(cursor: &mut Cursor<'_>) -> Result<Self, CodecError> {
        let first = cursor.byte()?;
        let low = first & 0x1f;
        let argument = match low {
            0..=23 => Argument::Number(u64::from(low)),
            24 => Argument::Number(u64::from(cursor.byte()?)),
            25 => Argument::Number(u64::from(u16::from_be_bytes(cursor.array()?))),
            26 => Argument::Number(u64::from(u32::from_be_bytes(cursor.array()?))),
            27 => Argument::Number(u64::from_be_bytes(cursor.array()?)),
            31 => Argument::Indefinite,
            _ => return Err(CodecError::Malformed("a reserved CBOR length")),
        };
        Ok(Self { major: first >> 5, low, argument })
    }

    fn number(self) -> Result<u64, CodecError> {
        match self.argument {
            Argument::Number(number) => Ok(number),
            Argument::Indefinite => Err(CodecError::Malformed("an indefinite CBOR number")),
        }
    }
}

/// Reads the elements of one message.
pub(super) struct Reader<'a> {
    message: &'a Bytes,
    cursor: Cursor<'a>,
    left: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn open(message: &'a Bytes) -> Result<Self, CodecError> {
        let mut cursor = Cursor::new(message);
        match Head::read(&mut cursor)? {
            Head { major: LIST, argument: Argument::Number(count), .. } => {
                let left = usize::try_from(count).map_err(|_| CodecError::Truncated)?;
                Ok(Self { message, cursor, left })
            }
            _ => Err(CodecError::Expected("a list of definite length")),
        }
    }

    fn count(&mut self) -> Result<(), CodecError> {
        self.left = self.left.checked_sub(1).ok_or(CodecError::Expected("another element"))?;
        Ok(())
    }

    /// The last element must end the message.
    fn finish(&self) -> Result<(), CodecError> {
        let is_done = self.left > 0 || self.cursor.is_at_end();
        if is_done { Ok(()) } else { Err(CodecError::Trailing) }
    }

    fn raw(&mut self, major: u8, what: &'static str) -> Result<Bytes, CodecError> {
        self.count()?;
        if self.cursor.peek()? >> 5 != major {
            return Err(CodecError::Expected(what));
        }
        let start = self.cursor.at;
        value::<Check>(&mut self.cursor, IN_MESSAGE)?;
        self.finish()?;
        Ok(keep(self.message, self.cursor.since(start)))
    }

    fn value(&mut self) -> Result<Value, CodecError> {
        self.count()?;
        let value = value::<Tree>(&mut self.cursor, IN_MESSAGE)?;
        self.finish()?;
        Ok(value)
    }
}

impl Fields for Reader<'_> {
    fn left(&self) -> usize {
        self.left
    }

    fn id(&mut self) -> Result<u64, CodecError> {
        number_of(&self.value()?).ok_or(CodecError::Expected("an id"))
    }

    fn text(&mut self) -> Result<String, CodecError> {
        self.count()?;
        let head = Head::read(&mut self.cursor)?;
        if head.major != TEXT {
            return Err(CodecError::Expected("a text"));
        }
        let text = text(&mut self.cursor, head)?.into_owned();
        self.finish()?;
        Ok(text)
    }

    fn dict(&mut self) -> Result<Dict, CodecError> {
        match self.value()? {
            Value::Object(dict) => Ok(dict),
            _ => Err(CodecError::Expected("a dictionary")),
        }
    }

    fn raw_payload(&mut self) -> Result<Raw, CodecError> {
        if self.cursor.peek()? >> 5 == BINARY {
            return self.raw(BINARY, "a binary payload").map(Raw::Opaque);
        }
        self.raw(LIST, "a list of arguments").map(Raw::List)
    }

    fn raw_dict(&mut self) -> Result<Bytes, CodecError> {
        self.raw(DICT, "a dictionary of arguments")
    }
}

pub(super) fn read_value(bytes: &[u8]) -> Result<Value, CodecError> {
    let mut cursor = Cursor::new(bytes);
    let value = value::<Tree>(&mut cursor, 0)?;
    if cursor.is_at_end() { Ok(value) } else { Err(CodecError::Trailing) }
}

fn value<B: Build>(cursor: &mut Cursor<'_>, depth: usize) -> Result<B::Value, CodecError> {
    let head = Head::read(cursor)?;
    Ok(match head.major {
        UNSIGNED => B::unsigned(head.number()?),
        NEGATIVE => negative::<B>(head.number()?),
        BINARY => B::binary(&binary(cursor, head)?),
        TEXT => B::text(&text(cursor, head)?),
        LIST => list::<B>(cursor, head.argument, depth)?,
        DICT => dict::<B>(cursor, head.argument, depth)?,
        TAG => {
            head.number()?;
            value::<B>(cursor, deeper(depth)?)?
        }
        _ => simple::<B>(head)?,
    })
}

/// -1 - n; what no 64-bit integer holds becomes a float.
fn negative<B: Build>(n: u64) -> B::Value {
    match i64::try_from(n) {
        Ok(n) => B::signed(-1 - n),
        Err(_) => B::float(-1.0 - n as f64),
    }
}

fn simple<B: Build>(head: Head) -> Result<B::Value, CodecError> {
    let bits = head.number()?;
    Ok(match head.low {
        20 => B::boolean(false),
        21 => B::boolean(true),
        22 | 23 => B::null(),
        25 => B::float(half(bits as u16)),
        26 => B::float(f64::from(f32::from_bits(bits as u32))),
        27 => B::float(f64::from_bits(bits)),
        _ => return Err(CodecError::Malformed("an unknown CBOR simple value")),
    })
}

/// RFC 8949 appendix D.
fn half(bits: u16) -> f64 {
    let exponent = i32::from((bits >> 10) & 0x1f);
    let mantissa = f64::from(bits & 0x3ff);
    let magnitude = match exponent {
        0 => mantissa * 2f64.powi(-24),
        31 if mantissa == 0.0 => f64::INFINITY,
        31 => f64::NAN,
        _ => (mantissa + 1024.0) * 2f64.powi(exponent - 25),
    };
    if bits & 0x8000 == 0 { magnitude } else { -magnitude }
}

fn length(number: u64) -> Result<usize, CodecError> {
    usize::try_from(number).map_err(|_| CodecError::Truncated)
}

fn binary<'a>(cursor: &mut Cursor<'a>, head: Head) -> Result<Cow<'a, [u8]>, CodecError> {
    if let Argument::Number(count) = head.argument {
        return cursor.take(length(count)?).map(Cow::Borrowed);
    }
    let mut whole = Vec::new();
    while let Some(chunk) = chunk(cursor, head.major)? {
        whole.extend_from_slice(cursor.take(chunk)?);
    }
    Ok(Cow::Owned(whole))
}

fn text<'a>(cursor: &mut Cursor<'a>, head: Head) -> Result<Cow<'a, str>, CodecError> {
    if let Argument::Number(count) = head.argument {
        return cursor.text(length(count)?).map(Cow::Borrowed);
    }
    let mut whole = String::new();
    while let Some(chunk) = chunk(cursor, head.major)? {
        whole.push_str(cursor.text(chunk)?);
    }
    Ok(Cow::Owned(whole))
}

/// The length of the next chunk of an indefinite string, `None` at its end.
fn chunk(cursor: &mut Cursor<'_>, major: u8) -> Result<Option<usize>, CodecError> {
    if at_break(cursor)? {
        return Ok(None);
    }
    match Head::read(cursor)? {
        Head { major: found, argument: Argument::Number(count), .. } if found == major => {
            length(count).map(Some)
        }
        _ => Err(CodecError::Malformed("a wrong chunk in a CBOR string")),
    }
}

fn at_break(cursor: &mut Cursor<'_>) -> Result<bool, CodecError> {
    let is_break = cursor.peek()? == BREAK;
    if is_break {
        cursor.byte()?;
    }
    Ok(is_break)
}

/// Counts elements down, or waits for the break.
struct Elements {
    left: Option<u64>,
}

impl Elements {
    fn new(argument: Argument) -> Self {
        match argument {
            Argument::Number(count) => Self { left: Some(count) },
            Argument::Indefinite => Self { left: None },
        }
    }

    fn has_next(&mut self, cursor: &mut Cursor<'_>) -> Result<bool, CodecError> {
        match &mut self.left {
            None => at_break(cursor).map(|is_end| !is_end),
            Some(0) => Ok(false),
            Some(left) => {
                *left -= 1;
                Ok(true)
            }
        }
    }
}

fn list<B: Build>(
    cursor: &mut Cursor<'_>,
    argument: Argument,
    depth: usize,
) -> Result<B::Value, CodecError> {
    let depth = deeper(depth)?;
    let mut list = B::List::default();
    let mut elements = Elements::new(argument);
    while elements.has_next(cursor)? {
        B::push(&mut list, value::<B>(cursor, depth)?);
    }
    Ok(B::list(list))
}

fn dict<B: Build>(
    cursor: &mut Cursor<'_>,
    argument: Argument,
    depth: usize,
) -> Result<B::Value, CodecError> {
    let depth = deeper(depth)?;
    let mut dict = B::Dict::default();
    let mut elements = Elements::new(argument);
    while elements.has_next(cursor)? {
        let head = Head::read(cursor)?;
        if head.major != TEXT {
            return Err(CodecError::Malformed("a dictionary's key is not a text"));
        }
        let key = text(cursor, head)?;
        B::insert(&mut dict, &key, value::<B>(cursor, depth)?);
    }
    Ok(B::dict(dict))
}
