//! `/v2/operations`, and the answer to every command.

use crate::app::access::Caller;
use crate::app::operations::{self, patience, view};
use crate::cloud::Cloud;
use crate::http::answer::Answer;
use crate::http::extract::{Path, Query};
use crate::http::page;
use api::Page;
use api::operations::{Detail, Filter, Operation, Waiting};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use store::operations::OperationRow;

/// List operations.
#[utoipa::path(get, path = "/v2/operations", tag = "operations", params(Filter), responses((status = 200, body = Page<Operation>)))]
pub(crate) async fn list(
    caller: Caller,
    State(cloud): State<Cloud>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Page<Operation>>> {
    let wanted = page::wanted(filter.limit, filter.marker.as_deref())?;
    let rows = operations::list(&cloud, &caller, &filter, wanted).await?;
    let mut page = page::page(rows, wanted, |row| row.id, view);
    operations::name(&cloud, &mut page.items).await?;
    Ok(Json(page))
}

/// Show an operation with its history, at its end if that comes soon enough.
#[utoipa::path(get, path = "/v2/operations/{operation}", tag = "operations", params(Waiting), responses((status = 200, body = Detail)))]
pub(crate) async fn show(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(operation): Path<String>,
    Query(waiting): Query<Waiting>,
) -> Answer<Json<Detail>> {
    let patience = patience(waiting.wait)?;
    Ok(Json(operations::detail(&cloud, &caller, &operation, patience).await?))
}

/// Withdraw an operation, or ask the board to stop it.
#[utoipa::path(post, path = "/v2/operations/{operation}/cancel", tag = "operations", responses((status = 200, body = Operation)))]
pub(crate) async fn cancel(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(operation): Path<String>,
) -> Answer<Json<Operation>> {
    Ok(Json(view(operations::cancel(&cloud, &caller, &operation).await?)))
}

/// 200 with an operation that has ended, 202 with one that goes on.
pub(crate) fn done(row: OperationRow) -> Response {
    let status = if row.state.has_ended() { StatusCode::OK } else { StatusCode::ACCEPTED };
    let location = [(header::LOCATION, format!("/v2/operations/{}", row.id))];
    (status, location, Json(view(row))).into_response()
}
