//! Boards that behave as no real agent does: the cloud stays polite, bounded and right.

use api::client::{Client, Method};
use api::operations::Operation;
use model::Kind;
use model::operation::State;
use rpc::Call;
use serde_json::{Value, json};
use std::time::{Duration, Instant};
use testkit::{PATIENCE, Reply, SimulatedBoard, World, until};
use wamp::{Arguments, CallError, CallOptions, Match};

struct Scene {
    world: World,
    board: SimulatedBoard,
    admin: Client,
}

impl Scene {
    fn new() -> Self {
        let world = World::new();
        let board = SimulatedBoard::enrol(&world.claim("sim"));
        let admin = world.admin();
        Self { world, board, admin }
    }

    fn echo(&self) -> Result<Value, api::client::Error> {
        self.admin.post("/v2/boards/sim/echo", &json!({ "say": "x" }))
    }

    fn give(&self, rest: &str, body: &Value) -> Operation {
        self.admin.post(&format!("/v2/boards/sim{rest}"), body).unwrap()
    }

    fn end(&self, operation: &Operation) -> Operation {
        let detail = self.world.operation(operation.id, 60);
        assert!(detail.operation.state.has_ended(), "{detail:?}");
        detail.operation
    }
}

#[test]
fn answers_that_are_not_in_the_protocol_become_faults() {
    let scene = Scene::new();
    for raw in [
        json!(null),
        json!(""),
        json!("{"),
        json!("{\"message\":1}"),
        json!([[[[1]]]]),
        json!({ "result": "MAYBE", "message": "x" }),
    ] {
        scene.board.behave(move |_| Reply::Raw(raw.clone()));
        let session = scene.board.connect().unwrap();
        let error = scene.echo().unwrap_err();
        assert!(
            matches!(error.kind(), Kind::Internal | Kind::Exhausted | Kind::Unreachable),
            "{error}"
        );
        let end = scene.end(&scene.give("/restart-agent", &json!({})));
        assert!(matches!(end.state, State::Failed | State::Unknown), "{end:?}");
        session.close();
    }
    // An answer too large for the channel ends the session; the question is not left hanging.
    scene.board.behave(|_| Reply::Raw(json!("x".repeat(12 << 20))));
    let _session = scene.board.connect().unwrap();
    let error = scene.echo().unwrap_err();
    assert_ne!(error.kind(), Kind::Timeout, "{error}");
    scene.board.behave(|_| Reply::Fault("the handler is broken".into()));
    let _session = scene.board.connect().unwrap();
    let error = scene.echo().unwrap_err();
    assert_ne!(error.kind(), Kind::Unauthenticated, "{error}");
    let (now, most) = scene.world.cloud(|cloud| cloud.memory_kib());
    println!("the cloud has {now} KiB, at most {most} KiB");
}

#[test]
fn a_board_that_never_answers_times_out_and_blocks_nobody_else() {
    let scene = Scene::new();
    scene.board.behave(|call| match call {
        Call::DeviceEcho(_) | Call::DeviceRestartLR(_) => Reply::Never,
        _ => Reply::Proper,
    });
    let _session = scene.board.connect().unwrap();
    let stuck = scene.give("/restart-agent?deadline=2", &json!({}));
    std::thread::scope(|scope| {
        let echo = scope.spawn(|| {
            let begun = Instant::now();
            (scene.echo().unwrap_err(), begun.elapsed())
        });
        scene.admin.post::<Value>("/v2/boards/sim/ping", &json!({})).unwrap();
        let end = scene.end(&stuck);
        assert_eq!(end.state, State::Unknown, "it was sent, and nobody can say: {end:?}");
        let (error, took) = echo.join().unwrap();
        assert_eq!(error.kind(), Kind::Timeout, "{error}");
        println!("the question timed out after {} ms", took.as_millis());
        assert!(took < Duration::from_secs(60), "{took:?}");
    });
}

