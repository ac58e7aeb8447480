//! What is asked of the board itself: is it there, what is its network, restart.

use crate::app::access::Caller;
use crate::app::operations::{Order, command};
use crate::app::{Error, boards, ifconfig};
use crate::cloud::Cloud;
use model::{Invalid, Kind};
use rpc::device::{Delay, Echo, MAX_DELAY_S, MIN_DELAY_S};
use rpc::{Call, Fault};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use std::time::Duration;
use store::boards::BoardRow;
use store::operations::OperationRow;

/// How long a question to a board may take.
pub const QUERY_TIMEOUT: Duration = Duration::from_secs(20);
/// Longest text that a board is asked to echo, in bytes.
const MAX_ECHO: usize = 64 * 1024;

/// Asks a board something that changes nothing.
///
/// # Errors
/// There is no such board, it is away, or it answers with a fault.
pub async fn query(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    call: Call,
) -> Result<Value, Error> {
    let board = boards::get(cloud, caller, ident).await?;
    ask(cloud, caller, &board, call, QUERY_TIMEOUT).await
}

/// The same of a board that was looked up already.
///
/// # Errors
/// It is away, or it answers with a fault.
pub async fn ask(
    cloud: &Cloud,
    caller: &Caller,
    board: &BoardRow,
    call: Call,
    patience: Duration,
) -> Result<Value, Error> {
    Ok(cloud.boards.query(board, caller.principal(), call, patience).await?)
}

/// Reads a board's answer in the shape it must have.
///
/// # Errors
/// It has another.
pub fn shape<T: DeserializeOwned>(answer: Value) -> Result<T, Error> {
    serde_json::from_value(answer).map_err(|error| {
        let text = format!("the board's answer has the wrong shape: {error}; update its agent");
        Fault::new(Kind::Internal, text).into()
    })
}

/// The network interfaces of a board, a list of [`rpc::device::Interface`]; what an upstream board answers in words is read.
///
/// # Errors
/// As [`query`], or an upstream board's words are not those of `ifconfig`.
pub async fn network(cloud: &Cloud, caller: &Caller, ident: &str) -> Result<Value, Error> {
    let board = boards::get(cloud, caller, ident).await?;
    let answer = ask(cloud, caller, &board, Call::DeviceNetConfig, QUERY_TIMEOUT).await?;
    let Some(text) = answer.as_str().filter(|_| board.legacy) else { return Ok(answer) };
    let found = ifconfig::interfaces(text);
    if found.is_empty() {
        let text = "the board has no ifconfig to answer with; install net-tools on it";
        return Err(Fault::new(Kind::Conflict, text).into());
    }
    Ok(json!(found))
}

/// A board says something back.
///
/// # Errors
/// The text is too long, or as [`query`].
pub async fn echo(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    say: String,
) -> Result<Value, Error> {
    if say.len() > MAX_ECHO {
        let text = format!("say has at most {MAX_ECHO} bytes, this has {}", say.len());
        return Err(Invalid::new(text).into());
    }
    query(cloud, caller, ident, Call::DeviceEcho(Echo { say })).await
}

/// Restarts the machine, or only its agent, after `delay` seconds.
///
/// # Errors
/// The delay is out of range, or there is no such board.
pub async fn restart(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    delay: Option<u32>,
    call: fn(Delay) -> Call,
    order: Order,
) -> Result<OperationRow, Error> {
    let delay = delay.unwrap_or(MIN_DELAY_S);
    if !(MIN_DELAY_S..=MAX_DELAY_S).contains(&delay) {
        let text = format!("delay {delay} is not {MIN_DELAY_S} to {MAX_DELAY_S}");
        return Err(Invalid::new(text).into());
    }
    let board = boards::get(cloud, caller, ident).await?;
    command(cloud, order, board, call(Delay { delay })).await
}
