//! What upstream's cloud gets wrong with boards, answered right; and peers of upstream's kind that do things in the wrong order.
//!
//! Which faults of upstream's are shown where is told by the table in testkit's `upstream_defects`.

use crate::forwarding::{bring_link, expose, shout, shouting_service};
use crate::machine::{board as native_board, dial, obedient};
use crate::people::Person;
use crate::rod::{self, Habit, METHODS, Rod, created, habit, open_world, willing};
use crate::world::{World, eventually};
use futures_util::FutureExt as _;
use model::board::Status;
use rpc::Call;
use serde_json::{Value, json};
use std::collections::HashMap;
use std::net::{Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use wamp::Serialiser;
use websocket::Message;

async fn person(world: &World) -> Person {
    Person::sign_in(world.dir.path(), world.address).await.unwrap()
}

#[tokio::test]
async fn a_board_shows_its_hardware_address_and_the_session_it_has_now() {
    let world = open_world().await;
    let person = person(&world).await;
    let mut rod = Rod::online(&world, "lamp", willing()).await;
    // However many sessions a board has had, it is found, and only the last counts.
    for _ in 0..3 {
        rod.session.close();
        world.until_status(rod.id, Status::Offline).await;
        rod = Rod::back(&world, rod.id, (Serialiser::Json, "0.5.0"), willing()).await;
        let path = format!("GET /v1/boards/{}", rod.id);
        let (status, shown) = person.ask(&path, json!({})).await.unwrap();
        assert_eq!(status, 200, "{shown}");
        assert_eq!(shown["session"], rod.session.id().to_string());
        assert_eq!(shown["connectivity"]["mac"], "m");
        assert_eq!(shown.get("mac_addr"), None, "upstream's client asks for a field that is none");
    }
    let (status, listed) =
        person.ask("GET /v1/boards?fields=name,mac_addr", json!({})).await.unwrap();
    assert_eq!(status, 200, "{listed}");
}

#[tokio::test]
async fn a_board_of_0_4_is_told_to_forget_by_the_name_that_it_knows() {
    let world = open_world().await;
    let person = person(&world).await;
    let id = created(&world, "old", "CODE").await;
    let session = rod::join(world.upstream().wamp, Serialiser::Json).await;
    assert_eq!(rod::register(&session, "CODE").await["result"], "SUCCESS");
    assert_eq!(rod::connect(&session, id, "0.4.9").await["result"], "SUCCESS");
    let seen = rod::Seen::default();
    let known = METHODS.into_iter().filter(|method| *method != "DeviceFactoryReset");
    for method in known.chain(["destroyBoard"]) {
        rod::offer(&session, id, method, &seen, &willing()).await.unwrap();
    }
    world.until_status(id, Status::Online).await;
    let (status, said) = person.ask(&format!("DELETE /v1/boards/{id}"), json!({})).await.unwrap();
    assert_eq!(status, 204, "{said}");
    let told = seen.lock().unwrap().iter().filter(|(method, _)| method == "destroyBoard").count();
    assert_eq!(told, 1);
    tokio::time::timeout(Duration::from_secs(60), session.closed()).await.unwrap();
}

#[tokio::test]
async fn nothing_follows_a_204_and_the_next_answer_is_read_from_the_same_connection() {
    let world = open_world().await;
    let person = person(&world).await;
    let rod = Rod::online(&world, "lamp", willing()).await;
    let plugin = json!({ "name": "p", "code": "x", "callable": true, "public": true });
    let (status, said) = person.ask("POST /v1/plugins", plugin).await.unwrap();
    assert_eq!(status, 201, "{said}");
    let path = format!("/v1/boards/{}/plugins", rod.id);
    let (status, said) =
        person.ask(&format!("PUT {path}"), json!({ "plugin": said["uuid"] })).await.unwrap();
    assert_eq!(status, 200, "{said}");

    // As upstream's client sends them: no body, and a content type all the same.
    let delete = format!("DELETE {path}/p");
    let requests = [delete.as_str(), "DELETE /v1/plugins/p", "GET /v1/plugins"]
        .map(|line| person.head(line, "Accept: */*\r\nContent-Type: application/octet-stream\r\n"));
    let mut io = TcpStream::connect(world.address).await.unwrap();
    let mut answers = Vec::new();
    for request in requests {
        io.write_all(request.as_bytes()).await.unwrap();
        answers.push(one_answer(&mut io).await);
    }
    assert!(
        answers[..2].iter().all(|(status, body)| *status == 204 && body.is_empty()),
        "{answers:?}"
    );
    assert_eq!(answers[2], (200, r#"{"plugins":[]}"#.into()));
}

/// Status and body of the next answer on a connection that stays.
async fn one_answer(io: &mut TcpStream) -> (u16, String) {
    let mut read = Vec::new();
    let reading = async {
        loop {
            let text = String::from_utf8_lossy(&read).into_owned();
            if let Some((head, body)) = text.split_once("\r\n\r\n") {
                let head = head.to_ascii_lowercase();
                let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
                if body.len() >= length.map_or(0, |length| length.parse().unwrap()) {
                    let status = head.split(' ').nth(1).unwrap().parse().unwrap();
                    return (status, body.to_owned());
                }
            }
            assert_ne!(io.read_buf(&mut read).await.unwrap(), 0, "ended: {text}");
        }
    };
    tokio::time::timeout(Duration::from_secs(60), reading).await.unwrap()
}

#[tokio::test]
async fn a_board_that_does_not_answer_keeps_nobody_else_waiting() {
    let world = open_world().await;
    let person = person(&world).await;
    let mute: Habit = Arc::new(|method, _| match method.as_str() {
        "DevicePing" => async { json!({ "message": "", "result": "SUCCESS" }) }.boxed(),
        _ => std::future::pending().boxed(),
    });
    let stuck = Rod::online(&world, "stuck", mute).await;
    let other = Rod::online(&world, "other", willing()).await;
    let echo = json!({ "action": "DeviceEcho", "parameters": { "say": "hi" } });
    let path = |rod: &Rod| format!("POST /v1/boards/{}/action", rod.id);
    // More of them than upstream's conductor has threads.
    let asked: Vec<_> = (0..100)
        .map(|_| {
            let (person, path, echo) = (person.clone(), path(&stuck), echo.clone());
            tokio::spawn(async move { person.ask(&path, echo).await })
        })
        .collect();
    eventually("all of them are at the board or refused", || async {
        let waiting = stuck.calls("DeviceEcho").len();
        let refused = asked.iter().filter(|asked| asked.is_finished()).count();
        if waiting + refused >= 100 { Ok(()) } else { Err((waiting, refused)) }
    })
    .await;
    let (status, said) = person.ask(&path(&other), echo).await.unwrap();
    assert_eq!((status, said), (200, json!("DeviceEcho")));
    asked.iter().for_each(tokio::task::JoinHandle::abort);
}

#[tokio::test]
async fn a_service_is_reached_over_ipv6_too() {
    let world = World::with(|settings| settings.services.listen = Ipv6Addr::LOCALHOST.into()).await;
    let machine = native_board(&world, "lamp", obedient()).await;
    let exposure = expose(&world, machine.id, "shout").await;
    let table = HashMap::from([(exposure.service.to_string(), shouting_service().await)]);
    let _link = bring_link(&world, machine.id, &machine.key, table).await.unwrap();
    let address = SocketAddr::from((Ipv6Addr::LOCALHOST, exposure.public_port.unwrap()));
    assert_eq!(eventually("it answers", || shout(address, "hi")).await, "HI");
}

#[tokio::test]
async fn an_injection_into_many_boards_names_no_larger_request_to_upstreams_agents() {
    let mut world = open_world().await;
    let person = person(&world).await;
    world.project = person.project().await;
    // Upstream's agent answers an injection of a larger request with RUNNING, and then fails to tell its end.
    let upstreams = habit(|method, list| {
        let is_part = method == "PluginInject" && list[0]["main_request_uuid"].is_string();
        let result = if is_part { "RUNNING" } else { "SUCCESS" };
        json!({ "message": method, "result": result, "req_id": list[0]["uuid"] })
    });
    let rod = Rod::online(&world, "lamp", upstreams).await;
    let labels = json!({ "labels": { "kind": "lamp" } });
    let (status, said) = person.ask(&format!("PATCH /v2/boards/{}", rod.id), labels).await.unwrap();
    assert_eq!(status, 200, "{said}");
    let plugin = json!({ "name": "p", "code": "x", "callable": true, "public": true });
    assert_eq!(person.ask("POST /v1/plugins", plugin).await.unwrap().0, 201);
    let many = json!({ "plugin": "p", "selector": "kind=lamp" });
    let (status, begun) = person.ask("POST /v2/injections", many).await.unwrap();
    assert_eq!(status, 202, "{begun}");
    let main = begun[0]["main"].as_str().unwrap().to_owned();
    let request = format!("GET /v1/requests/{main}");
    let ended = eventually("its part has ended", || async {
        let (_, shown) = person.ask(&request, json!({})).await.unwrap();
        if shown["pending_requests"] == 0 { Ok(shown) } else { Err(shown) }
    })
    .await;
    assert_eq!(ended["status"], "COMPLETED");
    let (_, results) = person.ask(&format!("{request}/results"), json!({})).await.unwrap();
    assert_eq!(results["results"][0]["result"], "SUCCESS", "{results}");
    assert_eq!(rod.calls("PluginInject")[0][0]["main_request_uuid"], Value::Null);
}

/// What a peer that says this is told before it is put out; `said` are its messages.
async fn told(world: &World, said: &[Value]) -> Vec<Value> {
    let (mut reader, mut writer) = dial(world.upstream().wamp, "/", &["wamp.2.json"]).await.split();
    let mut heard = Vec::new();
    for message in said {
        writer.feed(&Message::Text(message.to_string().into()));
        // It may be out already.
        let _ = writer.flush().await;
    }
    let end = async {
        while let Ok(message) = reader.next().await {
            if let Message::Text(text) = message {
                heard.push(serde_json::from_slice(&text).unwrap());
            }
        }
    };
    tokio::time::timeout(Duration::from_secs(60), end).await.unwrap();
    heard
}

#[tokio::test]
async fn messages_out_of_order_end_their_session_with_a_reason_and_change_nothing() {
    let world = open_world().await;
    let rod = Rod::online(&world, "lamp", willing()).await;
    let hello = json!([1, "s4t", { "roles": { "caller": {}, "callee": {} } }]);
    let uri = format!("iotronic.1.{}.DevicePing", rod.id);
    for (what, said) in [
        (
            "a call before hello",
            vec![json!([48, 1, {}, "stack4things.register", [], { "code": "lamp", "session": 1 }])],
        ),
        ("a registration before hello", vec![json!([64, 1, {}, uri])]),
        ("a result before hello", vec![json!([70, 1, {}, ["x"]])]),
        ("a goodbye before hello", vec![json!([6, {}, "wamp.close.normal"])]),
        ("hello twice", vec![hello.clone(), hello.clone()]),
        ("a welcome", vec![hello.clone(), json!([2, 1, {}])]),
        ("an answer to no challenge", vec![hello.clone(), json!([5, "x", {}])]),
        ("a result of no call", vec![hello.clone(), json!([70, 77, {}, ["x"]])]),
        ("a fault of no call", vec![hello.clone(), json!([8, 68, 77, {}, "x.y"])]),
        ("an invocation", vec![hello.clone(), json!([68, 1, 1, {}])]),
        ("an event", vec![hello.clone(), json!([36, 1, 1, {}])]),
        ("a registration that was made", vec![hello.clone(), json!([65, 1, 1])]),
        ("no message", vec![hello.clone(), json!({ "code": "lamp" })]),
        ("a message of no kind", vec![hello.clone(), json!([999])]),
        ("another realm", vec![json!([1, "realm1", { "roles": { "caller": {} } }])]),
        (
            "a call after goodbye",
            vec![
                hello.clone(),
                json!([6, {}, "wamp.close.normal"]),
                json!([48, 1, {}, "stack4things.register", [], { "code": "lamp", "session": 1 }]),
            ],
        ),
    ] {
        let heard = told(&world, &said).await;
        let last = heard.last().unwrap_or_else(|| panic!("{what}: nothing was said"));
        let kind = last[0].as_u64().unwrap();
        assert!(kind == 3 || kind == 6, "{what}: neither ABORT nor GOODBYE: {heard:?}");
        assert!(heard.iter().all(|message| message[0] != 50), "{what}: a result: {heard:?}");
    }
    assert_eq!(world.query(rod.id, Call::DevicePing).await.unwrap(), "DevicePing");
    assert_eq!(world.board(rod.id).await.status, Status::Online);
}

#[tokio::test]
async fn a_board_that_connects_or_notifies_before_it_may_is_refused_in_upstreams_words() {
    let world = open_world().await;
    let id = created(&world, "lamp", "CODE").await;
    let session = rod::join(world.upstream().wamp, Serialiser::Json).await;
    let notified =
        json!({ "board_uuid": id, "wampmessage": r#"{"message":"x","result":"SUCCESS"}"# });
    // It is nobody yet: it may not tell results, connect, or register a procedure.
    let answer = rod::ask(&session, "iotronic.stack4things.notify_result", notified).await;
    assert_eq!(answer["result"], "ERROR", "{answer}");
    let answer = rod::connect(&session, id, "0.5.0").await;
    assert_eq!(answer["message"], format!("Board {id} could not be found."), "{answer}");
    let refused = rod::offer(&session, id, "DevicePing", &rod::Seen::default(), &willing()).await;
    assert!(refused.is_err());
    assert_eq!(world.board(id).await.status, Status::Registered);
    // In order, all of it is well on the same session, and once connected it cannot register another board.
    assert_eq!(rod::register(&session, "CODE").await["result"], "SUCCESS");
    assert_eq!(rod::connect(&session, id, "0.5.0").await["result"], "SUCCESS");
    created(&world, "other", "OTHER").await;
    assert_eq!(rod::register(&session, "OTHER").await["result"], "ERROR");
    assert_eq!(rod::register(&session, "CODE").await["result"], "ERROR", "its own code is used");
}

#[tokio::test]
async fn a_terminal_on_an_upstream_board_is_refused_with_what_to_do_instead() {
    let world = open_world().await;
    let person = person(&world).await;
    let rod = Rod::online(&world, "lamp", willing()).await;
    let upgrade = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let request = person.head(&format!("GET /v2/boards/{}/terminal", rod.id), upgrade);
    let mut io = TcpStream::connect(world.address).await.unwrap();
    io.write_all(request.as_bytes()).await.unwrap();
    let (status, said) = one_answer(&mut io).await;
    assert_eq!(status, 409, "{said}");
    assert!(
        said.contains("runs upstream's agent") && said.contains("expose its SSH service"),
        "{said}"
    );
}
