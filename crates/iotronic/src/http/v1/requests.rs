//! Requests and their results: routes 56 to 59 of upstream's table. They are views of operations; what upstream splits in
//! two, an operation has in one.

use super::body::Asker;
use super::fault::{about, missing};
use super::page::{self, Depth, Noun, Pairs, Unknown, Wanted};
use super::view::{Fields, fields, links, time};
use crate::app::access::Caller;
use crate::app::operations;
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
    let filter = Filter::default();
    let read = |page| operations::list(cloud, &caller, &filter, page).boxed();
    let rows = wanted.rows(|row: &OperationRow| row.id.uuid(), read).await?;
    wanted.page(cloud, &REQUESTS, rows.iter().map(|row| view(cloud, row)).collect())
}

/// `GET /v1/requests/{request}`.
pub(super) async fn show(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(request): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let row = find(&cloud, &asker.0, &request).await?;
    page::one(&REQUESTS, pairs, view(&cloud, &row))
}

/// `GET /v1/requests/{request}/results`: of one operation, one result.
pub(super) async fn results(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(request): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let wanted = Wanted::read(&RESULTS, Depth::Summary, pairs, &[])?;
    let row = find(&cloud, &asker.0, &request).await?;
    Ok(wanted.body(&cloud, &RESULTS, vec![result(&row)]))
}

async fn find(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<OperationRow, Failure> {
    let row = operations::get(cloud, caller, ident).await;
    row.map_err(|error| match error.kind() {
        model::Kind::NotFound => missing(REQUEST, ident),
        _ => about(REQUEST, ident, error),
    })
}

fn view(cloud: &Cloud, row: &OperationRow) -> Fields {
    fields(json!({
        "uuid": row.id,
        "destination_uuid": row.board,
        "main_request_uuid": null,
        "pending_requests": 0,
        "status": if row.state.has_ended() { "COMPLETED" } else { "PENDING" },
        "project": row.project,
        "type": 0,
        "action": row.method,
        "created_at": time(row.created_at),
        "updated_at": row.ended_at.map(time),
        "links": links(cloud, "requests", row.id),
    }))
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
