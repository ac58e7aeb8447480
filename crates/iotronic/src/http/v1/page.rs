//! Lists as upstream gives them: `limit`, `marker`, `sort_key`, `sort_dir`, `fields`, and an absolute `next`.
//!
//! The order of creation is the store's own and is read page by page; any other order is made here, over at most
//! [`MAX_SORTED`] things.

use super::body::truth;
use super::fault::{invalid, missing, translated};
use super::view::Fields;
use crate::cloud::Cloud;
use crate::http::answer::Failure;
use axum::Json;
use futures_util::future::BoxFuture;
use serde_json::{Value, json};
use std::cmp::Ordering;
use std::collections::BTreeMap;
use store::page::MAX_LIMIT;
use uuid::Uuid;

/// Most things that are put into another order than that of creation; of more, only that order is given.
const MAX_SORTED: usize = 20_000;

/// The query of a request, as it came.
pub(super) type Pairs = Vec<(String, String)>;

/// A kind of thing that is listed.
pub(super) struct Noun {
    /// Its word in paths and bodies.
    pub plural: &'static str,
    /// Its word in errors.
    pub one: &'static str,
    /// Every field.
    pub fields: &'static [&'static str],
    /// Fields of a plain list.
    pub summary: &'static [&'static str],
    /// Fields that are there whatever is asked for.
    pub always: &'static [&'static str],
    /// What a field means that there is not.
    pub unknown: Unknown,
}

/// What is done about fields that do not exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// 400.
    Refused,
    /// Nothing.
    Ignored,
}

/// A page on its way out of the store.
pub(super) type Reading<'a, R> = BoxFuture<'a, Result<Vec<R>, crate::app::Error>>;

/// Fields that upstream does not sort by.
const UNSORTED: [&str; 2] = ["extra", "location"];

/// What of a list is wanted.
pub(super) struct Wanted {
    limit: u32,
    marker: Option<Uuid>,
    key: String,
    descending: bool,
    fields: Vec<String>,
    path: String,
    others: BTreeMap<String, String>,
}

/// Which fields of a list there are without a word about it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Depth {
    /// The summary.
    Summary,
    /// All.
    Detail,
}

impl Wanted {
    /// Reads a list's query. `others` are the parameters of this list alone.
    pub(super) fn read(
        noun: &Noun,
        depth: Depth,
        pairs: Pairs,
        others: &[&str],
    ) -> Result<Self, Failure> {
        let mut known = BTreeMap::new();
        for (name, value) in pairs {
            let paging = ["limit", "marker", "sort_key", "sort_dir", "fields"];
            if !paging.contains(&name.as_str()) && !others.contains(&name.as_str()) {
                return Err(invalid(format_args!("Unknown argument: \"{name}\"")));
            }
            known.insert(name, value);
        }
        let detail = if depth == Depth::Detail { "/detail" } else { "" };
        let fields = known.remove("fields");
        Ok(Self {
            limit: limit(known.remove("limit"))?,
            marker: known.remove("marker").map(marker).transpose()?,
            key: sort_key(noun, known.remove("sort_key"))?,
            descending: descending(known.remove("sort_dir"))?,
            fields: match fields {
                Some(list) => chosen(noun, &list)?,
                None => default_fields(noun, depth),
            },
            path: format!("{}{detail}", noun.plural),
            others: known,
        })
    }

    /// The list lies elsewhere, such as below another thing.
    pub(super) fn at(self, path: String) -> Self {
        Self { path, ..self }
    }

    /// A parameter of this list alone.
    pub(super) fn other(&self, name: &str) -> Option<&str> {
        self.others.get(name).map(String::as_str)
    }

    /// The same, as yes or no.
    pub(super) fn flag(&self, name: &str) -> Result<bool, Failure> {
        self.other(name).map_or(Ok(false), truth)
    }

    /// In the order of creation.
    fn is_plain(&self) -> bool {
        self.key == "id" && !self.descending
    }

    /// The marker, when the store itself looks for it; it must be there.
    pub(super) fn plain_marker(&self) -> Option<Uuid> {
        self.marker.filter(|_| self.is_plain())
    }

