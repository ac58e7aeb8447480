//! Boards: routes 3 to 8 of upstream's table, and the boards of a fleet.
//!
//! A board without a row of upstream's (it came by a claim) shows as one without a code.

use super::body::{Asker, Attributes, Raw, Use};
use super::fault::{self, about, invalid, missing};
use super::page::{self, Depth, Noun, Pairs, Unknown, Wanted};
use super::view::{Fields, changed, fields, links, time};
use crate::app::access::Caller;
use crate::app::registered::{self, Known, New};
use crate::app::{boards, fleets};
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure, nothing};
use crate::http::extract::{IfMatch, Path, Query};
use api::boards::{Change, Filter};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use model::board::{Position, Status};
use serde_json::{Value, json};
use store::boards::BoardRow;
use store::upstream::{UpstreamBoard, UpstreamChange};

pub(super) const BOARD: &str = "Board";
/// The agent that a board without one of its own talks to.
const AGENT: &str = "iotronic";

const BOARDS: Noun = Noun {
    plural: "boards",
    one: BOARD,
    fields: &[
        "uuid",
        "code",
        "status",
        "name",
        "type",
        "agent",
        "wstun_ip",
        "owner",
        "session",
        "project",
        "fleet",
        "mobile",
        "lr_version",
        "connectivity",
        "location",
        "extra",
        "config",
        "created_at",
        "updated_at",
    ],
    summary: &[
        "name",
        "code",
        "status",
        "uuid",
        "session",
        "type",
        "fleet",
        "lr_version",
        "connectivity",
        "agent",
        "wstun_ip",
    ],
    always: &["links", "location", "session"],
    unknown: Unknown::Ignored,
};

/// What a body about a board may say; what is not among the settable is ignored.
const ATTRIBUTES: &[&str] = &[
    "uuid",
    "code",
    "status",
    "name",
    "type",
    "agent",
    "wstun_ip",
    "owner",
    "session",
    "project",
    "fleet",
    "mobile",
    "lr_version",
    "connectivity",
    "location",
    "extra",
    "config",
    "created_at",
    "updated_at",
    "links",
];

/// Parameters of a list of boards alone.
const PARAMETERS: &[&str] = &["status", "project"];

/// `GET /v1/boards`.
pub(super) async fn list(
    asker: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let wanted = Wanted::read(&BOARDS, Depth::Summary, pairs, PARAMETERS)?;
    listed(&cloud, asker.0, &wanted, None).await
}

/// `GET /v1/boards/detail`.
pub(super) async fn detail(
    asker: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let wanted = Wanted::read(&BOARDS, Depth::Detail, pairs, PARAMETERS)?;
    listed(&cloud, asker.0, &wanted, None).await
}

/// `GET /v1/fleets/{fleet}/boards`.
pub(super) async fn of_fleet(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(fleet): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    in_fleet(&cloud, asker.0, &fleet, pairs, Depth::Summary).await
}

/// `GET /v1/fleets/{fleet}/boards/detail`, which upstream's client asks for.
pub(super) async fn of_fleet_detail(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(fleet): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    in_fleet(&cloud, asker.0, &fleet, pairs, Depth::Detail).await
}

async fn in_fleet(
    cloud: &Cloud,
    caller: Caller,
    ident: &str,
    pairs: Pairs,
    depth: Depth,
) -> Answer<Json<Value>> {
    let wanted = Wanted::read(&BOARDS, depth, pairs, PARAMETERS)?;
    let fleet =
        fleets::get(cloud, &caller, ident).await.map_err(|error| about("Fleet", ident, error))?;
    let suffix = if depth == Depth::Detail { "/detail" } else { "" };
    let wanted = wanted.at(format!("fleets/{}/boards{suffix}", fleet.id));
    listed(cloud, caller, &wanted, Some(fleet.id.to_string())).await
}

async fn listed(
    cloud: &Cloud,
    caller: Caller,
    wanted: &Wanted,
    fleet: Option<String>,
) -> Answer<Json<Value>> {
    let caller = scoped(caller, wanted.other("project"))?;
    if let Some(marker) = wanted.plain_marker() {
        find(cloud, &caller, &marker.to_string()).await?;
    }
    let status = match wanted.other("status").map(str::parse::<Status>) {
        None => None,
        Some(Ok(status)) => Some(status),
        // There is no such status, so there are no such boards.
        Some(Err(_)) => return wanted.page(cloud, &BOARDS, Vec::new()),
    };
    let filter = Filter { status, fleet, ..Filter::default() };
    let read = |page| boards::list(cloud, &caller, &filter, page).boxed();
    let rows = wanted.rows(|row: &BoardRow| row.id.uuid(), read).await?;
    let mut known = registered::known(cloud, &rows).await.map_err(fault::translated)?;
    let rows = rows.iter().map(|row| view(cloud, row, known.remove(&row.id).as_ref())).collect();
    wanted.page(cloud, &BOARDS, rows)
}

