//! What a decoder makes of the values it meets: a tree, or nothing but the certainty that they are well formed.
//!
//! Invariant: what [`Check`] accepts, [`Tree`] accepts, because one decoder drives both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Number, Value};

use crate::Dict;

/// Receives values from a decoder.
pub(crate) trait Build {
    type Value;
    type List: Default;
    type Dict: Default;

    fn null() -> Self::Value;
    fn boolean(value: bool) -> Self::Value;
    fn unsigned(value: u64) -> Self::Value;
    fn signed(value: i64) -> Self::Value;
    fn float(value: f64) -> Self::Value;
    fn text(value: &str) -> Self::Value;
    fn binary(value: &[u8]) -> Self::Value;
    fn push(list: &mut Self::List, value: Self::Value);
    fn insert(dict: &mut Self::Dict, key: &str, value: Self::Value);
    fn list(list: Self::List) -> Self::Value;
    fn dict(dict: Self::Dict) -> Self::Value;
}

/// Builds a [`Value`].
pub(crate) enum Tree {}

impl Build for Tree {
    type Value = Value;
    type List = Vec<Value>;
    type Dict = Dict;

    fn null() -> Value {
        Value::Null
    }
    fn boolean(value: bool) -> Value {
        Value::Bool(value)
    }
    fn unsigned(value: u64) -> Value {
        value.into()
    }
    fn signed(value: i64) -> Value {
        value.into()
    }
    /// JSON knows no NaN and no infinity: they become null.
    fn float(value: f64) -> Value {
        Number::from_f64(value).map_or(Value::Null, Value::Number)
    }
    fn text(value: &str) -> Value {
        value.into()
    }
    fn binary(value: &[u8]) -> Value {
        binary_to_text(value).into()
    }
    fn push(list: &mut Vec<Value>, value: Value) {
        list.push(value);
    }
    fn insert(dict: &mut Dict, key: &str, value: Value) {
        dict.insert(key.to_owned(), value);
    }
    fn list(list: Vec<Value>) -> Value {
        Value::Array(list)
    }
    fn dict(dict: Dict) -> Value {
        Value::Object(dict)
    }
}

/// Builds nothing.
pub(crate) enum Check {}

impl Build for Check {
    type Value = ();
    type List = ();
    type Dict = ();

    fn null() {}
    fn boolean(_: bool) {}
    fn unsigned(_: u64) {}
    fn signed(_: i64) {}
    fn float(_: f64) {}
    fn text(_: &str) {}
    fn binary(_: &[u8]) {}
    fn push((): &mut (), (): ()) {}
    fn insert((): &mut (), _: &str, (): ()) {}
    fn list((): ()) {}
    fn dict((): ()) {}
}

/// WAMP's JSON form of a binary value: what stands for bytes in the arguments of a call.
pub fn binary_to_text(bytes: &[u8]) -> String {
    let mut text = String::from('\0');
    STANDARD.encode_string(bytes, &mut text);
    text
}

/// The binary value that `text` stands for, if it is one.
pub fn text_to_binary(text: &str) -> Option<Vec<u8>> {
    STANDARD.decode(text.strip_prefix('\0')?).ok()
}
