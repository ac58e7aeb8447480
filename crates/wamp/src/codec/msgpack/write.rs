//! Writing MessagePack: every value in its shortest form.

use serde_json::Value;

use super::super::Emit;
use super::super::build::text_to_binary;
use crate::Dict;

/// Writes the elements of one message.
pub(in crate::codec) struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(in crate::codec) fn begin(out: &'a mut Vec<u8>, count: usize) -> Self {
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

pub(in crate::codec) fn write_value(out: &mut Vec<u8>, value: &Value) {
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
