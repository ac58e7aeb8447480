//! Whole sessions over real loopback sockets: calls, events, authentication, authorisation, ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod world;

use std::time::{Duration, Instant};

use bytes::Bytes;
use ed25519_dalek::SigningKey;
use serde_json::{Value, json};
use wamp::uri::error;
use wamp::{
    Anonymous, Arguments, CallError, CallOptions, ClientSettings, ConnectError, Credentials, Ended,
    Fault, Match, RequestError, RouterSettings, Serialiser,
};
use websocket::{Role, WebSocket};
use world::{Key, Link, REALM, World, echo, eventually, handler, join, silence, within};

fn sample() -> Arguments {
    let Value::Object(keywords) = json!({"name": "böard", "deep": {"list": [1, null, true]}})
    else {
        unreachable!()
    };
    Arguments { list: vec![json!(1), json!(-2.5), json!("\0AAEC"), json!([])], keywords }
}

#[tokio::test]
async fn calls_pass_between_every_pair_of_serialisers_and_local_sessions() {
    let world = World::start().await;
    let mut sessions = vec![("local".to_owned(), world.router.local("agent", "cloud"))];
    for serialiser in Serialiser::ALL {
        sessions.push((format!("{serialiser:?}"), world.client(serialiser).await));
    }
    for (name, session) in &sessions {
        let procedure = format!("echo.{name}");
        within(session.register(&procedure, Match::Exact, echo())).await.unwrap();
    }
    for (caller_name, caller) in &sessions {
        for (callee_name, _) in &sessions {
            let procedure = format!("echo.{callee_name}");
            for arguments in [sample(), Arguments::default(), Arguments::one("x")] {
                let call = caller.call(&procedure, arguments.clone(), CallOptions::default());
                let result = within(call).await.unwrap();
                assert_eq!(result, arguments, "{caller_name} calls {callee_name}");
            }
        }
    }
}

#[tokio::test]
async fn a_fault_of_the_callee_reaches_the_caller_as_it_is() {
    let world = World::start().await;
    let (callee, caller) =
        (world.client(Serialiser::Cbor).await, world.client(Serialiser::Json).await);
    let refuse = handler(|_| async { Err(Fault::new("board.error.busy", "try later")) });
    callee.register("busy", Match::Exact, refuse).await.unwrap();
    let call = within(caller.call("busy", Arguments::default(), CallOptions::default())).await;
    assert_eq!(call, Err(CallError::Fault(Fault::new("board.error.busy", "try later"))));
}

#[tokio::test]
async fn a_handler_that_panics_fails_its_call_and_nothing_else() {
    let world = World::start().await;
    let callee = world.client(Serialiser::MessagePack).await;
    callee.register("bad", Match::Exact, handler(|_| async { panic!("boom") })).await.unwrap();
    callee.register("good", Match::Exact, echo()).await.unwrap();
    let caller = world.router.local("agent", "cloud");
    let options = CallOptions::default();
    let Err(CallError::Fault(fault)) =
        within(caller.call("bad", Arguments::default(), options)).await
    else {
        panic!("the call must fail");
    };
    assert_eq!(fault.uri, error::RUNTIME_ERROR);
    within(caller.call("good", Arguments::default(), options)).await.unwrap();
}

#[tokio::test]
async fn a_prefix_registration_learns_the_procedure_and_the_caller() {
    let world = World::start().await;
    let agent = world.router.local("agent", "cloud");
    let tell = handler(|invocation| async move {
        let caller = invocation.caller.unwrap();
        Ok(Arguments::list(vec![
            invocation.uri.into(),
            caller.session.into(),
            caller.authid.unwrap().into(),
            caller.role.unwrap().into(),
        ]))
    });
    agent.register("agent.stack4things.", Match::Prefix, tell).await.unwrap();
    let board = world.client(Serialiser::Json).await;
    let call = board.call("agent.stack4things.alive", Arguments::default(), CallOptions::default());
    let expected = json!(["agent.stack4things.alive", board.id(), "anonymous", "guest"]);
    assert_eq!(Value::Array(within(call).await.unwrap().list), expected);
}

