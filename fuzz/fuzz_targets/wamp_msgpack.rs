//! Bytes to the WAMP message decoder of one serialiser: no panic, and what decodes survives a round trip.

#![no_main]

use libfuzzer_sys::fuzz_target;
use wamp::Serialiser;

fuzz_target!(|bytes: &[u8]| {
    wamp::check_message(Serialiser::MessagePack, bytes);
    let _ = wamp::read_value(Serialiser::MessagePack, bytes);
});
