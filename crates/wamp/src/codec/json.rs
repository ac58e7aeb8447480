//! `wamp.2.json`.
//!
//! The grammar is serde_json's; here are the elements of a message, the depth limit and the raw pieces.

use std::borrow::Cow;

use bytes::Bytes;
use serde_json::Value;
use serde_json::value::RawValue;

use super::{CodecError, Emit, Fields, MAX_DEPTH, Raw, keep};
use crate::Dict;

/// How a binary value begins.
const BINARY: &str = r#""\u0000"#;

/// Reads the elements of one message.
pub(super) struct Reader<'a> {
    message: &'a Bytes,
    elements: std::vec::IntoIter<&'a RawValue>,
}

impl<'a> Reader<'a> {
    pub(super) fn open(message: &'a Bytes) -> Result<Self, CodecError> {
        let text = std::str::from_utf8(message).map_err(|_| CodecError::Malformed("not UTF-8"))?;
        check_depth(message)?;
        let elements: Vec<&RawValue> =
            serde_json::from_str(text).map_err(|error| classify(&error))?;
        Ok(Self { message, elements: elements.into_iter() })
    }

    fn next(&mut self) -> Result<&'a str, CodecError> {
        self.elements.next().map(RawValue::get).ok_or(CodecError::Expected("another element"))
    }

    fn raw(&mut self, first: char, what: &'static str) -> Result<Bytes, CodecError> {
        let raw = self.next()?;
        if raw.starts_with(first) {
            Ok(keep(self.message, raw.as_bytes()))
        } else {
            Err(CodecError::Expected(what))
        }
    }
}

impl Fields for Reader<'_> {
    fn left(&self) -> usize {
        self.elements.len()
    }

    fn id(&mut self) -> Result<u64, CodecError> {
        let raw = self.next()?;
        // Some peers write whole numbers as floats.
        raw.parse().or_else(|_| match raw.parse::<f64>() {
            Ok(float) => super::whole(float).ok_or(CodecError::Expected("an id")),
            Err(_) => Err(CodecError::Expected("an id")),
        })
    }

    fn text(&mut self) -> Result<String, CodecError> {
        let raw = self.next()?;
        let plain = raw.strip_prefix('"').and_then(|raw| raw.strip_suffix('"'));
        match plain {
            Some(plain) if !plain.contains('\\') => Ok(plain.to_owned()),
            Some(_) => serde_json::from_str::<Cow<'_, str>>(raw)
                .map(Cow::into_owned)
                .map_err(|error| classify(&error)),
            None => Err(CodecError::Expected("a text")),
        }
    }

    fn dict(&mut self) -> Result<Dict, CodecError> {
        match self.next()? {
            "{}" => Ok(Dict::new()),
            raw if raw.starts_with('{') => serde_json::from_str(raw).map_err(|e| classify(&e)),
            _ => Err(CodecError::Expected("a dictionary")),
        }
    }

    fn raw_payload(&mut self) -> Result<Raw, CodecError> {
        // A binary value is a text that begins with a NUL character.
        if self.elements.as_slice().first().is_some_and(|raw| raw.get().starts_with(BINARY)) {
            return self.raw('"', "a binary payload").map(Raw::Opaque);
        }
        self.raw('[', "a list of arguments").map(Raw::List)
    }

    fn raw_dict(&mut self) -> Result<Bytes, CodecError> {
        self.raw('{', "a dictionary of arguments")
    }
}

fn classify(error: &serde_json::Error) -> CodecError {
    if error.is_eof() { CodecError::Truncated } else { CodecError::Malformed("not JSON") }
}

/// The raw pieces are never walked by a parser that limits depth, so the brackets are counted first. Text that is not
/// JSON may be counted wrong; the parser refuses it afterwards.
fn check_depth(text: &[u8]) -> Result<(), CodecError> {
    let mut depth = 0usize;
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'[' | b'{' => depth += 1,
            b']' | b'}' => depth = depth.saturating_sub(1),
            b'"' => skip_string(&mut bytes),
            _ => continue,
        }
        if depth > MAX_DEPTH {
            return Err(CodecError::TooDeep);
        }
    }
    Ok(())
}

fn skip_string(bytes: &mut std::slice::Iter<'_, u8>) {
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => return,
            b'\\' => {
                bytes.next();
            }
            _ => {}
        }
    }
}

pub(super) fn read_value(bytes: &[u8]) -> Result<Value, CodecError> {
    check_depth(bytes)?;
    serde_json::from_slice(bytes).map_err(|error| classify(&error))
}

pub(super) fn write_value(out: &mut Vec<u8>, value: &Value) {
    write(out, value);
}

/// Writing trees with text keys into memory cannot fail.
fn write(out: &mut Vec<u8>, value: &(impl serde::Serialize + ?Sized)) {
    serde_json::to_writer(out, value).expect("JSON trees are always written");
}

/// Writes the elements of one message.
pub(super) struct Writer<'a> {
    out: &'a mut Vec<u8>,
    separator: u8,
}

impl<'a> Writer<'a> {
    pub(super) fn begin(out: &'a mut Vec<u8>) -> Self {
        Self { out, separator: b'[' }
    }

    pub(super) fn end(self) {
        self.out.push(b']');
    }

    fn separate(&mut self) {
        self.out.push(self.separator);
        self.separator = b',';
    }
}

impl Emit for Writer<'_> {
    fn id(&mut self, id: u64) {
        self.separate();
        write(self.out, &id);
    }

    fn text(&mut self, text: &str) {
        self.separate();
        write(self.out, text);
    }

    fn dict(&mut self, dict: &Dict) {
        self.separate();
        write(self.out, dict);
    }

    fn list(&mut self, list: &[Value]) {
        self.separate();
        write(self.out, list);
    }

    fn raw(&mut self, raw: &[u8]) {
        self.separate();
        self.out.extend_from_slice(raw);
    }
}
