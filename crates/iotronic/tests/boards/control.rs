//! The control channel: who is online, what a board may do, what becomes of questions.

use crate::machine::{self, Machine, Proof, answering, board, come_online, join, obedient, silent};
use crate::world::{World, eventually};
use model::board::Status;
use model::facts::{Facts, Load};
use model::{BoardId, Kind};
use rpc::connection::{CloudCapability, Report, Reported};
use rpc::handshake::Intent;
use rpc::{Call, Envelope, uri};
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use wamp::{Arguments, CallError, CallOptions, Match, RequestError};

#[tokio::test]
async fn a_board_is_online_only_after_it_can_be_called() {
    let world = World::start().await;
    let enrolled = board(&world, "lamp", obedient()).await;
    let (id, key) = (enrolled.id, enrolled.key.clone());
    enrolled.leave().await;
    world.until_status(id, Status::Offline).await;

    let session = join(world.address, Proof::new(&key, Intent::Work)).await.unwrap();
    assert!(!world.cloud().boards.is_online(id));
    let fault = machine::connection(&session, id, rpc::PROTOCOL).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Conflict);
    assert!(fault.message.contains("register"), "{fault}");
    assert_eq!(world.board(id).await.status, Status::Offline);

    machine::register(&session, id, obedient(), Arc::default()).await;
    let accepted = machine::connection(&session, id, rpc::PROTOCOL).await.unwrap();
    assert_eq!((accepted.protocol, accepted.name.as_str()), (rpc::PROTOCOL, "lamp"));
    assert_eq!(world.board(id).await.status, Status::Online);
    assert_eq!(world.query(id, Call::DevicePing).await.unwrap(), "DevicePing");
}

#[tokio::test]
async fn a_board_that_was_deleted_does_not_keep_others_from_being_offline() {
    let world = World::start().await;
    let deleted = board(&world, "deleted", obedient()).await;
    let id = deleted.id;
    let job = world.store().write(move |tx| {
        Box::pin(async move {
            store::boards::decommission(&mut *tx, None, id, None).await?;
            store::boards::delete(tx, None, id).await
        })
    });
    job.await.unwrap();
    deleted.leave().await;
    let other = board(&world, "other", obedient()).await;
    let id = other.id;
    other.leave().await;
    world.until_status(id, Status::Offline).await;
}

#[tokio::test]
async fn what_a_board_says_about_itself_is_kept() {
    let world = World::start().await;
    let machine = board(&world, "lamp", obedient()).await;
    let row = world.board(machine.id).await;
    assert_eq!(row.facts.processors, 4);
    assert_eq!(row.agent_version.as_deref(), Some("0.1.0"));
    assert_eq!(row.capabilities, ["DevicePing"]);
    assert!(machine.accepted.can(CloudCapability::ReportName));
    let report = Report {
        board_uuid: machine.id,
        load: Load { uptime_s: 99, ..Load::default() },
        facts: Some(Facts { processors: 8, ..Facts::default() }),
    };
    let told: Reported =
        serde_json::from_value(report_of(&machine, json!(report)).await.unwrap()).unwrap();
    assert_eq!(told.name, "lamp");
    eventually("the report is stored", || async {
        let row = world.board(machine.id).await;
        match (row.load.map(|load| load.uptime_s), row.facts.processors) {
            (Some(99), 8) => Ok(()),
            other => Err(other),
        }
    })
    .await;
}

async fn report_of(machine: &Machine, report: Value) -> Result<Value, rpc::Fault> {
    let procedure = uri::agent_procedure(machine::AGENT, uri::REPORT);
    machine::ask(&machine.session, &procedure, report).await
}

#[tokio::test]
async fn a_board_speaks_for_itself_alone_and_in_bounds() {
    let world = World::start().await;
    let machine = board(&world, "lamp", obedient()).await;
    let other = board(&world, "other", obedient()).await;
    let foreign = Report { board_uuid: other.id, load: Load::default(), facts: None };
    let fault = report_of(&machine, json!(foreign)).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Forbidden);

    let facts = Facts { system: "x".repeat(70_000), ..Facts::default() };
    let large = Report { board_uuid: machine.id, load: Load::default(), facts: Some(facts) };
    let fault = report_of(&machine, json!(large)).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Invalid);
    assert!(fault.message.contains("65536"), "{fault}");
    assert_eq!(world.board(machine.id).await.facts.processors, 4);
}

#[tokio::test]
async fn an_agent_too_old_or_foreign_is_told_to_update() {
    let world = World::start().await;
    let machine = board(&world, "lamp", obedient()).await;
    let fault = machine::connection(&machine.session, machine.id, 0).await.unwrap_err();
    assert!(fault.message.contains("update the agent"), "{fault}");
    let accepted = machine::connection(&machine.session, machine.id, 99).await.unwrap();
    assert_eq!(accepted.protocol, rpc::PROTOCOL);
}

