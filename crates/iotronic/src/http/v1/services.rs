//! Services: routes 34 to 40 of upstream's table. What is exposed of boards is in `exposures`.

use super::body::{Asker, Attributes, Raw, Use};
use super::fault::{about, invalid, translated};
use super::page::{self, Depth, Noun, Pairs, Unknown, Wanted};
use super::view::{Fields, changed, fields, links, time};
use crate::app::access::Caller;
use crate::app::services;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::{IfMatch, Path, Query};
use api::services::{Change, New};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use model::service::{Port, Protocol};
use serde_json::{Value, json};
use store::services::ServiceRow;

pub(super) const SERVICE: &str = "Service";

const SERVICES: Noun = Noun {
    plural: "services",
    one: SERVICE,
    fields: &["uuid", "name", "project", "port", "protocol", "extra", "created_at", "updated_at"],
    summary: &["uuid", "name", "project", "port", "protocol", "extra"],
    always: &[],
    unknown: Unknown::Refused,
};

const ATTRIBUTES: &[&str] =
    &["uuid", "name", "project", "port", "protocol", "extra", "created_at", "updated_at", "links"];

/// `GET /v1/services`.
pub(super) async fn list(
    asker: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let wanted = Wanted::read(&SERVICES, Depth::Summary, pairs, &["all_services"])?;
    listed(&cloud, asker.0, &wanted).await
}

/// `GET /v1/services/detail`.
pub(super) async fn detail(
    asker: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let wanted = Wanted::read(&SERVICES, Depth::Detail, pairs, &["with_public", "all_services"])?;
    listed(&cloud, asker.0, &wanted).await
}

/// `GET /v1/services/public`; services have no owner who could hide them, so this is the plain list.
pub(super) async fn public(
    asker: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let wanted = Wanted::read(&SERVICES, Depth::Summary, pairs, &[])?;
    listed(&cloud, asker.0, &wanted.at("services/public".to_owned())).await
}

async fn listed(cloud: &Cloud, caller: Caller, wanted: &Wanted) -> Answer<Json<Value>> {
    let all = wanted.flag("all_services")?;
    if all && !caller.is_operator() {
        return Err(invalid("all_services parameter can only be used  by the administrator."));
    }
    let own = caller.project().clone();
    let caller = if all { caller } else { caller.within(own) };
    if let Some(marker) = wanted.plain_marker() {
        find(cloud, &caller, &marker.to_string()).await?;
    }
    let read = |page| services::list(cloud, &caller, page).boxed();
    let rows = wanted.rows(|row: &ServiceRow| row.id.uuid(), read).await?;
    wanted.page(cloud, &SERVICES, rows.iter().map(|row| view(cloud, row)).collect())
}

/// `POST /v1/services`.
pub(super) async fn create(asker: Asker, State(cloud): State<Cloud>, raw: Raw) -> Answer {
    let body = Attributes::read(&raw, SERVICE, ATTRIBUTES, Use::Make)?;
    body.wanted("name", "Name")?;
    let new = New {
        name: body.typed("name")?.ok_or_else(|| invalid("Name is not specified."))?,
        port: body.typed::<Port>("port")?.ok_or_else(|| invalid("Port is not specified."))?,
        protocol: protocol(&body)?.unwrap_or(Protocol::Tcp),
    };
    let extra = body.object("extra")?;
    let row = services::create(&cloud, &asker.0, new, extra).await.map_err(translated)?;
    Ok((StatusCode::CREATED, Json(Value::Object(view(&cloud, &row)))).into_response())
}

/// Tunnels carry TCP only, upstream's too, whatever its services say.
fn protocol(body: &Attributes) -> Result<Option<Protocol>, Failure> {
    match body.text("protocol")? {
        None => Ok(None),
        Some(word) if word.eq_ignore_ascii_case("tcp") => Ok(Some(Protocol::Tcp)),
        Some(word) => Err(body.wrong("protocol", &Value::from(word), "Only TCP is forwarded.")),
    }
}

/// `GET /v1/services/{service}`.
pub(super) async fn show(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(service): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let row = find(&cloud, &asker.0, &service).await?;
    page::one(&SERVICES, pairs, view(&cloud, &row))
}

/// `PATCH /v1/services/{service}`.
pub(super) async fn change(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(service): Path<String>,
    IfMatch(expected): IfMatch,
    raw: Raw,
) -> Answer {
    let body = Attributes::read(&raw, SERVICE, ATTRIBUTES, Use::Change)?;
    protocol(&body)?;
    let change = Change { name: body.typed("name")?, port: body.typed("port")? };
    let extra = body.object("extra")?;
    let row = services::update(&cloud, &asker.0, &service, change, extra, expected).await;
    let row = row.map_err(|error| about(SERVICE, &service, error))?;
    Ok(Json(Value::Object(view(&cloud, &row))).into_response())
}

/// `DELETE /v1/services/{service}`.
pub(super) async fn delete(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(service): Path<String>,
    IfMatch(expected): IfMatch,
) -> Answer<Response> {
    let done = services::delete(&cloud, &asker.0, &service, expected).await;
    done.map_err(|error| about(SERVICE, &service, error))?;
    Ok(nothing())
}

/// The service of this id or name.
pub(super) async fn find(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
) -> Result<ServiceRow, Failure> {
    services::get(cloud, caller, ident).await.map_err(|error| about(SERVICE, ident, error))
}

fn view(cloud: &Cloud, row: &ServiceRow) -> Fields {
    let protocol = match row.protocol {
        Protocol::Tcp => "TCP",
    };
    fields(json!({
        "uuid": row.id,
        "name": row.name,
        "project": row.project,
        "port": row.port.number(),
        "protocol": protocol,
        "extra": row.extra,
        "created_at": time(row.created_at),
        "updated_at": changed(row.created_at, row.updated_at),
        "links": links(cloud, "services", row.id),
    }))
}
