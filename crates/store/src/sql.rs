//! Statements, their arguments and typed reading of rows: the only file but `tx`, `store` and `schema` that knows the
//! database library.
//!
//! Invariant: whatever comes from outside is an argument (`$1`), never part of a statement's text.

use crate::{Error, Page, Store, Tx};
use base::key::PublicKey;
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use model::service::Port;
use model::{Invalid, Timestamp};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sqlx::sqlite::{SqliteArguments, SqliteRow};
use sqlx::{AssertSqlSafe, Row as _, Sqlite};
use std::fmt::Write as _;
use std::str::FromStr;

/// One statement with its arguments.
pub struct Statement {
    pub(crate) doing: &'static str,
    text: String,
    values: Vec<Value>,
}

/// An argument; absent ones keep their type, which PostgreSQL wants to know.
pub(crate) enum Value {
    Int(Option<i64>),
    Text(Option<String>),
    Blob(Option<Vec<u8>>),
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
        model::BoardId, model::ClaimId, model::PluginId, model::ServiceId, model::FleetId, model::OperationId,
        model::CredentialId, uuid::Uuid;
    Blob(|bytes: &[u8; 32]| bytes.to_vec()): &[u8; 32];
    Blob(|key: &PublicKey| key.as_bytes().to_vec()): &PublicKey;
}

impl<T: Bind> Bind for Option<T> {
    const NULL: Value = T::NULL;
    fn value(self) -> Value {
        self.map_or(T::NULL, T::value)
    }
}

impl Statement {
    pub(crate) fn new(doing: &'static str, text: impl Into<String>) -> Self {
        Self { doing, text: text.into(), values: Vec::new() }
    }

    /// The next argument, `$1` first.
    pub(crate) fn bind(mut self, value: impl Bind) -> Self {
        self.values.push(value.value());
        self
    }

    /// More text, of our own making only.
    pub(crate) fn push(&mut self, text: &str) -> &mut Self {
        self.text.push_str(text);
        self
    }

    /// An argument and its place in the text.
    pub(crate) fn push_bind(&mut self, value: impl Bind) -> &mut Self {
        self.values.push(value.value());
        // Writing to a String cannot fail.
        let _ = write!(self.text, "${}", self.values.len());
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

    pub(crate) fn query(self) -> sqlx::query::Query<'static, Sqlite, SqliteArguments> {
        let mut query = sqlx::query(AssertSqlSafe(self.text));
        for value in self.values {
            query = match value {
                Value::Int(value) => query.bind(value),
                Value::Text(value) => query.bind(value),
                Value::Blob(value) => query.bind(value),
            };
        }
        query
    }
}

/// Where a read takes place: committed state (`&Store`), or inside a transaction (`&mut Tx`, so write `&mut *tx`).
pub trait Reader<'e>: Send {
    /// Runs a statement that reads.
    fn fetch(self, statement: Statement) -> BoxFuture<'e, Result<Vec<Row>, Error>>;
}

impl<'e> Reader<'e> for &'e Store {
    fn fetch(self, statement: Statement) -> BoxFuture<'e, Result<Vec<Row>, Error>> {
        self.readers().fetch(statement).map(|rows| rows.map(wrap)).boxed()
    }
}

impl<'e> Reader<'e> for &'e mut Tx {
    fn fetch(self, statement: Statement) -> BoxFuture<'e, Result<Vec<Row>, Error>> {
        let doing = statement.doing;
        let rows = statement.query().fetch_all(self.connection());
        rows.map(move |rows| rows.map_err(Error::sql(doing)).map(wrap)).boxed()
    }
}

fn wrap(rows: Vec<SqliteRow>) -> Vec<Row> {
    rows.into_iter().map(Row).collect()
}

/// The rows, read.
pub(crate) async fn all<'e, T>(
    from: impl Reader<'e>,
    statement: Statement,
    read: fn(&Row) -> Result<T, Error>,
) -> Result<Vec<T>, Error> {
    from.fetch(statement).await?.iter().map(read).collect()
}

/// The first row, read, if there is one.
pub(crate) async fn first<'e, T>(
    from: impl Reader<'e>,
    statement: Statement,
    read: fn(&Row) -> Result<T, Error>,
) -> Result<Option<T>, Error> {
    from.fetch(statement).await?.first().map(read).transpose()
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
    let rows = from.fetch(statement).await?;
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
pub struct Row(SqliteRow);

impl Row {
    pub(crate) fn int(&self, column: &'static str) -> Result<i64, Error> {
        self.0.try_get(column).map_err(|error| unreadable(column, error))
    }

    pub(crate) fn int_optional(&self, column: &'static str) -> Result<Option<i64>, Error> {
        self.0.try_get(column).map_err(|error| unreadable(column, error))
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
        self.0.try_get(column).map_err(|error| unreadable(column, error))
    }

    pub(crate) fn text_optional(&self, column: &'static str) -> Result<Option<String>, Error> {
        self.0.try_get(column).map_err(|error| unreadable(column, error))
    }

    fn str_optional(&self, column: &'static str) -> Result<Option<&str>, Error> {
        self.0.try_get(column).map_err(|error| unreadable(column, error))
    }

    fn str(&self, column: &'static str) -> Result<&str, Error> {
        self.0.try_get(column).map_err(|error| unreadable(column, error))
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
        let bytes: &[u8] = self.0.try_get(column).map_err(|error| unreadable(column, error))?;
        bytes.try_into().map_err(|error| unreadable(column, error))
    }

    pub(crate) fn key_optional(&self, column: &'static str) -> Result<Option<PublicKey>, Error> {
        let bytes: Option<&[u8]> =
            self.0.try_get(column).map_err(|error| unreadable(column, error))?;
        let key = bytes.map(<[u8; 32]>::try_from).transpose();
        Ok(key.map_err(|error| unreadable(column, error))?.map(PublicKey::from_bytes))
    }
}

fn unreadable(column: &'static str, reason: impl ToString) -> Error {
    Error::Unreadable { column, reason: reason.to_string() }
}