#[tokio::test]
async fn events_reach_exact_and_prefix_subscribers_but_not_their_publisher() {
    let world = World::start().await;
    let publisher = world.client(Serialiser::Cbor).await;
    let mut own = within(publisher.subscribe("a.b", Match::Exact, 8)).await.unwrap();
    let mut others = Vec::new();
    for (serialiser, topic, pattern) in [
        (Serialiser::Json, "a.b", Match::Exact),
        (Serialiser::MessagePack, "a.", Match::Prefix),
        (Serialiser::Cbor, ".b", Match::Wildcard),
    ] {
        let session = world.client(serialiser).await;
        let events = within(session.subscribe(topic, pattern, 8)).await.unwrap();
        others.push((session, events));
    }
    within(publisher.publish_acknowledged("a.b", sample())).await.unwrap();
    for (_, events) in &mut others {
        let event = within(events.next()).await.unwrap();
        assert_eq!((event.topic.as_str(), &event.arguments), ("a.b", &sample()));
        assert_eq!(event.publisher.unwrap().session, publisher.id());
    }
    others[0].0.publish("a.b", Arguments::one("from another")).unwrap();
    assert_eq!(within(own.next()).await.unwrap().arguments, Arguments::one("from another"));
}

#[tokio::test]
async fn a_full_subscription_queue_drops_and_counts() {
    let world = World::start().await;
    let agent = world.router.local("agent", "cloud");
    let mut events = within(agent.subscribe("load", Match::Exact, 2)).await.unwrap();
    let board = world.client(Serialiser::Json).await;
    for number in 0..5 {
        within(board.publish_acknowledged("load", Arguments::one(number))).await.unwrap();
    }
    assert_eq!(events.missed(), 3);
    assert_eq!(within(events.next()).await.unwrap().arguments, Arguments::one(0));
}

#[tokio::test]
async fn cryptosign_lets_the_holder_of_the_key_in_and_tells_both_sides() {
    let world = World::start().await;
    let key = SigningKey::from_bytes(&[7; 32]);
    let public = wamp::auth::cryptosign::to_hex(&key.verifying_key().to_bytes());
    let settings = ClientSettings::default();
    let session = join(world.address, Serialiser::Cbor, Key(key), settings).await.unwrap();
    assert_eq!(session.welcome().get("authid"), Some(&public.clone().into()));
    assert_eq!(session.welcome().get("authextra"), Some(&json!({"cloud": "signed"})));
    session.close();
    assert_eq!(within(session.closed()).await, Ended::Closed);
    let expected = [format!("joined {public}"), format!("left {public}")];
    let log = &world.router.policy().log;
    eventually("the policy saw it leave", || *log.lock().unwrap() == expected).await;
}

struct Forger(Key);

impl Credentials for Forger {
    fn methods(&self) -> Vec<String> {
        self.0.methods()
    }
    fn hello_extra(&mut self) -> wamp::Dict {
        wamp::auth::cryptosign::hello_extra(
            &SigningKey::from_bytes(&[1; 32]).verifying_key().to_bytes(),
        )
    }
    fn answer(&mut self, method: &str, extra: &wamp::Dict) -> Result<(String, wamp::Dict), String> {
        self.0.answer(method, extra)
    }
}

#[tokio::test]
async fn a_wrong_signature_is_aborted_and_leaves_no_session() {
    let mut world = World::start().await;
    let forger = Forger(Key(SigningKey::from_bytes(&[2; 32])));
    let joined = join(world.address, Serialiser::Json, forger, ClientSettings::default()).await;
    let Err(ConnectError::Refused(abort)) = joined else { panic!("must be refused: {joined:?}") };
    assert_eq!(abort.reason, error::AUTHENTICATION_FAILED);
    assert!(matches!(world.next_end().await, Ended::Refused(_)));
    assert_eq!(world.router.sessions(), 0);
}

