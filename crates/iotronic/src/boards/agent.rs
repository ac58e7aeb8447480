//! The cloud's own session on the router: the procedures that machines call.
//!
//! Invariant: whatever a machine sends gets an envelope back, a fault at worst, and the caller is who the router says,
//! never who the arguments say.

use super::registry::Entry;
use super::{AGENT, Boards, connection, enrol, rotation};
use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use model::Kind;
use rpc::{Envelope, Fault, uri};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::sync::Arc;
use wamp::{Arguments, Invocation, Match, RequestError};

/// Who calls.
pub(super) struct Caller {
    /// Its session.
    pub(super) session: u64,
    /// What that session was let in as.
    pub(super) entry: Option<Entry>,
}

/// Registers everything that machines may call.
pub(super) async fn register(boards: &Boards) -> Result<(), RequestError> {
    offer(boards, uri::ENROL.to_owned(), enrol::enrol).await?;
    offer(boards, uri::agent_procedure(AGENT, uri::CONNECTION), connection::connection).await?;
    offer(boards, uri::agent_procedure(AGENT, uri::REPORT), connection::report).await?;
    offer(boards, uri::agent_procedure(AGENT, uri::ROTATE_KEY), rotation::rotate_key).await?;
    offer(boards, uri::agent_procedure(AGENT, uri::ALIVE), alive).await
}

async fn alive(_: Boards, _: Caller, _: Value) -> Result<Value, Fault> {
    Ok(Value::String("ok".to_owned()))
}

async fn offer<A, H, F>(boards: &Boards, procedure: String, handler: H) -> Result<(), RequestError>
where
    A: DeserializeOwned + Send + 'static,
    H: Fn(Boards, Caller, A) -> F + Copy + Send + Sync + 'static,
    F: Future<Output = Result<Value, Fault>> + Send + 'static,
{
    let boards_of_all = boards.clone();
    let answer =
        move |invocation: Invocation| -> BoxFuture<'static, Result<Arguments, wamp::Fault>> {
            let boards = boards_of_all.clone();
            async move {
                let envelope = match handle(boards, invocation, handler).await {
                    Ok(value) => Envelope::success(value),
                    Err(fault) => Envelope::fault(&fault),
                };
                Ok(Arguments::one(envelope.to_text()))
            }
            .boxed()
        };
    boards.agent().register(&procedure, Match::Exact, Arc::new(answer)).await.map(|_| ())
}

async fn handle<A, H, F>(boards: Boards, invocation: Invocation, handler: H) -> Result<Value, Fault>
where
    A: DeserializeOwned,
    H: Fn(Boards, Caller, A) -> F,
    F: Future<Output = Result<Value, Fault>>,
{
    let session = invocation
        .caller
        .map(|caller| caller.session)
        .ok_or_else(|| Fault::new(Kind::Internal, "the router does not say who calls"))?;
    let caller = Caller { session, entry: boards.registry().entry(session) };
    let asked = A::deserialize(Value::Object(invocation.arguments.keywords)).map_err(|error| {
        Fault::new(Kind::Invalid, format!("keyword arguments are wrong: {error}"))
    })?;
    handler(boards, caller, asked).await
}

/// A value as the `message` of an envelope.
pub(super) fn told(value: &impl Serialize) -> Result<Value, Fault> {
    serde_json::to_value(value).map_err(|error| {
        Fault::new(Kind::Internal, format!("the answer cannot be written: {error}"))
    })
}
