//! Operations: legal moves, history, cancelling, deadlines, records of queries, bounds.

use crate::world::World;
use futures_util::FutureExt as _;
use model::operation::{Event, Fault, Outcome, State};
use model::{BoardId, Kind, OperationId, Timestamp};
use serde_json::json;
use std::time::Duration;
use store::operations::{self, Filter, NewOperation, QueryRecord, Start};
use store::{Error, Page, events};

fn done() -> Event {
    Event::Answered(Outcome::Done(json!({ "ok": true })))
}

#[tokio::test]
async fn a_command_leaves_its_result_history_and_events() {
    let world = World::new().await;
    let board = world.enrolled_board("lamp").await.id;
    let new = world.new_operation(board);
    let row = world.submit(new.clone()).await;
    assert_eq!((row.state, row.arguments), (State::Pending, json!([1, "two"])));
    world.clock.advance(Duration::from_secs(1));
    let sent = world.advance(new.id, Event::Sent).await.unwrap();
    world.advance(new.id, Event::Sent).await.unwrap();
    world.clock.advance(Duration::from_secs(1));
    let ended = world.advance(new.id, done()).await.unwrap();
    assert_eq!(ended, operations::get(&world.store, None, new.id).await.unwrap());
    assert_eq!((ended.state, ended.attempts), (State::Succeeded, 2));
    assert_eq!((ended.sent_at, ended.ended_at), (sent.sent_at, Some(world.now())));
    assert_eq!(ended.result, Some(json!({ "ok": true })));

    let history = operations::history(&world.store, new.id).await.unwrap();
    let states: Vec<_> = history.iter().map(|line| line.state).collect();
    assert_eq!(states, [State::Pending, State::Running, State::Running, State::Succeeded]);
    let kinds: Vec<_> = events::after(&world.store, None, 1, 10)
        .await
        .unwrap()
        .into_iter()
        .map(|event| event.kind)
        .collect();
    assert_eq!(
        kinds,
        ["operation.pending", "operation.running", "operation.running", "operation.succeeded"]
    );
}

#[tokio::test]
async fn illegal_moves_change_nothing() {
    let world = World::new().await;
    let board = world.enrolled_board("lamp").await.id;
    let id = world.submit(world.new_operation(board)).await.id;
    assert_eq!(world.advance(id, done()).await.unwrap_err().kind(), Kind::Conflict);
    world.advance(id, Event::Cancelled).await.unwrap();
    for event in [Event::Sent, done(), Event::Cancelled, Event::DeadlinePassed] {
        assert_eq!(world.advance(id, event).await.unwrap_err().kind(), Kind::Conflict);
    }
    assert_eq!(operations::history(&world.store, id).await.unwrap().len(), 2);
}

#[tokio::test]
async fn a_failed_command_says_why() {
    let world = World::new().await;
    let board = world.enrolled_board("lamp").await.id;
    let id = world.submit(world.new_operation(board)).await.id;
    let fault = Fault::new(Kind::Timeout, "the plugin ran for 10 s");
    world.advance(id, Event::Sent).await.unwrap();
    world.advance(id, Event::Answered(Outcome::Failed(fault.clone()))).await.unwrap();
    let row = operations::get(&world.store, Some(&world.project), id).await.unwrap();
    assert_eq!((row.state, row.fault), (State::Failed, Some(fault)));
}

#[tokio::test]
async fn cancelling_withdraws_a_pending_command_and_asks_for_a_running_one() {
    let world = World::new().await;
    let board = world.enrolled_board("lamp").await.id;
    let pending = world.submit(world.new_operation(board)).await.id;
    let running = world.submit(world.new_operation(board)).await.id;
    world.advance(running, Event::Sent).await.unwrap();
    let cancel = async |id: OperationId| {
        let now = world.now();
        let job = world.write(move |tx| {
            Box::pin(async move { operations::request_cancel(tx, None, id, now).await })
        });
        job.await
    };
    assert_eq!(cancel(pending).await.unwrap().state, State::Cancelled);
    let asked = cancel(running).await.unwrap();
    assert_eq!((asked.state, asked.cancel_requested), (State::Running, true));
    assert_eq!(cancel(running).await.unwrap().revision, asked.revision);
    world.advance(running, Event::Answered(Outcome::Cancelled)).await.unwrap();
    assert_eq!(cancel(running).await.unwrap_err().kind(), Kind::Conflict);
}