#[tokio::test]
async fn unknown_realms_and_unwelcome_guests_are_told_why() {
    let world = World::start().await;
    let socket = world::open(world.address, Serialiser::Json).await;
    let (roles, settings) = (wamp::Roles::default(), ClientSettings::default());
    let joined = wamp::connect(socket, Serialiser::Json, "nowhere", roles, Anonymous, settings);
    let Err(ConnectError::Refused(abort)) = within(joined).await else { panic!("refused") };
    assert_eq!(abort.reason, error::NO_SUCH_REALM);

    struct Mallory;
    impl Credentials for Mallory {
        fn authid(&self) -> Option<String> {
            Some("mallory".into())
        }
    }
    let joined = join(world.address, Serialiser::Json, Mallory, settings).await;
    let Err(ConnectError::Refused(abort)) = joined else { panic!("refused") };
    assert_eq!(abort.reason, error::AUTHENTICATION_DENIED);
}

#[tokio::test]
async fn a_client_may_refuse_the_router() {
    struct Sceptic;
    impl Credentials for Sceptic {
        fn welcome(&mut self, _: &wamp::Dict) -> Result<(), String> {
            Err("not the pinned cloud".into())
        }
    }
    let world = World::start().await;
    let joined = join(world.address, Serialiser::Json, Sceptic, ClientSettings::default()).await;
    assert_eq!(joined.unwrap_err(), ConnectError::Distrusted("not the pinned cloud".into()));
    eventually("the session is gone", || world.router.sessions() == 0).await;
}

fn is_refused(outcome: Result<impl Sized, RequestError>) -> bool {
    matches!(outcome, Err(RequestError::Refused(fault)) if fault.uri == error::NOT_AUTHORISED)
}

#[tokio::test]
async fn every_action_needs_a_verdict() {
    let world = World::start().await;
    let board = world.client(Serialiser::Json).await;
    let agent = world.router.local("agent", "cloud");
    agent.register("forbidden.call", Match::Exact, echo()).await.unwrap();
    for pattern in [Match::Exact, Match::Prefix, Match::Wildcard] {
        assert!(is_refused(within(board.register("forbidden.x", pattern, echo())).await));
        assert!(is_refused(within(board.subscribe("forbidden.x", pattern, 1)).await));
    }
    let published = board.publish_acknowledged("forbidden.x", Arguments::default());
    assert!(is_refused(within(published).await));
    let call = board.call("forbidden.call", Arguments::default(), CallOptions::default());
    let Err(CallError::Fault(fault)) = within(call).await else { panic!("must be refused") };
    assert_eq!(fault.uri, error::NOT_AUTHORISED);
}

#[tokio::test]
async fn nobody_may_answer_or_publish_below_wamp() {
    let world = World::start().await;
    let agent = world.router.local("agent", "cloud");
    for uri in ["wamp.session.count", "wamp"] {
        let registered = within(agent.register(uri, Match::Exact, echo())).await;
        assert!(
            matches!(registered, Err(RequestError::Refused(fault)) if fault.uri == error::INVALID_URI)
        );
        let published = within(agent.publish_acknowledged(uri, Arguments::default())).await;
        assert!(
            matches!(published, Err(RequestError::Refused(fault)) if fault.uri == error::INVALID_URI)
        );
    }
}

#[tokio::test]
async fn a_call_times_out_and_its_late_answer_harms_nothing() {
    let world = World::start().await;
    let callee = world.client(Serialiser::Cbor).await;
    let (sender, mut interrupted) = tokio::sync::mpsc::unbounded_channel();
    let slow = handler(move |mut invocation| {
        let sender = sender.clone();
        async move {
            invocation.interrupt.requested().await;
            let _ = sender.send(invocation.timeout);
            Ok(Arguments::default())
        }
    });
    callee.register("slow", Match::Exact, slow).await.unwrap();
    callee.register("echo", Match::Exact, echo()).await.unwrap();
    let timeout = Duration::from_millis(30);
    for caller in [world.router.local("agent", "cloud"), world.client(Serialiser::Json).await] {
        let call = caller.call("slow", Arguments::default(), CallOptions::within(timeout));
        assert_eq!(within(call).await, Err(CallError::Timeout));
        assert_eq!(within(interrupted.recv()).await, Some(Some(timeout)));
        let call = caller.call("echo", sample(), CallOptions::default());
        assert_eq!(within(call).await, Ok(sample()));
    }
}

