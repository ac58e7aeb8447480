//! `/v2/boards/{board}/contribution`.

use crate::app::access::Caller;
use crate::app::contributions;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, nothing};
use crate::http::extract::{Body, Path};
use crate::http::routes;
use api::contributions::{Contribution, New};
use axum::Json;
use axum::extract::State;
use store::contributions::ContributionRow;

/// Show what is given of a board to others.
#[utoipa::path(get, path = "/v2/boards/{board}/contribution", tag = "delegations", operation_id = "contribution", responses((status = 200, body = Contribution)))]
pub(crate) async fn show(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
) -> Answer<Json<Contribution>> {
    let (board, row) = contributions::get(&cloud, &caller, &board).await?;
    let nothing = Contribution { board, said: Default::default(), by: None, updated_at: None };
    Ok(Json(row.map_or(nothing, view)))
}

/// Say what is given of a board to others: in which hours, how much of it, and to whom without asking.
#[utoipa::path(put, path = "/v2/boards/{board}/contribution", tag = "delegations", operation_id = "contribute", request_body = New, responses((status = 200, body = Contribution)))]
pub(crate) async fn put(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Body(new): Body<New>,
) -> Answer<Json<Contribution>> {
    let known = routes::delegable();
    Ok(Json(view(contributions::put(&cloud, &caller, &board, new, known).await?)))
}

/// Say nothing any more: what is lent is bound by its delegation alone, and nobody books.
#[utoipa::path(delete, path = "/v2/boards/{board}/contribution", tag = "delegations", operation_id = "withdraw_contribution", responses((status = 204)))]
pub(crate) async fn delete(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
) -> Answer {
    contributions::delete(&cloud, &caller, &board).await?;
    Ok(nothing())
}

fn view(row: ContributionRow) -> Contribution {
    let ContributionRow { board, said, by, updated_at } = row;
    Contribution { board, said, by: Some(by), updated_at: Some(updated_at) }
}
