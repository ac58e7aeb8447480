//! `OperationCancel`.

use crate::operations::Operations;
use model::OperationId;
use rpc::Fault;
use serde_json::Value;

/// Asks an operation to stop; its own answer says then that it was cancelled.
pub(super) fn cancel(operations: &Operations, operation: OperationId) -> Result<Value, Fault> {
    operations.cancel(operation)?;
    Ok(Value::String("asked to stop".into()))
}
