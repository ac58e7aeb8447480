//! Bytes to the reader of tokens, as what stands below the signature and as a whole: no panic, and what reads, reads back.

#![no_main]

use iotronic::identity::tokens::{Tokens, check_body};
use libfuzzer_sys::fuzz_target;
use model::Timestamp;

fuzz_target!(|bytes: &[u8]| {
    check_body(bytes);
    let text = String::from_utf8_lossy(bytes);
    let read = Tokens::with_key(b"fuzz").read(&text, Timestamp::default());
    assert!(read.is_err(), "nobody signed this");
});
