//! `/v2/services`, and what is exposed of boards: `/v2/boards/{board}/services`.

use crate::app::access::Caller;
use crate::app::operations::Order;
use crate::app::{exposures, services};
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, created, nothing, tagged};
use crate::http::extract::{Body, IfMatch, MaybeBody, Path, Query};
use crate::http::operations::done;
use crate::http::page;
use api::Page;
use api::operations::{Commanding, Operation};
use api::page::Paging;
use api::services::{Change, Enable, Exposure, New, Service};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use model::service::Port;
use store::exposures::ExposureRow;
use store::services::ServiceRow;

/// List services.
#[utoipa::path(get, path = "/v2/services", tag = "services", params(Paging), responses((status = 200, body = Page<Service>)))]
pub(crate) async fn list(
    caller: Caller,
    State(cloud): State<Cloud>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<Service>>> {
    let wanted = page::of(&paging)?;
    let rows = services::list(&cloud, &caller, wanted).await?;
    Ok(Json(page::page(rows, wanted, |row| row.id, view)))
}

/// Make a service.
#[utoipa::path(post, path = "/v2/services", tag = "services", request_body = New, responses((status = 201, body = Service)))]
pub(crate) async fn create(
    caller: Caller,
    State(cloud): State<Cloud>,
    Body(new): Body<New>,
) -> Answer {
    let row = services::create(&cloud, &caller, new, None).await?;
    Ok(created(&format!("/v2/services/{}", row.id), row.revision, &view(row)))
}

/// Show a service.
#[utoipa::path(get, path = "/v2/services/{service}", tag = "services", responses((status = 200, body = Service)))]
pub(crate) async fn show(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(service): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let row = services::get(&cloud, &caller, &service).await?;
    Ok(tagged(&headers, row.revision, &view(row)))
}

/// Change a service; where it is enabled the old port stays until it is restored.
#[utoipa::path(patch, path = "/v2/services/{service}", tag = "services", request_body = Change, responses((status = 200, body = Service)))]
pub(crate) async fn change(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(service): Path<String>,
    IfMatch(expected): IfMatch,
    Body(change): Body<Change>,
) -> Answer {
    let row = services::update(&cloud, &caller, &service, change, None, expected).await?;
    Ok(tagged(&HeaderMap::new(), row.revision, &view(row)))
}

/// Remove a service that is enabled nowhere.
#[utoipa::path(delete, path = "/v2/services/{service}", tag = "services", responses((status = 204)))]
pub(crate) async fn delete(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(service): Path<String>,
    IfMatch(expected): IfMatch,
) -> Answer {
    services::delete(&cloud, &caller, &service, expected).await?;
    Ok(nothing())
}

/// List what is exposed of a board.
#[utoipa::path(get, path = "/v2/boards/{board}/services", tag = "services", responses((status = 200, body = Page<Exposure>)))]
pub(crate) async fn exposed(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
) -> Answer<Json<Page<Exposure>>> {
    let rows = exposures::list(&cloud, &caller, &board).await?;
    let items = rows.into_iter().map(|row| exposure(&cloud, row)).collect::<Result<_, _>>()?;
    Ok(Json(Page { items, next: None }))
}

/// Show how a service of a board is reached.
#[utoipa::path(get, path = "/v2/boards/{board}/services/{service}", tag = "services", responses((status = 200, body = Exposure)))]
pub(crate) async fn show_exposed(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path((board, service)): Path<(String, String)>,
) -> Answer<Json<Exposure>> {
    let row = exposures::get(&cloud, &caller, &board, &service).await?;
    Ok(Json(exposure(&cloud, row)?))
}

/// Make a service of a board reachable at a public port.
#[utoipa::path(
    put, path = "/v2/boards/{board}/services/{service}", tag = "services", params(Commanding), request_body(content = Option<Enable>),
    responses((status = 200, body = Operation), (status = 202, body = Operation))
)]
pub(crate) async fn enable(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path((board, service)): Path<(String, String)>,
    Query(commanding): Query<Commanding>,
    MaybeBody(enable): MaybeBody<Enable>,
) -> Answer {
    let order = Order::new(&caller, commanding)?;
    let which = (board.as_str(), service.as_str());
    Ok(done(exposures::enable(&cloud, &caller, which, enable.public_port, order).await?))
}

/// Close a service of a board; live connections are cut.
#[utoipa::path(
    delete, path = "/v2/boards/{board}/services/{service}", tag = "services", params(Commanding),
    responses((status = 200, body = Operation), (status = 202, body = Operation))
)]
pub(crate) async fn disable(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path((board, service)): Path<(String, String)>,
    Query(commanding): Query<Commanding>,
) -> Answer {
    let order = Order::new(&caller, commanding)?;
    Ok(done(exposures::disable(&cloud, &caller, &board, &service, order).await?))
}

/// Tell a board again about a service that is enabled, with the service's present port.
#[utoipa::path(
    post, path = "/v2/boards/{board}/services/{service}/restore", tag = "services", params(Commanding),
    responses((status = 200, body = Operation), (status = 202, body = Operation))
)]
pub(crate) async fn restore(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path((board, service)): Path<(String, String)>,
    Query(commanding): Query<Commanding>,
) -> Answer {
    let order = Order::new(&caller, commanding)?;
    Ok(done(exposures::restore(&cloud, &caller, &board, &service, order).await?))
}

fn view(row: ServiceRow) -> Service {
    Service {
        id: row.id,
        name: row.name,
        project: row.project,
        port: row.port,
        protocol: row.protocol,
        created_at: row.created_at,
        updated_at: (row.updated_at != row.created_at).then_some(row.updated_at),
        revision: row.revision,
    }
}

fn exposure(cloud: &Cloud, row: ExposureRow) -> Result<Exposure, Failure> {
    Ok(Exposure {
        board: row.board,
        service: row.service,
        name: row.service_name,
        local_port: row.local_port,
        public_port: Port::try_from(u32::from(row.public_port.unwrap_or_default()))?,
        state: row.state,
        problem: cloud.ingress.problem(row.board, row.service),
        connections: cloud.ingress.connections(row.board, row.service),
        created_at: row.created_at,
        updated_at: (row.updated_at != row.created_at).then_some(row.updated_at),
    })
}