/// Lists show the caller's project, an operator's another one on demand.
fn scoped(caller: Caller, project: Option<&str>) -> Result<Caller, Failure> {
    let own = caller.project().clone();
    match project {
        None => Ok(caller.within(own)),
        Some(_) if !caller.is_operator() => {
            Err(invalid("Project parameter can be used only by the administrator."))
        }
        Some(project) => Ok(caller.within(project.parse()?)),
    }
}

/// `POST /v1/boards`.
pub(super) async fn create(asker: Asker, State(cloud): State<Cloud>, raw: Raw) -> Answer {
    let body = Attributes::read(&raw, BOARD, ATTRIBUTES, Use::Make)?;
    body.wanted("name", "Name")?;
    let code = body.wanted("code", "Code")?;
    if body.get("location").is_none() {
        return Err(invalid("Location is not specified."));
    }
    let more = UpstreamChange { code: None, ..more(&body)? };
    let new = New {
        name: body.typed("name")?.ok_or_else(|| invalid("Name is not specified."))?,
        position: position(&body)?,
        fleet: fleet(&body)?,
        more,
        code: code.clone(),
    };
    let made =
        registered::create(&cloud, &asker.0, new).await.map_err(|error| taken(&code, error))?;
    Ok((StatusCode::CREATED, Json(Value::Object(whole(&cloud, &made)))).into_response())
}

fn taken(code: &str, error: crate::app::Error) -> Failure {
    match &error {
        crate::app::Error::Store(store::Error::Duplicate { field: "code", .. }) => {
            Failure::new(model::Kind::Conflict, format!("A board with code {code} already exists."))
        }
        _ => about("Fleet", "", error),
    }
}

/// `GET /v1/boards/{board}`.
pub(super) async fn show(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let row = find(&cloud, &asker.0, &board).await?;
    let known = registered::known(&cloud, std::slice::from_ref(&row)).await;
    let known = known.map_err(fault::translated)?.remove(&row.id);
    page::one(&BOARDS, pairs, whole(&cloud, &(row, known)))
}

/// `PATCH /v1/boards/{board}`.
pub(super) async fn change(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    IfMatch(expected): IfMatch,
    raw: Raw,
) -> Answer {
    let body = Attributes::read(&raw, BOARD, ATTRIBUTES, Use::Change)?;
    let id = find(&cloud, &asker.0, &board).await?.id.to_string();
    let change = Change {
        name: body.typed("name")?,
        position: position(&body)?,
        fleet: if body.has("fleet") { Some(fleet(&body)?.unwrap_or_default()) } else { None },
        ..Change::default()
    };
    let changes = (change, more(&body)?);
    let code = body.text("code")?.unwrap_or_default();
    let changed = registered::update(&cloud, &asker.0, &id, changes, expected).await;
    let known = changed.map_err(|error| taken(&code, error))?;
    Ok(Json(Value::Object(whole(&cloud, &known))).into_response())
}

/// `DELETE /v1/boards/{board}`.
pub(super) async fn delete(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    IfMatch(expected): IfMatch,
) -> Answer<Response> {
    let id = find(&cloud, &asker.0, &board).await?.id.to_string();
    let done = boards::decommission(&cloud, &asker.0, &id, expected).await;
    done.map_err(|error| about(BOARD, &board, error))?;
    Ok(nothing())
}

