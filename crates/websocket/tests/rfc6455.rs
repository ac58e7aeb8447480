//! RFC 6455 section by section: what a peer may send, and how each violation is named and closed.
//!
//! One table for each section; a case is what arrives, in hexadecimal, and what comes of it. The server's frames are
//! masked with the key of zeros, so payloads can be read as they stand.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

use bytes::Bytes;
use websocket::{CloseReason, Decoder, Encoder, Limits, Message, Role, Violation};

const LIMIT: usize = 70_000;

/// What comes out: messages, or the violation with its close code.
type Outcome = Result<Vec<Message>, (Violation, u16)>;

fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex.chars().filter_map(|c| c.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}

/// Feeds whole and byte by byte; both must come to the same.
fn receive(role: Role, input: &[u8]) -> Outcome {
    let whole = receive_in(role, input, input.len().max(1));
    assert_eq!(receive_in(role, input, 1), whole, "cut into bytes: {input:02x?}");
    whole
}

fn receive_in(role: Role, input: &[u8], size: usize) -> Outcome {
    let mut decoder = Decoder::new(role, Limits { max_message: LIMIT }, Bytes::new());
    let mut messages = Vec::new();
    for piece in input.chunks(size) {
        decoder.feed(piece);
        loop {
            match decoder.decode() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(violation) => {
                    assert_eq!(decoder.decode(), Err(violation), "an error is final");
                    return Err((violation, violation.close_code()));
                }
            }
        }
    }
    Ok(messages)
}

fn check(role: Role, cases: &[(&str, &str, Outcome)]) {
    for (what, hex, expected) in cases {
        assert_eq!(&receive(role, &bytes(hex)), expected, "{what}");
    }
}

fn text(text: &str) -> Message {
    Message::Text(Bytes::copy_from_slice(text.as_bytes()))
}

fn binary(body: &[u8]) -> Message {
    Message::Binary(Bytes::copy_from_slice(body))
}

fn ping(body: &str) -> Message {
    Message::Ping(Bytes::copy_from_slice(body.as_bytes()))
}

fn pong(body: &str) -> Message {
    Message::Pong(Bytes::copy_from_slice(body.as_bytes()))
}

fn close(code: u16, text: &str) -> Message {
    Message::Close(Some(CloseReason::new(code, text)))
}

fn refused(violation: Violation) -> Outcome {
    Err((violation, 1002))
}

#[test]
fn section_5_1_masking_is_owed_by_the_client_and_forbidden_to_the_server() {
    check(
        Role::Server,
        &[
            ("a masked text", "81 82 00000000 6869", Ok(vec![text("hi")])),
            ("the RFC's own example", "81 85 37fa213d 7f9f4d5158", Ok(vec![text("Hello")])),
            ("an unmasked text", "81 02 6869", refused(Violation::Unmasked)),
            ("an unmasked ping", "89 00", refused(Violation::Unmasked)),
            ("an unmasked close", "88 00", refused(Violation::Unmasked)),
            (
                "each frame has its own key",
                "81 81 01010101 60 81 81 ff000000 9e",
                Ok(vec![text("a"), text("a")]),
            ),
        ],
    );
    check(
        Role::Client,
        &[
            ("an unmasked text", "81 02 6869", Ok(vec![text("hi")])),
            ("a masked text", "81 82 00000000 6869", refused(Violation::Masked)),
            ("a masked pong", "8a 80 00000000", refused(Violation::Masked)),
        ],
    );
}

#[test]
fn section_5_2_reserved_bits_and_opcodes_are_refused() {
    for bit in ["c1", "a1", "91", "f1", "c9", "c0"] {
        check(Role::Client, &[(bit, &format!("{bit} 00"), refused(Violation::ReservedBit))]);
    }
    for opcode in [3u8, 4, 5, 6, 7, 11, 12, 13, 14, 15] {
        let expected = refused(Violation::ReservedOpcode(opcode));
        check(Role::Client, &[("alone", &format!("{:02x} 00", 0x80 | opcode), expected.clone())]);
        let after = format!("81 01 61 {:02x} 00", 0x80 | opcode);
        check(Role::Client, &[("after a message", &after, expected)]);
    }
}

#[test]
fn section_5_2_every_length_is_read_in_its_one_form() {
    for length in [0usize, 1, 125, 126, 127, 128, 65_535, 65_536, LIMIT] {
        let body = vec![b'*'; length];
        for message in [binary(&body), Message::Text(body.clone().into())] {
            for (sender, receiver) in [(Role::Client, Role::Server), (Role::Server, Role::Client)] {
                let mut encoder = Encoder::new(sender);
                encoder.feed(&message);
                let got = receive_in(receiver, encoder.bytes(), 4096);
                assert_eq!(got, Ok(vec![message.clone()]), "{length}");
            }
        }
    }
    check(
        Role::Client,
        &[
            ("125 in 16 bits", "82 7e 007d", refused(Violation::LengthNotMinimal)),
            ("65535 in 64 bits", "82 7f 000000000000ffff", refused(Violation::LengthNotMinimal)),
            ("the top bit", "82 7f 8000000000000000", refused(Violation::LengthNotMinimal)),
            (
                "too long by its header",
                "82 7f 0000000000011171",
                Err((Violation::TooLong { limit: LIMIT }, 1009)),
            ),
            (
                "a gigabyte",
                "82 7f 0000000040000000",
                Err((Violation::TooLong { limit: LIMIT }, 1009)),
            ),
        ],
    );
}

