//! From a call on the wire to an envelope: read it, judge it, note it, do it.
//!
//! Invariants: whatever arrives is answered; an envelope is final, and a WAMP error says that nothing is decided and the same
//! operation may be sent again; a command is in the journal before it starts and its answer is there before it leaves; a
//! command goes on when the one who asked is gone. Queries are not noted.

use crate::clock::BoardClock;
use crate::journal::{self, Journal, MAX_ANSWER, Repeat, Turn, Work};
use crate::operations::Operations;
use base::tasks::Tasks;
use model::{BoardId, Kind, OperationId};
use rpc::envelope::End;
use rpc::{Board, Call, Envelope, Fault, Method, Nature, Request};
use serde::Deserialize as _;
use serde_json::Value;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::oneshot;
use wamp::uri::error;

/// How long a command without a deadline makes sense.
const NO_DEADLINE: Duration = Duration::from_secs(24 * 3600);

/// Brings calls to a board.
pub struct Dispatch<B> {
    shared: Arc<Shared<B>>,
}

impl<B> Clone for Dispatch<B> {
    fn clone(&self) -> Self {
        Self { shared: Arc::clone(&self.shared) }
    }
}

struct Shared<B> {
    me: BoardId,
    board: Arc<B>,
    journal: Journal,
    operations: Operations,
    clock: Arc<BoardClock>,
    tasks: Tasks,
}

impl<B: Board> Dispatch<B> {
    /// Brings calls for board `me` to `board`; commands run as tasks of `tasks`.
    pub fn new(
        me: BoardId,
        board: Arc<B>,
        journal: Journal,
        operations: Operations,
        clock: Arc<BoardClock>,
        tasks: Tasks,
    ) -> Self {
        Self { shared: Arc::new(Shared { me, board, journal, operations, clock, tasks }) }
    }

    /// Answers one call of `method` with an envelope's text.
    ///
    /// # Errors
    /// `wamp.error.unavailable`: it was not begun, the same operation may be sent later. `wamp.error.canceled`: it was
    /// begun and the agent ends; the journal answers the same operation when the agent is back.
    pub async fn answer(&self, method: &str, arguments: &[Value]) -> Result<String, wamp::Fault> {
        let (request, call) = match self.read(method, arguments) {
            Ok(read) => read,
            Err(fault) => return Ok(Envelope::fault(&fault).to_text()),
        };
        let repeat = match call.method().nature() {
            Nature::Query => return Ok(self.shared.query(request, call).await),
            Nature::Idempotent => Repeat::Harmless,
            Nature::Once => Repeat::Never,
        };
        if self.shared.tasks.shutdown().has_begun() {
            return Err(not_begun("the agent is stopping"));
        }
        let (reply, answer) = oneshot::channel();
        let shared = Arc::clone(&self.shared);
        self.shared.tasks.spawn("command", async move {
            let _ = reply.send(shared.command(request, call, repeat).await);
        });
        answer.await.unwrap_or_else(|_| {
            Err(wamp::Fault::new(error::CANCELED, "the agent ended while it worked on this"))
        })
    }

    fn read(&self, method: &str, arguments: &[Value]) -> Result<(Request, Call), Fault> {
        let method: Method = method.parse()?;
        let (request, arguments) = arguments.split_first().ok_or_else(|| {
            Fault::new(Kind::Invalid, "the request object is missing; it comes first in every call")
        })?;
        let request = Request::deserialize(request).map_err(|error| {
            Fault::new(Kind::Invalid, format!("the request object is wrong: {error}"))
        })?;
        if request.destination_uuid != self.shared.me {
            let text =
                format!("this is board {}, not {}", self.shared.me, request.destination_uuid);
            return Err(Fault::new(Kind::Invalid, text));
        }
        Ok((request, Call::parse(method, arguments)?))
    }
}

impl<B: Board> Shared<B> {
    async fn query(&self, request: Request, call: Call) -> String {
        let operation = request.uuid;
        let envelope = self.board.handle(request, call).await;
        stamped(bounded(envelope), operation)
    }

    async fn command(
        self: &Arc<Self>,
        request: Request,
        call: Call,
        repeat: Repeat,
    ) -> Result<String, wamp::Fault> {
        let operation = request.uuid;
        if !self.operations.has_room() {
            return Err(not_begun("too many operations run on this board"));
        }
        let work = Work {
            operation,
            repeat,
            method: call.method().word().to_owned(),
            deadline: request.deadline.unwrap_or_else(|| self.clock.cloud_now().after(NO_DEADLINE)),
            now: self.clock.cloud_now(),
        };
        match self.journal.begin(work).await {
            Ok(Turn::Answer(answer)) => return Ok(answer),
            Ok(Turn::Run) => {}
            Err(error @ (journal::Error::Write(_) | journal::Error::Open { .. })) => {
                let fault = Fault::new(Kind::Internal, error.to_string());
                return Ok(stamped(Envelope::fault(&fault), operation));
            }
            Err(error) => return Err(not_begun(&error.to_string())),
        }
        let answer = stamped(self.work(request, call).await, operation);
        self.journal.end(operation, answer.clone()).await;
        Ok(answer)
    }

