//! What an upstream board is told when it is given up: to forget what it knows.
//!
//! Invariant: bounded in time, and without effect on whether it is given up.

use super::Legacy;
use super::call::bare_call;
use model::BoardId;
use std::time::Duration;
use wamp::CallError;
use wamp::uri::error;

/// Time for each attempt.
const WITHIN: Duration = Duration::from_secs(10);
/// What upstream's clouds call, the newer first: 0.5 and 0.4.
const METHODS: [&str; 2] = ["DeviceFactoryReset", "destroyBoard"];

/// Tells it, by the first procedure that it has.
pub(in crate::boards) async fn say_farewell(legacy: &Legacy, board: BoardId, session: u64) {
    for method in METHODS {
        let answer = bare_call(legacy, board, session, method, WITHIN).await;
        match answer {
            Err(CallError::Fault(fault)) if fault.uri == error::NO_SUCH_PROCEDURE => {}
            Ok(_) => return,
            Err(error) => {
                tracing::warn!(%board, method, %error, legacy = true, "a legacy board that is given up did not answer");
                return;
            }
        }
    }
    tracing::warn!(%board, legacy = true, "a legacy board that is given up has no way to be reset; it keeps its settings");
}
