//! Fleets: routes 44 to 49 of upstream's table. Their boards are in `boards`.

use super::body::{Asker, Attributes, Raw, Use};
use super::fault::{about, invalid, translated};
use super::page::{self, Depth, Noun, Pairs, Unknown, Wanted};
use super::view::{Fields, changed, fields, links, time};
use crate::app::access::Caller;
use crate::app::fleets;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::{IfMatch, Path, Query};
use api::fleets::{Change, New};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use serde_json::{Value, json};
use store::fleets::FleetRow;

const FLEET: &str = "Fleet";

const FLEETS: Noun = Noun {
    plural: "fleets",
    one: FLEET,
    fields: &["uuid", "name", "project", "description", "extra", "created_at", "updated_at"],
    summary: &["uuid", "name", "project", "description", "extra"],
    always: &[],
    unknown: Unknown::Refused,
};

const ATTRIBUTES: &[&str] =
    &["uuid", "name", "project", "description", "extra", "created_at", "updated_at", "links"];

/// `GET /v1/fleets`.
pub(super) async fn list(
    asker: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    listed(&cloud, asker.0, &Wanted::read(&FLEETS, Depth::Summary, pairs, &[])?).await
}

/// `GET /v1/fleets/detail`.
pub(super) async fn detail(
    asker: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    listed(&cloud, asker.0, &Wanted::read(&FLEETS, Depth::Detail, pairs, &[])?).await
}

async fn listed(cloud: &Cloud, caller: Caller, wanted: &Wanted) -> Answer<Json<Value>> {
    let own = caller.project().clone();
    let caller = caller.within(own);
    if let Some(marker) = wanted.plain_marker() {
        find(cloud, &caller, &marker.to_string()).await?;
    }
    let read = |page| fleets::list(cloud, &caller, page).boxed();
    let rows = wanted.rows(|row: &FleetRow| row.id.uuid(), read).await?;
    wanted.page(cloud, &FLEETS, rows.iter().map(|row| view(cloud, row)).collect())
}

/// `POST /v1/fleets`.
pub(super) async fn create(asker: Asker, State(cloud): State<Cloud>, raw: Raw) -> Answer {
    let body = Attributes::read(&raw, FLEET, ATTRIBUTES, Use::Make)?;
    body.wanted("name", "Name")?;
    let new = New {
        name: body.typed("name")?.ok_or_else(|| invalid("Name is not specified."))?,
        description: body.text("description")?.unwrap_or_default(),
        rule: None,
    };
    let extra = body.object("extra")?;
    let row = fleets::create(&cloud, &asker.0, new, extra).await.map_err(translated)?;
    Ok((StatusCode::CREATED, Json(Value::Object(view(&cloud, &row)))).into_response())
}

/// `GET /v1/fleets/{fleet}`.
pub(super) async fn show(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(fleet): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let row = find(&cloud, &asker.0, &fleet).await?;
    page::one(&FLEETS, pairs, view(&cloud, &row))
}

/// `PATCH /v1/fleets/{fleet}`.
pub(super) async fn change(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(fleet): Path<String>,
    IfMatch(expected): IfMatch,
    raw: Raw,
) -> Answer {
    let body = Attributes::read(&raw, FLEET, ATTRIBUTES, Use::Change)?;
    let description = body.has("description").then(|| body.text("description")).transpose()?;
    let change = Change {
        name: body.typed("name")?,
        description: description.map(Option::unwrap_or_default),
        rule: None,
    };
    let extra = body.object("extra")?;
    let row = fleets::update(&cloud, &asker.0, &fleet, change, extra, expected).await;
    let row = row.map_err(|error| about(FLEET, &fleet, error))?;
    Ok(Json(Value::Object(view(&cloud, &row))).into_response())
}

/// `DELETE /v1/fleets/{fleet}`.
pub(super) async fn delete(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(fleet): Path<String>,
    IfMatch(expected): IfMatch,
) -> Answer<Response> {
    let done = fleets::delete(&cloud, &asker.0, &fleet, expected).await;
    done.map_err(|error| about(FLEET, &fleet, error))?;
    Ok(nothing())
}

async fn find(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<FleetRow, Failure> {
    fleets::get(cloud, caller, ident).await.map_err(|error| about(FLEET, ident, error))
}

fn view(cloud: &Cloud, row: &FleetRow) -> Fields {
    let description = (!row.description.is_empty()).then_some(&row.description);
    fields(json!({
        "uuid": row.id,
        "name": row.name,
        "project": row.project,
        "description": description,
        "extra": row.extra,
        "created_at": time(row.created_at),
        "updated_at": changed(row.created_at, row.updated_at),
        "links": links(cloud, "fleets", row.id),
    }))
}
