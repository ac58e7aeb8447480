//! Statements, their arguments and typed reading of rows: the only file but `tx`, `store` and `schema` that knows the
//! database library.
//!
//! Invariant: whatever comes from outside is an argument (`$1`), never part of a statement's text.

use crate::{Error, Page, Store, Tx};
use base::key::PublicKey;
use futures_util::FutureExt as _;
use futures_util::future::{self, BoxFuture};
use model::service::Port;
use model::{Invalid, Timestamp};
use rusqlite::types::{ToSqlOutput, Value as Cell, ValueRef};
use rusqlite::{Connection, ToSql};
use serde::Serialize;
use serde::de::DeserializeOwned;
use std::borrow::Cow;
use std::fmt::Write as _;
use std::str::FromStr;
use std::sync::Arc;

/// One statement with its arguments.
pub struct Statement {
    doing: &'static str,
    text: Cow<'static, str>,
    values: Vec<Value>,
}

/// An argument; absent ones keep their type, which PostgreSQL wants to know.
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
}

impl ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let value = match self {
            Self::Int(value) => value.map(ValueRef::Integer),
            Self::Text(value) => value.as_ref().map(|text| ValueRef::Text(text.as_bytes())),
            Self::Blob(value) => value.as_ref().map(|bytes| ValueRef::Blob(bytes)),
        };
        Ok(ToSqlOutput::Borrowed(value.unwrap_or(ValueRef::Null)))
    }
}

/// What can be an argument.
pub(crate) trait Bind {
    const NULL: Value;
    fn value(self) -> Value;
}

macro_rules! bind {
    ($($variant:ident ($of:expr): $($type:ty),*;)*) => {$($(
        impl Bind for $type {
            const NULL: Value = Value::$variant(None);
            fn value(self) -> Value {
                Value::$variant(Some($of(self)))
            }
        }
    )*)*};
}

bind! {
    Int(i64::from): i64, u32, u16, bool;
    Int(Timestamp::micros): Timestamp;
    Text(|text| ToString::to_string(&text)): &str, String, &model::Name, &model::ProjectId, &model::UserId,
        &model::RoleId,
        model::BoardId, model::ClaimId, model::PluginId, model::ServiceId, model::FleetId, model::OperationId,
        model::CredentialId, model::DelegationId, model::TransferId, uuid::Uuid;
    Blob(|bytes: &[u8; 32]| bytes.to_vec()): &[u8; 32];
    Blob(|bytes: &[u8]| bytes.to_vec()): &[u8];
    Blob(|key: &PublicKey| key.as_bytes().to_vec()): &PublicKey;
}

impl<T: Bind> Bind for Option<T> {
    const NULL: Value = T::NULL;
    fn value(self) -> Value {
        self.map_or(T::NULL, T::value)
    }
}

impl Statement {
    pub(crate) fn new(doing: &'static str, text: impl Into<Cow<'static, str>>) -> Self {
        Self { doing, text: text.into(), values: Vec::new() }
    }

    /// The next argument, `$1` first.
    pub(crate) fn bind(mut self, value: impl Bind) -> Self {
        self.values.push(value.value());
        self
    }

    /// More text, of our own making only.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.to_mut().push_str(text);
        self
    }

    /// An argument and its place in the text.
    pub(crate) fn push_bind(&mut self, value: impl Bind) -> &mut Self {
        self.values.push(value.value());
        // Writing to a String cannot fail.
        let _ = write!(self.text.to_mut(), "${}", self.values.len());
        self
    }

    /// `AND <column> = $n`, when there is something to compare with.
    pub(crate) fn and_equals(&mut self, column: &str, value: Option<impl Bind>) -> &mut Self {
        if let Some(value) = value {
            self.push(" AND ").push(column).push(" = ").push_bind(value);
        }
        self
    }

    /// The end of a list: behind the marker, in order of ids, as many as the page wants.
    pub(crate) fn page(mut self, id: &str, page: Page) -> Self {
        if let Some(marker) = page.marker {
            self.push(" AND ").push(id).push(" > ").push_bind(marker);
        }
        self.push(" ORDER BY ").push(id).push(" LIMIT ").push_bind(page.rows());
        self
    }

    /// Runs it; gives the number of rows it touched.
    pub(crate) fn execute(&self, connection: &Connection) -> Result<u64, Error> {
        let touched = self.prepared(connection).and_then(|mut prepared| prepared.raw_execute());
        touched.map(|touched| touched as u64).map_err(Error::sql(self.doing))
    }

    /// Runs it and reads every row.
    pub(crate) fn rows(&self, connection: &Connection) -> Result<Vec<Row>, Error> {
        self.read(connection).map_err(Error::sql(self.doing))
    }

    fn read(&self, connection: &Connection) -> rusqlite::Result<Vec<Row>> {
        let mut prepared = self.prepared(connection)?;
        let names: Arc<[String]> = prepared.column_names().map(Into::into).collect();
        let mut cursor = prepared.raw_query();
        let mut rows = Vec::new();
        while let Some(row) = cursor.next()? {
            let cells = (0..names.len()).map(|index| row.get(index));
            rows.push(Row { names: Arc::clone(&names), cells: cells.collect::<Result<_, _>>()? });
        }
        Ok(rows)
    }

    /// SQLite numbers `$n` by the order in which they stand; here `n` counts, as in PostgreSQL.
    fn prepared<'c>(
        &self,
        connection: &'c Connection,
    ) -> rusqlite::Result<rusqlite::CachedStatement<'c>> {
        let mut prepared = connection.prepare_cached(&self.text)?;
        for place in 1..=prepared.parameter_count() {
            let name = prepared.parameter_name(place).and_then(|name| name.strip_prefix('$'));
            let number: usize = name.and_then(|name| name.parse().ok()).unwrap_or(place);
            let value = number.checked_sub(1).and_then(|index| self.values.get(index));
            let value = value.ok_or(rusqlite::Error::InvalidParameterCount(place, number))?;
            prepared.raw_bind_parameter(place, value)?;
        }
        Ok(prepared)
    }
}

