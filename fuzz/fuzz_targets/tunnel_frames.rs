//! Bytes to the frame decoder of the tunnel: no panic, and what decodes is written back to the same bytes' meaning.

#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use tunnel::frame;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(decoded) = frame::decode(Bytes::copy_from_slice(bytes)) {
        assert_eq!(frame::decode(decoded.to_message()).ok(), Some(decoded));
    }
});