#[test]
fn section_5_4_fragments_are_joined_and_never_mixed() {
    check(
        Role::Client,
        &[
            ("two", "01 01 61 80 01 62", Ok(vec![text("ab")])),
            ("three, one of them empty", "02 01 61 00 00 80 01 62", Ok(vec![binary(b"ab")])),
            ("all empty", "01 00 00 00 80 00", Ok(vec![text("")])),
            ("a ping between", "01 01 61 89 01 70 80 01 62", Ok(vec![ping("p"), text("ab")])),
            ("a pong between", "01 01 61 8a 00 80 01 62", Ok(vec![pong(""), text("ab")])),
            ("a close between", "01 01 61 88 02 03e8", Ok(vec![close(1000, "")])),
            ("nothing to continue", "80 01 61", refused(Violation::NothingToContinue)),
            ("nothing to go on with", "00 01 61", refused(Violation::NothingToContinue)),
            (
                "continued after the end",
                "01 01 61 80 01 62 80 01 63",
                refused(Violation::NothingToContinue),
            ),
            ("text in text", "01 01 61 81 01 62", refused(Violation::Interleaved)),
            ("binary begun in text", "01 01 61 02 01 62", refused(Violation::Interleaved)),
        ],
    );
    let mut endless = Vec::new();
    for at in 0..=LIMIT / 100 {
        endless.extend_from_slice(&[if at == 0 { 0x02 } else { 0 }, 100]);
        endless.extend_from_slice(&[b'*'; 100]);
    }
    let expected = Err((Violation::TooLong { limit: LIMIT }, 1009));
    assert_eq!(receive_in(Role::Client, &endless, 4096), expected, "fragments for ever");
}

#[test]
fn section_5_5_control_frames_are_short_and_whole() {
    let long = format!("89 7d {}", "70".repeat(125));
    check(
        Role::Client,
        &[
            ("125 bytes", &long, Ok(vec![ping(&"p".repeat(125))])),
            ("126 bytes", "89 7e 007e", refused(Violation::ControlTooLong)),
            ("a close of 126 bytes", "88 7e 007e", refused(Violation::ControlTooLong)),
            ("a ping in pieces", "09 00", refused(Violation::ControlFragmented)),
            ("a pong in pieces", "0a 00", refused(Violation::ControlFragmented)),
            ("a close in pieces", "08 00", refused(Violation::ControlFragmented)),
            ("a pong nobody asked for", "8a 01 61", Ok(vec![pong("a")])),
            ("ten pings", &"89 00 ".repeat(10), Ok(vec![ping(""); 10])),
            (
                "a ping may carry any bytes",
                "89 02 ff00",
                Ok(vec![Message::Ping(vec![255, 0].into())]),
            ),
        ],
    );
    assert_eq!(ping("body").reply(), Some(pong("body")), "a pong echoes its ping");
}

#[test]
fn section_5_5_1_nothing_comes_after_a_close() {
    check(
        Role::Client,
        &[
            ("no reason", "88 00", Ok(vec![Message::Close(None)])),
            ("a code", "88 02 03e8", Ok(vec![close(1000, "")])),
            ("a code and a text", "88 04 03e8 6f6b", Ok(vec![close(1000, "ok")])),
            ("one byte", "88 01 03", refused(Violation::CloseCode)),
            ("a text in UTF-8", "88 04 03e8 ceba", Ok(vec![close(1000, "κ")])),
            ("a text that is cut", "88 03 03e8 ce", Err((Violation::NotUtf8, 1007))),
        ],
    );
    assert_eq!(close(1000, "why").reply(), Some(close(1000, "")), "the code is echoed");
}

#[test]
fn section_7_4_close_codes_that_may_be_sent_and_those_that_may_not() {
    for code in [1000u16, 1001, 1002, 1003, 1007, 1008, 1009, 1010, 1011, 3000, 3999, 4000, 4999] {
        let hex = format!("88 02 {code:04x}");
        check(Role::Client, &[("good", &hex, Ok(vec![close(code, "")]))]);
    }
    for code in [0u16, 999, 1004, 1005, 1006, 1015, 1016, 1100, 2000, 2999, 5000, 65_535] {
        let hex = format!("88 02 {code:04x}");
        check(Role::Client, &[("bad", &hex, refused(Violation::CloseCode))]);
    }
}

#[test]
fn section_8_1_text_is_utf_8_to_the_letter() {
    let bad: Outcome = Err((Violation::NotUtf8, 1007));
    let good = |whole: &str| Ok(vec![text(whole)]);
    check(
        Role::Client,
        &[
            ("beyond the first plane", "81 04 f0908080", good("\u{10000}")),
            ("the last character", "81 04 f48fbfbf", good("\u{10ffff}")),
            ("not a character, yet allowed", "81 03 efbfbf", good("\u{ffff}")),
            ("a zero", "81 01 00", good("\0")),
            ("past the last", "81 04 f4908080", bad.clone()),
            ("a surrogate", "81 03 eda080", bad.clone()),
            ("a pair of surrogates", "81 06 eda080edb080", bad.clone()),
            ("overlong slash", "81 02 c0af", bad.clone()),
            ("overlong zero in three", "81 03 e08080", bad.clone()),
            ("a continuation alone", "81 01 80", bad.clone()),
            ("cut at the end", "81 02 e282", bad.clone()),
            ("five bytes", "81 05 f888808080", bad.clone()),
            ("fe and ff", "81 02 feff", bad.clone()),
            ("a character over two fragments", "01 02 e282 80 01 ac", good("€")),
            ("cut at the end of the last fragment", "01 02 e282 80 00", bad.clone()),
            ("binary is not looked at", "82 02 feff", Ok(vec![binary(&[0xfe, 0xff])])),
        ],
    );
    check(
        Role::Client,
        &[
            ("fail fast: the first fragment", "01 02 c0af", bad.clone()),
            ("fail fast: a later fragment", "01 01 61 00 03 eda080", bad.clone()),
            ("fail fast: a character that cannot become one", "01 02 f490", bad),
        ],
    );
}