#[tokio::test]
async fn a_board_finds_its_open_commands_in_order_and_expired_ones_are_found() {
    let world = World::new().await;
    let board = world.enrolled_board("lamp").await.id;
    let other = world.enrolled_board("gate").await.id;
    let first = world.submit(world.new_operation(board)).await.id;
    let second = world.submit(world.new_operation(board)).await.id;
    let ended = world.submit(world.new_operation(board)).await.id;
    world.submit(world.new_operation(other)).await;
    world.advance(first, Event::Sent).await.unwrap();
    world.advance(ended, Event::Cancelled).await.unwrap();
    let open = operations::open_for_board(&world.store, board).await.unwrap();
    assert_eq!(open.iter().map(|row| row.id).collect::<Vec<_>>(), [first, second]);

    assert!(operations::expired(&world.store, world.now()).await.unwrap().is_empty());
    let deadline = operations::next_deadline(&world.store).await.unwrap().unwrap();
    assert_eq!(deadline, world.in_an_hour());
    assert_eq!(operations::expired(&world.store, deadline).await.unwrap().len(), 3);
}

#[tokio::test]
async fn a_command_for_no_board_and_one_too_many_are_refused() {
    let world = World::new().await;
    let submit = async |new: NewOperation| {
        let job = world.write(move |tx| {
            Box::pin(async move { operations::submit(tx, new).await.map(|_| ()) })
        });
        job.await
    };
    let nobody = submit(world.new_operation(BoardId::new())).await;
    assert!(matches!(nobody, Err(Error::NotFound { what: "board" })), "{nobody:?}");
    let board = world.enrolled_board("lamp").await.id;
    let many: Vec<_> = (0..operations::MAX_OPEN).map(|_| world.new_operation(board)).collect();
    let fill = world.write(move |tx| {
        Box::pin(async move {
            for new in many {
                operations::submit(tx, new).await?;
            }
            Ok(())
        })
    });
    fill.await.unwrap();
    let more = submit(world.new_operation(board)).await;
    assert_eq!(more.unwrap_err().kind(), Kind::Exhausted);
}

fn query(world: &World, board: BoardId, ended_at: Timestamp) -> QueryRecord {
    QueryRecord {
        id: OperationId::new(),
        project: world.project.clone(),
        board,
        method: "DeviceEcho".into(),
        arguments: json!(["hello"]),
        created_by: Some(world.user.clone()),
        created_at: world.now(),
        deadline: world.in_an_hour(),
        ended_at,
        outcome: Outcome::Done(json!("hello")),
        subject: None,
    }
}

#[tokio::test]
async fn a_query_is_recorded_behind_with_its_end() {
    let world = World::new().await;
    let board = world.enrolled_board("lamp").await.id;
    let record = query(&world, board, world.now());
    operations::record_query(&world.store, record.clone());
    operations::record_query(&world.store, query(&world, BoardId::new(), world.now()));
    world.store.flush().await.unwrap();
    let filter = Filter { kind: Some(operations::Kind::Query), ..Filter::default() };
    let rows = operations::list(&world.store, None, &filter, Page::default()).await.unwrap();
    assert_eq!(rows.len(), 1, "the one for no board is lost alone");
    let row = rows.first().unwrap();
    assert_eq!((row.id, row.state, row.attempts), (record.id, State::Succeeded, 1));
}

