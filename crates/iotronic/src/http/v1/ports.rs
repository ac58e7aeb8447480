//! Ports in virtual networks: routes 23 to 26 and 41 to 43 of upstream's table, as upstream answers them where no network
//! service is configured: there are none, and none can be made.

use super::actions::present;
use super::boards;
use super::body::{Asker, Attributes, Raw, Use};
use super::fault::{missing, on_board};
use super::page::{Depth, Noun, Pairs, Unknown, Wanted};
use crate::cloud::Cloud;
use crate::http::answer::Answer;
use crate::http::extract::{Path, Query};
use axum::Json;
use axum::extract::State;
use axum::response::Response;
use serde_json::{Value, json};

const PORT: &str = "Port";

const PORTS: Noun = Noun {
    plural: "ports",
    one: PORT,
    fields: &["uuid", "board_uuid", "MAC_add", "VIF_name", "network", "ip"],
    summary: &["uuid", "board_uuid", "MAC_add", "VIF_name", "network", "ip"],
    always: &[],
    unknown: Unknown::Refused,
};

/// `GET /v1/ports`, and `/v1/ports/detail`.
pub(super) async fn list(
    _: Asker,
    State(cloud): State<Cloud>,
    Query(pairs): Query<Pairs>,
) -> Answer<Json<Value>> {
    let wanted = Wanted::read(&PORTS, Depth::Summary, pairs, &["with_public", "all_ports"])?;
    wanted.page(&cloud, &PORTS, Vec::new())
}

/// `GET` and `DELETE /v1/ports/{port}`.
pub(super) async fn one(_: Asker, Path(port): Path<String>) -> Answer<Response> {
    Err(missing(PORT, port))
}

/// `GET /v1/boards/{board}/ports`.
pub(super) async fn of_board(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
) -> Answer<Json<Value>> {
    boards::find(&cloud, &asker.0, &board).await?;
    Ok(Json(json!({ "ports": [] })))
}

/// `GET` and `DELETE /v1/boards/{board}/ports/{port}`.
pub(super) async fn one_of_board(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path((board, port)): Path<(String, String)>,
) -> Answer<Response> {
    boards::find(&cloud, &asker.0, &board).await?;
    Err(missing(PORT, port))
}

/// `PUT /v1/boards/{board}/ports`.
pub(super) async fn attach(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    raw: Raw,
) -> Answer<Response> {
    let known = ["network", "subnet", "security_groups"];
    let body = Attributes::read(&raw, "Network", &known, Use::Make)?;
    body.wanted("network", "Network")?;
    let board = present(&cloud, &asker.0, &board).await?;
    Err(on_board("Create_VIF", board.id, "this cloud has no network service"))
}
