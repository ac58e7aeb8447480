//! Finding a thing by what people write: its id, or its name in the own project.

use crate::app::access::Caller;
use model::ProjectId;
use std::future::Future;
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
