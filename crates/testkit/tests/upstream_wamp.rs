//! WAMP among others: the published vectors, the clients of others at our router, and our client at theirs.

use serde_json::{Value, json};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use testkit::upstream::crossbar::Crossbar;
use testkit::upstream::wamp::{
    KEY, Meeting, REALM, SECRET, autobahn_python, javascript, public_key, published_vectors,
};
use wamp::{
    Anonymous, Arguments, CallOptions, ClientSettings, Match, Roles, Serialiser, Session,
    carry_message, read_value,
};
use websocket::{Limits, handshake};

const SERIALISERS: [(&str, Serialiser); 3] =
    [("json", Serialiser::Json), ("msgpack", Serialiser::MessagePack), ("cbor", Serialiser::Cbor)];

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(files(&path));
        } else if path.extension().is_some_and(|extension| extension == "json") {
            found.push(path);
        }
    }
    found.sort();
    found
}

fn read(path: &Path) -> Value {
    serde_json::from_slice(&std::fs::read(path).unwrap()).unwrap()
}

fn bytes(hex: &str) -> Vec<u8> {
    let digit = |c: u8| char::from(c).to_digit(16).unwrap() as u8;
    hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) * 16 + digit(pair[1])).collect()
}

/// The encodings of one sample in one serialiser.
fn encodings(sample: &Value, name: &str) -> Vec<Vec<u8>> {
    let list = sample["serializers"][name].as_array().cloned().unwrap_or_default();
    list.iter().map(|one| bytes(one["bytes_hex"].as_str().unwrap())).collect()
}

#[test]
fn every_published_vector_is_read_and_written_in_every_pair_of_serialisers() {
    let (mut read_count, mut exact, mut reordered) = (0, 0, 0);
    for file in files(&published_vectors().join("singlemessage")) {
        let vector = read(&file);
        for sample in vector["samples"].as_array().unwrap() {
            for (from_name, from) in SERIALISERS {
                for encoded in encodings(sample, from_name) {
                    read_count += 1;
                    for (to_name, to) in SERIALISERS {
                        let what =
                            format!("{file:?} {} {from_name} {to_name}", sample["description"]);
                        let ours =
                            carry_message(from, &encoded, to).unwrap_or_else(|| panic!("{what}"));
                        let wanted = encodings(sample, to_name);
                        if wanted.contains(&ours) {
                            exact += 1;
                            continue;
                        }
                        // The order of a dictionary's keys is nobody's business.
                        let same = |theirs: &Vec<u8>| {
                            read_value(to, theirs).unwrap() == read_value(to, &ours).unwrap()
                                && (to == Serialiser::Json || theirs.len() == ours.len())
                        };
                        assert!(wanted.iter().any(same), "{what}: {ours:?}");
                        reordered += 1;
                    }
                }
            }
        }
    }
    eprintln!(
        "{read_count} encodings read; {exact} written byte for byte, {reordered} in another order"
    );
    assert!(read_count >= 129, "{read_count} encodings");
}

fn attribute(message: &Value, name: &str) -> Value {
    message.get(name).cloned().unwrap_or(Value::Null)
}

#[test]
fn the_published_conversations_are_held_as_they_are_told() {
    let meeting = Meeting::start();
    let conversations = files(&published_vectors().join("multisession"));
    assert!(!conversations.is_empty());
    for file in conversations {
        let vector = read(&file);
        for (_, serialiser) in SERIALISERS {
            run(hold(&vector, meeting.address(), serialiser));
        }
    }
}

fn run<T>(future: impl Future<Output = T>) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        tokio::time::timeout(std::time::Duration::from_secs(60), future).await.expect("in time")
    })
}

async fn session(address: SocketAddr, serialiser: Serialiser, realm: &str) -> Session {
    let io = tokio::net::TcpStream::connect(address).await.unwrap();
    let offer = [serialiser.subprotocol()];
    let limits = Limits::default();
    let (socket, _) = handshake::client(io, "localhost", "/", &offer, &[], limits).await.unwrap();
    let settings = ClientSettings::default();
    wamp::connect(socket, serialiser, realm, Roles::default(), Anonymous, settings).await.unwrap()
}

/// One session that subscribes, publishes to itself and hears it: what the one published conversation tells.
async fn hold(vector: &Value, address: SocketAddr, serialiser: Serialiser) {
    let session = session(address, serialiser, REALM).await;
    let mut subscription = None;
    for step in vector["sequence"].as_array().unwrap() {
        let message = &step["message"];
        let topic = attribute(message, "topic");
        let topic = topic.as_str().unwrap_or_default();
        let list = attribute(message, "args").as_array().cloned().unwrap_or_default();
        match message["type"].as_str().unwrap() {
            "SUBSCRIBE" => {
                subscription = Some(session.subscribe(topic, Match::Exact, 8).await.unwrap());
            }
            "SUBSCRIBED" => assert!(subscription.is_some()),
            "PUBLISH" => {
                let options = message["options"].as_object().unwrap().clone();
                session.publish_with(topic, Arguments::list(list), options).unwrap();
            }
            "EVENT" => {
                let event = subscription.as_mut().unwrap().next().await.unwrap();
                assert_eq!(event.arguments.list, list);
            }
            other => panic!("a step of an unknown kind: {other}"),
        }
    }
}

