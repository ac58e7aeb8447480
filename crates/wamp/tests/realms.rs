//! Realms that are opened and closed while the router runs, and every way to prove who one is, over real sockets.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod world;

use std::collections::BTreeMap;

use ed25519_dalek::SigningKey;
use serde_json::Value;
use tokio::net::{TcpListener, TcpStream};
use wamp::auth::{scram, wampcra};
use wamp::uri::error;
use wamp::{
    Anonymous, Arguments, CallOptions, ConnectError, Cra, Credentials, Cryptosign, Directory,
    Ended, Match, Permission, Roles, Router, RouterSettings, Scram, Serialiser, Session, Ticket,
    User,
};
use websocket::{WebSocket, handshake};
use world::{LIMITS, World, echo, within};

/// Joins a realm of a router in this process by a pipe instead of a network.
async fn join_pipe(
    router: &Router<Directory>,
    realm: &str,
    credentials: impl Credentials,
) -> Result<Session, ConnectError> {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
    let (far, peer) = listener.accept().await.unwrap();
    let router = router.clone();
    tokio::spawn(async move {
        let choose = |_: &handshake::Request| Ok(Some("wamp.2.cbor".to_owned()));
        let (socket, _): (WebSocket<_>, _) = handshake::server(far, LIMITS, choose).await.unwrap();
        router.serve(socket, Serialiser::Cbor, peer).await;
    });
    let offer = ["wamp.2.cbor"];
    let (socket, _) = handshake::client(near, "localhost", "/", &offer, &[], LIMITS).await.unwrap();
    let serialiser = Serialiser::Cbor;
    let settings = wamp::ClientSettings::default();
    within(wamp::connect(socket, serialiser, realm, Roles::default(), credentials, settings)).await
}

fn people() -> Router<Directory> {
    let salting = wampcra::Salting { salt: "pepper".into(), iterations: 10, length: 32 };
    let kinds = [
        scram::Derivation::Argon2id { memory: 64, iterations: 1 },
        scram::Derivation::Pbkdf2 { iterations: 10 },
    ];
    let [argon, pbkdf] = kinds.map(|kind| scram::store("word", kind));
    let user = || User { role: "user".into(), ..User::default() };
    let key = SigningKey::from_bytes(&[9; 32]).verifying_key().to_bytes();
    let users = [
        ("tim", User { ticket: Some("secret".into()), ..user() }),
        ("cora", User { cra: Some(("secret".into(), None)), ..user() }),
        ("salt", User { cra: Some((wampcra::derive("word", &salting), Some(salting))), ..user() }),
        ("sam", User { scram: argon, ..user() }),
        ("pat", User { scram: pbkdf, ..user() }),
        ("kay", User { keys: vec![key], ..user() }),
        ("elsewhere", User { ticket: Some("t".into()), realms: ["b".into()].into(), ..user() }),
    ];
    let directory = Directory {
        anonymous: None,
        users: users.into_iter().map(|(name, user)| (name.to_owned(), user)).collect(),
        roles: BTreeMap::from([("user".to_owned(), vec![Permission::everything()])]),
    };
    Router::new(RouterSettings::realm("a"), directory)
}

#[tokio::test]
async fn every_method_lets_its_holder_in_and_tells_who_it_is() {
    let router = people();
    let named = |session: &Session| -> (Value, Value) {
        let welcome = session.welcome();
        (welcome["authid"].clone(), welcome["authmethod"].clone())
    };
    let ticket = |ticket: &str| Ticket { authid: "tim".into(), ticket: ticket.into() };
    let cra = |authid: &str, secret: &str| Cra { authid: authid.into(), secret: secret.into() };
    let key = |seed| Cryptosign { authid: None, key: SigningKey::from_bytes(&[seed; 32]) };
    let tim = join_pipe(&router, "a", ticket("secret")).await.unwrap();
    assert_eq!(named(&tim), ("tim".into(), "ticket".into()));
    for (authid, secret) in [("cora", "secret"), ("salt", "word")] {
        let session = join_pipe(&router, "a", cra(authid, secret)).await.unwrap();
        assert_eq!(named(&session), (authid.into(), "wampcra".into()));
    }
    for authid in ["sam", "pat"] {
        let session = join_pipe(&router, "a", Scram::new(authid, "word")).await.unwrap();
        assert_eq!(named(&session), (authid.into(), "scram".into()));
    }
    let kay = join_pipe(&router, "a", key(9)).await.unwrap();
    assert_eq!(named(&kay), ("kay".into(), "cryptosign".into()));
    let refused = |joined: Result<Session, ConnectError>| match joined {
        Err(ConnectError::Refused(abort)) => abort.reason,
        other => panic!("{other:?}"),
    };
    assert_eq!(
        refused(join_pipe(&router, "a", ticket("guess")).await),
        error::AUTHENTICATION_FAILED
    );
    let wrong = join_pipe(&router, "a", cra("cora", "guess")).await;
    assert_eq!(refused(wrong), error::AUTHENTICATION_FAILED);
    let wrong = join_pipe(&router, "a", Scram::new("sam", "guess")).await;
    assert_eq!(refused(wrong), error::AUTHENTICATION_FAILED);
    assert_eq!(refused(join_pipe(&router, "a", key(8)).await), error::NO_AUTH_METHOD);
    assert_eq!(refused(join_pipe(&router, "a", Anonymous).await), error::NO_AUTH_METHOD);
    let elsewhere = Ticket { authid: "elsewhere".into(), ticket: "t".into() };
    assert_eq!(refused(join_pipe(&router, "a", elsewhere).await), error::NO_AUTH_METHOD);
}

