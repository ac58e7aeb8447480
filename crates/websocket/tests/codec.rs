//! The codec without sockets: whatever goes in comes out, however it is cut; whatever comes in, nothing breaks.

// The lints' exception for tests does not reach the helpers of an integration test.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use proptest::prelude::*;
use websocket::{CloseReason, Decoder, Encoder, Limits, Message, Role, Violation};

const LIMIT: usize = 300_000;

fn decoder(role: Role) -> Decoder {
    Decoder::new(role, Limits { max_message: LIMIT }, Bytes::new())
}

fn drain(decoder: &mut Decoder) -> Result<Vec<Message>, Violation> {
    let mut messages = Vec::new();
    while let Some(message) = decoder.decode()? {
        messages.push(message);
    }
    Ok(messages)
}

fn message() -> impl Strategy<Value = Message> {
    let body = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..200),
        1 => prop::collection::vec(any::<u8>(), 65_530..65_550),
        1 => prop::collection::vec(any::<u8>(), 120_000..120_010),
    ];
    let control = prop::collection::vec(any::<u8>(), 0..=125);
    prop_oneof![
        ".{0,100}".prop_map(|text| Message::Text(text.into())),
        body.prop_map(|body| Message::Binary(body.into())),
        control.clone().prop_map(|body| Message::Ping(body.into())),
        control.prop_map(|body| Message::Pong(body.into())),
    ]
}

fn roles() -> impl Strategy<Value = (Role, Role)> {
    prop_oneof![Just((Role::Client, Role::Server)), Just((Role::Server, Role::Client))]
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, ..ProptestConfig::default() })]

    #[test]
    fn messages_survive_any_cut_of_the_stream(
        messages in prop::collection::vec(message(), 1..8),
        (sender, receiver) in roles(),
        cuts in prop::collection::vec(1usize..70_000, 1..40),
    ) {
        let mut encoder = Encoder::new(sender);
        messages.iter().for_each(|message| encoder.feed(message));
        encoder.feed(&Message::Close(Some(CloseReason::new(1000, "done"))));
        let mut decoder = decoder(receiver);
        let mut got = Vec::new();
        let mut cuts = cuts.iter().cycle();
        while encoder.pending() > 0 {
            let count = encoder.pending().min(*cuts.next().unwrap());
            decoder.feed(&encoder.bytes()[..count]);
            encoder.consume(count);
            got.extend(drain(&mut decoder).unwrap());
        }
        prop_assert_eq!(got.pop(), Some(Message::Close(Some(CloseReason::new(1000, "done")))));
        prop_assert_eq!(got, messages);
        prop_assert!(decoder.is_between_messages());
    }

    #[test]
    fn arbitrary_bytes_never_panic_and_an_error_is_final(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..64), 0..32),
        (role, _) in roles(),
    ) {
        let mut decoder = decoder(role);
        let mut failed = None;
        for piece in pieces {
            decoder.feed(&piece);
            match (failed, drain(&mut decoder)) {
                (Some(first), again) => prop_assert_eq!(again, Err(first)),
                (None, Err(violation)) => failed = Some(violation),
                (None, Ok(_)) => {}
            }
        }
    }

    #[test]
    fn fragments_are_joined_with_control_frames_between(
        pieces in prop::collection::vec(prop::collection::vec(any::<u8>(), 0..125), 2..10),
    ) {
        let mut decoder = decoder(Role::Client);
        let last = pieces.len() - 1;
        for (index, piece) in pieces.iter().enumerate() {
            let opcode = if index == 0 { 0x02 } else { 0x00 };
            let fin = if index == last { 0x80 } else { 0x00 };
            decoder.feed(&[fin | opcode, piece.len() as u8]);
            decoder.feed(piece);
            if index != last {
                decoder.feed(&[0x89, 0]);
            }
        }
        let mut got = drain(&mut decoder).unwrap();
        prop_assert_eq!(got.pop(), Some(Message::Binary(pieces.concat().into())));
        prop_assert!(got.iter().all(|message| *message == Message::Ping(Bytes::new())));
        prop_assert_eq!(got.len(), last);
    }
}

