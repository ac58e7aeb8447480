//! `/v2/boards`.

use crate::app::access::Caller;
use crate::app::operations::Order;
use crate::app::{actions, boards, devices, keys, parking};
use crate::cloud::Cloud;
use crate::http::answer::{Answer, nothing, tagged};
use crate::http::extract::{Body, IfMatch, MaybeBody, Path, Query};
use crate::http::operations::done;
use crate::http::{claims, page};
use api::Page;
use api::actions::Action;
use api::boards::{self as shapes, Board, Change, Delay, Echo, Filter, Summary, Unpark};
use api::operations::{Commanding, Operation};
use axum::Json;
use axum::extract::State;
use axum::http::HeaderMap;
use axum::response::Response;
use rpc::Call;
use store::boards::BoardRow;

/// List boards.
#[utoipa::path(get, path = "/v2/boards", tag = "boards", params(Filter), responses((status = 200, body = Page<Summary>)))]
pub(crate) async fn list(
    caller: Caller,
    State(cloud): State<Cloud>,
    Query(filter): Query<Filter>,
) -> Answer<Json<Page<Summary>>> {
    let wanted = page::wanted(filter.limit, filter.marker.as_deref())?;
    let rows = boards::list(&cloud, &caller, &filter, wanted).await?;
    Ok(Json(page::page(rows, wanted, |row| row.id, summary)))
}

/// Show a board.
#[utoipa::path(get, path = "/v2/boards/{board}", tag = "boards", responses((status = 200, body = Board)))]
pub(crate) async fn show(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    headers: HeaderMap,
) -> Answer {
    let board = boards::get(&cloud, &caller, &board).await?;
    Ok(answer(&headers, board))
}

/// Change a board.
#[utoipa::path(patch, path = "/v2/boards/{board}", tag = "boards", request_body = Change, responses((status = 200, body = Board)))]
pub(crate) async fn change(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    IfMatch(expected): IfMatch,
    Body(change): Body<Change>,
) -> Answer {
    let board = boards::update(&cloud, &caller, &board, change, expected).await?;
    Ok(answer(&HeaderMap::new(), board))
}

/// Decommission a board: its key is refused for good.
#[utoipa::path(delete, path = "/v2/boards/{board}", tag = "boards", responses((status = 204)))]
pub(crate) async fn decommission(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    IfMatch(expected): IfMatch,
) -> Answer {
    boards::decommission(&cloud, &caller, &board, expected).await?;
    Ok(nothing())
}

/// Make a claim with which another machine takes over the board's identity.
#[utoipa::path(post, path = "/v2/boards/{board}/replace", tag = "boards", responses((status = 201, body = api::claims::Made)))]
pub(crate) async fn replace(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
) -> Answer {
    let (row, claim) = boards::replace(&cloud, &caller, &board).await?;
    Ok(claims::made(row, claim, cloud.now()))
}

/// Let one of two machines with one key go on as the board, which then makes a new key. Whichever has the old key is refused.
#[utoipa::path(post, path = "/v2/boards/{board}/unpark", tag = "boards", request_body(content = Option<Unpark>), responses((status = 200, body = Board)))]
pub(crate) async fn unpark(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    MaybeBody(decision): MaybeBody<Unpark>,
) -> Answer {
    let board = parking::unpark(&cloud, &caller, &board, decision.from).await?;
    Ok(answer(&HeaderMap::new(), board))
}

/// Let a board change its key. The old one is refused for good once the new one counts.
#[utoipa::path(
    post, path = "/v2/boards/{board}/rotate-key", tag = "boards", params(Commanding),
    responses((status = 200, body = Operation), (status = 202, body = Operation))
)]
pub(crate) async fn rotate_key(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Query(commanding): Query<Commanding>,
) -> Answer {
    let order = Order::new(&caller, commanding)?;
    Ok(done(keys::rotate(&cloud, &caller, &board, order).await?))
}

/// Ask a board for its clock.
#[utoipa::path(post, path = "/v2/boards/{board}/ping", tag = "boards", responses((status = 200, body = shapes::Answer)))]
pub(crate) async fn ping(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
) -> Answer<Json<shapes::Answer>> {
    let result = devices::query(&cloud, &caller, &board, Call::DevicePing).await?;
    Ok(Json(shapes::Answer { result }))
}

