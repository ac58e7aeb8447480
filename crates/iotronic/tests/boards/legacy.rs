//! Upstream boards: how they come in, come online, and what they may not do.

use crate::machine::{board as native_board, dial, obedient};
use crate::people::Person;
use crate::rod::{
    self, METHODS, Rod, connect, created, join, offer, open_world, open_world_for, register,
    willing,
};
use crate::world::{World, eventually};
use futures_util::FutureExt as _;
use iotronic::settings::Projects;
use model::BoardId;
use model::board::Status;
use rpc::Call;
use serde_json::{Value, json};
use std::sync::Arc;
use std::time::Duration;
use store::upstream;
use wamp::{
    Anonymous, ClientSettings, ConnectError, Match, Roles, Serialiser, Session, uri::error,
};

#[tokio::test]
async fn a_code_is_answered_until_the_first_connection_and_refused_afterwards() {
    let world = open_world().await;
    for serialiser in [Serialiser::Json, Serialiser::Cbor, Serialiser::MessagePack] {
        let code = format!("CODE-{}", serialiser.subprotocol());
        let id = created(&world, serialiser.subprotocol(), &code).await;
        let session = join(world.upstream().wamp, serialiser).await;
        for _ in 0..2 {
            let answer = register(&session, &code).await;
            assert_eq!(answer["result"], "SUCCESS", "{answer}");
            check_config(&world, id, &code, &answer["message"]["iotronic"]);
        }
        assert_eq!(world.board(id).await.status, Status::Offline);
        session.close();
        session.closed().await;

        let rod = Rod::back(&world, id, (serialiser, "0.5.0"), willing()).await;
        let board = world.board(id).await;
        assert_eq!((board.agent_version.as_deref(), board.protocol), (Some("0.5.0"), Some(0)));
        let known = upstream::get(world.store(), id).await.unwrap().unwrap();
        assert_eq!((known.connected_once, &known.connectivity["mac"]), (true, &json!("m")));

        let replay = join(world.upstream().wamp, serialiser).await;
        let answer = register(&replay, &code).await;
        assert_eq!(answer["result"], "ERROR", "{answer}");
        assert!(answer["message"].as_str().unwrap().contains("used"), "{answer}");
        assert!(answer.get("kind").is_none(), "upstream's shape has no kind: {answer}");
        rod.session.close();
        world.until_status(id, Status::Offline).await;
        assert_eq!(register(&replay, &code).await["result"], "ERROR", "also when it is away");
    }
}

fn check_config(world: &World, id: BoardId, code: &str, config: &Value) {
    let board = &config["board"];
    assert_eq!(board["uuid"], json!(id));
    assert_eq!(board["code"], code);
    assert_eq!((&board["status"], &board["agent"]), (&json!("registered"), &json!("iotronic")));
    for key in ["name", "type", "mobile", "extra", "created_at", "updated_at", "location"] {
        assert!(board.get(key).is_some_and(|value| !value.is_null()), "{key} is missing: {board}");
    }
    assert!(config["extra"].is_object());
    let url = format!("ws://{}/", world.upstream().wamp);
    for agent in ["registration-agent", "main-agent"] {
        assert_eq!(config["wamp"][agent], json!({ "url": url, "realm": "s4t" }));
    }
}

#[tokio::test]
async fn a_code_nobody_has_gets_upstreams_answer_and_few_chances() {
    let world = open_world().await;
    let session = join(world.upstream().wamp, Serialiser::Json).await;
    for _ in 0..5 {
        let answer = register(&session, "NOPE").await;
        assert_eq!(
            answer,
            json!({ "message": "Board NOPE could not be found.", "result": "ERROR" })
        );
    }
    let said = json!({ "code": "NOPE", "session": session.id() });
    // The session may be gone before the answer is there.
    let _ = rod::call(&session, "stack4things.register", said).await;
    session.closed().await;
}

