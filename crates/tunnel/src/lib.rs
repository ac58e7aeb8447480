//! Byte channels over one link: framing, credit, half-close.
//!
//! A board keeps one WebSocket standing to the cloud. Either end opens channels on it by an opaque
//! service key; the other end's [`Acceptor`] looks the key up in its own table, so a target never comes
//! from the wire. `frame` has the words, `machine` the rules (pure), `handshake` the proof of who is
//! there (pure, key-free), `link`, `channel` and `splice` the thin shell over tokio.
//! Invariant: bytes arrive exactly or the channel is reset; whatever waits is bounded.
//! `wstun` is apart from all that: the other, older way of forwarding, for upstream's boards and clouds.
//! Not here: boards, keys, sockets of the public side, reconnecting.

mod accounted;
mod channel;
mod driver;
pub mod frame;
pub mod handshake;
mod link;
pub mod machine;
mod meter;
pub mod reason;
mod shared;
mod spare;
mod splice;
pub mod wstun;

pub use accounted::{Account, Accounted, Count};
pub use channel::Channel;
pub use driver::Driver;
pub use frame::{ChannelId, ServiceKey};
pub use handshake::Authenticated;
pub use link::{ACCEPT_DEADLINE, Acceptor, Ended, Link, LinkError, NotAccepting, Settings, tune};
pub use machine::{ChannelError, Limits, Memory, OpenError, Side, Stats, Violation};
pub use reason::{GoAway, GoAwayCode, Refusal, RefusalCode, ResetReason};
pub use splice::{Endpoint, SpliceError, Spliced, splice};
