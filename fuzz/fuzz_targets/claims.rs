//! Text to the reader of claims: no panic, and what reads is written so that it reads to the same.

#![no_main]

use libfuzzer_sys::fuzz_target;
use model::claim::Claim;

fuzz_target!(|bytes: &[u8]| {
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Ok(claim) = text.parse::<Claim>() {
        assert_eq!(claim.to_string().parse::<Claim>().ok(), Some(claim));
    }
});
