//! Peers that break the rules: each is told or cut off, and the others do not notice.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod world;

use bytes::Bytes;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use wamp::uri::error;
use wamp::{Arguments, CallError, CallOptions, Ended, Match, RouterSettings, Serialiser};
use websocket::{CloseReason, Message, Reader, Writer};
use world::{REALM, World, echo, open, within};

/// A peer that speaks by hand.
struct Raw {
    reader: Reader<tokio::io::ReadHalf<TcpStream>>,
    writer: Writer<tokio::io::WriteHalf<TcpStream>>,
}

impl Raw {
    async fn open(world: &World, serialiser: Serialiser) -> Self {
        let (reader, writer) = open(world.address, serialiser).await.split();
        Self { reader, writer }
    }

    async fn joined(world: &World) -> Self {
        let mut raw = Self::open(world, Serialiser::Json).await;
        raw.say(r#"[1,"s4t",{"roles":{"caller":{},"callee":{},"subscriber":{}}}]"#).await;
        assert!(raw.hear().await.starts_with("[2,"));
        raw
    }

    fn split(
        self,
    ) -> (Reader<tokio::io::ReadHalf<TcpStream>>, Writer<tokio::io::WriteHalf<TcpStream>>) {
        (self.reader, self.writer)
    }

    async fn say(&mut self, text: &str) {
        self.send(Message::Text(Bytes::copy_from_slice(text.as_bytes()))).await;
    }

    async fn send(&mut self, message: Message) {
        self.writer.feed(&message);
        within(self.writer.flush()).await.unwrap();
    }

    async fn hear(&mut self) -> String {
        match within(self.reader.next()).await.unwrap() {
            Message::Text(text) => String::from_utf8(text.to_vec()).unwrap(),
            other => panic!("expected text: {other:?}"),
        }
    }
}

#[tokio::test]
async fn a_session_must_begin_with_hello() {
    let mut world = World::start().await;
    let mut raw = Raw::open(&world, Serialiser::Json).await;
    raw.say(r#"[48,1,{},"wamp.session.count"]"#).await;
    assert!(raw.hear().await.contains(error::PROTOCOL_VIOLATION));
    assert!(matches!(world.next_end().await, Ended::Violation(_)));
}

#[tokio::test]
async fn a_hello_without_roles_is_refused() {
    let mut world = World::start().await;
    let mut raw = Raw::open(&world, Serialiser::Json).await;
    raw.say(r#"[1,"s4t",{}]"#).await;
    assert!(raw.hear().await.contains(error::PROTOCOL_VIOLATION));
    assert!(matches!(world.next_end().await, Ended::Violation(_)));
}

#[tokio::test]
async fn the_smallest_upstream_conversation_works_as_upstream_boards_have_it() {
    let world = World::start().await;
    let agent = world.router.local("agent", "cloud");
    agent.register("stack4things.register", Match::Exact, echo()).await.unwrap();
    let mut board = Raw::joined(&world).await;
    board.say(r#"[48,1,{},"stack4things.register",[],{"code":"C","session":1}]"#).await;
    assert_eq!(board.hear().await, r#"[50,1,{},[],{"code":"C","session":1}]"#);
    board.say(r#"[64,2,{},"iotronic.1.u.DeviceEcho"]"#).await;
    assert!(board.hear().await.starts_with("[65,2,"));
    let call = agent.call("iotronic.1.u.DeviceEcho", Arguments::one("hi"), CallOptions::default());
    let answer = async {
        let invocation = board.hear().await;
        assert!(invocation.starts_with("[68,1,"), "{invocation}");
        assert!(invocation.ends_with(r#",["hi"]]"#), "{invocation}");
        board.say(r#"[70,1,{},["hi too"]]"#).await;
    };
    let (result, ()) = within(async { tokio::join!(call, answer) }).await;
    assert_eq!(result, Ok(Arguments::one("hi too")));
}

#[tokio::test]
async fn garbage_ends_its_session_with_a_reason_and_no_other() {
    let mut world = World::start().await;
    let good = world.client(Serialiser::Json).await;
    for garbage in [
        Message::Text(Bytes::from_static(b"[48,1")),
        Message::Text(Bytes::from_static(b"[9999,1]")),
        Message::Text(Bytes::from_static(b"[2,1,{}]")),
        Message::Text(Bytes::from_static(b"[70,77,{}]")),
        Message::Binary(Bytes::from_static(b"[48,1,{},\"a\"]")),
    ] {
        let mut raw = Raw::joined(&world).await;
        raw.send(garbage).await;
        let heard = raw.hear().await;
        assert!(heard.starts_with("[3,") && heard.contains(error::PROTOCOL_VIOLATION), "{heard}");
        assert!(matches!(within(raw.reader.next()).await.unwrap(), Message::Close(_)));
        assert!(matches!(world.next_end().await, Ended::Violation(_)));
    }
    assert_eq!(world.router.sessions(), 1);
    let count = good.call("wamp.session.count", Arguments::default(), CallOptions::default());
    assert_eq!(within(count).await, Ok(Arguments::one(1)));
}

#[tokio::test]
async fn an_oversized_message_ends_its_session_with_1009() {
    let mut world = World::start().await;
    let Raw { mut reader, writer } = Raw::joined(&world).await;
    let header = [0x81, 0xff, 0, 0, 0, 0, 0x7f, 0, 0, 0, 1, 2, 3, 4];
    let mut io = writer.into_inner();
    io.write_all(&header).await.unwrap();
    let Message::Text(abort) = within(reader.next()).await.unwrap() else { panic!("an abort") };
    assert!(String::from_utf8_lossy(&abort).contains("longer than the limit"), "{abort:?}");
    let Message::Close(Some(reason)) = within(reader.next()).await.unwrap() else {
        panic!("a close frame")
    };
    assert_eq!(reason.code, 1009);
    assert!(matches!(world.next_end().await, Ended::Violation(_)));
}

#[tokio::test]
async fn a_close_frame_without_goodbye_is_echoed() {
    let mut world = World::start().await;
    let mut raw = Raw::joined(&world).await;
    raw.send(Message::Close(Some(CloseReason::new(1001, "going")))).await;
    let echo = within(raw.reader.next()).await.unwrap();
    assert_eq!(echo, Message::Close(Some(CloseReason::new(1001, ""))));
    assert!(matches!(world.next_end().await, Ended::Lost(_)));
}

#[tokio::test]
async fn a_message_cut_short_by_the_end_of_the_connection_is_a_loss() {
    let mut world = World::start().await;
    let socket = open(world.address, Serialiser::Cbor).await;
    let (mut io, ..) = socket.into_parts();
    io.write_all(&[0x82, 0xfe, 0x10]).await.unwrap();
    drop(io);
    assert!(matches!(world.next_end().await, Ended::Lost(_)));
}

#[tokio::test]
async fn a_peer_that_does_not_read_is_disconnected_and_its_publisher_is_not() {
    let mut settings = RouterSettings::realm(REALM);
    settings.bounds.queue_bytes = 512 * 1024;
    let mut world = World::with(settings).await;
    let mut deaf = Raw::joined(&world).await;
    deaf.say(r#"[32,1,{},"flood"]"#).await;
    deaf.hear().await;
    let agent = world.router.local("agent", "cloud");
    let flood = Arguments::one("x".repeat(64 * 1024));
    let flooding = async {
        while world.router.sessions() > 1 {
            agent.publish_acknowledged("flood", flood.clone()).await.unwrap();
            tokio::task::yield_now().await;
        }
    };
    within(flooding).await;
    assert_eq!(world.next_end().await, Ended::Slow);
    let count = agent.call("wamp.session.count", Arguments::default(), CallOptions::default());
    assert_eq!(within(count).await, Ok(Arguments::one(1)));
}

#[tokio::test]
async fn two_peers_that_both_send_much_do_not_block_each_other() {
    let world = World::start().await;
    let (a, b) = (world.client(Serialiser::Cbor).await, world.client(Serialiser::Json).await);
    a.register("a", Match::Exact, echo()).await.unwrap();
    b.register("b", Match::Exact, echo()).await.unwrap();
    let big = Arguments::one("x".repeat(100_000));
    let mut calls = tokio::task::JoinSet::new();
    for _ in 0..20 {
        for (caller, procedure) in [(a.clone(), "b"), (b.clone(), "a")] {
            let big = big.clone();
            calls.spawn(async move {
                let call = caller.call(procedure, big.clone(), CallOptions::default());
                assert_eq!(call.await, Ok(big));
            });
        }
    }
    while let Some(call) = within(calls.join_next()).await {
        call.unwrap();
    }
}

#[tokio::test]
async fn an_answer_that_cannot_be_read_fails_its_call_alone() {
    let world = World::start().await;
    let mut board = Raw::joined(&world).await;
    board.say(r#"[64,1,{},"bad"]"#).await;
    board.hear().await;
    let agent = world.router.local("agent", "cloud");
    let call = agent.call("bad", Arguments::default(), CallOptions::default());
    let answer = async {
        board.hear().await;
        board.say(r#"[70,1,{},["\ud800", 1e999]]"#).await;
    };
    let (result, ()) = within(async { tokio::join!(call, answer) }).await;
    assert!(matches!(result, Err(CallError::Unreadable(_))), "{result:?}");
    let count = agent.call("wamp.session.count", Arguments::default(), CallOptions::default());
    assert_eq!(within(count).await, Ok(Arguments::one(2)));
}

#[tokio::test]
async fn an_invocation_is_answered_by_its_own_callee_and_by_no_other() {
    let mut world = World::start().await;
    let (mut callee, mut thief) = (Raw::joined(&world).await, Raw::joined(&world).await);
    callee.say(r#"[64,1,{},"own"]"#).await;
    assert!(callee.hear().await.starts_with("[65,1,"));
    let caller = world.client(Serialiser::Cbor).await;
    let call = caller.call("own", Arguments::default(), CallOptions::default());
    let answers = async {
        assert!(callee.hear().await.starts_with("[68,1,"));
        thief.say(r#"[70,1,{},["stolen"]]"#).await;
        assert!(thief.hear().await.contains(error::PROTOCOL_VIOLATION));
        assert!(matches!(world.next_end().await, Ended::Violation(_)));
        callee.say(r#"[70,1,{},["own"]]"#).await;
    };
    let (result, ()) = within(async { tokio::join!(call, answers) }).await;
    assert_eq!(result, Ok(Arguments::one("own")));
}

#[tokio::test]
async fn a_flood_of_registrations_stops_at_the_bound_and_goes_with_its_session() {
    let mut world = World::start().await;
    let mut raw = Raw::joined(&world).await;
    for number in 0..1000 {
        let text = format!(r#"[64,{number},{{}},"flood.{number}"]"#);
        raw.writer.feed(&Message::Text(text.into()));
    }
    within(raw.writer.flush()).await.unwrap();
    let (mut made, mut refused) = (0, 0);
    while made + refused < 1000 {
        match raw.hear().await {
            answer if answer.starts_with("[65,") => made += 1,
            answer => {
                assert!(answer.contains(error::UNAVAILABLE), "{answer}");
                refused += 1;
            }
        }
    }
    assert_eq!((made, refused), (512, 488));
    drop(raw);
    world.next_end().await;
    let other = world.client(Serialiser::Json).await;
    within(other.register("flood.1", Match::Exact, echo())).await.unwrap();
}

#[tokio::test]
async fn deep_nesting_bad_text_and_fragments_for_ever_end_their_session() {
    let mut world = World::start().await;
    let deep = format!(r#"[48,1,{{}},"a",[{}1{}]]"#, "[".repeat(100_000), "]".repeat(100_000));
    let mut raw = Raw::joined(&world).await;
    raw.send(Message::Text(deep.into())).await;
    assert!(raw.hear().await.contains("nested deeper"));
    assert!(matches!(world.next_end().await, Ended::Violation(_)));
    // A text frame of one byte that begins no character.
    let (_reader, writer) = (Raw::joined(&world).await).split();
    writer.into_inner().write_all(&[0x81, 0x81, 0, 0, 0, 0, 0xff]).await.unwrap();
    assert!(matches!(world.next_end().await, Ended::Violation(_)));
    let (_reader, writer) = (Raw::joined(&world).await).split();
    let mut io = writer.into_inner();
    let mut frame = vec![0x01, 0xfe, 0x10, 0, 0, 0, 0, 0];
    frame.resize(8 + 0x1000, b'x');
    let sending = async {
        // The peer may be gone before all of it is sent.
        while io.write_all(&frame).await.is_ok() {
            frame[0] = 0x00;
        }
    };
    let (_, ended) = within(async { tokio::join!(sending, world.next_end()) }).await;
    assert!(matches!(ended, Ended::Violation(_)), "{ended}");
}