#[tokio::test]
async fn a_board_is_online_only_when_it_can_be_called() {
    let world = open_world().await;
    let id = created(&world, "lamp", "CODE").await;
    let session = join(world.upstream().wamp, Serialiser::Json).await;
    register(&session, "CODE").await;
    assert_eq!(connect(&session, id, "0.5.0").await["result"], "SUCCESS");
    let (seen, habit) = (rod::Seen::default(), willing());
    let (last, rest) = METHODS.split_last().unwrap();
    for method in rest {
        offer(&session, id, method, &seen, &habit).await.unwrap();
    }
    assert_eq!(world.board(id).await.status, Status::Offline, "it has no DevicePing yet");
    assert!(!world.cloud().boards.is_online(id));
    offer(&session, id, last, &seen, &habit).await.unwrap();
    world.until_status(id, Status::Online).await;
    assert_eq!(world.query(id, Call::DevicePing).await.unwrap(), "DevicePing");
    session.close();
    world.until_status(id, Status::Offline).await;
}

#[tokio::test]
async fn a_second_session_of_a_board_is_refused_while_the_first_lives_and_takes_over_when_not() {
    let world = open_world().await;
    let rod = Rod::online(&world, "lamp", willing()).await;
    let second = join(world.upstream().wamp, Serialiser::Json).await;
    let answer = connect(&second, rod.id, "0.5.0").await;
    assert_eq!(answer["result"], "ERROR", "{answer}");
    assert_eq!(world.query(rod.id, Call::DevicePing).await.unwrap(), "DevicePing");

    let world = open_world().await;
    let mute: rod::Habit = Arc::new(|_, _| std::future::pending().boxed());
    let rod = Rod::online(&world, "lamp", mute).await;
    let back = Rod::back(&world, rod.id, (Serialiser::Cbor, "0.5.0"), willing()).await;
    rod.session.closed().await;
    eventually("the new session answers", || world.query(back.id, Call::DevicePing)).await;
}

#[tokio::test]
async fn only_a_legacy_board_that_registered_here_connects() {
    let world = open_world().await;
    let native = native_board(&world, "native", obedient()).await;
    let unregistered = created(&world, "unregistered", "CODE").await;
    let session = join(world.upstream().wamp, Serialiser::Json).await;
    for id in [native.id, unregistered, BoardId::new()] {
        let answer = connect(&session, id, "0.5.0").await;
        let text = format!("Board {id} could not be found.");
        assert_eq!(answer, json!({ "message": text, "result": "ERROR" }));
    }
    let said = json!({ "uuid": unregistered, "session": 1, "info": {} });
    let answer = rod::ask(&session, "iotronic.stack4things.connection", said).await;
    assert_eq!(answer["result"], "ERROR", "the session of another: {answer}");
    assert!(world.cloud().boards.is_online(native.id));
}

#[tokio::test]
async fn a_project_has_legacy_boards_only_when_it_is_named_or_marked() {
    let world = open_world_for(Projects::default()).await;
    created(&world, "lamp", "CODE").await;
    let session = join(world.upstream().wamp, Serialiser::Json).await;
    let answer = register(&session, "CODE").await;
    assert!(answer["message"].as_str().unwrap().contains("legacy.projects"), "{answer}");

    let project = store::identity::ProjectRow::new(world.project.clone(), "city");
    let job = world
        .store()
        .write(|tx| Box::pin(async move { store::identity::create_project(tx, &project).await }));
    job.await.unwrap();
    let person = Person::sign_in(world.dir.path(), world.address).await.unwrap();
    let allow = async |allow: bool| {
        let request = format!("PATCH /identity/v3/projects/{}", world.project);
        let body = json!({ "project": { "allow_legacy": allow } });
        let (status, said) = person.ask(&request, body).await.unwrap();
        assert_eq!((status, &said["project"]["allow_legacy"]), (200, &json!(allow)), "{said}");
        assert_eq!(
            (&said["project"]["name"], &said["project"]["enabled"]),
            (&json!("city"), &json!(true))
        );
    };
    allow(true).await;
    let rod = Rod::online(&world, "meter", willing()).await;
    // What is taken back holds for those who are in already.
    allow(false).await;
    tokio::time::timeout(Duration::from_secs(60), rod.session.closed()).await.unwrap();
    let session = join(world.upstream().wamp, Serialiser::Json).await;
    assert_eq!(register(&session, "CODE").await["result"], "ERROR");
    assert_eq!(connect(&session, rod.id, "0.5.0").await["result"], "ERROR");
}

