//! Byte channels over one link: framing, credit, half-close.
//!
//! A board keeps one WebSocket standing to the cloud. Either end opens channels on it by an opaque
//! service key; the other end's [`Acceptor`] looks the key up in its own table, so a target never comes
//! from the wire. `frame` has the words, `machine` the rules (pure), `handshake` the proof of who is
//! there (pure, key-free), `link`, `channel` and `splice` the thin shell over tokio.
//! Invariant: bytes arrive exactly or the channel is reset; whatever waits is bounded.
//! Not here: boards, keys, sockets of the public side, reconnecting; the wstun dialect.

pub mod frame;
pub mod machine;
pub mod reason;