#[tokio::test]
async fn a_board_reaches_no_uri_but_its_own() {
    let world = World::start().await;
    let machine = board(&world, "lamp", obedient()).await;
    let other = board(&world, "other", obedient()).await;
    let options = CallOptions::within(crate::world::PATIENCE);
    let session = &machine.session;
    let theirs = uri::board_procedure(other.session.id(), other.id, "DevicePing");
    for procedure in [theirs.as_str(), uri::ENROL, "wamp.session.list", "iotronic.stack4things.x"] {
        let called = session.call(procedure, Arguments::default(), options).await;
        let Err(CallError::Fault(fault)) = called else { panic!("{procedure}: {called:?}") };
        assert_eq!(fault.uri, wamp::uri::error::NOT_AUTHORISED, "{procedure}");
    }
    let own = uri::board_prefix(session.id(), machine.id);
    let wrong = [
        (uri::board_prefix(session.id(), other.id), Match::Prefix),
        (uri::board_prefix(other.session.id(), machine.id), Match::Prefix),
        ("iotronic.".to_owned(), Match::Prefix),
        (own.clone(), Match::Wildcard),
        (format!("{own}DevicePing"), Match::Exact),
        (uri::ENROL.to_owned(), Match::Exact),
        (uri::agent_procedure(machine::AGENT, uri::CONNECTION), Match::Exact),
    ];
    for (procedure, pattern) in wrong {
        let handler = |_: wamp::Invocation| -> wamp::BoxFuture<_> {
            Box::pin(async { Ok(Arguments::default()) })
        };
        let registered = session.register(&procedure, pattern, Arc::new(handler)).await;
        assert!(matches!(registered, Err(RequestError::Refused(_))), "{procedure}: {registered:?}");
    }
    let subscribed = session.subscribe("wamp.session.on_join", Match::Exact, 1).await;
    assert!(matches!(subscribed, Err(RequestError::Refused(_))));
    let published = session.publish_acknowledged("a.b", Arguments::default()).await;
    assert!(matches!(published, Err(RequestError::Refused(_))));
    assert_eq!(world.query(other.id, Call::DevicePing).await.unwrap(), "DevicePing");
}

#[tokio::test]
async fn a_second_session_of_a_board_replaces_the_first() {
    let world = World::start().await;
    let first = board(&world, "lamp", answering(success("first"))).await;
    let second =
        come_online(world.address, first.id, &first.key, answering(success("second"))).await;
    first.session.closed().await;
    assert_eq!(world.query(first.id, Call::DevicePing).await.unwrap(), "second");
    eventually("the end of the first changes nothing", || async {
        let row = world.board(first.id).await;
        let is_right =
            row.status == Status::Online && row.session == Some(second.session.id().to_string());
        is_right.then_some(()).ok_or((row.status, row.session))
    })
    .await;
}

fn success(text: &str) -> Value {
    Envelope::success(text.into()).to_text().into()
}

#[tokio::test]
async fn a_question_to_a_board_that_is_away_says_when_it_was_last_seen() {
    let world = World::start().await;
    let machine = board(&world, "lamp", obedient()).await;
    let id = machine.id;
    machine.leave().await;
    world.until_status(id, Status::Offline).await;
    let fault = world.query(id, Call::DevicePing).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Unreachable);
    assert!(
        fault.message.contains("board lamp is not connected; it was last seen at 2"),
        "{fault}"
    );
}

#[tokio::test]
async fn whatever_a_board_answers_becomes_an_answer_or_a_documented_fault() {
    let world = World::start().await;
    let refusal = Envelope::fault(&rpc::Fault::new(Kind::Conflict, "not now")).to_text();
    let cases = [
        (success("fine"), Ok(json!("fine"))),
        (refusal.into(), Err(Kind::Conflict)),
        (json!("not an envelope"), Err(Kind::Internal)),
        (json!(17), Err(Kind::Internal)),
        (Value::Null, Err(Kind::Internal)),
        (json!({ "message": "x", "result": "MAYBE" }), Err(Kind::Internal)),
        (json!(r#"{"message":"x","result":"RUNNING"}"#), Err(Kind::Internal)),
    ];
    for (index, (answer, wanted)) in cases.into_iter().enumerate() {
        let machine = board(&world, &format!("lamp-{index}"), answering(answer.clone())).await;
        let got = world.query(machine.id, Call::DevicePing).await;
        assert_eq!(got.map_err(|fault| fault.kind), wanted, "{answer}");
    }
}

#[tokio::test]
async fn a_board_that_never_answers_costs_the_timeout_and_no_more() {
    let world = World::start().await;
    let machine = board(&world, "lamp", silent()).await;
    let timeout = Duration::from_millis(200);
    let fault = world.query_within(machine.id, Call::DevicePing, timeout).await.unwrap_err();
    assert_eq!(fault.kind, Kind::Timeout);
    assert!(fault.message.contains("board lamp did not answer within 0.2 s"), "{fault}");
    assert!(world.cloud().boards.is_online(machine.id));
}

#[tokio::test]
async fn a_question_is_recorded_behind_with_its_end() {
    let world = World::start().await;
    let machine = board(&world, "lamp", obedient()).await;
    let say = "x".repeat(10_000);
    world.query(machine.id, Call::DeviceEcho(rpc::device::Echo { say })).await.unwrap();
    let filter = store::operations::Filter { board: Some(machine.id), ..Default::default() };
    let record = eventually("the record is there", || async {
        let list =
            store::operations::list(world.store(), None, &filter, store::Page::default()).await;
        list.unwrap().pop().ok_or("none")
    })
    .await;
    // Lists leave out what may be large.
    let record = world.operation(record.id).await;
    assert_eq!(record.method, "DeviceEcho");
    assert_eq!(record.result, Some(json!("DeviceEcho")));
    assert_eq!(record.created_by.as_ref(), Some(&world.user));
    assert!(record.arguments.get("omitted_bytes").is_some(), "{}", record.arguments);
}

#[tokio::test]
async fn a_machine_without_a_board_gets_no_question() {
    let world = World::start().await;
    assert!(!world.cloud().boards.is_online(BoardId::new()));
    world.cloud().boards.ring(BoardId::new());
    world.cloud().boards.disconnect(BoardId::new(), "nobody").await;
}