/// The board of this id or name; upstream forgets boards that were given up.
pub(super) async fn find(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<BoardRow, Failure> {
    let row =
        boards::get(cloud, caller, ident).await.map_err(|error| about(BOARD, ident, error))?;
    if row.status == Status::Decommissioned { Err(missing(BOARD, ident)) } else { Ok(row) }
}

/// The id of a fleet; upstream takes no names here.
fn fleet(body: &Attributes) -> Result<Option<String>, Failure> {
    match body.text("fleet")? {
        Some(fleet) if !fleet.is_empty() && uuid::Uuid::try_parse(&fleet).is_err() => {
            Err(invalid(format_args!("Expected a uuid but received {fleet}.")))
        }
        fleet => Ok(fleet),
    }
}

/// What upstream alone keeps.
fn more(body: &Attributes) -> Result<UpstreamChange, Failure> {
    Ok(UpstreamChange {
        code: body.text("code")?,
        kind: body.has("type").then(|| body.text("type")).transpose()?,
        mobile: body.truth("mobile")?,
        config: body.object("config")?,
        extra: body.object("extra")?,
        connectivity: body.object("connectivity")?,
    })
}

/// The first of the locations, whose numbers come as text.
fn position(body: &Attributes) -> Result<Option<Position>, Failure> {
    let Some(value) = body.get("location") else { return Ok(None) };
    let Some(first) = value.as_array().map_or(Some(value), |list| list.first()) else {
        return Ok(None);
    };
    let number = |name: &str| match first.get(name) {
        Some(Value::String(text)) => text.trim().parse::<f64>().ok().map(Value::from),
        Some(value @ Value::Number(_)) => Some(value.clone()),
        _ => None,
    };
    let wrong = |why: &str| body.wrong("location", value, why);
    let (Some(latitude), Some(longitude)) = (number("latitude"), number("longitude")) else {
        return Err(wrong("latitude and longitude are numbers of degrees."));
    };
    let altitude = number("altitude").unwrap_or_else(|| json!(0));
    let position = json!({ "latitude": latitude, "longitude": longitude, "altitude": altitude });
    serde_json::from_value(position).map(Some).map_err(|error| wrong(&error.to_string()))
}

fn whole(cloud: &Cloud, (row, known): &Known) -> Fields {
    view(cloud, row, known.as_ref())
}

fn view(cloud: &Cloud, row: &BoardRow, known: Option<&UpstreamBoard>) -> Fields {
    let empty = || json!({});
    let code = known.and_then(|known| known.code.clone());
    let agent = known.and_then(|known| known.agent.clone());
    let agent = agent.or_else(|| row.last_seen.map(|_| AGENT.to_owned()));
    let mut view = fields(json!({
        "uuid": row.id,
        "code": code,
        "status": row.status,
        "name": row.name,
        "type": known.and_then(|known| known.kind.clone()),
        "owner": row.owner,
        "session": row.session,
        "project": row.project,
        "fleet": row.fleet,
        "mobile": known.is_some_and(|known| known.mobile),
        "lr_version": row.agent_version,
        "connectivity": known.map_or_else(empty, |known| known.connectivity.clone()),
        "location": row.position.map(location).into_iter().collect::<Vec<_>>(),
        "extra": known.map_or_else(empty, |known| known.extra.clone()),
        "config": config(cloud, known, code.as_deref()),
        "created_at": time(row.created_at),
        "updated_at": changed(row.created_at, row.updated_at),
        "links": links(cloud, "boards", row.id),
    }));
    if agent.is_some() {
        view.insert("wstun_ip".to_owned(), Value::from(host(cloud)));
    }
    view.insert("agent".to_owned(), Value::from(agent));
    view
}

fn location(position: Position) -> Value {
    json!({
        "latitude": position.latitude.to_string(),
        "longitude": position.longitude.to_string(),
        "altitude": position.altitude.to_string(),
        "updated_at": null,
    })
}

/// What a person stored, or else the settings with which an upstream agent comes here the first time.
fn config(cloud: &Cloud, known: Option<&UpstreamBoard>, code: Option<&str>) -> Value {
    let stored = known
        .map(|known| &known.config)
        .filter(|config| config.as_object().is_some_and(|map| !map.is_empty()));
    match (stored, code) {
        (Some(config), _) => config.clone(),
        (None, None) => json!({}),
        (None, Some(code)) => json!({ "iotronic": {
            "board": { "code": code },
            "wamp": { "registration-agent": { "url": wamp_url(cloud), "realm": rpc::REALM } },
        } }),
    }
}

fn wamp_url(cloud: &Cloud) -> String {
    cloud.settings.wamp_url(&cloud.public_url, cloud.settings.wamp.listen)
}

/// The name under which the cloud is reached.
fn host(cloud: &Cloud) -> String {
    let uri = cloud.public_url.parse::<axum::http::Uri>().ok();
    uri.and_then(|uri| uri.host().map(str::to_owned)).unwrap_or_default()
}
