//! `/v2/boards/{board}/rights`.

use crate::app::access::Caller;
use crate::app::rights;
use crate::cloud::Cloud;
use crate::http::answer::Answer;
use crate::http::extract::{Body, Path};
use api::rights::{New, Right};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;

/// Take a part of what one may do with a board along, for minutes: the board honours it without its cloud.
#[utoipa::path(post, path = "/v2/boards/{board}/rights", tag = "boards", operation_id = "issue_right", request_body = New, responses((status = 201, body = Right)))]
pub(crate) async fn issue(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Body(new): Body<New>,
) -> Answer<(StatusCode, Json<Right>)> {
    let right = rights::issue(&cloud, &caller, &board, new).await?;
    Ok((StatusCode::CREATED, Json(right)))
}
