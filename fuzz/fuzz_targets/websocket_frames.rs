//! Bytes to the frame decoder: no panic, and the same messages whether they come at once or in pieces.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use websocket::{Decoder, Limits, Message, Role, Violation};

const LIMITS: Limits = Limits { max_message: 2048 };

type Outcome = (Vec<Message>, Option<Violation>);

fn run<'a>(role: Role, pieces: impl Iterator<Item = &'a [u8]>) -> Outcome {
    let mut decoder = Decoder::new(role, LIMITS, Bytes::new());
    let mut messages = Vec::new();
    for piece in pieces {
        decoder.feed(piece);
        loop {
            match decoder.decode() {
                Ok(Some(message)) => messages.push(message),
                Ok(None) => break,
                Err(violation) => return (messages, Some(violation)),
            }
        }
    }
    (messages, None)
}

fuzz_target!(|input: &[u8]| {
    let Some((cut, bytes)) = input.split_first() else { return };
    for role in [Role::Client, Role::Server] {
        let whole = run(role, std::iter::once(bytes));
        let pieces = run(role, bytes.chunks(usize::from(*cut).max(1)));
        assert_eq!(whole.0, pieces.0);
        // After a close frame, bytes in the same read are dropped and later ones are a violation.
        if !matches!(whole.0.last(), Some(Message::Close(_))) {
            assert_eq!(whole.1, pieces.1);
        }
    }
});
