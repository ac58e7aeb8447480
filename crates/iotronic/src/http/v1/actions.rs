//! What boards are asked to do: the way all actions go, and route 9 of upstream's table.
//!
//! Upstream's actions are answered when the board has answered, and are refused at once when it is away. Ours are the same
//! operations as everywhere, given with a deadline as short as the wait, so that nothing happens long after a refusal.

use super::boards;
use super::body::{Asker, Attributes, Raw, Use};
use super::fault::{invalid, not_connected, on_board, translated};
use crate::app::access::Caller;
use crate::app::operations::{self, Order};
use crate::app::{self, actions, devices};
use crate::cloud::Cloud;
use crate::http::answer::{Answer, Failure};
use crate::http::extract::Path;
use api::operations::{Commanding, MAX_WAIT_S};
use axum::Json;
use axum::extract::State;
use model::Kind;
use model::operation::State as Stands;
use rpc::{Call, Method, Nature};
use serde_json::Value;
use std::time::Duration;
use store::boards::BoardRow;
use store::operations::OperationRow;

/// Seconds that upgrades and package operations may take.
const LONG_S: u64 = 3600;
/// A board that refuses one of them does so within this time.
const REFUSED_WITHIN: Duration = Duration::from_secs(5);

/// `POST /v1/boards/{board}/action`.
pub(super) async fn board(
    asker: Asker,
    State(cloud): State<Cloud>,
    Path(board): Path<String>,
    raw: Raw,
) -> Answer<Json<Value>> {
    let body = Attributes::read(&raw, "BoardAction", &["action", "parameters"], Use::Make)?;
    let action = body.wanted("action", "Action")?;
    let parameters = body.object("parameters")?.unwrap_or_default();
    let board = present(&cloud, &asker.0, &board).await?;
    let call = actions::read(&action, parameters).map_err(invalid)?;
    actions::fits(&board, &call).map_err(|fault| invalid(fault.message))?;
    let said = match call.method() {
        Method::DeviceUpgradeLR | Method::DevicePkgOperation => {
            begin(&cloud, &asker.0, board, &action, call).await?
        }
        method if method.nature() == Nature::Query => {
            ask(&cloud, &asker.0, &board, &action, call).await?
        }
        _ => {
            let order = order(&asker.0)?;
            let given = operations::command(&cloud, order, board.clone(), call).await;
            ended(&board, &action, given.map_err(translated)?)?
        }
    };
    Ok(Json(if said.is_null() { Value::from(action) } else { said }))
}

/// What takes long is answered when the board says that it goes on, as upstream does, or does not refuse it at once.
async fn begin(
    cloud: &Cloud,
    caller: &Caller,
    board: BoardRow,
    action: &str,
    call: Call,
) -> Result<Value, Failure> {
    let commanding = Commanding { wait: None, deadline: Some(LONG_S) };
    let order = Order::new(caller, commanding)?;
    let given = operations::command(cloud, order, board.clone(), call).await.map_err(translated)?;
    let (row, word) =
        operations::wait_for_word(cloud, given.id, REFUSED_WITHIN).await.map_err(translated)?;
    match word {
        Some(word) => Ok(Value::String(word)),
        None if row.state.has_ended() => ended(&board, action, row),
        None => Ok(Value::String(format!(
            "{action} goes on; its result will be at /v1/requests/{}/results",
            row.id
        ))),
    }
}

/// The board of this id or name, when it is there to be asked.
pub(super) async fn present(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
) -> Result<BoardRow, Failure> {
    let board = boards::find(cloud, caller, ident).await?;
    if cloud.boards.is_online(board.id) { Ok(board) } else { Err(not_connected(board.id)) }
}

/// Asks a board something that changes nothing.
pub(super) async fn ask(
    cloud: &Cloud,
    caller: &Caller,
    board: &BoardRow,
    action: &str,
    call: Call,
) -> Result<Value, Failure> {
    let answer = devices::ask(cloud, caller, board, call, devices::QUERY_TIMEOUT).await;
    answer.map_err(|error| failed(board, action, &error))
}

/// A command that is waited for, and not done later.
pub(super) fn order(caller: &Caller) -> Result<Order, Failure> {
    let commanding = Commanding { wait: Some(MAX_WAIT_S), deadline: Some(MAX_WAIT_S.into()) };
    Ok(Order::new(caller, commanding)?)
}

/// What a board answered to a command.
pub(super) fn ended(
    board: &BoardRow,
    action: &str,
    operation: OperationRow,
) -> Result<Value, Failure> {
    let why = match operation.state {
        Stands::Succeeded => return Ok(operation.result.unwrap_or_default()),
        Stands::Failed => operation.fault.map_or_else(String::new, |fault| fault.message),
        Stands::Expired => return Err(not_connected(board.id)),
        Stands::Cancelled => "it was withdrawn".to_owned(),
        Stands::Unknown => "the connection was lost before the board said how it ended".to_owned(),
        Stands::Pending | Stands::Running => {
            format!("it goes on; its result will be at /v1/requests/{}/results", operation.id)
        }
    };
    Err(on_board(action, board.id, why))
}

fn failed(board: &BoardRow, action: &str, error: &app::Error) -> Failure {
    match error.kind() {
        Kind::Unreachable => not_connected(board.id),
        _ => on_board(action, board.id, error),
    }
}

/// A board's answer as text, as upstream declares it; `silent` stands for an answer that says nothing.
pub(super) fn text(answer: Value, silent: &str) -> Json<Value> {
    Json(Value::String(match answer {
        Value::Null => silent.to_owned(),
        Value::String(text) => text,
        other => other.to_string(),
    }))
}