/// How many rows a statement gives.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Size {
    /// A handful at most, found through an index.
    Few,
    /// A list.
    Many,
}

/// Where a read takes place: committed state (`&Store`), or inside a transaction (`&mut Tx`, so write `&mut *tx`).
pub trait Reader<'e>: Send {
    /// Runs a statement that reads.
    fn fetch(self, statement: Statement, size: Size) -> BoxFuture<'e, Result<Vec<Row>, Error>>;

    /// The store, where committed state is read: some of it is in memory.
    fn committed(&self) -> Option<&'e Store> {
        None
    }
}

impl<'e> Reader<'e> for &'e Store {
    fn committed(&self) -> Option<&'e Store> {
        Some(self)
    }

    fn fetch(self, statement: Statement, size: Size) -> BoxFuture<'e, Result<Vec<Row>, Error>> {
        match size {
            Size::Few => future::ready(self.readers().read(&statement)).boxed(),
            Size::Many => Arc::clone(self.readers()).read_apart(statement).boxed(),
        }
    }
}

impl<'e> Reader<'e> for &'e mut Tx {
    fn fetch(self, statement: Statement, _: Size) -> BoxFuture<'e, Result<Vec<Row>, Error>> {
        future::ready(self.rows(&statement)).boxed()
    }
}

/// The rows, read.
pub(crate) async fn all<'e, T>(
    from: impl Reader<'e>,
    statement: Statement,
    read: fn(&Row) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    from.fetch(statement, Size::Many).await?.iter().map(read).collect()
}

/// The rows of a statement that gives a handful.
pub(crate) async fn few<'e, T>(
    from: impl Reader<'e>,
    statement: Statement,
    read: fn(&Row) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    from.fetch(statement, Size::Few).await?.iter().map(read).collect()
}

/// The first row, read, if there is one.
pub(crate) async fn first<'e, T>(
    from: impl Reader<'e>,
    statement: Statement,
    read: fn(&Row) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    from.fetch(statement, Size::Few).await?.first().map(read).transpose()
}

/// The first row, read, or "no such …".
pub(crate) async fn one<'e, T>(
    from: impl Reader<'e>,
    statement: Statement,
    what: &'static str,
    read: fn(&Row) -> Result<T, Error>,
) -> Result<T, Error> {
    first(from, statement, read).await?.ok_or(Error::NotFound { what })
}

/// The one row an id or a name picks; a name that several projects use is not an answer.
pub(crate) async fn the_one<'e, T>(
    from: impl Reader<'e>,
    statement: Statement,
    what: &'static str,
    read: fn(&Row) -> Result<T, Error>,
) -> Result<T, Error> {
    let rows = from.fetch(statement, Size::Few).await?;
    match rows.as_slice() {
        [] => Err(Error::NotFound { what }),
        [row] => read(row),
        _ => {
            Err(Error::Conflict(format!("several projects have a {what} of this name; use its id")))
        }
    }
}

/// JSON text of a value of ours.
pub(crate) fn json(value: &impl Serialize) -> Result<String, Error> {
    serde_json::to_string(value)
        .map_err(|error| Invalid::new(format!("value cannot be written as JSON: {error}")).into())
}

/// A row that was read.
pub struct Row {
    names: Arc<[String]>,
    cells: Vec<Cell>,
}

impl Row {
    fn cell(&self, column: &'static str) -> Result<&Cell, Error> {
        let place = self.names.iter().position(|name| name == column);
        let cell = place.and_then(|place| self.cells.get(place));
        cell.ok_or_else(|| unreadable(column, "the statement does not give it"))
    }

    pub(crate) fn int(&self, column: &'static str) -> Result<i64, Error> {
        self.int_optional(column)?.ok_or_else(|| unreadable(column, ABSENT))
    }

    pub(crate) fn int_optional(&self, column: &'static str) -> Result<Option<i64>, Error> {
        match self.cell(column)? {
            Cell::Integer(value) => Ok(Some(*value)),
            Cell::Null => Ok(None),
            other => Err(not_of_type(column, other, "an integer")),
        }
    }

    pub(crate) fn yes(&self, column: &'static str) -> Result<bool, Error> {
        Ok(self.int(column)? != 0)
    }

