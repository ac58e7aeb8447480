//! Finding a thing by what people write: its id, or its name in the own project.

use crate::app::access::Caller;
use model::{Invalid, Kind, ProjectId};
use std::future::Future;
use std::str::FromStr;
use store::Error;
use uuid::Uuid;

/// Reads what `ident` names: an id wherever the caller may look, a name in the own project first. Who sees all projects finds
/// a name elsewhere too, if it is the only one.
///
/// # Errors
/// There is none, or several.
pub(super) async fn find<'a, T, F>(
    caller: &'a Caller,
    ident: &str,
    read: impl Fn(Option<&'a ProjectId>) -> F,
) -> Result<T, Error>
where
    F: Future<Output = Result<T, Error>>,
{
    if Uuid::try_parse(ident).is_ok() {
        return read(caller.scope()).await;
    }
    match (read(Some(caller.project())).await, caller.scope()) {
        (Err(Error::NotFound { .. }), None) => read(None).await,
        (own, _) => own,
    }
}

/// Reads the id of something that has no name of its own, or whose names repeat; `list` is where the ids stand.
///
/// # Errors
/// It is no id, so there is no such thing.
pub(super) fn id<T: FromStr<Err = Invalid>>(
    what: &'static str,
    ident: &str,
    list: &'static str,
) -> Result<T, super::Error> {
    let text =
        || format!("there is no {what} {ident:?}: give its id, a UUID, as GET {list} shows it");
    ident.parse().map_err(|_| super::Error::new(Kind::NotFound, text()))
}
