//! One row of a dump, by the names of its columns.
//!
//! Invariant: a column that an older or newer version does not have reads as NULL.

use serde_json::{Map, Value};
use std::rc::Rc;

/// Largest JSON value that is kept, in bytes.
const MAX_JSON: usize = model::plugin::MAX_VALUE;

/// One row.
#[derive(Debug, Clone)]
pub(super) struct Row {
    columns: Rc<[String]>,
    values: Vec<Option<Vec<u8>>>,
}

impl Row {
    pub(super) fn new(columns: Rc<[String]>, values: Vec<Option<Vec<u8>>>) -> Self {
        Self { columns, values }
    }

    /// How much it holds.
    pub(super) fn size(&self) -> usize {
        self.values.iter().flatten().map(Vec::len).sum()
    }

    fn bytes(&self, column: &str) -> Option<&[u8]> {
        let index = self.columns.iter().position(|name| name.eq_ignore_ascii_case(column))?;
        self.values.get(index)?.as_deref()
    }

    /// What names the row in a report.
    pub(super) fn label(&self) -> String {
        let label = self.bytes("uuid").or_else(|| self.bytes("id")).unwrap_or_default();
        String::from_utf8_lossy(label).chars().take(64).collect()
    }

    pub(super) fn text(&self, column: &'static str) -> Result<Option<String>, String> {
        let text = self.bytes(column).map(|bytes| String::from_utf8(bytes.to_vec()));
        text.transpose().map_err(|_| {
            format!("its {column} is not UTF-8 text; dump with --default-character-set=utf8mb4")
        })
    }

    /// A column that must be there, read as a value.
    pub(super) fn parse<T: std::str::FromStr>(&self, column: &'static str) -> Result<T, String> {
        self.parse_optional(column)?.ok_or_else(|| format!("it has no {column}"))
    }

    pub(super) fn parse_optional<T: std::str::FromStr>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, String> {
        let Some(text) = self.text(column)?.filter(|text| !text.is_empty()) else {
            return Ok(None);
        };
        text.trim().parse().map(Some).map_err(|_| {
            let shown: String = text.chars().take(64).collect();
            format!("its {column} {shown:?} is not what it should be")
        })
    }

    pub(super) fn yes(&self, column: &str) -> bool {
        let no: [&[u8]; 5] = [b"", b"0", b"\0", b"false", b"FALSE"];
        self.bytes(column).is_some_and(|bytes| !no.contains(&bytes))
    }

    /// A JSON object; anything else is nothing, with a remark.
    pub(super) fn object(&self, column: &'static str, remarks: &mut Vec<String>) -> Value {
        let empty = || Value::Object(Map::new());
        let Some(bytes) = self.bytes(column).filter(|bytes| !bytes.is_empty()) else {
            return empty();
        };
        if bytes.len() > MAX_JSON {
            remarks.push(format!("its {column} has more than {MAX_JSON} bytes and is left empty"));
            return empty();
        }
        match serde_json::from_slice(bytes) {
            Ok(value @ Value::Object(_)) => value,
            Ok(Value::Null) => empty(),
            _ => {
                remarks.push(format!("its {column} is no JSON object and is left empty"));
                empty()
            }
        }
    }
}
