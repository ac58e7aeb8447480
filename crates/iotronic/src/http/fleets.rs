//! `/v2/fleets`.

use crate::app::access::Caller;
use crate::app::operations::Order;
use crate::app::{actions, boards, fleets};
use crate::cloud::Cloud;
use crate::http::answer::{Answer, created, nothing, tagged};
use crate::http::extract::{Body, IfMatch, Path, Query};
use crate::http::page;
use api::Page;
use api::actions::{Action, Asked, Part};
use api::boards::{Filter, Summary};
use api::fleets::{Change, Fleet, New};
use api::operations::Commanding;
use api::page::Paging;
use axum::Json;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::response::IntoResponse as _;
use store::fleets::FleetRow;
use store::operations::OperationRow;

/// List fleets.
#[utoipa::path(get, path = "/v2/fleets", tag = "fleets", params(Paging), responses((status = 200, body = Page<Fleet>)))]
pub(crate) async fn list(
    caller: Caller,
    State(cloud): State<Cloud>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<Fleet>>> {
    let wanted = page::of(&paging)?;
    let rows = fleets::list(&cloud, &caller, wanted).await?;
    Ok(Json(page::page(rows, wanted, |row| row.id, view)))
}

/// Make a fleet.
#[utoipa::path(post, path = "/v2/fleets", tag = "fleets", request_body = New, responses((status = 201, body = Fleet)))]
pub(crate) async fn create(
    caller: Caller,
    State(cloud): State<Cloud>,
    Body(new): Body<New>,
) -> Answer {
    let row = fleets::create(&cloud, &caller, new, None).await?;
    Ok(created(&format!("/v2/fleets/{}", row.id), row.revision, &view(row)))
}

/// Show a fleet.
#[utoipa::path(get, path = "/v2/fleets/{fleet}", tag = "fleets", responses((status = 200, body = Fleet)))]
pub(crate) async fn show(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(fleet): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let row = fleets::get(&cloud, &caller, &fleet).await?;
    Ok(tagged(&headers, row.revision, &view(row)))
}

/// Change a fleet.
#[utoipa::path(patch, path = "/v2/fleets/{fleet}", tag = "fleets", request_body = Change, responses((status = 200, body = Fleet)))]
pub(crate) async fn change(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(fleet): Path<String>,
    IfMatch(expected): IfMatch,
    Body(change): Body<Change>,
) -> Answer {
    let row = fleets::update(&cloud, &caller, &fleet, change, None, expected).await?;
    Ok(tagged(&HeaderMap::new(), row.revision, &view(row)))
}

/// Remove a fleet; its boards stay.
#[utoipa::path(delete, path = "/v2/fleets/{fleet}", tag = "fleets", responses((status = 204)))]
pub(crate) async fn delete(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(fleet): Path<String>,
    IfMatch(expected): IfMatch,
) -> Answer {
    fleets::delete(&cloud, &caller, &fleet, expected).await?;
    Ok(nothing())
}

/// List the boards of a fleet.
#[utoipa::path(get, path = "/v2/fleets/{fleet}/boards", tag = "fleets", params(Paging), responses((status = 200, body = Page<Summary>)))]
pub(crate) async fn members(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(fleet): Path<String>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<Summary>>> {
    let wanted = page::of(&paging)?;
    let filter = Filter { fleet: Some(fleet), ..Filter::default() };
    let rows = boards::list(&cloud, &caller, &filter, wanted).await?;
    Ok(Json(page::page(rows, wanted, |row| row.id, super::boards::summary)))
}

/// Let all boards of a fleet do something, in upstream's words.
#[utoipa::path(
    post, path = "/v2/fleets/{fleet}/actions", tag = "fleets", params(Commanding), request_body = Action,
    responses((status = 202, body = Asked))
)]
pub(crate) async fn act(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(fleet): Path<String>,
    Query(commanding): Query<Commanding>,
    Body(action): Body<Action>,
) -> Answer {
    let order = Order::new(&caller, commanding)?.without_key();
    let (main, rows) = actions::on_fleet(&cloud, &caller, &fleet, action, order).await?;
    let part = |row: OperationRow| Part { board: row.board, operation: row.id };
    let asked = Asked { main, parts: rows.into_iter().map(part).collect() };
    Ok((StatusCode::ACCEPTED, Json(asked)).into_response())
}

fn view(row: FleetRow) -> Fleet {
    Fleet {
        id: row.id,
        name: row.name,
        project: row.project,
        description: row.description,
        rule: row.rule.map(|rule| rule.to_string()),
        created_at: row.created_at,
        updated_at: (row.updated_at != row.created_at).then_some(row.updated_at),
        revision: row.revision,
    }
}