#[test]
fn a_command_unanswered_at_a_lost_connection_is_sent_again_with_the_same_id() {
    let scene = Scene::new();
    scene.board.behave(|call| match call {
        Call::PluginInject(_) => Reply::Never,
        _ => Reply::Proper,
    });
    let session = scene.board.connect().unwrap();
    scene.world.plugin("p", "python", "sync", "def main(params):\n    return 1\n");
    let operation: Operation = scene
        .admin
        .request(&Method::PUT, "/v2/boards/sim/plugins/p", Some(&json!({})), &[])
        .unwrap();
    until("the command to be sent", PATIENCE, || {
        let state = scene.world.operation(operation.id, 0).operation.state;
        if state == State::Running { Ok(()) } else { Err(state.to_string()) }
    });
    session.close();
    let session = scene.board.connect().unwrap();
    until("the second attempt", PATIENCE, || {
        let attempts = scene.world.operation(operation.id, 0).operation.attempts;
        if attempts == 2 { Ok(()) } else { Err(format!("{attempts} attempts")) }
    });
    session.close();
    scene.board.behave(|_| Reply::Proper);
    let _session = scene.board.connect().unwrap();
    let end = scene.end(&operation);
    assert_eq!(end.state, State::Succeeded, "{end:?}");
    let ids: Vec<_> = scene.board.seen().into_iter().map(|(request, _)| request.uuid).collect();
    assert_eq!(ids, [operation.id], "the same id came back");
}

#[test]
fn a_board_may_register_and_call_nothing_but_its_own() {
    let scene = Scene::new();
    let session = scene.board.join().unwrap();
    let handler: wamp::Handler =
        std::sync::Arc::new(|_| Box::pin(async { Ok(Arguments::one("stolen")) }));
    let (own, id) = (session.id(), scene.board.id);
    let other = model::BoardId::new();
    scene.board.run(async {
        for (uri, pattern) in [
            (format!("iotronic.{own}.{other}."), Match::Prefix),
            (format!("iotronic.{}.{id}.", own + 1), Match::Prefix),
            ("iotronic.".to_owned(), Match::Prefix),
            ("stack4things.enrol".to_owned(), Match::Exact),
            ("wamp.session.get".to_owned(), Match::Exact),
        ] {
            let registered = session.register(&uri, pattern, handler.clone()).await;
            assert!(registered.is_err(), "{uri} was registered");
        }
        for uri in ["stack4things.enrol", "wamp.session.list", "wamp.session.kill_all", "x.y"] {
            let called =
                session.call(uri, Arguments::default(), CallOptions::within(PATIENCE)).await;
            assert!(matches!(called, Err(CallError::Fault(_))), "{uri}: {called:?}");
        }
        let topic = "wamp.session.on_join";
        assert!(session.subscribe(topic, Match::Exact, 1).await.is_err(), "{topic}");
        assert!(
            session.publish_acknowledged("stack4things.x", Arguments::default()).await.is_err()
        );
    });
    let error = scene.echo().unwrap_err();
    assert_eq!(error.kind(), Kind::Unreachable, "joined is not online: {error}");
}

#[test]
fn a_second_session_of_a_board_takes_the_place_of_the_first() {
    let scene = Scene::new();
    let first = scene.board.connect().unwrap();
    let second = scene.board.connect().unwrap();
    assert_ne!(first.id(), second.id());
    let ended = scene.board.run(async { tokio::time::timeout(PATIENCE, first.closed()).await });
    assert!(ended.is_ok(), "the first one is ended");
    assert!(scene.echo().is_ok());
    let online: Value = scene.admin.get("/v2/boards?status=online").unwrap();
    assert_eq!(online["items"].as_array().map(Vec::len), Some(1));
}

#[test]
fn commands_on_one_subject_arrive_in_order() {
    let scene = Scene::new();
    scene.world.plugin("p", "python", "async", "def main(params):\n    pass\n");
    let _session = scene.board.connect().unwrap();
    let _ = scene.end(
        &scene
            .admin
            .request(&Method::PUT, "/v2/boards/sim/plugins/p", Some(&json!({})), &[])
            .unwrap(),
    );
    let given: Vec<_> = (0..20)
        .map(|n| {
            let verb = ["start", "stop"][n % 2];
            scene.give(&format!("/plugins/p/{verb}"), &json!({}))
        })
        .collect();
    for operation in &given {
        let _ = scene.end(operation);
    }
    let wanted: Vec<_> = given.iter().map(|operation| operation.id).collect();
    let seen: Vec<_> = scene
        .board
        .seen()
        .into_iter()
        .filter(|(_, call)| matches!(call, Call::PluginStart(_) | Call::PluginStop(_)))
        .map(|(request, _)| request.uuid)
        .collect();
    assert_eq!(seen, wanted);
}
