//! `ForwardOpen`: a port may be reached, and the link on which its channels come stands.

use super::answer;
use crate::forward::{Ports, Services};
use rpc::Fault;
use rpc::forward::Open;
use serde_json::Value;

/// Judges and answers the key.
pub(super) async fn open(ports: &Ports, services: &Services, open: Open) -> Result<Value, Fault> {
    let opened = ports.offer(open.port)?;
    services.bring_link().await?;
    answer(opened)
}
