//! `wamp.2.msgpack`: MessagePack, the types that WAMP has.
//!
//! Extension types are refused; keys of dictionaries are texts.

use bytes::Bytes;
use serde_json::Value;

use super::build::{Build, Check, Tree, text_to_binary};
use super::{CodecError, Cursor, Emit, Fields, deeper, keep, whole};
use crate::Dict;

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
        let value = self.value()?;
        let id = value.as_u64().or_else(|| value.as_f64().and_then(whole));
        id.ok_or(CodecError::Expected("an id"))
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

    fn raw_list(&mut self) -> Result<Bytes, CodecError> {
        self.raw(|first| matches!(first, 0x90..=0x9f | 0xdc | 0xdd), "a list of arguments")
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

/// Writes the elements of one message.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>, count: usize) -> Self {
        write_length(out, count, Some((0x90, 15)), None, 0xdc);
        Self { out }
    }
}

impl Emit for Writer<'_> {
    fn id(&mut self, id: u64) {
        write_unsigned(self.out, id);
    }

    fn text(&mut self, text: &str) {
        write_text(self.out, text);
    }

    fn dict(&mut self, dict: &Dict) {
        write_dict(self.out, dict);
    }

    fn list(&mut self, list: &[Value]) {
        write_list(self.out, list);
    }

    fn raw(&mut self, raw: &[u8]) {
        self.out.extend_from_slice(raw);
    }
}

pub(super) fn write_value(out: &mut Vec<u8>, value: &Value) {
    match value {
        Value::Null => out.push(0xc0),
        Value::Bool(false) => out.push(0xc2),
        Value::Bool(true) => out.push(0xc3),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => match text_to_binary(text) {
            Some(binary) => write_binary(out, &binary),
            None => write_text(out, text),
        },
        Value::Array(list) => write_list(out, list),
        Value::Object(dict) => write_dict(out, dict),
    }
}

fn write_number(out: &mut Vec<u8>, number: &serde_json::Number) {
    if let Some(unsigned) = number.as_u64() {
        write_unsigned(out, unsigned);
    } else if let Some(signed) = number.as_i64() {
        write_negative(out, signed);
    } else {
        out.push(0xcb);
        out.extend_from_slice(&number.as_f64().unwrap_or(f64::NAN).to_be_bytes());
    }
}

fn write_unsigned(out: &mut Vec<u8>, value: u64) {
    match value {
        0..=0x7f => out.push(value as u8),
        0x80..=0xff => out.extend_from_slice(&[0xcc, value as u8]),
        0x100..=0xffff => write_tagged(out, 0xcd, &(value as u16).to_be_bytes()),
        0x1_0000..=0xffff_ffff => write_tagged(out, 0xce, &(value as u32).to_be_bytes()),
        _ => write_tagged(out, 0xcf, &value.to_be_bytes()),
    }
}

fn write_negative(out: &mut Vec<u8>, value: i64) {
    if value >= -32 {
        out.push(value as i8 as u8);
    } else if let Ok(value) = i8::try_from(value) {
        write_tagged(out, 0xd0, &value.to_be_bytes());
    } else if let Ok(value) = i16::try_from(value) {
        write_tagged(out, 0xd1, &value.to_be_bytes());
    } else if let Ok(value) = i32::try_from(value) {
        write_tagged(out, 0xd2, &value.to_be_bytes());
    } else {
        write_tagged(out, 0xd3, &value.to_be_bytes());
    }
}

fn write_tagged(out: &mut Vec<u8>, tag: u8, bytes: &[u8]) {
    out.push(tag);
    out.extend_from_slice(bytes);
}

/// A length in its shortest form: in the tag itself up to `short`, in 8 bits if the type has such a tag, in 16 bits
/// under `wide`, in 32 bits under the tag after it.
fn write_length(
    out: &mut Vec<u8>,
    length: usize,
    short: Option<(u8, usize)>,
    byte: Option<u8>,
    wide: u8,
) {
    if let Some((tag, _)) = short.filter(|(_, most)| length <= *most) {
        out.push(tag | length as u8);
    } else if let (Some(tag), Ok(length)) = (byte, u8::try_from(length)) {
        out.extend_from_slice(&[tag, length]);
    } else if let Ok(length) = u16::try_from(length) {
        write_tagged(out, wide, &length.to_be_bytes());
    } else {
        write_tagged(out, wide + 1, &(length as u32).to_be_bytes());
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_length(out, text.len(), Some((0xa0, 31)), Some(0xd9), 0xda);
    out.extend_from_slice(text.as_bytes());
}

fn write_binary(out: &mut Vec<u8>, binary: &[u8]) {
    write_length(out, binary.len(), None, Some(0xc4), 0xc5);
    out.extend_from_slice(binary);
}

fn write_list(out: &mut Vec<u8>, list: &[Value]) {
    write_length(out, list.len(), Some((0x90, 15)), None, 0xdc);
    list.iter().for_each(|value| write_value(out, value));
}

fn write_dict(out: &mut Vec<u8>, dict: &Dict) {
    write_length(out, dict.len(), Some((0x80, 15)), None, 0xde);
    for (key, value) in dict {
        write_text(out, key);
        write_value(out, value);
    }
}
