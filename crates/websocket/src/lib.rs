//! RFC 6455: the codec and its asynchronous shell.
//!
//! For WAMP and for tunnels, so it is tuned for bulk: payloads are unmasked in place and lent out of the receive buffer,
//! and a frame is masked while it is copied into the one outgoing buffer.
//!
//! Invariants: the role decides masking, to the letter of the RFC; nothing that arrives can panic or grow a buffer past
//! [`Limits::max_message`] by more than one read; a control frame is at most 125 bytes and never fragmented.
//!
//! Deliberately not here: compression (permessage-deflate), TLS, HTTP routing, answering pings. A ping or a close that
//! arrives is handed to the owner of the socket, who sends [`Message::reply`].

mod decoder;
mod encoder;
mod error;
mod frame;
pub mod handshake;
mod liveness;
mod mask;
mod message;
mod socket;

pub use decoder::Decoder;
pub use encoder::Encoder;
pub use error::{Error, Violation};
pub use liveness::{Activity, Liveness, Settings, Step};
pub use message::{CloseReason, Message};
pub use socket::{Reader, WebSocket, Writer};

/// Which end of the connection this is; decides who masks (RFC 6455 section 5.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Masks every frame it sends and refuses masked frames.
    Client,
    /// Sends in the clear and refuses frames that are not masked.
    Server,
}

/// What a peer may ask of us.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// Largest message in bytes, in one frame or in fragments. A larger one is refused with close code 1009.
    pub max_message: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { max_message: 1024 * 1024 }
    }
}
