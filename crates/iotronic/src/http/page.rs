//! Pages of lists: `limit` and `marker` in, items and the next marker out.

use crate::http::answer::Failure;
use crate::http::extract::{within, wrong};
use api::Page;
use api::page::{DEFAULT_LIMIT, MAX_LIMIT, Paging};
use std::fmt::Display;

/// The page that is asked for.
///
/// # Errors
/// The limit is out of range, or the marker is no id.
pub(crate) fn wanted(limit: Option<u32>, marker: Option<&str>) -> Result<store::Page, Failure> {
    let limit = within("limit", limit, DEFAULT_LIMIT, 1..=MAX_LIMIT)?;
    let marker = marker.map(|marker| {
        marker.parse().map_err(|_| {
            wrong(format_args!(
                "marker {marker:?} is not an id; take it from `next` of the page before"
            ))
        })
    });
    Ok(store::Page { limit, marker: marker.transpose()? })
}

/// The page of plain paging.
///
/// # Errors
/// As [`wanted`].
pub(crate) fn of(paging: &Paging) -> Result<store::Page, Failure> {
    wanted(paging.limit, paging.marker.as_deref())
}

/// The page as people see it; a full one has a next one.
pub(crate) fn page<R, T, I: Display>(
    rows: Vec<R>,
    wanted: store::Page,
    id: fn(&R) -> I,
    view: impl Fn(R) -> T,
) -> Page<T> {
    let is_full = usize::try_from(wanted.limit).is_ok_and(|limit| rows.len() >= limit);
    let next = rows.last().filter(|_| is_full).map(|row| id(row).to_string());
    Page { items: rows.into_iter().map(view).collect(), next }
}

/// A list that comes whole.
pub(crate) fn whole<R, T>(rows: Vec<R>, view: impl Fn(R) -> T) -> Page<T> {
    Page { items: rows.into_iter().map(view).collect(), next: None }
}
