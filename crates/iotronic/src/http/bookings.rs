//! `/v2/bookings`.

use crate::app::access::Caller;
use crate::app::{bookings, delegations};
use crate::cloud::Cloud;
use crate::http::answer::Answer;
use crate::http::delegations::view;
use crate::http::extract::Body;
use crate::http::routes;
use api::bookings::{Booked, New};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};

/// Book boards for a time, by what they can do and where they are: as many as were asked for, or none.
#[utoipa::path(post, path = "/v2/bookings", tag = "bookings", operation_id = "book", request_body = New, responses((status = 201, body = Booked)))]
pub(crate) async fn create(
    caller: Caller,
    State(cloud): State<Cloud>,
    Body(new): Body<New>,
) -> Answer<Response> {
    let rows = bookings::create(&cloud, &caller, new, routes::delegable()).await?;
    let names = delegations::names(&cloud, &rows).await?;
    let items = rows.into_iter().map(|row| view(row, &names)).collect();
    Ok((StatusCode::CREATED, Json(Booked { items })).into_response())
}
