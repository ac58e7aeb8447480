//! Writing CBOR: every value in its shortest form.

use serde_json::Value;

use super::super::Emit;
use super::super::build::text_to_binary;
use super::{BINARY, DICT, LIST, NEGATIVE, TEXT, UNSIGNED};
use crate::Dict;

/// Writes the elements of one message.
pub(in crate::codec) struct Writer<'a> {
    out: &'a mut Vec<u8>,
}

impl<'a> Writer<'a> {
    pub(in crate::codec) fn begin(out: &'a mut Vec<u8>, count: usize) -> Self {
        write_head(out, LIST, count as u64);
        Self { out }
    }
}

impl Emit for Writer<'_> {
    fn id(&mut self, id: u64) {
        write_head(self.out, UNSIGNED, id);
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
        Value::Null => out.push(0xf6),
        Value::Bool(false) => out.push(0xf4),
        Value::Bool(true) => out.push(0xf5),
        Value::Number(number) => write_number(out, number),
        Value::String(text) => match text_to_binary(text) {
            Some(binary) => {
                write_head(out, BINARY, binary.len() as u64);
                out.extend_from_slice(&binary);
            }
            None => write_text(out, text),
        },
        Value::Array(list) => write_list(out, list),
        Value::Object(dict) => write_dict(out, dict),
    }
}

fn write_number(out: &mut Vec<u8>, number: &serde_json::Number) {
    if let Some(unsigned) = number.as_u64() {
        write_head(out, UNSIGNED, unsigned);
    } else if let Some(signed) = number.as_i64() {
        write_head(out, NEGATIVE, !signed as u64);
    } else {
        out.push(0xfb);
        out.extend_from_slice(&number.as_f64().unwrap_or(f64::NAN).to_be_bytes());
    }
}

/// A head with its argument in the shortest form (RFC 8949 section 4.1).
fn write_head(out: &mut Vec<u8>, major: u8, argument: u64) {
    let major = major << 5;
    match argument {
        0..=23 => out.push(major | argument as u8),
        24..=0xff => out.extend_from_slice(&[major | 24, argument as u8]),
        0x100..=0xffff => {
            out.push(major | 25);
            out.extend_from_slice(&(argument as u16).to_be_bytes());
        }
        0x1_0000..=0xffff_ffff => {
            out.push(major | 26);
            out.extend_from_slice(&(argument as u32).to_be_bytes());
        }
        _ => {
            out.push(major | 27);
            out.extend_from_slice(&argument.to_be_bytes());
        }
    }
}

fn write_text(out: &mut Vec<u8>, text: &str) {
    write_head(out, TEXT, text.len() as u64);
    out.extend_from_slice(text.as_bytes());
}

fn write_list(out: &mut Vec<u8>, list: &[Value]) {
    write_head(out, LIST, list.len() as u64);
    list.iter().for_each(|value| write_value(out, value));
}

fn write_dict(out: &mut Vec<u8>, dict: &Dict) {
    write_head(out, DICT, dict.len() as u64);
    for (key, value) in dict {
        write_text(out, key);
        write_value(out, value);
    }
}