    /// Does a command that is in the journal.
    async fn work(self: &Arc<Self>, request: Request, call: Call) -> Envelope {
        let (operation, project) = (request.uuid, &request.project);
        tracing::info!(%operation, %project, method = call.method().word(), "command");
        // Judged after the journal, so that a late repetition still gets its first answer.
        if request.deadline.is_some_and(|deadline| deadline < self.clock.cloud_now()) {
            let text = "the operation's deadline has passed, it was not begun; ask anew";
            return Envelope::fault(&Fault::new(Kind::Timeout, text));
        }
        let running = match self.operations.enter(request.uuid, call.method()) {
            Ok(running) => running,
            Err(fault) => return Envelope::fault(&fault),
        };
        let shared = Arc::clone(self);
        // A task of its own, so that a defect in a handler ends this operation and not the agent.
        let handled = tokio::spawn(async move { shared.board.handle(request, call).await }).await;
        match handled {
            Ok(Err(_)) if running.was_cancelled() => {
                Envelope::end(End::Cancelled, "stopped on request")
            }
            Ok(result) => bounded(result),
            Err(_) => Envelope::end(
                End::Unknown,
                "the agent failed while it worked on this; look at its log and at the board",
            ),
        }
    }
}

fn bounded(result: Result<Value, Fault>) -> Envelope {
    let envelope = match result {
        Ok(value) => Envelope::success(value),
        Err(fault) => Envelope::fault(&fault),
    };
    // The id and the braces come on top.
    if envelope.to_text().len() <= MAX_ANSWER - 128 {
        return envelope;
    }
    let text = format!("the answer is larger than {MAX_ANSWER} bytes; ask for less");
    Envelope::fault(&Fault::new(Kind::Exhausted, text))
}

fn not_begun(why: &str) -> wamp::Fault {
    wamp::Fault::new(error::UNAVAILABLE, why)
}

fn stamped(mut envelope: Envelope, operation: OperationId) -> String {
    envelope.req_id = Some(operation.to_string());
    envelope.to_text()
}

#[cfg(test)]
mod tests {
    use super::*;
    use base::tasks::Shutdown;
    use model::{PluginId, ProjectId, Timestamp};
    use rpc::envelope::FaultKind;
    use serde_json::json;
    use std::sync::atomic::{AtomicU32, Ordering};

    /// Panics on removals, answers much to stops, counts injections slowly.
    #[derive(Default)]
    struct Odd(AtomicU32);

    impl Board for Odd {
        async fn handle(&self, _: Request, call: Call) -> Result<Value, Fault> {
            match call {
                Call::PluginRemove(_) => panic!("a defect"),
                Call::PluginStop(_) => Ok("x".repeat(MAX_ANSWER).into()),
                _ => {
                    tokio::task::yield_now().await;
                    Ok(self.0.fetch_add(1, Ordering::Relaxed).into())
                }
            }
        }
    }

    struct World {
        dispatch: Dispatch<Odd>,
        board: Arc<Odd>,
        me: BoardId,
        tasks: Tasks,
        _dir: tempfile::TempDir,
    }

    fn world() -> World {
        let dir = tempfile::tempdir().unwrap();
        let (me, board) = (BoardId::new(), Arc::new(Odd::default()));
        let journal = Journal::open(&dir.path().join("journal"), Timestamp::default()).unwrap();
        let clock = Arc::new(BoardClock::open(&dir.path().join("clock")));
        let tasks = Tasks::new(Shutdown::new());
        let operations = Operations::default();
        let dispatch =
            Dispatch::new(me, Arc::clone(&board), journal, operations, clock, tasks.clone());
        World { dispatch, board, me, tasks, _dir: dir }
    }

    impl World {
        async fn ask(&self, method: &str, operation: OperationId) -> Envelope {
            let now = self.dispatch.shared.clock.now();
            let request = Request::new(operation, self.me, ProjectId::new(), method, now, None);
            let arguments = [json!(request), json!(PluginId::new()), json!({})];
            let text = self.dispatch.answer(method, &arguments).await.unwrap();
            let envelope = Envelope::parse(&text.into()).unwrap();
            assert_eq!(envelope.req_id, Some(operation.to_string()));
            envelope
        }
    }

    #[tokio::test]
    async fn a_defect_in_a_handler_ends_its_operation_as_unknown_and_nothing_else() {
        let world = world();
        let operation = OperationId::new();
        let first = world.ask("PluginRemove", operation).await;
        assert_eq!(first.kind, Some(FaultKind::End(End::Unknown)));
        assert_eq!(world.ask("PluginRemove", operation).await, first);
        assert_eq!(world.ask("PluginCall", OperationId::new()).await.message, 0);
    }

    #[tokio::test]
    async fn an_answer_that_is_too_large_is_a_fault() {
        let fault = world().ask("PluginStop", OperationId::new()).await.into_value().unwrap_err();
        assert_eq!(fault.kind, Kind::Exhausted);
    }

    #[tokio::test]
    async fn a_command_goes_on_when_the_asker_is_gone_and_a_stopping_agent_takes_none() {
        let world = world();
        let operation = OperationId::new();
        {
            let mut asking = std::pin::pin!(world.ask("PluginCall", operation));
            // Polled once, so that the command is under way; then nobody waits for it.
            assert!(tokio::time::timeout(Duration::ZERO, &mut asking).await.is_err());
        }
        assert_eq!(world.ask("PluginCall", operation).await.message, 0);
        assert_eq!(world.board.0.load(Ordering::Relaxed), 1);
        world.tasks.clone().finish(Duration::from_secs(5)).await;
        let now = Timestamp::default();
        let request =
            Request::new(OperationId::new(), world.me, ProjectId::new(), "PluginCall", now, None);
        let arguments = [json!(request), json!(PluginId::new())];
        let fault = world.dispatch.answer("PluginCall", &arguments).await.unwrap_err();
        assert_eq!(fault.uri, error::UNAVAILABLE);
    }
}
