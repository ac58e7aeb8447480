//! Text to the readers of the wstun dialect: no panic, and what reads is written back to the same meaning.

#![no_main]

use libfuzzer_sys::fuzz_target;
use tunnel::wstun::{Claim, ConnectionId, Wish};

fuzz_target!(|bytes: &[u8]| {
    if let Some(claim) = Claim::from_notice(bytes) {
        assert_eq!(Claim::from_notice(format!("NC:{claim}").as_bytes()), Some(claim));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return };
    if let Some(id) = ConnectionId::parse(text) {
        assert_eq!(ConnectionId::parse(&id.to_string()), Some(id));
    }
    match Wish::parse(text) {
        Ok(Wish::Data(id)) => assert_eq!(Wish::parse(&format!("/?id={id}")), Ok(Wish::Data(id))),
        Ok(Wish::Control { port, board }) => {
            let name = board.as_ref().map_or_else(String::new, |board| format!("&uuid={board}"));
            let written = format!("/?dst=localhost:{port}{name}");
            assert_eq!(Wish::parse(&written), Ok(Wish::Control { port, board }));
        }
        Err(_) => {}
    }
});