    /// The rows from which the page is taken: just them, or all when another order is wanted.
    pub(super) async fn rows<'a, R>(
        &self,
        id: fn(&R) -> Uuid,
        read: impl Fn(store::Page) -> Reading<'a, R> + Send + Sync,
    ) -> Result<Vec<R>, Failure> {
        if self.is_plain() {
            let page = store::Page { limit: self.limit, marker: self.marker };
            return read(page).await.map_err(translated);
        }
        all(id, read).await
    }

    /// The page of rows that were read by [`Wanted::rows`].
    pub(super) fn page(
        &self,
        cloud: &Cloud,
        noun: &Noun,
        rows: Vec<Fields>,
    ) -> Result<Json<Value>, Failure> {
        let rows = if self.is_plain() { rows } else { self.arranged(noun, rows)? };
        Ok(self.body(cloud, noun, rows))
    }

    /// The answer with the rows of a page.
    pub(super) fn body(&self, cloud: &Cloud, noun: &Noun, rows: Vec<Fields>) -> Json<Value> {
        let is_full = rows.len() >= self.limit as usize;
        let last = rows.last().filter(|_| is_full);
        let next =
            last.and_then(|row| row.get("uuid")?.as_str()).map(|last| self.next(cloud, last));
        let items: Vec<Value> =
            rows.into_iter().map(|row| Value::Object(self.select(noun, row))).collect();
        let mut body = json!({ noun.plural: items });
        if let (Some(next), Some(members)) = (next, body.as_object_mut()) {
            members.insert("next".to_owned(), Value::String(next));
        }
        Json(body)
    }

    /// The page out of all rows, in the wanted order.
    pub(super) fn arranged(
        &self,
        noun: &Noun,
        mut rows: Vec<Fields>,
    ) -> Result<Vec<Fields>, Failure> {
        if self.key != "id" {
            rows.sort_by(|one, two| compare(one.get(&self.key), two.get(&self.key)));
        }
        if self.descending {
            rows.reverse();
        }
        let mut begin = 0;
        if let Some(marker) = self.marker {
            let marker = marker.to_string();
            let is_it = |row: &Fields| row.get("uuid").and_then(Value::as_str) == Some(&marker);
            let at = rows.iter().position(is_it).ok_or_else(|| missing(noun.one, &marker))?;
            begin = at + 1;
        }
        Ok(rows.into_iter().skip(begin).take(self.limit as usize).collect())
    }

    /// Whether a field is asked for.
    pub(super) fn names(&self, field: &str) -> bool {
        self.fields.iter().any(|name| name == field)
    }

    fn next(&self, cloud: &Cloud, last: &str) -> String {
        let (key, limit) = (&self.key, self.limit);
        let order = if self.descending { "desc" } else { "asc" };
        let mut url =
            format!("{}/v1/{}?sort_key={key}&sort_dir={order}", cloud.public_url, self.path);
        for (name, value) in &self.others {
            url.push_str(&format!("&{name}={}", encoded(value)));
        }
        format!("{url}&limit={limit}&marker={last}")
    }

    fn select(&self, noun: &Noun, row: Fields) -> Fields {
        select(noun, &self.fields, row)
    }
}

/// All rows there are, in the order of creation.
pub(super) async fn all<'a, R>(
    id: fn(&R) -> Uuid,
    read: impl Fn(store::Page) -> Reading<'a, R> + Send + Sync,
) -> Result<Vec<R>, Failure> {
    let mut rows: Vec<R> = Vec::new();
    loop {
        let marker = rows.last().map(id);
        let page = read(store::Page { limit: MAX_LIMIT, marker }).await.map_err(translated)?;
        let is_last = page.len() < MAX_LIMIT as usize;
        rows.extend(page);
        if rows.len() > MAX_SORTED {
            let text = format!(
                "more than {MAX_SORTED} things cannot be sorted; leave sort_key and sort_dir out"
            );
            return Err(invalid(text));
        }
        if is_last {
            return Ok(rows);
        }
    }
}

/// The fields of one thing that a query asks for; all without a word about it.
pub(super) fn one(noun: &Noun, pairs: Pairs, row: Fields) -> Result<Json<Value>, Failure> {
    let mut fields = default_fields(noun, Depth::Detail);
    for (name, value) in pairs {
        if name != "fields" {
            return Err(invalid(format_args!("Unknown argument: \"{name}\"")));
        }
        fields = chosen(noun, &value)?;
    }
    Ok(Json(Value::Object(select(noun, &fields, row))))
}

