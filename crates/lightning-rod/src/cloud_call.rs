//! Calls from the board to the cloud: keyword arguments out, an envelope back.

use crate::cloud::Error;
use crate::error;
use model::Kind;
use rpc::{Envelope, Fault};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::time::Duration;
use wamp::{Arguments, CallError, CallOptions, Session};

/// How long the cloud may take to answer.
const PATIENCE: Duration = Duration::from_secs(10);

/// Calls `procedure` of the cloud.
///
/// # Errors
/// The session broke, the cloud refused, or its answer makes no sense.
pub(crate) async fn call<T: DeserializeOwned>(
    session: &Session,
    procedure: &str,
    keywords: &impl Serialize,
) -> Result<T, error::Error> {
    let Ok(Value::Object(keywords)) = serde_json::to_value(keywords) else {
        return Err(Error::Garbage("the arguments are no object".into()).into());
    };
    let arguments = Arguments::keywords(keywords);
    let result = session.call(procedure, arguments, CallOptions::within(PATIENCE)).await;
    let answer = result.map_err(failure)?;
    let first = answer.list.first().unwrap_or(&Value::Null);
    let value = Envelope::parse(first)
        .map_err(|_| Error::Garbage("not a WampMessage".into()))?
        .into_value()
        .map_err(error::Error::Refused)?;
    T::deserialize(value).map_err(|error| Error::Garbage(error.to_string()).into())
}

/// A failed call in the agent's words.
pub(crate) fn failure(error: CallError) -> error::Error {
    match error {
        CallError::Fault(fault) => {
            error::Error::Refused(Fault::new(kind(&fault.uri), fault.to_string()))
        }
        CallError::Lost(ended) => Error::Lost(ended.to_string()).into(),
        CallError::Timeout => Error::Lost("it did not answer in time".into()).into(),
        CallError::Unreadable(error) => Error::Garbage(error.to_string()).into(),
    }
}

/// The kind of a fault that comes from the router and not from the cloud's agent.
fn kind(uri: &str) -> Kind {
    use wamp::uri::error as e;
    match uri {
        e::NOT_AUTHORISED => Kind::Forbidden,
        // The cloud's agent comes and goes with its process.
        e::NO_SUCH_PROCEDURE | e::CANCELED => Kind::Unreachable,
        e::UNAVAILABLE => Kind::Exhausted,
        e::INVALID_ARGUMENT => Kind::Invalid,
        _ => Kind::Internal,
    }
}
