//! Requests to many boards at once (upstream: main requests). Their operations are commands like all others.
//!
//! Invariant: the request and all its parts are one transaction; what became of it is counted from its parts.

use crate::app::Error;
use crate::app::access::Caller;
use crate::app::operations::Order;
use crate::cloud::Cloud;
use model::{FleetId, OperationId, ProjectId};
use rpc::Method;
use store::operations::{self, Filter, OperationRow};
use store::requests::{self, NewRequest, RequestRow};
use store::{Page, Tx};

/// Stores a request whose parts follow in the same transaction; its id.
///
/// # Errors
/// The database failed.
pub(super) async fn begin(
    tx: &mut Tx,
    order: &Order,
    project: ProjectId,
    fleet: Option<FleetId>,
    method: Method,
) -> Result<OperationId, store::Error> {
    let id = OperationId::new();
    let created_by = order.user().cloned();
    let action = method.word().to_owned();
    requests::create(tx, &NewRequest { id, project, fleet, action, created_by }).await?;
    Ok(id)
}

/// The request of this id.
///
/// # Errors
/// There is none that the caller may see.
pub async fn get(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<RequestRow, Error> {
    let id = ident.parse().map_err(|_| store::Error::NotFound { what: "request" })?;
    let row = requests::get(&cloud.store, caller.scope(), id).await?;
    caller.may(&row.project, "request")?;
    Ok(row)
}

/// Requests that the caller may see, in order of creation.
///
/// # Errors
/// The store failed.
pub async fn list(cloud: &Cloud, caller: &Caller, page: Page) -> Result<Vec<RequestRow>, Error> {
    Ok(requests::list(&cloud.store, caller.scope(), page).await?)
}

/// The parts of a request that the caller may see, without their results.
///
/// # Errors
/// The store failed.
pub async fn parts(
    cloud: &Cloud,
    request: &RequestRow,
    page: Page,
) -> Result<Vec<OperationRow>, Error> {
    let filter = Filter { main: Some(request.id), ..Filter::default() };
    Ok(operations::list(&cloud.store, Some(&request.project), &filter, page).await?)
}