/// Let a board say something back.
#[utoipa::path(post, path = "/v2/boards/{board}/echo", tag = "boards", request_body = Echo, responses((status = 200, body = shapes::Answer)))]
pub(crate) async fn echo(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Body(echo): Body<Echo>,
) -> Answer<Json<shapes::Answer>> {
    let result = devices::echo(&cloud, &caller, &board, echo.say).await?;
    Ok(Json(shapes::Answer { result }))
}

/// Ask a board for its network interfaces.
#[utoipa::path(get, path = "/v2/boards/{board}/network", tag = "boards", responses((status = 200, body = shapes::Answer)))]
pub(crate) async fn network(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
) -> Answer<Json<shapes::Answer>> {
    let result = devices::network(&cloud, &caller, &board).await?;
    Ok(Json(shapes::Answer { result }))
}

/// Reboot the machine.
#[utoipa::path(
    post, path = "/v2/boards/{board}/reboot", tag = "boards", params(Commanding), request_body(content = Option<Delay>),
    responses((status = 200, body = Operation), (status = 202, body = Operation))
)]
pub(crate) async fn reboot(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Query(commanding): Query<Commanding>,
    MaybeBody(delay): MaybeBody<Delay>,
) -> Answer {
    let order = Order::new(&caller, commanding)?;
    let call = Call::DeviceReboot;
    Ok(done(devices::restart(&cloud, &caller, &board, delay.delay, call, order).await?))
}

/// Restart the agent.
#[utoipa::path(
    post, path = "/v2/boards/{board}/restart-agent", tag = "boards", params(Commanding), request_body(content = Option<Delay>),
    responses((status = 200, body = Operation), (status = 202, body = Operation))
)]
pub(crate) async fn restart_agent(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Query(commanding): Query<Commanding>,
    MaybeBody(delay): MaybeBody<Delay>,
) -> Answer {
    let order = Order::new(&caller, commanding)?;
    let call = Call::DeviceRestartLR;
    Ok(done(devices::restart(&cloud, &caller, &board, delay.delay, call, order).await?))
}

/// Let a board do something, in upstream's words.
#[utoipa::path(
    post, path = "/v2/boards/{board}/actions", tag = "boards", params(Commanding), request_body = Action,
    responses((status = 200, body = Operation), (status = 202, body = Operation))
)]
pub(crate) async fn act(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    Query(commanding): Query<Commanding>,
    Body(action): Body<Action>,
) -> Answer {
    let order = Order::new(&caller, commanding)?;
    Ok(done(actions::on_board(&cloud, &caller, &board, action, order).await?))
}

/// The tag carries what ages by itself behind a dot, so that a conditional read never hides a new load report; for
/// `If-Match` only the revision before the dot counts.
fn answer(request: &HeaderMap, row: BoardRow) -> Response {
    let seen = row.last_seen.map_or(0, |seen| seen.micros());
    let tag = format!("{}.{}{seen:x}", row.revision, row.status);
    tagged(request, tag, &view(row))
}

/// As it stands in lists.
pub(crate) fn summary(row: BoardRow) -> Summary {
    Summary {
        id: row.id,
        name: row.name,
        project: row.project,
        owner: row.owner,
        fleet: row.fleet,
        status: row.status,
        labels: row.labels,
        position: row.position.or(row.facts.position),
        agent_version: row.agent_version,
        last_seen: row.last_seen,
        created_at: row.created_at,
        updated_at: (row.updated_at != row.created_at).then_some(row.updated_at),
        revision: row.revision,
        legacy: row.legacy,
        parked: row.parked,
    }
}

fn view(mut row: BoardRow) -> Board {
    row.position = row.position.or(row.facts.position);
    Board {
        protocol: row.protocol.unwrap_or_default(),
        capabilities: std::mem::take(&mut row.capabilities),
        key: row.public_key.map(|key| key.fingerprint()),
        facts: std::mem::take(&mut row.facts),
        load: row.load.take().unwrap_or_default(),
        load_at: row.load_at,
        summary: summary(row),
    }
}
