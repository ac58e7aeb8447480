//! Web services of boards: routes 18 to 22 and 51 to 55 of upstream's table, as upstream answers them where none is enabled.

use super::actions::present;
use super::boards;
use super::body::{Asker, Attributes, Raw, Use};
use super::fault::{invalid, missing};
use super::page::{Depth, Noun, Pairs, Unknown, Wanted};
use crate::app::access::Caller;
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure};
use crate::http::extract::{Path, Query};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use model::Kind;
use serde_json::Value;
use uuid::Uuid;

const WEBSERVICE: &str = "Webservice";

const WEBSERVICES: Noun = Noun {
    plural: "webservices",
    one: WEBSERVICE,
    fields: &["uuid", "name", "port", "board_uuid", "secure", "extra", "created_at", "updated_at"],
    summary: &["uuid", "name", "port", "board_uuid", "extra"],
    always: &[],
    unknown: Unknown::Refused,
};

const ENABLED: Noun = Noun {
    plural: "EnabledWebservices",
    one: "EnabledWebservice",
    fields: &["board_uuid", "http_port", "https_port", "dns", "zone", "extra"],
    summary: &["board_uuid", "http_port", "https_port", "dns", "zone", "extra"],
    always: &[],
    unknown: Unknown::Refused,
};

/// `GET /v1/webservices`, and `/v1/webservices/detail`.
pub(super) async fn list(
    _: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let wanted =
        Wanted::read(&WEBSERVICES, Depth::Summary, pairs, &["with_public", "all_webservices"])?;
    wanted.page(&cloud, &WEBSERVICES, Vec::new())
}

/// `GET /v1/enabledwebservices`.
pub(super) async fn enabled(
    _: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let wanted = Wanted::read(&ENABLED, Depth::Summary, pairs, &[])?;
    wanted.page(&cloud, &ENABLED, Vec::new())
}

/// `GET` and `DELETE /v1/webservices/{webservice}`; they have no names.
pub(super) async fn one(_: Asker, Path(webservice): Path<String>) -> Answer<Response> {
    match Uuid::try_parse(&webservice) {
        Ok(_) => Err(missing(WEBSERVICE, webservice)),
        Err(_) => {
            Err(invalid(format_args!("Expected a logical name or uuid but received {webservice}.")))
        }
    }
}

/// `GET /v1/boards/{board}/webservices`.
pub(super) async fn of_board(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let wanted = Wanted::read(&WEBSERVICES, Depth::Summary, pairs, &[])?;
    boards::find(&cloud, &asker.0, &board).await?;
    wanted.page(&cloud, &WEBSERVICES, Vec::new())
}

/// `PUT /v1/boards/{board}/webservices`.
pub(super) async fn expose(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    raw: Raw,
) -> Answer<Response> {
    let known = ["uuid", "name", "port", "board_uuid", "secure", "extra"];
    let body = Attributes::read(&raw, WEBSERVICE, &known, Use::Make)?;
    body.wanted("name", "Name")?;
    Err(none(&cloud, &asker.0, &board).await)
}

/// `POST /v1/boards/{board}/webservices/enable`.
pub(super) async fn enable(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    raw: Raw,
) -> Answer<Response> {
    let known = ["dns", "zone", "email", "extra"];
    let body = Attributes::read(&raw, "EnabledWebservice", &known, Use::Make)?;
    for name in ["dns", "zone", "email"] {
        body.wanted(name, name)?;
    }
    present(&cloud, &asker.0, &board).await?;
    // The service through which upstream would carry them.
    Err(missing("Service", "webservice"))
}

/// `DELETE /v1/boards/{board}/webservices/disable`, and `GET /v1/boards/{board}/webservices/renew`.
pub(super) async fn without(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
) -> Answer<Response> {
    Err(none(&cloud, &asker.0, &board).await)
}

async fn none(cloud: &Cloud, caller: &Caller, board: &str) -> Failure {
    match boards::find(cloud, caller, board).await {
        Ok(board) => {
            Failure::new(Kind::NotFound, format!("No Webservice enabled for {}.", board.id))
        }
        Err(failure) => failure,
    }
}
