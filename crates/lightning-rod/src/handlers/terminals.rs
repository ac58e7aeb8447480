//! `TerminalOpen`: a terminal is made ready, and the link on which its channel comes stands.

use super::answer;
use crate::forward::{LinkState, Services};
use crate::terminal::Terminals;
use model::Kind;
use rpc::Fault;
use rpc::terminal::Open;
use serde_json::Value;
use std::time::Duration;

/// How long the answer waits for the link.
const LINK_PATIENCE: Duration = Duration::from_secs(5);

/// Judges, keeps a place and answers the key.
pub(super) async fn open(
    terminals: &Terminals,
    services: &Services,
    open: Open,
) -> Result<Value, Fault> {
    let opened = terminals.offer(open)?;
    services.want_link();
    match services.link_up(LINK_PATIENCE).await {
        LinkState::Up => answer(opened),
        LinkState::Down => {
            terminals.withdraw(&opened.key);
            Err(Fault::new(
                Kind::Unreachable,
                "the board's data link does not come up; its log says why",
            ))
        }
    }
}
