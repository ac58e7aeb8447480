//! `TerminalOpen`: a terminal is made ready, and the link on which its channel comes stands.

use super::answer;
use crate::forward::Services;
use crate::terminal::Terminals;
use rpc::Fault;
use rpc::terminal::Open;
use serde_json::Value;

/// Judges, keeps a place and answers the key.
pub(super) async fn open(
    terminals: &Terminals,
    services: &Services,
    open: Open,
) -> Result<Value, Fault> {
    let opened = terminals.offer(open)?;
    if let Err(fault) = services.bring_link().await {
        terminals.withdraw(&opened.key);
        return Err(fault);
    }
    answer(opened)
}
