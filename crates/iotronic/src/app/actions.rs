//! Actions of boards in upstream's words, for one board or all of a fleet.
//!
//! Invariant: an action that is none, or whose parameters are wrong, is refused before anything is stored. What a board does
//! of it is its owner's decision, taken on the board.

use crate::app::access::Caller;
use crate::app::operations::{Order, command, submit_part};
use crate::app::plugins::bounded;
use crate::app::{Error, boards, fleets, requests};
use crate::boards::legacy;
use crate::cloud::Cloud;
use model::{Invalid, Kind, OperationId};
use rpc::device::{Delay, Echo, MAX_DELAY_S};
use rpc::{Call, Fault, Method};
use serde_json::{Value, json};
use store::boards::{BoardRow, Filter};
use store::operations::OperationRow;
use store::{Page, page};

/// Most boards of one action of a fleet.
const MAX_MANY: usize = page::MAX_LIMIT as usize;

/// Reads an action; its parameters are an object, or nothing.
///
/// # Errors
/// There is no such action, or its parameters are wrong.
pub fn read(action: &str, parameters: Value) -> Result<Call, Invalid> {
    let unknown = || Invalid::new(format!("Invalid Action {action} for the board."));
    let method: Method = action.parse().map_err(|_| unknown())?;
    let parameters = match parameters {
        Value::Null => json!({}),
        object @ Value::Object(_) => bounded(object)?,
        _ => return Err(Invalid::new("parameters are a JSON object")),
    };
    match method {
        Method::DeviceEcho => Ok(Call::DeviceEcho(Echo { say: said(&parameters) })),
        Method::DeviceReboot => Ok(Call::DeviceReboot(delay(&parameters)?)),
        Method::DeviceRestartLR => Ok(Call::DeviceRestartLR(delay(&parameters)?)),
        Method::DevicePing
        | Method::DeviceNetConfig
        | Method::DeviceUpgradeLR
        | Method::DevicePkgOperation
        | Method::DeviceMountFs
        | Method::DeviceRestSubmit
        | Method::DeviceFactoryReset => Call::parse(method, &[parameters]).map_err(|fault| {
            Invalid::new(fault.message.replace("argument 1 is wrong", "parameters are wrong"))
        }),
        _ => Err(unknown()),
    }
}

fn said(parameters: &Value) -> String {
    match parameters.get("say") {
        Some(Value::String(say)) => say.clone(),
        Some(value) => value.to_string(),
        None => String::new(),
    }
}

/// Seconds as number or text; upstream's rule makes less than three of them three.
fn delay(parameters: &Value) -> Result<Delay, Invalid> {
    let value = match parameters.get("delay") {
        None | Some(Value::Null) => return Ok(Delay::default()),
        Some(value) => value,
    };
    let number = value.as_u64().or_else(|| value.as_str()?.parse().ok());
    let delay = number.and_then(|number| u32::try_from(number).ok());
    match delay.filter(|delay| *delay <= MAX_DELAY_S) {
        Some(delay) => Ok(Delay { delay }),
        None => Err(Invalid::new(format!("delay is 0 to {MAX_DELAY_S} seconds, not {value}"))),
    }
}

/// Whether a board of this kind may be asked this.
///
/// # Errors
/// An upstream agent would give a word of it to a shell.
pub fn fits(board: &BoardRow, call: &Call) -> Result<(), Fault> {
    if board.legacy { legacy::check(call) } else { Ok(()) }
}

/// A board does something.
///
/// # Errors
/// There is no such board or action, or its parameters are wrong.
pub async fn on_board(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    asked: api::actions::Action,
    order: Order,
) -> Result<OperationRow, Error> {
    let board = boards::get(cloud, caller, ident).await?;
    let call = read(&asked.action, asked.parameters)?;
    fits(&board, &call)?;
    command(cloud, order, board, call).await
}

/// All boards of a fleet do something; all or none are told. The request and its parts.
///
/// # Errors
/// There is no such fleet or action, its parameters are wrong, or the fleet has no boards or too many.
pub async fn on_fleet(
    cloud: &Cloud,
    caller: &Caller,
    ident: &str,
    asked: api::actions::Action,
    order: Order,
) -> Result<(OperationId, Vec<OperationRow>), Error> {
    let fleet = fleets::get(cloud, caller, ident).await?;
    let call = read(&asked.action, asked.parameters)?;
    let members = members(cloud, &fleet).await?;
    members.iter().try_for_each(|board| fits(board, &call))?;
    let (main, rows) = cloud
        .store
        .write(move |tx| {
            Box::pin(async move {
                let (project, id) = (fleet.project, Some(fleet.id));
                let main = requests::begin(tx, &order, project, id, call.method()).await?;
                let mut rows = Vec::with_capacity(members.len());
                for board in &members {
                    rows.push(submit_part(tx, &order, board, &call, Some(main)).await?);
                }
                Ok((main, rows))
            })
        })
        .await?;
    for row in &rows {
        cloud.boards.ring(row.board);
    }
    Ok((main, rows))
}

async fn members(cloud: &Cloud, fleet: &store::fleets::FleetRow) -> Result<Vec<BoardRow>, Error> {
    let filter = Filter { fleet: Some(fleet.id), ..Filter::default() };
    let page = Page { limit: page::MAX_LIMIT, marker: None };
    let rows = store::boards::list(&cloud.store, Some(&fleet.project), &filter, page).await?;
    if rows.len() >= MAX_MANY {
        let text = format!("fleet {} has too many boards for one request", fleet.name);
        return Err(Error::new(Kind::Exhausted, text));
    }
    if rows.is_empty() {
        let text = format!("fleet {} has no boards; put some into it first", fleet.name);
        return Err(Error::new(Kind::Conflict, text));
    }
    Ok(rows)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_action_that_is_none_or_has_wrong_parameters_is_refused() {
        for action in
            ["", "Explode", "PluginCall", "OperationCancel", "DevicePing; reboot", "devicePing"]
        {
            let refused = read(action, json!({})).unwrap_err();
            assert!(refused.0.starts_with("Invalid Action"), "{refused}");
        }
        for (action, parameters) in [
            ("DevicePing", json!("x")),
            ("DevicePing", json!([])),
            ("DeviceReboot", json!({ "delay": -1 })),
            ("DeviceReboot", json!({ "delay": "soon" })),
            ("DeviceRestartLR", json!({ "delay": MAX_DELAY_S + 1 })),
            ("DeviceUpgradeLR", json!({ "version": 1 })),
            ("DevicePkgOperation", json!({ "manager": {} })),
            ("DeviceMountFs", json!({ "mnt_cmd": "umount" })),
        ] {
            assert!(read(action, parameters.clone()).is_err(), "{action} {parameters}");
        }
        assert_eq!(read("DevicePing", Value::Null).unwrap(), Call::DevicePing);
        let delay = read("DeviceReboot", json!({ "delay": "10" })).unwrap();
        assert_eq!(delay, Call::DeviceReboot(Delay { delay: 10 }));
    }
}
