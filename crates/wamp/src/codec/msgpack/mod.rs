//! `wamp.2.msgpack`: MessagePack, the types that WAMP has.
//!
//! Extension types are refused; keys of dictionaries are texts.

mod write;

use bytes::Bytes;
use serde_json::Value;

use super::build::{Build, Check, Tree};
use super::{CodecError, Cursor, Fields, Raw, deeper, keep, number_of};
use crate::Dict;

pub(super) use write::{Writer, write_value};

/// Depth inside the list that a message is.
const IN_MESSAGE: usize = 1;

/// Reads the elements of one message.
pub(super) struct Reader<'a> {
    message: &'a Bytes,
    cursor: Cursor<'a>,
    left: usize,
}

impl<'a> Reader<'a> {
    pub(super) fn open(message: &'a Bytes) -> Result<Self, CodecError> {
        let mut cursor = Cursor::new(message);
        let left = match cursor.byte()? {
            short @ 0x90..=0x9f => usize::from(short & 0x0f),
            0xdc => length_16(&mut cursor)?,
            0xdd => length_32(&mut cursor)?,
            _ => return Err(CodecError::Expected("a list")),
        };
        Ok(Self { message, cursor, left })
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

    fn raw(&mut self, is_it: fn(u8) -> bool, what: &'static str) -> Result<Bytes, CodecError> {
        self.count()?;
        if !is_it(self.cursor.peek()?) {
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
        let first = self.cursor.byte()?;
        let length = text_length(&mut self.cursor, first)?.ok_or(CodecError::Expected("a text"))?;
        let text = self.cursor.text(length)?.to_owned();
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
        let is_binary = |first| matches!(first, 0xc4..=0xc6);
        if is_binary(self.cursor.peek()?) {
            return self.raw(is_binary, "a binary payload").map(Raw::Opaque);
        }
        let is_list = |first| matches!(first, 0x90..=0x9f | 0xdc | 0xdd);
        self.raw(is_list, "a list of arguments").map(Raw::List)
    }

    fn raw_dict(&mut self) -> Result<Bytes, CodecError> {
        self.raw(|first| matches!(first, 0x80..=0x8f | 0xde | 0xdf), "a dictionary of arguments")
    }
}

pub(super) fn read_value(bytes: &[u8]) -> Result<Value, CodecError> {
    let mut cursor = Cursor::new(bytes);
    let value = value::<Tree>(&mut cursor, 0)?;
    if cursor.is_at_end() { Ok(value) } else { Err(CodecError::Trailing) }
}

fn length_8(cursor: &mut Cursor<'_>) -> Result<usize, CodecError> {
    cursor.byte().map(usize::from)
}

fn length_16(cursor: &mut Cursor<'_>) -> Result<usize, CodecError> {
    cursor.array().map(u16::from_be_bytes).map(usize::from)
}

fn length_32(cursor: &mut Cursor<'_>) -> Result<usize, CodecError> {
    cursor.array().map(u32::from_be_bytes).map(|length| length as usize)
}

fn text_length(cursor: &mut Cursor<'_>, first: u8) -> Result<Option<usize>, CodecError> {
    Ok(Some(match first {
        0xa0..=0xbf => usize::from(first & 0x1f),
        0xd9 => length_8(cursor)?,
        0xda => length_16(cursor)?,
        0xdb => length_32(cursor)?,
        _ => return Ok(None),
    }))
}

fn value<B: Build>(cursor: &mut Cursor<'_>, depth: usize) -> Result<B::Value, CodecError> {
    let first = cursor.byte()?;
    if let Some(length) = text_length(cursor, first)? {
        return cursor.text(length).map(B::text);
    }
    Ok(match first {
        0x00..=0x7f => B::unsigned(u64::from(first)),
        0xe0..=0xff => B::signed(i64::from(first as i8)),
        0x80..=0x8f => dict::<B>(cursor, usize::from(first & 0x0f), depth)?,
        0xde => length_16(cursor).and_then(|length| dict::<B>(cursor, length, depth))?,
        0xdf => length_32(cursor).and_then(|length| dict::<B>(cursor, length, depth))?,
        0x90..=0x9f => list::<B>(cursor, usize::from(first & 0x0f), depth)?,
        0xdc => length_16(cursor).and_then(|length| list::<B>(cursor, length, depth))?,
        0xdd => length_32(cursor).and_then(|length| list::<B>(cursor, length, depth))?,
        0xc0 => B::null(),
        0xc2 => B::boolean(false),
        0xc3 => B::boolean(true),
        0xc4 => length_8(cursor).and_then(|length| cursor.take(length)).map(B::binary)?,
        0xc5 => length_16(cursor).and_then(|length| cursor.take(length)).map(B::binary)?,
        0xc6 => length_32(cursor).and_then(|length| cursor.take(length)).map(B::binary)?,
        // How a widespread encoder of JavaScript writes `undefined`.
        0xd4 if cursor.array::<2>()? == [0, 0] => B::null(),
        _ => return number::<B>(cursor, first),
    })
}

fn number<B: Build>(cursor: &mut Cursor<'_>, first: u8) -> Result<B::Value, CodecError> {
    Ok(match first {
        0xca => B::float(f64::from(f32::from_be_bytes(cursor.array()?))),
        0xcb => B::float(f64::from_be_bytes(cursor.array()?)),
        0xcc => B::unsigned(u64::from(cursor.byte()?)),
        0xcd => B::unsigned(u64::from(u16::from_be_bytes(cursor.array()?))),
        0xce => B::unsigned(u64::from(u32::from_be_bytes(cursor.array()?))),
        0xcf => B::unsigned(u64::from_be_bytes(cursor.array()?)),
        0xd0 => B::signed(i64::from(i8::from_be_bytes(cursor.array()?))),
        0xd1 => B::signed(i64::from(i16::from_be_bytes(cursor.array()?))),
        0xd2 => B::signed(i64::from(i32::from_be_bytes(cursor.array()?))),
        0xd3 => B::signed(i64::from_be_bytes(cursor.array()?)),
        _ => return Err(CodecError::Malformed("MessagePack extension types are not supported")),
    })
}

fn list<B: Build>(
    cursor: &mut Cursor<'_>,
    length: usize,
    depth: usize,
) -> Result<B::Value, CodecError> {
    let depth = deeper(depth)?;
    let mut list = B::List::default();
    for _ in 0..length {
        B::push(&mut list, value::<B>(cursor, depth)?);
    }
    Ok(B::list(list))
}

fn dict<B: Build>(
    cursor: &mut Cursor<'_>,
    length: usize,
    depth: usize,
) -> Result<B::Value, CodecError> {
    let depth = deeper(depth)?;
    let mut dict = B::Dict::default();
    for _ in 0..length {
        let first = cursor.byte()?;
        let key = text_length(cursor, first)?;
        let key = key.ok_or(CodecError::Malformed("a dictionary's key is not a text"))?;
        let key = cursor.text(key)?;
        B::insert(&mut dict, key, value::<B>(cursor, depth)?);
    }
    Ok(B::dict(dict))
}
