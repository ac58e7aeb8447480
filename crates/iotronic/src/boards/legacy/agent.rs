//! What upstream boards call: upstream's names, keyword arguments, and answers in upstream's shape.
//!
//! Invariant: whatever comes gets an answer; the caller is who the router says, never who the arguments say.

use super::gate::{ALIVE, CONNECTION, ECHO, NOTIFY_RESULT, REGISTER, WAMP_ALIVE};
use super::{Legacy, connection, refused, registration};
use crate::boards::{AGENT, Boards};
use futures_util::FutureExt as _;
use model::{BoardId, Kind};
use rpc::{Envelope, Fault, uri};
use serde::Deserialize;
use serde_json::Value;
use std::collections::BTreeSet;
use std::sync::Arc;
use wamp::{Arguments, Invocation, Match, RequestError};

/// Names of other clouds' agents that are answered to; more are left out and named in the log.
const MAX_NAMES: usize = 64;

/// Registers all of it, under our own name and those that boards of other clouds were told.
pub(super) async fn register(boards: &Boards, legacy: &Legacy) -> Result<(), RequestError> {
    offer(boards, legacy, REGISTER.to_owned(), registration::register).await?;
    for name in names(boards).await {
        let agents = |procedure| uri::agent_procedure(&name, procedure);
        offer(boards, legacy, agents(CONNECTION), connection::connection).await?;
        offer(boards, legacy, agents(NOTIFY_RESULT), notify_result).await?;
        offer(boards, legacy, agents(WAMP_ALIVE), alive).await?;
        offer(boards, legacy, agents(ALIVE), alive).await?;
        offer(boards, legacy, agents(ECHO), echo).await?;
    }
    Ok(())
}

async fn names(boards: &Boards) -> BTreeSet<String> {
    let told = store::upstream::agents(boards.store()).await.unwrap_or_else(|error| {
        tracing::error!(%error, "the names that boards of other clouds were told could not be read");
        Vec::new()
    });
    let is_name = |name: &String| {
        !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_'))
    };
    let (names, odd): (Vec<_>, Vec<_>) = told.into_iter().partition(is_name);
    let left_out: Vec<_> = odd.iter().chain(names.iter().skip(MAX_NAMES)).collect();
    if !left_out.is_empty() {
        tracing::warn!(
            ?left_out,
            "boards that were told these names of an agent cannot connect; change it in their settings.json"
        );
    }
    names.into_iter().take(MAX_NAMES).chain([AGENT.to_owned()]).collect()
}

/// Who calls, and with what.
pub(super) struct Asked {
    pub(super) session: u64,
    pub(super) arguments: Arguments,
}

impl Asked {
    /// The keyword arguments in the shape they must have.
    pub(super) fn read<T: for<'de> Deserialize<'de>>(self) -> Result<T, Fault> {
        T::deserialize(Value::Object(self.arguments.keywords)).map_err(|error| {
            Fault::new(Kind::Invalid, format!("keyword arguments are wrong: {error}"))
        })
    }
}

/// What goes back.
pub(super) enum Answer {
    /// A WampMessage.
    Message(Envelope),
    /// A bare value.
    Bare(Value),
}

async fn offer<H, F>(
    boards: &Boards,
    legacy: &Legacy,
    procedure: String,
    handler: H,
) -> Result<(), RequestError>
where
    H: Fn(Boards, Asked) -> F + Copy + Send + Sync + 'static,
    F: Future<Output = Result<Answer, Fault>> + Send + 'static,
{
    let boards = boards.clone();
    let answer = move |invocation: Invocation| {
        let boards = boards.clone();
        async move {
            let session = invocation.caller.map_or(0, |caller| caller.session);
            let asked = Asked { session, arguments: invocation.arguments };
            let answer = handler(boards, asked).await;
            Ok(Arguments::one(match answer {
                Ok(Answer::Message(envelope)) => Value::String(envelope.to_text()),
                Ok(Answer::Bare(value)) => value,
                Err(fault) => {
                    tracing::warn!(
                        session,
                        procedure = invocation.uri,
                        reason = fault.message,
                        legacy = true,
                        "refused a legacy board"
                    );
                    Value::String(refused(fault).to_text())
                }
            }))
        }
        .boxed()
    };
    legacy.agent.register(&procedure, Match::Exact, Arc::new(answer)).await.map(|_| ())
}

/// Upstream's words; boards look at nothing but that something comes.
async fn alive(boards: Boards, _: Asked) -> Result<Answer, Fault> {
    Ok(Answer::Bare(format!("Iotronic alive @ {}", boards.now()).into()))
}

async fn echo(_: Boards, asked: Asked) -> Result<Answer, Fault> {
    let keyword = asked.arguments.keywords.get("data").cloned();
    Ok(Answer::Bare(keyword.or(asked.arguments.list.into_iter().next()).unwrap_or_default()))
}

#[derive(Deserialize)]
struct Notified {
    board_uuid: BoardId,
    wampmessage: Value,
}

/// The result of something that was answered RUNNING.
async fn notify_result(boards: Boards, asked: Asked) -> Result<Answer, Fault> {
    let session = asked.session;
    let said: Notified = asked.read()?;
    let legacy = boards.legacy().ok_or_else(closed)?;
    if legacy.guests.board(session) != Some(said.board_uuid) {
        return Err(Fault::new(
            Kind::Forbidden,
            "a board speaks for itself only: board_uuid is not the caller's",
        ));
    }
    let envelope = Envelope::parse(&said.wampmessage)?;
    if !legacy.deliver_result(said.board_uuid, envelope) {
        return Err(Fault::new(Kind::NotFound, "nobody waits for a result of this request"));
    }
    Ok(Answer::Message(Envelope::success("notification_received".into())))
}

/// The cloud is going down.
pub(super) fn closed() -> Fault {
    Fault::new(Kind::Unreachable, "the cloud takes no upstream boards")
}
