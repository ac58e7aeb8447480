//! Services: what may listen on boards.

use crate::app::access::Caller;
use crate::app::boards::{Wanted, borrower, the_only_one};
use crate::app::find::find;
use crate::app::fleets::fresh;
use crate::app::plugins::bounded;
use crate::app::{Error, delegations};
use crate::cloud::Cloud;
use api::services::{Change, New};
use model::ServiceId;
use model::delegation::{Resource, Target};
use serde_json::{Value, json};
use store::Page;
use store::boards::BoardRow;
use store::services::{self, Filter, NewService, ServiceChange, ServiceRow};
use uuid::Uuid;

/// Makes a service; `extra` is what upstream's clients keep with it.
///
/// # Errors
/// The name is taken.
pub async fn create(
    cloud: &Cloud,
    caller: &Caller,
    new: New,
    extra: Option<Value>,
) -> Result<ServiceRow, Error> {
    let new = NewService {
        extra: extra.map_or_else(|| Ok(json!({})), bounded)?,
        id: ServiceId::new(),
        name: new.name,
        project: caller.project().clone(),
        port: new.port,
        protocol: new.protocol,
    };
    let made =
        cloud.store.write(move |tx| Box::pin(async move { services::create(tx, new).await }));
    Ok(made.await?)
}

/// The service of this id or name: one of the own project, or one that is delegated to the caller for what it wants to do.
///
/// # Errors
/// There is none that the caller may see.
pub async fn get(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<ServiceRow, Error> {
    let service = reachable(cloud, caller, ident).await?;
    let target = Target::new(Resource::Service(service.id), service.project.clone());
    delegations::basis(&cloud.store, caller, target, cloud.now()).await?;
    Ok(service)
}

/// The service of this id or name, of the own project or lent whatever for. Whether the caller may do something with it, or
/// may know that it exists, is asked by whoever calls this.
///
/// # Errors
/// There is none.
pub(super) async fn reachable(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
) -> Result<ServiceRow, Error> {
    match find(caller, ident, |scope| services::get(&cloud.store, scope, ident)).await {
        Err(store::Error::NotFound { .. }) => lent(cloud, caller, ident).await,
        found => Ok(found?),
    }
}

async fn lent(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<ServiceRow, Error> {
    if let Ok(id) = Uuid::try_parse(ident) {
        return Ok(services::by_id(&cloud.store, None, id.into()).await?);
    }
    let lent_to = Some(borrower(caller, cloud, Wanted::Whatever));
    let filter = Filter { name: Some(ident.to_owned()), lent_to };
    let found = services::list(&cloud.store, Some(caller.project()), &filter, Page::default());
    the_only_one(found.await?, "service")
}

/// The service of this id or name of a board, which is one of its own project.
///
/// # Errors
/// There is none.
pub(super) async fn of_board(
    cloud: &Cloud,
    caller: &Caller,
    board: &BoardRow,
    ident: &str,
) -> Result<ServiceRow, Error> {
    if caller.may(&board.project, "board").is_ok() {
        return get(cloud, caller, ident).await;
    }
    Ok(services::get(&cloud.store, Some(&board.project), ident).await?)
}

/// Services that the caller may see, in order of creation.
///
/// # Errors
/// The store failed.
pub async fn list(cloud: &Cloud, caller: &Caller, page: Page) -> Result<Vec<ServiceRow>, Error> {
    let lent_to = Some(borrower(caller, cloud, Wanted::ForThis));
    let filter = Filter { lent_to, ..Filter::default() };
    Ok(services::list(&cloud.store, caller.scope(), &filter, page).await?)
}

/// Changes a service; where it is enabled the old port stays until it is restored.
///
/// # Errors
/// There is none, the name is taken, or it is not at revision `expected`.
pub async fn update(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    change: Change,
    extra: Option<Value>,
    expected: Option<i64>,
) -> Result<ServiceRow, Error> {
    let id = get(cloud, caller, ident).await?.id;
    let extra = extra.map(bounded).transpose()?;
    let change = ServiceChange { name: change.name, port: change.port, extra };
    let done = cloud.store.write(move |tx| {
        Box::pin(async move { services::update(tx, None, id, change, expected).await })
    });
    Ok(done.await?)
}

/// Removes a service that is enabled nowhere.
///
/// # Errors
/// There is none, it is enabled somewhere, or it is not at revision `expected`.
pub async fn delete(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    expected: Option<i64>,
) -> Result<(), Error> {
    let service = get(cloud, caller, ident).await?;
    fresh("service", service.revision, expected)?;
    let done = cloud
        .store
        .write(move |tx| Box::pin(async move { services::delete(tx, None, service.id).await }));
    Ok(done.await?)
}
