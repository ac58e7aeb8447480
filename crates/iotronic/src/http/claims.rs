//! `/v2/claims`.

use crate::app::access::Caller;
use crate::app::claims;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, nothing};
use crate::http::extract::{Body, Path, Query};
use crate::http::idempotency::Secret;
use crate::http::{page, routes};
use api::Page;
use api::claims::{Claim, Made, New};
use api::page::Paging;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use axum::{Extension, Json};
use model::Timestamp;
use store::claims::ClaimRow;

/// List claims.
#[utoipa::path(get, path = "/v2/claims", tag = "claims", params(Paging), responses((status = 200, body = Page<Claim>)))]
pub(crate) async fn list(
    caller: Caller,
    State(cloud): State<Cloud>,
    Query(paging): Query<Paging>,
) -> Answer<Json<Page<Claim>>> {
    let wanted = page::of(&paging)?;
    let rows = claims::list(&cloud, &caller, wanted).await?;
    Ok(Json(page::page(rows, wanted, |row| row.id, |row| view(row, cloud.now()))))
}

/// Make a claim. Its text is in this answer and nowhere else.
#[utoipa::path(post, path = "/v2/claims", tag = "claims", request_body = New, responses((status = 201, body = Made)))]
pub(crate) async fn create(
    caller: Caller,
    State(cloud): State<Cloud>,
    Body(new): Body<New>,
) -> Answer {
    let (row, claim) = claims::create(&cloud, &caller, new, routes::delegable()).await?;
    Ok(made(row, claim, cloud.now()))
}

/// Show a claim.
#[utoipa::path(get, path = "/v2/claims/{claim}", tag = "claims", responses((status = 200, body = Claim)))]
pub(crate) async fn show(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(claim): Path<String>,
) -> Answer<Json<Claim>> {
    Ok(Json(view(claims::get(&cloud, &caller, &claim).await?, cloud.now())))
}

/// Withdraw a claim; boards that it enrolled stay.
#[utoipa::path(delete, path = "/v2/claims/{claim}", tag = "claims", responses((status = 204)))]
pub(crate) async fn revoke(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(claim): Path<String>,
) -> Answer {
    claims::revoke(&cloud, &caller, &claim).await?;
    Ok(nothing())
}

/// 201 with the text that is seen this once.
pub(crate) fn made(row: ClaimRow, claim: String, now: Timestamp) -> Response {
    let location = [(header::LOCATION, format!("/v2/claims/{}", row.id))];
    let made = Made { record: view(row, now), claim };
    (StatusCode::CREATED, location, Extension(Secret), Json(made)).into_response()
}

fn view(row: ClaimRow, now: Timestamp) -> Claim {
    Claim {
        id: row.id,
        name: row.name,
        project: row.project,
        owner: row.owner,
        uses: row.uses_total,
        uses_left: row.uses_left,
        labels: row.labels,
        fleet: row.fleet,
        contribution: row.contribution,
        replaces: row.replaces,
        expires_at: row.expires_at,
        created_at: row.created_at,
        // The store keeps that it was withdrawn and not when; this is the latest it can have been.
        revoked_at: row.revoked.then(|| row.expires_at.min(now)),
    }
}
