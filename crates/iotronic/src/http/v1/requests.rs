//! Requests and their results: routes 56 to 59 of upstream's table. They are views of operations; what upstream splits in
//! two, an operation has in one. A request to many boards stands in the list beside its parts, which name it.

use super::body::Asker;
use super::fault::{about, missing};
use super::page::{self, Depth, Noun, Pairs, Unknown, Wanted};
use super::view::{Fields, fields, links, time};
use crate::app::access::Caller;
use crate::app::{operations, requests};
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure};
use crate::http::extract::{Path, Query};
use api::operations::Filter;
use axum::Json;
use axum::extract::State;
use futures_util::FutureExt as _;
use model::operation::State as Stands;
use serde_json::{Value, json};
use store::operations::OperationRow;
use store::requests::RequestRow;
use uuid::Uuid;

const REQUEST: &str = "Request";

const REQUESTS: Noun = Noun {
    plural: "requests",
    one: REQUEST,
    fields: &[
        "uuid",
        "destination_uuid",
        "main_request_uuid",
        "pending_requests",
        "status",
        "project",
        "type",
        "action",
        "created_at",
        "updated_at",
    ],
    summary: &[
        "uuid",
        "destination_uuid",
        "main_request_uuid",
        "pending_requests",
        "status",
        "type",
        "action",
    ],
    always: &[],
    unknown: Unknown::Refused,
};

/// Upstream's types of requests: to a board, and to many, which it reserves and does not use.
const TO_BOARD: u32 = 0;
const TO_MANY: u32 = 1;

const RESULTS: Noun = Noun {
    plural: "results",
    one: "Result",
    fields: &["board_uuid", "request_uuid", "result", "message"],
    summary: &["board_uuid", "request_uuid", "result", "message"],
    always: &[],
    unknown: Unknown::Refused,
};

/// `GET /v1/requests`.
pub(super) async fn list(
    asker: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    listed(&cloud, asker.0, &Wanted::read(&REQUESTS, Depth::Summary, pairs, &[])?).await
}

/// `GET /v1/requests/detail`.
pub(super) async fn detail(
    asker: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    listed(&cloud, asker.0, &Wanted::read(&REQUESTS, Depth::Detail, pairs, &[])?).await
}

async fn listed(cloud: &Cloud, caller: Caller, wanted: &Wanted) -> Answer<Json<Value>> {
    let own = caller.project().clone();
    let caller = caller.within(own);
    if let Some(marker) = wanted.plain_marker() {
        find(cloud, &caller, &marker.to_string()).await?;
    }
    let read = |page| both(cloud, &caller, page).boxed();
    let rows = wanted.rows(Asked::id, read).await?;
    wanted.page(cloud, &REQUESTS, rows.iter().map(|row| row.view(cloud)).collect())
}

/// What was asked: of one board, or of many.
enum Asked {
    One(Box<OperationRow>),
    Many(RequestRow),
}

/// A page of both kinds, in the order of their ids.
async fn both(
    cloud: &Cloud,
    caller: &Caller,
    page: store::Page,
) -> Result<Vec<Asked>, crate::app::Error> {
    let one = operations::list(cloud, caller, &Filter::default(), page).await?;
    let many = requests::list(cloud, caller, page).await?;
    let one = one.into_iter().map(|row| Asked::One(Box::new(row)));
    let mut rows: Vec<Asked> = one.chain(many.into_iter().map(Asked::Many)).collect();
    rows.sort_by_key(Asked::id);
    rows.truncate(page.limit as usize);
    Ok(rows)
}

/// `GET /v1/requests/{request}`.
pub(super) async fn show(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(request): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let row = find(&cloud, &asker.0, &request).await?;
    page::one(&REQUESTS, pairs, row.view(&cloud))
}

/// `GET /v1/requests/{request}/results`: one of each board that was asked.
pub(super) async fn results(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(request): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let wanted = Wanted::read(&RESULTS, Depth::Summary, pairs, &[])?;
    let rows = match find(&cloud, &asker.0, &request).await? {
        Asked::One(row) => vec![result(&row)],
        Asked::Many(main) => of_parts(&cloud, &asker.0, &main).await?,
    };
    Ok(wanted.body(&cloud, &RESULTS, rows))
}

/// The results of all parts; lists of operations leave results out, so each is read by itself.
async fn of_parts(
    cloud: &Cloud,
    caller: &Caller,
    main: &RequestRow,
) -> Result<Vec<Fields>, Failure> {
    let read = |page| requests::parts(cloud, main, page).boxed();
    let parts = page::all(|row: &OperationRow| row.id.uuid(), read).await?;
    let mut rows = Vec::with_capacity(parts.len());
    for part in parts {
        let id = part.id.to_string();
        let row = operations::get(cloud, caller, &id).await;
        rows.push(result(&row.map_err(|error| about(REQUEST, &id, error))?));
    }
    Ok(rows)
}

async fn find(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<Asked, Failure> {
    let failed = |error: crate::app::Error| match error.kind() {
        model::Kind::NotFound => missing(REQUEST, ident),
        _ => about(REQUEST, ident, error),
    };
    match operations::get(cloud, caller, ident).await {
        Ok(row) => return Ok(Asked::One(Box::new(row))),
        Err(error) if error.kind() == model::Kind::NotFound => {}
        Err(error) => return Err(failed(error)),
    }
    requests::get(cloud, caller, ident).await.map(Asked::Many).map_err(failed)
}

impl Asked {
    fn id(&self) -> Uuid {
        match self {
            Self::One(row) => row.id.uuid(),
            Self::Many(row) => row.id.uuid(),
        }
    }

    fn view(&self, cloud: &Cloud) -> Fields {
        match self {
            Self::One(row) => one(cloud, row),
            Self::Many(row) => many(cloud, row),
        }
    }
}

fn one(cloud: &Cloud, row: &OperationRow) -> Fields {
    fields(json!({
        "uuid": row.id,
        "destination_uuid": row.board,
        "main_request_uuid": row.main,
        "pending_requests": 0,
        "status": status(row.state.has_ended()),
        "project": row.project,
        "type": TO_BOARD,
        "action": row.method,
        "created_at": time(row.created_at),
        "updated_at": row.ended_at.map(time),
        "links": links(cloud, "requests", row.id),
    }))
}

fn many(cloud: &Cloud, row: &RequestRow) -> Fields {
    fields(json!({
        "uuid": row.id,
        "destination_uuid": row.fleet,
        "main_request_uuid": null,
        "pending_requests": row.pending,
        "status": status(row.pending == 0),
        "project": row.project,
        "type": TO_MANY,
        "action": row.action,
        "created_at": time(row.created_at),
        "updated_at": row.ended_at.map(time),
        "links": links(cloud, "requests", row.id),
    }))
}

/// Upstream has two words, whether something failed or not: results tell.
fn status(has_ended: bool) -> &'static str {
    if has_ended { "COMPLETED" } else { "PENDING" }
}

fn result(row: &OperationRow) -> Fields {
    let word = match row.state {
        Stands::Succeeded => "SUCCESS",
        Stands::Pending | Stands::Running => "RUNNING",
        Stands::Failed | Stands::Cancelled | Stands::Expired | Stands::Unknown => "ERROR",
    };
    let message = match (&row.result, &row.fault) {
        (Some(Value::String(text)), _) => text.clone(),
        (Some(value), _) => value.to_string(),
        (None, Some(fault)) => fault.message.clone(),
        (None, None) => String::new(),
    };
    fields(
        json!({ "board_uuid": row.board, "request_uuid": row.id, "result": word, "message": message }),
    )
}