#[tokio::test]
async fn a_dropped_call_is_canceled() {
    let world = World::start().await;
    let callee = world.client(Serialiser::Json).await;
    let (sender, mut seen) = tokio::sync::mpsc::unbounded_channel();
    let wait = handler(move |mut invocation| {
        let sender = sender.clone();
        async move {
            let _ = sender.send("called");
            invocation.interrupt.requested().await;
            let _ = sender.send("interrupted");
            Ok(Arguments::default())
        }
    });
    callee.register("wait", Match::Exact, wait).await.unwrap();
    let caller = world.client(Serialiser::Cbor).await;
    let call = tokio::spawn(async move {
        caller.call("wait", Arguments::default(), CallOptions::default()).await
    });
    assert_eq!(within(seen.recv()).await, Some("called"));
    call.abort();
    assert_eq!(within(seen.recv()).await, Some("interrupted"));
}

#[tokio::test]
async fn a_vanished_callee_fails_its_calls_at_once() {
    let world = World::start().await;
    let callee = world.client(Serialiser::Json).await;
    let (sender, mut called) = tokio::sync::mpsc::unbounded_channel();
    let wait = handler(move |_| {
        let _ = sender.send(());
        std::future::pending()
    });
    callee.register("gone", Match::Exact, wait).await.unwrap();
    let caller = world.router.local("agent", "cloud");
    let call = caller.call("gone", Arguments::default(), CallOptions::default());
    let end = async {
        called.recv().await;
        callee.close();
    };
    let (answer, ()) = within(async { tokio::join!(call, end) }).await;
    let Err(CallError::Fault(fault)) = answer else { panic!("must fail: {answer:?}") };
    assert_eq!(fault.uri, error::CANCELED);
}

#[tokio::test]
async fn joining_and_leaving_is_announced_and_listed() {
    let world = World::start().await;
    let agent = world.router.local("agent", "cloud");
    let mut joins = within(agent.subscribe("wamp.session.on_join", Match::Exact, 8)).await.unwrap();
    let mut leaves =
        within(agent.subscribe("wamp.session.on_leave", Match::Exact, 8)).await.unwrap();
    let board = world.client(Serialiser::Json).await;
    let id = board.id();
    let joined = within(joins.next()).await.unwrap().arguments.list;
    assert_eq!(joined[0]["session"], id);
    assert_eq!(joined[0]["authrole"], "guest");

    let options = CallOptions::default();
    let count = within(agent.call("wamp.session.count", Arguments::default(), options)).await;
    assert_eq!(count.unwrap(), Arguments::one(2));
    let list =
        within(board.call("wamp.session.list", Arguments::default(), options)).await.unwrap();
    assert!(list.list[0].as_array().unwrap().contains(&id.into()));
    let get = within(agent.call("wamp.session.get", Arguments::one(id), options)).await.unwrap();
    assert_eq!(get.list[0]["authid"], "anonymous");
    let none = within(agent.call("wamp.session.get", Arguments::one(1), options)).await;
    assert!(matches!(none, Err(CallError::Fault(fault)) if fault.uri == error::NO_SUCH_SESSION));

    drop(board);
    let left = within(leaves.next()).await.unwrap().arguments.list;
    assert_eq!(left, [json!(id), json!("anonymous"), json!("guest")]);
}

#[tokio::test]
async fn registrations_are_announced() {
    let world = World::start().await;
    let agent = world.router.local("agent", "cloud");
    let mut events = within(agent.subscribe("wamp.registration.", Match::Prefix, 8)).await.unwrap();
    let board = world.client(Serialiser::Json).await;
    let id = within(board.register("board.ping", Match::Exact, echo())).await.unwrap();
    within(board.unregister(id)).await.unwrap();
    let mut seen = Vec::new();
    for _ in 0..4 {
        let event = within(events.next()).await.unwrap();
        assert_eq!(event.arguments.list[0], board.id());
        seen.push(event.topic.rsplit('.').next().unwrap().to_owned());
    }
    assert_eq!(seen, ["on_create", "on_register", "on_unregister", "on_delete"]);
}

