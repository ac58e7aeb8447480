//! Plugins on boards: `/v2/boards/{board}/plugins`, and `/v2/injections` for many boards at once.

use crate::app::access::Caller;
use crate::app::injections::{self, Verb};
use crate::app::operations::Order;
use crate::cloud::Cloud;
use crate::http::answer::Answer;
use crate::http::extract::{Body, MaybeBody, Path, Query};
use crate::http::operations::done;
use crate::http::page;
use api::Page;
use api::operations::{Commanding, Operation};
use api::plugins::{Inject, InjectMany, Injecting, Injection, Run, Status, Stop};
use axum::Json;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse as _, Response};
use model::plugin::Mode;
use store::injections::InjectionRow;
use store::operations::OperationRow;

/// List the plugins of a board.
#[utoipa::path(get, path = "/v2/boards/{board}/plugins", tag = "injections", responses((status = 200, body = Page<Injection>)))]
pub(crate) async fn list(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
) -> Answer<Json<Page<Injection>>> {
    let rows = injections::list(&cloud, &caller, &board).await?;
    Ok(Json(page::whole(rows, view)))
}

/// Ask a board what a plugin is doing.
#[utoipa::path(get, path = "/v2/boards/{board}/plugins/{plugin}", tag = "injections", responses((status = 200, body = Status)))]
pub(crate) async fn status(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path((board, plugin)): Path<(String, String)>,
) -> Answer<Json<Status>> {
    Ok(Json(injections::status(&cloud, &caller, &board, &plugin).await?))
}

/// Put a plugin on a board, or its newer source.
#[utoipa::path(
    put, path = "/v2/boards/{board}/plugins/{plugin}", tag = "injections", params(Commanding), request_body(content = Option<Inject>),
    responses((status = 200, body = Operation), (status = 202, body = Operation))
)]
pub(crate) async fn inject(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path((board, plugin)): Path<(String, String)>,
    Query(commanding): Query<Commanding>,
    MaybeBody(inject): MaybeBody<Inject>,
) -> Answer {
    let order = Order::new(&caller, commanding)?;
    let row = injections::inject(&cloud, &caller, &board, &plugin, inject.on_boot, order).await?;
    Ok(done(row))
}

/// Take a plugin off a board.
#[utoipa::path(
    delete, path = "/v2/boards/{board}/plugins/{plugin}", tag = "injections", params(Commanding),
    responses((status = 200, body = Operation), (status = 202, body = Operation))
)]
pub(crate) async fn remove(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path((board, plugin)): Path<(String, String)>,
    Query(commanding): Query<Commanding>,
) -> Answer {
    let order = Order::new(&caller, commanding)?;
    Ok(done(injections::remove(&cloud, &caller, &board, &plugin, order).await?))
}

/// Call a synchronous plugin; its result is the operation's.
#[utoipa::path(
    post, path = "/v2/boards/{board}/plugins/{plugin}/call", tag = "injections", params(Commanding), request_body(content = Option<Run>),
    responses((status = 200, body = Operation), (status = 202, body = Operation))
)]
pub(crate) async fn call(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(which): Path<(String, String)>,
    Query(commanding): Query<Commanding>,
    MaybeBody(run): MaybeBody<Run>,
) -> Answer {
    give(cloud, caller, which, Verb::Call, commanding, run).await
}

/// Start an asynchronous plugin.
#[utoipa::path(
    post, path = "/v2/boards/{board}/plugins/{plugin}/start", tag = "injections", params(Commanding), request_body(content = Option<Run>),
    responses((status = 200, body = Operation), (status = 202, body = Operation))
)]
pub(crate) async fn start(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(which): Path<(String, String)>,
    Query(commanding): Query<Commanding>,
    MaybeBody(run): MaybeBody<Run>,
) -> Answer {
    give(cloud, caller, which, Verb::Start, commanding, run).await
}

/// Stop an asynchronous plugin and start it.
#[utoipa::path(
    post, path = "/v2/boards/{board}/plugins/{plugin}/restart", tag = "injections", params(Commanding), request_body(content = Option<Run>),
    responses((status = 200, body = Operation), (status = 202, body = Operation))
)]
pub(crate) async fn restart(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path(which): Path<(String, String)>,
    Query(commanding): Query<Commanding>,
    MaybeBody(run): MaybeBody<Run>,
) -> Answer {
    give(cloud, caller, which, Verb::Restart, commanding, run).await
}

async fn give(
    cloud: Cloud,
    caller: Caller,
    (board, plugin): (String, String),
    verb: Verb,
    commanding: Commanding,
    run: Run,
) -> Answer {
    let order = Order::new(&caller, commanding)?;
    let which = (board.as_str(), plugin.as_str());
    Ok(done(injections::run(&cloud, &caller, which, verb, run, order).await?))
}

/// Stop an asynchronous plugin.
#[utoipa::path(
    post, path = "/v2/boards/{board}/plugins/{plugin}/stop", tag = "injections", params(Commanding), request_body(content = Option<Stop>),
    responses((status = 200, body = Operation), (status = 202, body = Operation))
)]
pub(crate) async fn stop(
    caller: Caller,
    State(cloud): State<Cloud>,
    Path((board, plugin)): Path<(String, String)>,
    Query(commanding): Query<Commanding>,
    MaybeBody(stop): MaybeBody<Stop>,
) -> Answer {
    let order = Order::new(&caller, commanding)?;
    let which = (board.as_str(), plugin.as_str());
    Ok(done(injections::stop(&cloud, &caller, which, stop.grace_s, order).await?))
}

/// Put a plugin on all boards that a selector picks.
#[utoipa::path(
    post, path = "/v2/injections", tag = "injections", params(Commanding), request_body = InjectMany,
    responses((status = 202, body = Vec<Injecting>))
)]
pub(crate) async fn inject_many(
    caller: Caller,
    State(cloud): State<Cloud>,
    Query(commanding): Query<Commanding>,
    Body(many): Body<InjectMany>,
) -> Answer<Response> {
    let order = Order::new(&caller, commanding)?.without_key();
    let rows = injections::inject_many(&cloud, &caller, many, order).await?;
    let part =
        |row: OperationRow| Injecting { board: row.board, operation: row.id, main: row.main };
    let begun: Vec<_> = rows.into_iter().map(part).collect();
    Ok((StatusCode::ACCEPTED, Json(begun)).into_response())
}

fn view((row, mode): (InjectionRow, Mode)) -> Injection {
    Injection {
        board: row.board,
        plugin: row.plugin,
        name: row.plugin_name,
        mode,
        on_boot: row.on_boot,
        state: row.state,
        last_error: row.last_error,
        injected_revision: row.revision_injected,
        created_at: row.created_at,
        updated_at: (row.updated_at != row.created_at).then_some(row.updated_at),
    }
}
