//! `/v2/offers`.

use crate::app::access::Caller;
use crate::app::offers;
use crate::cloud::Cloud;
use crate::http::answer::Answer;
use crate::http::extract::Query;
use crate::http::page;
use api::Page;
use api::bookings::Which;
use api::contributions::Offer;
use axum::Json;
use axum::extract::State;

/// List the boards that one may book, the nearest first.
#[utoipa::path(get, path = "/v2/offers", tag = "bookings", operation_id = "offers", params(Which), responses((status = 200, body = Page<Offer>)))]
pub(crate) async fn list(
    caller: Caller,
    State(cloud): State<Cloud>,
    Query(which): Query<Which>,
) -> Answer<Json<Page<Offer>>> {
    Ok(Json(page::whole(offers::list(&cloud, &caller, &which).await?, |offer| offer)))
}