#[tokio::test]
async fn a_killed_session_learns_the_reason_and_its_calls_are_lost() {
    let world = World::start().await;
    let board = world.client(Serialiser::Cbor).await;
    board.register("x", Match::Exact, silence()).await.unwrap();
    let waiting = board.clone();
    let call = tokio::spawn(async move {
        waiting.call("x", Arguments::default(), CallOptions::default()).await
    });
    assert!(world.router.kill(board.id(), "board.decommissioned"));
    let Ended::Goodbye { reason, .. } = within(board.closed()).await else { panic!("goodbye") };
    assert_eq!(reason, "board.decommissioned");
    assert!(matches!(within(call).await.unwrap(), Err(CallError::Lost(_))));
    assert!(!world.router.kill(1, "x"));
}

#[tokio::test]
async fn shutdown_says_goodbye_and_lets_nobody_in() {
    let world = World::start().await;
    let board = world.client(Serialiser::Json).await;
    let agent = world.router.local("agent", "cloud");
    within(world.router.shutdown(Duration::from_secs(5))).await;
    assert_eq!(world.router.sessions(), 0);
    let Ended::Goodbye { reason, .. } = within(board.closed()).await else { panic!("goodbye") };
    assert_eq!(reason, error::SYSTEM_SHUTDOWN);
    assert_eq!(within(agent.closed()).await, Ended::Shutdown);
    let late = join(world.address, Serialiser::Json, Anonymous, ClientSettings::default()).await;
    assert!(late.is_err());
    assert!(world.router.local("agent", "cloud").is_closed());
}

#[tokio::test]
async fn too_many_calls_at_once_are_refused_and_the_others_answered() {
    let mut settings = RouterSettings::realm(REALM);
    settings.bounds.pending_calls = 4;
    let world = World::with(settings).await;
    let callee = world.client(Serialiser::Json).await;
    let (open, gate) = tokio::sync::watch::channel(false);
    let gated = handler(move |_| {
        let mut gate = gate.clone();
        async move {
            gate.wait_for(|is_open| *is_open).await.unwrap();
            Ok(Arguments::default())
        }
    });
    callee.register("gated", Match::Exact, gated).await.unwrap();
    let caller = world.client(Serialiser::Json).await;
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..6 {
        let caller = caller.clone();
        calls.spawn(async move {
            caller.call("gated", Arguments::default(), CallOptions::default()).await
        });
    }
    for _ in 0..2 {
        let refused = within(calls.join_next()).await.unwrap().unwrap();
        assert!(matches!(refused, Err(CallError::Fault(fault)) if fault.uri == error::UNAVAILABLE));
    }
    open.send_replace(true);
    while let Some(call) = within(calls.join_next()).await {
        assert_eq!(call.unwrap(), Ok(Arguments::default()));
    }
}

#[tokio::test]
async fn a_callee_over_its_bound_of_handlers_says_unavailable() {
    let world = World::start().await;
    let settings = ClientSettings { max_running: 1, ..ClientSettings::default() };
    let callee = join(world.address, Serialiser::Json, Anonymous, settings).await.unwrap();
    callee.register("silence", Match::Exact, silence()).await.unwrap();
    let caller = world.router.local("agent", "cloud");
    let first = caller.call("silence", Arguments::default(), CallOptions::default());
    let second = caller.call("silence", Arguments::default(), CallOptions::default());
    tokio::select! {
        biased;
        _ = first => panic!("the first call is not answered"),
        answer = within(second) => {
            assert!(matches!(answer, Err(CallError::Fault(fault)) if fault.uri == error::UNAVAILABLE));
        }
    }
}