async fn denied_registration(session: &Session, uri: &str, pattern: Match) {
    let answer = Arc::new(|_| async { Ok(wamp::Arguments::default()) }.boxed());
    let refused = session.register(uri, pattern, answer).await.unwrap_err();
    assert!(refused.to_string().contains(error::NOT_AUTHORISED), "{uri}: {refused}");
}

#[tokio::test]
async fn a_legacy_board_can_do_nothing_to_others() {
    let world = open_world().await;
    let victim = Rod::online(&world, "victim", willing()).await;
    let native = native_board(&world, "native", obedient()).await;
    let rod = Rod::online(&world, "lamp", willing()).await;
    let (own, session) = (rod.session.id(), &rod.session);
    for uri in [
        format!("iotronic.{own}.{}.DevicePing", victim.id),
        format!("iotronic.{}.{}.Extra", victim.session.id(), victim.id),
        format!("iotronic.{}.{}.Extra", victim.session.id(), rod.id),
        "stack4things.register".to_owned(),
        "iotronic.stack4things.connection".to_owned(),
        "other.stack4things.connection".to_owned(),
        "anything".to_owned(),
    ] {
        denied_registration(session, &uri, Match::Exact).await;
    }
    denied_registration(session, &format!("iotronic.{own}.{}.", rod.id), Match::Prefix).await;
    denied_registration(session, "iotronic...", Match::Wildcard).await;
    for uri in [
        format!("iotronic.{}.{}.DevicePing", victim.session.id(), victim.id),
        format!("iotronic.{}.{}.DevicePing", native.session.id(), native.id),
        "stack4things.enrol".to_owned(),
        "iotronic.stack4things.report".to_owned(),
        "wamp.session.list".to_owned(),
    ] {
        let refused = rod::call(session, &uri, json!({})).await.unwrap_err();
        assert!(refused.to_string().contains(error::NOT_AUTHORISED), "{uri}: {refused}");
    }
    let topics = session.subscribe("wamp.session.on_join", Match::Exact, 1).await;
    assert!(topics.is_err());
    let notified = json!({
        "board_uuid": victim.id, "wampmessage": r#"{"message":"x","result":"SUCCESS"}"#,
    });
    let answer = rod::ask(session, "iotronic.stack4things.notify_result", notified).await;
    assert_eq!(answer["result"], "ERROR", "{answer}");
    // A second board by the same session.
    assert_eq!(connect(session, victim.id, "0.5.0").await["result"], "ERROR");
    for id in [victim.id, native.id, rod.id] {
        world.query(id, Call::DevicePing).await.unwrap();
    }
}

#[tokio::test]
async fn boards_of_another_cloud_find_the_agent_by_the_name_they_were_told() {
    let mut world = open_world().await;
    let id = created(&world, "lamp", "CODE").await;
    let job = world
        .store()
        .write(move |tx| Box::pin(upstream::record_registration(tx, id, "old-cloud.example")));
    job.await.unwrap();
    world.stop().await;
    world.resume().await;
    for _ in 0..2 {
        let session = join(world.upstream().wamp, Serialiser::Json).await;
        let info = json!({ "lr_version": "0.5.0", "connectivity": {} });
        let said = json!({ "uuid": id, "session": session.id(), "info": info });
        let answer = rod::ask(&session, "old-cloud.example.stack4things.connection", said).await;
        assert_eq!(answer["result"], "SUCCESS", "{answer}");
        // It is still called so after the next start, whatever the cloud has learnt of the board.
        world.stop().await;
        world.resume().await;
    }
}

