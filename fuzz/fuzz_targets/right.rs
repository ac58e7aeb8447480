//! Bytes to the reader of rights: no panic, what is read is written back as the same bytes, and no bytes are a right of a cloud
//! that did not sign them.

#![no_main]

use base::key::PublicKey;
use libfuzzer_sys::fuzz_target;
use model::Timestamp;
use rpc::right::Right;

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        let _ = text.parse::<Right>();
    }
    let Ok(right) = Right::from_bytes(bytes) else { return };
    assert_eq!(&right.to_bytes()[..], bytes);
    let Ok(says) = right.says() else { return };
    let cloud = PublicKey::from_bytes([7; 32]);
    let now = Timestamp::from_micros(says.from.micros());
    assert!(right.verify(&cloud, says.board, 0, now).is_err());
});