#[tokio::test]
async fn lists_filter_by_board_state_and_method() {
    let world = World::new().await;
    let board = world.enrolled_board("lamp").await.id;
    let id = world.submit(world.new_operation(board)).await.id;
    let renamed = NewOperation { method: "PluginCall".into(), ..world.new_operation(board) };
    let call = world.submit(renamed).await.id;
    world.advance(call, Event::Sent).await.unwrap();
    let list = async |filter: Filter| {
        let rows = operations::list(&world.store, Some(&world.project), &filter, Page::default());
        rows.await.unwrap().into_iter().map(|row| row.id).collect::<Vec<_>>()
    };
    assert_eq!(list(Filter { board: Some(board), ..Filter::default() }).await, [id, call]);
    assert_eq!(list(Filter { state: Some(State::Running), ..Filter::default() }).await, [call]);
    let method = Some("DeviceReboot".to_owned());
    assert_eq!(list(Filter { method, ..Filter::default() }).await, [id]);
    let nobody = Filter { board: Some(BoardId::new()), ..Filter::default() };
    assert!(list(nobody).await.is_empty());
}

#[tokio::test]
async fn trimming_removes_the_old_and_the_many_and_never_what_is_open() {
    let world = World::new().await;
    let board = world.enrolled_board("lamp").await.id;
    let open = world.submit(world.new_operation(board)).await.id;
    for seconds in 1..=10 {
        let ended = world.now().after(Duration::from_secs(seconds));
        operations::record_query(&world.store, query(&world, board, ended));
    }
    world.store.flush().await.unwrap();
    let trim = async |older_than: Timestamp, keep: u32| {
        let job = world
            .write(move |tx| Box::pin(async move { operations::trim(tx, older_than, keep).await }));
        job.await.unwrap()
    };
    assert_eq!(trim(world.now(), 10).await, 0);
    assert_eq!(trim(world.now().after(Duration::from_secs(3)), 10).await, 2);
    assert_eq!(trim(world.now(), 5).await, 3);
    let every = Filter::default();
    let left = operations::list(&world.store, None, &every, Page::default()).await.unwrap();
    assert_eq!((left.len(), left.first().map(|row| row.id)), (6, Some(open)));
}

#[tokio::test]
async fn the_first_command_of_a_board_may_be_sent_by_the_commit_that_stores_it() {
    let world = World::new().await;
    let board = world.board("lamp").await;
    let at_once = |board| store::operations::NewOperation {
        start: Start::SentIfFirst,
        ..world.new_operation(board)
    };
    let first = world.submit(at_once(board.id)).await;
    assert_eq!(
        (first.state, first.attempts, first.sent_at),
        (State::Running, 1, Some(world.now()))
    );
    let history = store::operations::history(&world.store, first.id).await.unwrap();
    let states: Vec<State> = history.iter().map(|line| line.state).collect();
    assert_eq!(states, [State::Pending, State::Running]);
    let second = world.submit(at_once(board.id)).await;
    assert_eq!(second.state, State::Pending, "what came before it goes out before it");
}

#[tokio::test]
async fn whoever_waits_for_an_end_is_woken_by_its_commit_and_by_no_other() {
    let world = World::new().await;
    let board = world.board("lamp").await;
    let operation = world.submit(world.new_operation(board.id)).await;
    let other = world.submit(world.new_operation(board.id)).await;
    let mut ended = Box::pin(store::operations::ended(&world.store, operation.id));
    assert!((&mut ended).now_or_never().is_none());
    world.advance(other.id, Event::Cancelled).await.unwrap();
    assert!((&mut ended).now_or_never().is_none());
    world.advance(operation.id, Event::Sent).await.unwrap();
    assert!((&mut ended).now_or_never().is_none(), "it runs, it has not ended");
    world.advance(operation.id, Event::Answered(Outcome::Unknown)).await.unwrap();
    assert_eq!(ended.await.unwrap().state, State::Unknown);
    let at_once = store::operations::ended(&world.store, other.id).await.unwrap();
    assert_eq!(at_once.state, State::Cancelled);
    let none = store::operations::ended(&world.store, OperationId::new()).await;
    assert!(matches!(none, Err(Error::NotFound { .. })));
}
