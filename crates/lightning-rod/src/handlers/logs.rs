//! `DeviceLogs`: lines of the agent's own log.

use super::answer;
use crate::agent_log::AgentLog;
use rpc::Fault;
use rpc::logs::Read;
use serde_json::Value;

/// Reads, and waits for something new as long as the reader allows.
pub(super) async fn agent(log: &AgentLog, read: Read) -> Result<Value, Fault> {
    answer(log.follow(read).await)
}