#[tokio::test]
async fn the_agent_answers_what_boards_ask_of_it() {
    let world = open_world().await;
    let session = join(world.upstream().wamp, Serialiser::Json).await;
    let said = json!({ "board_uuid": BoardId::new(), "board_name": "x" });
    let alive = rod::call(&session, "iotronic.stack4things.wamp_alive", said).await.unwrap();
    assert!(alive.as_str().unwrap().starts_with("Iotronic alive @ "), "{alive}");
    let alive = rod::call(&session, "iotronic.stack4things.alive", json!({})).await.unwrap();
    assert!(alive.is_string());
    let echo = rod::call(&session, "iotronic.stack4things.echo", json!({ "data": [1, "é"] }));
    assert_eq!(echo.await.unwrap(), json!([1, "é"]));
    for garbage in [json!({}), json!({ "code": 1, "session": "x" }), json!({ "uuid": "x" })] {
        for procedure in ["stack4things.register", "iotronic.stack4things.connection"] {
            let answer = rod::ask(&session, procedure, garbage.clone()).await;
            assert_eq!(answer["result"], "ERROR", "{procedure} {garbage}");
        }
    }
}

#[tokio::test]
async fn native_boards_and_legacy_ones_do_not_share_a_door() {
    let world = open_world().await;
    let socket = dial(world.address, "/wamp", &["wamp.2.json"]).await;
    let settings = ClientSettings::default();
    let refused =
        wamp::connect(socket, Serialiser::Json, rpc::REALM, Roles::default(), Anonymous, settings);
    assert!(matches!(refused.await, Err(ConnectError::Refused(_))));

    let key = base::key::KeyPair::generate();
    let socket = dial(world.upstream().wamp, "/", &["wamp.2.json"]).await;
    let proof = crate::machine::Proof::new(&key, rpc::handshake::Intent::Enrol);
    let refused =
        wamp::connect(socket, Serialiser::Json, rpc::REALM, Roles::default(), proof, settings);
    assert!(matches!(refused.await, Err(ConnectError::Refused(_))));
}

#[tokio::test]
async fn a_board_comes_back_by_itself_after_the_cloud_was_started_again() {
    let mut world = open_world().await;
    let rod = Rod::online(&world, "lamp", willing()).await;
    world.stop().await;
    rod.session.closed().await;
    world.resume().await;
    assert_eq!(world.board(rod.id).await.status, Status::Offline);
    let back = Rod::back(&world, rod.id, (Serialiser::Json, "0.5.0"), willing()).await;
    assert_eq!(world.query(back.id, Call::DevicePing).await.unwrap(), "DevicePing");
}

#[tokio::test]
async fn a_board_that_is_given_up_is_told_to_forget_and_its_session_ends() {
    let world = open_world().await;
    let person = Person::sign_in(world.dir.path(), world.address).await.unwrap();
    let rod = Rod::online(&world, "lamp", willing()).await;
    let (status, shown) =
        person.ask(&format!("GET /v2/boards/{}", rod.id), json!({})).await.unwrap();
    assert_eq!((status, &shown["legacy"]), (200, &json!(true)), "{shown}");
    let (status, answer) =
        person.ask(&format!("DELETE /v2/boards/{}", rod.id), json!({})).await.unwrap();
    assert_eq!(status, 204, "{answer}");
    assert_eq!(rod.calls("DeviceFactoryReset").len(), 1);
    tokio::time::timeout(Duration::from_secs(60), rod.session.closed()).await.unwrap();
    let session = join(world.upstream().wamp, Serialiser::Json).await;
    assert_eq!(connect(&session, rod.id, "0.5.0").await["result"], "ERROR");
    assert_eq!(register(&session, "lamp").await["result"], "ERROR");
    // The code is free for a new board.
    created(&world, "lamp", "lamp").await;
    assert_eq!(register(&session, "lamp").await["result"], "SUCCESS");
}