    pub(crate) fn number<T: TryFrom<i64>>(&self, column: &'static str) -> Result<T, Error> {
        T::try_from(self.int(column)?).map_err(|_| unreadable(column, "out of range"))
    }

    pub(crate) fn number_optional<T: TryFrom<i64>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, Error> {
        let number = self.int_optional(column)?.map(T::try_from).transpose();
        number.map_err(|_| unreadable(column, "out of range"))
    }

    pub(crate) fn time(&self, column: &'static str) -> Result<Timestamp, Error> {
        self.int(column).map(Timestamp::from_micros)
    }

    pub(crate) fn time_optional(&self, column: &'static str) -> Result<Option<Timestamp>, Error> {
        Ok(self.int_optional(column)?.map(Timestamp::from_micros))
    }

    pub(crate) fn text(&self, column: &'static str) -> Result<String, Error> {
        self.str(column).map(str::to_owned)
    }

    pub(crate) fn text_optional(&self, column: &'static str) -> Result<Option<String>, Error> {
        Ok(self.str_optional(column)?.map(str::to_owned))
    }

    /// Text as it is; bytes that are none are replaced, so that what was damaged can be shown.
    pub(crate) fn lossy(&self, column: &'static str) -> Result<String, Error> {
        self.lossy_optional(column).map(Option::unwrap_or_default)
    }

    pub(crate) fn lossy_optional(&self, column: &'static str) -> Result<Option<String>, Error> {
        Ok(match self.cell(column)? {
            Cell::Text(text) => Some(text.clone()),
            Cell::Blob(bytes) => Some(String::from_utf8_lossy(bytes).into_owned()),
            Cell::Integer(number) => Some(number.to_string()),
            Cell::Real(number) => Some(number.to_string()),
            Cell::Null => None,
        })
    }

    /// Bytes, however many, as hexadecimal digits.
    pub(crate) fn hex(&self, column: &'static str) -> Result<String, Error> {
        match self.cell(column)? {
            Cell::Blob(bytes) => Ok(base::key::to_hex(bytes)),
            _ => self.lossy(column),
        }
    }

    fn str_optional(&self, column: &'static str) -> Result<Option<&str>, Error> {
        match self.cell(column)? {
            Cell::Text(value) => Ok(Some(value)),
            Cell::Null => Ok(None),
            other => Err(not_of_type(column, other, "text")),
        }
    }

    fn str(&self, column: &'static str) -> Result<&str, Error> {
        self.str_optional(column)?.ok_or_else(|| unreadable(column, ABSENT))
    }

    fn blob_optional(&self, column: &'static str) -> Result<Option<[u8; 32]>, Error> {
        match self.cell(column)? {
            Cell::Blob(bytes) => {
                let bytes = bytes.as_slice().try_into();
                bytes.map(Some).map_err(|error| unreadable(column, error))
            }
            Cell::Null => Ok(None),
            other => Err(not_of_type(column, other, "bytes")),
        }
    }

    /// Ids, names, words.
    pub(crate) fn parse<T: FromStr<Err = Invalid>>(
        &self,
        column: &'static str,
    ) -> Result<T, Error> {
        self.str(column)?.parse().map_err(|error| unreadable(column, error))
    }

    pub(crate) fn parse_optional<T: FromStr<Err = Invalid>>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, Error> {
        let value = self.str_optional(column)?.map(str::parse).transpose();
        value.map_err(|error| unreadable(column, error))
    }

    pub(crate) fn json<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, Error> {
        serde_json::from_str(self.str(column)?).map_err(|error| unreadable(column, error))
    }

    pub(crate) fn json_optional<T: DeserializeOwned>(
        &self,
        column: &'static str,
    ) -> Result<Option<T>, Error> {
        let value = self.str_optional(column)?.map(serde_json::from_str).transpose();
        value.map_err(|error| unreadable(column, error))
    }

    /// Words that only know serde.
    pub(crate) fn word<T: DeserializeOwned>(&self, column: &'static str) -> Result<T, Error> {
        let word = serde_json::Value::String(self.text(column)?);
        serde_json::from_value(word).map_err(|error| unreadable(column, error))
    }

    pub(crate) fn port(&self, column: &'static str) -> Result<Port, Error> {
        self.number::<u32>(column)?.try_into().map_err(|error| unreadable(column, error))
    }

    pub(crate) fn hash(&self, column: &'static str) -> Result<[u8; 32], Error> {
        self.blob_optional(column)?.ok_or_else(|| unreadable(column, ABSENT))
    }

    pub(crate) fn key_optional(&self, column: &'static str) -> Result<Option<PublicKey>, Error> {
        Ok(self.blob_optional(column)?.map(PublicKey::from_bytes))
    }
}

const ABSENT: &str = "it is absent";

fn not_of_type(column: &'static str, found: &Cell, wanted: &str) -> Error {
    unreadable(column, format!("it is {} and not {wanted}", found.data_type()))
}

fn unreadable(column: &'static str, reason: impl ToString) -> Error {
    Error::Unreadable { column, reason: reason.to_string() }
}