#[tokio::test]
async fn a_dead_link_is_found_long_before_the_idle_time_while_a_call_waits() {
    let mut world = World::start().await;
    let link = Link::to(world.address).await;
    let settings = ClientSettings::default();
    let board = join(link.address, Serialiser::Cbor, Anonymous, settings).await.unwrap();
    board.register("board", Match::Exact, echo()).await.unwrap();
    let agent = world.router.local("agent", "cloud");
    agent.register("agent", Match::Exact, echo()).await.unwrap();
    let options = CallOptions::default();
    within(agent.call("board", sample(), options)).await.unwrap();
    link.swallow();

    let start = Instant::now();
    let to_board = agent.call("board", Arguments::default(), options);
    let to_agent = board.call("agent", Arguments::default(), options);
    let (to_board, to_agent) = within(async { tokio::join!(to_board, to_agent) }).await;
    // Three seconds by the clock of a machine at rest (see the liveness of `websocket`); an idle link has 75.
    assert!(start.elapsed() < Duration::from_secs(50), "{:?}", start.elapsed());
    assert!(matches!(to_board, Err(CallError::Fault(fault)) if fault.uri == error::CANCELED));
    assert_eq!(to_agent, Err(CallError::Lost(Ended::Silent)));
    assert_eq!(world.next_end().await, Ended::Silent);
}

#[tokio::test]
async fn idle_links_are_kept_by_pings_and_dead_ones_found() {
    let quick = websocket::Settings {
        idle_ping: Duration::from_millis(50),
        // Longer than a busy machine forgets a program.
        idle_dead: Duration::from_secs(3),
        ..websocket::Settings::default()
    };
    let mut settings = RouterSettings::realm(REALM);
    settings.liveness = quick;
    let mut world = World::with(settings).await;
    let link = Link::to(world.address).await;
    let board = join(link.address, Serialiser::Json, Anonymous, quick.into()).await.unwrap();
    let held = tokio::time::timeout(Duration::from_millis(3500), board.closed()).await;
    assert!(held.is_err(), "pings keep the link: {held:?}");
    link.swallow();
    assert_eq!(within(board.closed()).await, Ended::Silent);
    assert_eq!(world.next_end().await, Ended::Silent);
}

#[tokio::test]
async fn a_subscription_ends_when_its_last_subscriber_gives_it_up() {
    let world = World::start().await;
    let board = world.client(Serialiser::Cbor).await;
    let first = within(board.subscribe("t", Match::Exact, 4)).await.unwrap();
    let mut second = within(board.subscribe("t", Match::Exact, 4)).await.unwrap();
    let agent = world.router.local("agent", "cloud");
    within(board.unsubscribe(first)).await.unwrap();
    within(agent.publish_acknowledged("t", Arguments::one(1))).await.unwrap();
    assert_eq!(within(second.next()).await.unwrap().arguments, Arguments::one(1));
    let id = second.id;
    within(board.unsubscribe(second)).await.unwrap();
    let fresh = within(board.subscribe("t", Match::Exact, 4)).await.unwrap();
    assert_ne!(fresh.id, id, "the old subscription is gone");
}

#[tokio::test]
async fn a_connection_whose_task_is_dropped_leaves_its_realm() {
    let world = World::start().await;
    let (near, far) = tokio::io::duplex(4096);
    let server = WebSocket::new(far, Role::Server, world::LIMITS, Bytes::new());
    let client = WebSocket::new(near, Role::Client, world::LIMITS, Bytes::new());
    let router = world.router.clone();
    let serving = tokio::spawn(async move { router.serve(server, Serialiser::Cbor, None).await });
    let roles = wamp::Roles::default();
    let settings = ClientSettings::default();
    let joining = wamp::connect(client, Serialiser::Cbor, REALM, roles, Anonymous, settings);
    let session = within(joining).await.unwrap();
    assert_eq!(world.router.sessions(), 1);
    serving.abort();
    assert!(matches!(within(session.closed()).await, Ended::Lost(_)));
    eventually("the session is gone", || world.router.sessions() == 0).await;
}

#[tokio::test]
async fn a_session_without_handles_ends() {
    let mut world = World::start().await;
    let board = world.client(Serialiser::Json).await;
    drop(board);
    assert!(matches!(world.next_end().await, Ended::Goodbye { .. }));
    assert_eq!(world.router.sessions(), 0);
}