/// What a client says that it has done.
fn worked(said: &str) -> usize {
    said.lines().filter(|line| line.starts_with("ok ")).count()
}

fn websocket(meeting: &Meeting, serialiser: &str) -> Value {
    json!({"type": "websocket", "url": meeting.url(), "serializers": [serialiser]})
}

#[test]
fn autobahn_python_plays_every_role_in_every_serialiser_and_transport() {
    let meeting = Meeting::start();
    for (left, right) in [("json", "msgpack"), ("cbor", "json"), ("msgpack", "cbor")] {
        let said = autobahn_python(&json!({
            "left": {"transport": websocket(&meeting, left)},
            "right": {"transport": websocket(&meeting, right)},
        }));
        assert_eq!(worked(&said), 9, "{said}");
    }
    let raw = json!({
        "type": "rawsocket",
        "url": format!("rs://{}", meeting.raw()),
        "endpoint": {"type": "tcp", "host": "127.0.0.1", "port": meeting.raw().port()},
        "serializer": "cbor",
    });
    autobahn_python(&json!({"left": {"transport": raw}, "right": {"transport": raw}}));
}

#[test]
fn autobahn_python_gets_in_by_every_method_it_has() {
    let meeting = Meeting::start();
    let transport = websocket(&meeting, "cbor");
    let ways = [
        ("ticket", json!({"ticket": {"authid": "ticket", "ticket": SECRET}})),
        ("wampcra", json!({"wampcra": {"authid": "wampcra", "secret": SECRET}})),
        ("wampcra", json!({"wampcra": {"authid": "salted", "secret": SECRET}})),
        ("cryptosign", json!({"cryptosign": {"authid": "cryptosign", "privkey": KEY}})),
        (
            "scram",
            json!({"scram": {
                "authid": "scram", "password": SECRET, "nonce": "", "kdf": "argon2id-13",
            }}),
        ),
    ];
    for (method, authentication) in ways {
        autobahn_python(&json!({
            "left": {"transport": transport, "authentication": authentication, "method": method},
            "right": {"transport": transport},
        }));
    }
}

fn in_javascript(client: &str) {
    let meeting = Meeting::start();
    let plan = |serialiser: &str, method: &str, authid: &str| {
        let is_key = method == "cryptosign";
        json!({
            "client": client, "url": meeting.url(), "serialiser": serialiser, "method": method,
            "authid": authid, "secret": if is_key { KEY } else { SECRET },
            "pubkey": if is_key { public_key() } else { String::new() },
        })
    };
    for (serialiser, _) in SERIALISERS {
        let said = javascript(&plan(serialiser, "anonymous", ""));
        assert_eq!(worked(&said), 6, "{said}");
    }
    for (method, authid) in [
        ("ticket", "ticket"),
        ("wampcra", "wampcra"),
        ("wampcra", "salted"),
        ("cryptosign", "cryptosign"),
    ] {
        javascript(&plan("json", method, authid));
    }
}

#[test]
fn autobahn_js_plays_every_role_by_every_method_it_has() {
    in_javascript("autobahn");
}

#[test]
fn wampy_plays_every_role_by_every_method_it_has() {
    in_javascript("wampy");
}

#[test]
fn our_client_plays_every_role_at_crossbar() {
    let crossbar = Crossbar::start();
    let address: SocketAddr = crossbar.address().parse().unwrap();
    for (_, serialiser) in SERIALISERS {
        run(play(address, serialiser));
    }
}

async fn play(address: SocketAddr, serialiser: Serialiser) {
    let left = session(address, serialiser, "s4t").await;
    let right = session(address, serialiser, "s4t").await;
    let echo: wamp::Handler =
        std::sync::Arc::new(|invocation| Box::pin(async move { Ok(invocation.arguments) }));
    let registration = left.register("our.echo", Match::Exact, echo.clone()).await.unwrap();
    left.register("our.prefix.", Match::Prefix, echo).await.unwrap();
    let mut arguments = Arguments::list(vec![json!(1), json!("böard"), json!([null, true])]);
    arguments.keywords.insert("k".into(), json!({"deep": 2.5}));
    let options = CallOptions::default();
    for procedure in ["our.echo", "our.prefix.any"] {
        let result = right.call(procedure, arguments.clone(), options).await.unwrap();
        assert_eq!(result, arguments, "{procedure} in {serialiser:?}");
    }
    let missing = right.call("our.nobody", Arguments::default(), options).await;
    assert!(missing.is_err());
    let mut events = left.subscribe("our.topic", Match::Exact, 8).await.unwrap();
    right.publish_acknowledged("our.topic", arguments.clone()).await.unwrap();
    assert_eq!(events.next().await.unwrap().arguments, arguments);
    left.unsubscribe(events).await.unwrap();
    left.unregister(registration).await.unwrap();
    assert!(right.call("our.echo", Arguments::default(), options).await.is_err());
    left.close();
    left.closed().await;
}