#[tokio::test]
async fn a_realm_is_opened_and_closed_while_others_go_on() {
    let router = Router::new(RouterSettings::realm("a"), Directory::open("guest"));
    assert!(router.open_realm("b") && !router.open_realm("b"));
    let a = join_pipe(&router, "a", Anonymous).await.unwrap();
    let b = join_pipe(&router, "b", Anonymous).await.unwrap();
    let inside = router.local_in("b", "me", "guest").unwrap();
    within(b.register("echo", Match::Exact, echo())).await.unwrap();
    let call = |session: &Session| {
        let session = session.clone();
        async move { session.call("echo", Arguments::one(1), CallOptions::default()).await }
    };
    assert!(within(call(&inside)).await.is_ok());
    assert!(within(call(&a)).await.is_err(), "realms do not see each other");
    assert!(router.close_realm("b") && !router.close_realm("b"));
    let Ended::Goodbye { reason, .. } = within(b.closed()).await else { panic!("no goodbye") };
    assert_eq!(reason, error::CLOSE_REALM);
    assert_eq!(within(inside.closed()).await, Ended::Killed(error::CLOSE_REALM.into()));
    assert!(router.local_in("b", "me", "guest").is_none());
    let refused = join_pipe(&router, "b", Anonymous).await;
    assert!(
        matches!(refused, Err(ConnectError::Refused(abort)) if abort.reason == error::NO_SUCH_REALM)
    );
    within(a.register("echo", Match::Exact, echo())).await.unwrap();
    assert!(within(call(&a)).await.is_ok());
    assert!(router.open_realm("b"));
    assert!(join_pipe(&router, "b", Anonymous).await.is_ok(), "opened again");
}

#[tokio::test]
async fn a_session_is_ended_by_a_call_of_another() {
    let world = World::start().await;
    let (victim, inside) =
        (world.client(Serialiser::Json).await, world.router.local("in", "guest"));
    let killer = world.client(Serialiser::Cbor).await;
    for session in [&victim, &inside] {
        let mut arguments = Arguments::one(session.id());
        arguments.keywords.insert("reason".into(), "x.go".into());
        arguments.keywords.insert("message".into(), "away".into());
        let call = killer.call("wamp.session.kill", arguments, CallOptions::default());
        within(call).await.unwrap();
    }
    let expected = Ended::Goodbye { reason: "x.go".into(), message: "away".into() };
    assert_eq!(within(victim.closed()).await, expected);
    let expected = Ended::Dismissed { reason: "x.go".into(), message: "away".into() };
    assert_eq!(within(inside.closed()).await, expected);
    world::eventually("one session is left", || world.router.sessions() == 1).await;
}

#[tokio::test]
async fn a_registration_that_is_taken_over_is_lost_to_its_first_callee() {
    let world = World::start().await;
    let (old, new) = (world.client(Serialiser::Json).await, world.client(Serialiser::Cbor).await);
    let registration = within(old.register("x", Match::Exact, echo())).await.unwrap();
    let mut arguments = Arguments::list(vec![registration.into(), old.id().into()]);
    arguments.keywords.insert("reason".into(), "moved".into());
    let call = new.call("wamp.registration.remove_callee", arguments, CallOptions::default());
    within(call).await.unwrap();
    within(new.register("x", Match::Exact, echo())).await.unwrap();
    let call = old.call("x", Arguments::one(7), CallOptions::default());
    assert_eq!(within(call).await.unwrap(), Arguments::one(7));
    assert!(within(old.unregister(registration)).await.is_err(), "it is gone");
}
