//! `/v2/delegations`.

use crate::app::access::Caller;
use crate::app::delegations;
use crate::cloud::Cloud;
use crate::http::answer::Answer;
use crate::http::extract::{Body, Path, Query};
use crate::http::{page, routes};
use api::Page;
use api::delegations::{Delegation, Filter, New, Revoked};
use axum::Json;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse as _, Response};
use std::collections::HashMap;
use store::delegations::DelegationRow;

/// List delegations.
#[utoipa::path(get, path = "/v2/delegations", tag = "delegations", params(Filter), responses((status = 200, body = Page<Delegation>)))]
pub(crate) async fn list(
    caller: Caller,
    State(cloud): State<Cloud>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Page<Delegation>>> {
    let wanted = page::wanted(filter.limit, filter.marker.as_deref())?;
    let rows = delegations::list(&cloud, &caller, &filter, wanted).await?;
    let names = delegations::names(&cloud, &rows).await?;
    let view = |row| view(row, &names);
    Ok(Json(page::page(rows, wanted, |row| row.delegation.id, view)))
}

/// Let somebody else use a thing.
#[utoipa::path(post, path = "/v2/delegations", tag = "delegations", request_body = New, responses((status = 201, body = Delegation)))]
pub(crate) async fn create(
    caller: Caller,
    State(cloud): State<Cloud>,
    Body(new): Body<New>,
) -> Answer<Response> {
    let row = delegations::create(&cloud, &caller, new, routes::delegable()).await?;
    let location = [(header::LOCATION, format!("/v2/delegations/{}", row.delegation.id))];
    Ok((StatusCode::CREATED, location, Json(named(&cloud, row).await?)).into_response())
}

/// Show a delegation.
#[utoipa::path(get, path = "/v2/delegations/{delegation}", tag = "delegations", responses((status = 200, body = Delegation)))]
pub(crate) async fn show(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(delegation): Path<String>,
) -> Answer<Json<Delegation>> {
    let row = delegations::get(&cloud, &caller, &delegation).await?;
    Ok(Json(named(&cloud, row).await?))
}

/// Take a delegation back, with all that rest on it.
#[utoipa::path(delete, path = "/v2/delegations/{delegation}", tag = "delegations", responses((status = 200, body = Revoked)))]
pub(crate) async fn revoke(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(delegation): Path<String>,
) -> Answer<Json<Revoked>> {
    Ok(Json(Revoked { ended: delegations::revoke(&cloud, &caller, &delegation).await? }))
}

async fn named(cloud: &Cloud, row: DelegationRow) -> Answer<Delegation> {
    let names = delegations::names(cloud, std::slice::from_ref(&row)).await?;
    Ok(view(row, &names))
}

/// As people see it, with the names of things and people.
pub(crate) fn view(row: DelegationRow, names: &HashMap<String, String>) -> Delegation {
    let said = row.delegation;
    let name = |id: &str| names.get(id).cloned();
    Delegation {
        id: said.id,
        parent: said.parent,
        resource_name: name(&said.resource.id()),
        resource: said.resource.to_string(),
        project: row.project,
        delegator_name: name(said.delegator.as_str()),
        delegator: said.delegator,
        delegated_name: name(said.delegated.as_str()),
        delegated: said.delegated,
        rights: said.rights,
        from: said.window.from(),
        until: said.window.until(),
        depth: said.depth,
        hold: said.hold,
        created_at: row.created_at,
        revoked_at: row.revoked_at,
        revoked_by: row.revoked_by,
    }
}