fn select(noun: &Noun, fields: &[String], row: Fields) -> Fields {
    let wanted = |name: &str| {
        name == "links" || fields.iter().any(|field| field == name) || noun.always.contains(&name)
    };
    row.into_iter().filter(|(name, _)| wanted(name)).collect()
}

fn default_fields(noun: &Noun, depth: Depth) -> Vec<String> {
    let fields = if depth == Depth::Detail { noun.fields } else { noun.summary };
    fields.iter().chain(&["links"]).map(|field| (*field).to_owned()).collect()
}

/// Upstream reads the list in small letters.
fn chosen(noun: &Noun, list: &str) -> Result<Vec<String>, Failure> {
    let fields: Vec<String> = list
        .split(',')
        .map(|field| field.trim().to_ascii_lowercase())
        .filter(|field| !field.is_empty())
        .collect();
    let is_unknown = |field: &&String| !noun.fields.contains(&field.as_str()) && *field != "links";
    match fields.iter().find(is_unknown) {
        Some(field) if noun.unknown == Unknown::Refused => {
            Err(invalid(format_args!("Field(s) \"{field}\" are not valid")))
        }
        _ => Ok(fields),
    }
}

fn limit(text: Option<String>) -> Result<u32, Failure> {
    let Some(text) = text else { return Ok(MAX_LIMIT) };
    let number: i64 = text.parse().map_err(|_| {
        invalid(format_args!(
            "Invalid input for field/attribute limit. Value: '{text}'. unable to convert to int. Error: invalid literal \
             for int() with base 10: '{text}'"
        ))
    })?;
    if number <= 0 {
        return Err(invalid("Limit must be positive"));
    }
    Ok(u32::try_from(number).unwrap_or(MAX_LIMIT).min(MAX_LIMIT))
}

fn marker(text: String) -> Result<Uuid, Failure> {
    Uuid::try_parse(&text).map_err(|_| {
        invalid(format_args!(
            "Invalid input for field/attribute marker. Value: '{text}'. unable to convert to uuid. Error: Expected a uuid \
             but received {text}."
        ))
    })
}

fn sort_key(noun: &Noun, key: Option<String>) -> Result<String, Failure> {
    let Some(key) = key else { return Ok("id".to_owned()) };
    if UNSORTED.contains(&key.as_str()) {
        return Err(invalid(format_args!(
            "The sort_key value {key} is an invalid field for sorting"
        )));
    }
    if key != "id" && !noun.fields.contains(&key.as_str()) {
        return Err(invalid(format_args!(
            "The sort_key value \"{key}\" is an invalid field for sorting"
        )));
    }
    Ok(key)
}

fn descending(text: Option<String>) -> Result<bool, Failure> {
    match text.as_deref() {
        None | Some("asc") => Ok(false),
        Some("desc") => Ok(true),
        Some(other) => Err(invalid(format_args!(
            "Invalid sort direction: {other}. Acceptable values are 'asc' or 'desc'"
        ))),
    }
}

/// A value inside a query (RFC 3986, section 2).
fn encoded(text: &str) -> String {
    let byte = |byte: u8| match byte {
        b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' => {
            char::from(byte).to_string()
        }
        _ => format!("%{byte:02X}"),
    };
    text.bytes().map(byte).collect()
}

/// Nothing first, then numbers, then texts, as SQL does.
fn compare(one: Option<&Value>, two: Option<&Value>) -> Ordering {
    let rank = |value: Option<&Value>| match value {
        None | Some(Value::Null) => 0,
        Some(Value::Bool(_) | Value::Number(_)) => 1,
        Some(_) => 2,
    };
    let number = |value: Option<&Value>| match value {
        Some(Value::Bool(truth)) => Some(f64::from(u8::from(*truth))),
        Some(value) => value.as_f64(),
        None => None,
    };
    rank(one).cmp(&rank(two)).then_with(|| match (number(one), number(two)) {
        (Some(one), Some(two)) => one.total_cmp(&two),
        _ => text(one).cmp(&text(two)),
    })
}

fn text(value: Option<&Value>) -> String {
    match value {
        Some(Value::String(text)) => text.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}