fn refused(bytes: &[u8]) -> Violation {
    let mut decoder = decoder(Role::Client);
    decoder.feed(bytes);
    drain(&mut decoder).unwrap_err()
}

#[test]
fn a_frame_over_the_limit_is_refused_by_its_header_alone() {
    let mut header = vec![0x82, 127];
    header.extend_from_slice(&(LIMIT as u64 + 1).to_be_bytes());
    assert_eq!(refused(&header), Violation::TooLong { limit: LIMIT });
    assert_eq!(Violation::TooLong { limit: LIMIT }.close_code(), 1009);
}

#[test]
fn fragments_over_the_limit_are_refused_together() {
    let mut stream = Vec::new();
    for first in [0x02, 0x00, 0x00, 0x00, 0x00, 0x00] {
        stream.extend_from_slice(&[first, 126]);
        stream.extend_from_slice(&60_000u16.to_be_bytes());
        stream.extend(std::iter::repeat_n(0, 60_000));
    }
    assert_eq!(refused(&stream), Violation::TooLong { limit: LIMIT });
}

#[test]
fn text_that_is_not_utf8_is_refused_with_1007() {
    assert_eq!(refused(&[0x81, 2, 0xc3, 0x28]), Violation::NotUtf8);
    assert_eq!(refused(&[0x88, 3, 0x03, 0xe8, 0xff]), Violation::NotUtf8);
    assert_eq!(Violation::NotUtf8.close_code(), 1007);
}

#[test]
fn text_split_inside_a_character_is_whole_again() {
    let mut decoder = decoder(Role::Client);
    decoder.feed(&[0x01, 1, 0xc3, 0x80, 1, 0xa9]);
    assert_eq!(decoder.decode(), Ok(Some(Message::Text("é".into()))));
}

#[test]
fn close_codes_nobody_may_send_are_refused() {
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 2999, 5000] {
        let [high, low] = code.to_be_bytes();
        assert_eq!(refused(&[0x88, 2, high, low]), Violation::CloseCode, "{code}");
    }
    assert_eq!(refused(&[0x88, 1, 3]), Violation::CloseCode);
}

#[test]
fn interleaved_and_orphaned_fragments_are_refused() {
    assert_eq!(refused(&[0x01, 0, 0x81, 0]), Violation::Interleaved);
    assert_eq!(refused(&[0x80, 0]), Violation::NothingToContinue);
}

#[test]
fn nothing_may_follow_a_close() {
    let mut decoder = decoder(Role::Client);
    decoder.feed(&[0x88, 0]);
    assert_eq!(decoder.decode(), Ok(Some(Message::Close(None))));
    assert_eq!(decoder.decode(), Ok(None));
    decoder.feed(&[0x81, 0]);
    assert_eq!(decoder.decode(), Err(Violation::AfterClose));
}

#[test]
fn a_long_close_text_is_cut_at_a_character() {
    let mut encoder = Encoder::new(Role::Server);
    encoder.feed(&Message::Close(Some(CloseReason::new(1008, "é".repeat(100)))));
    let mut decoder = decoder(Role::Client);
    decoder.feed(encoder.bytes());
    let expected = Message::Close(Some(CloseReason::new(1008, "é".repeat(61))));
    assert_eq!(decoder.decode(), Ok(Some(expected)));
}

#[test]
fn two_pieces_make_one_binary_frame() {
    for (sender, receiver) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
        let payload: Vec<u8> = (0..70_000u32).map(|n| n as u8).collect();
        let mut encoder = Encoder::new(sender);
        encoder.feed_binary_with(b"header", &payload);
        let mut decoder = decoder(receiver);
        decoder.feed(encoder.bytes());
        let expected = [b"header", &payload[..]].concat();
        assert_eq!(decoder.decode(), Ok(Some(Message::Binary(expected.into()))));
    }
}

#[test]
fn masking_keys_differ_from_frame_to_frame() {
    let mut encoder = Encoder::new(Role::Client);
    let mut keys = std::collections::HashSet::new();
    for _ in 0..200 {
        encoder.feed(&Message::Binary(Bytes::new()));
        keys.insert(encoder.bytes()[2..6].to_vec());
        encoder.consume(6);
    }
    assert!(keys.len() > 190);
}
