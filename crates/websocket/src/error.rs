//! What can go wrong on a WebSocket, and the close code that tells the peer.
//!
//! Deliberately not here: errors of the opening handshake, see [`crate::handshake`].

use std::io;

/// Why no further message can be read, or why a write failed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The peer closed the connection between two frames.
    #[error("the peer closed the connection")]
    Closed,
    /// The connection ended inside a frame or a fragmented message.
    #[error("the connection ended inside a message")]
    Truncated,
    /// The socket failed.
    #[error("socket failed: {0}")]
    Io(#[from] io::Error),
    /// The peer broke the protocol or a limit.
    #[error("peer broke the websocket protocol: {0}")]
    Violation(#[from] Violation),
}

impl Error {
    /// The close code to send before hanging up, where sending one makes sense.
    pub fn close_code(&self) -> Option<u16> {
        match self {
            Self::Violation(violation) => Some(violation.close_code()),
            Self::Closed | Self::Truncated | Self::Io(_) => None,
        }
    }
}

/// A rule of RFC 6455, or a limit of ours, that the peer broke.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Violation {
    /// A reserved bit is set though no extension was agreed (section 5.2).
    #[error("a reserved bit is set and no extension was agreed")]
    ReservedBit,
    /// An opcode nobody defined (section 5.2).
    #[error("opcode {0:#x} is reserved")]
    ReservedOpcode(u8),
    /// A client sent an unmasked frame (section 5.1).
    #[error("a client must mask its frames")]
    Unmasked,
    /// A server sent a masked frame (section 5.1).
    #[error("a server must not mask its frames")]
    Masked,
    /// A length in more bytes than needed, or with the top bit set (section 5.2).
    #[error("frame length is not encoded in the fewest bytes")]
    LengthNotMinimal,
    /// A control frame over 125 bytes (section 5.5).
    #[error("control frame is longer than 125 bytes")]
    ControlTooLong,
    /// A control frame in pieces (section 5.5).
    #[error("control frame is fragmented")]
    ControlFragmented,
    /// A continuation without a beginning (section 5.4).
    #[error("continuation frame without a message to continue")]
    NothingToContinue,
    /// A new message inside a fragmented one (section 5.4).
    #[error("a new message began inside a fragmented one")]
    Interleaved,
    /// Text that is not UTF-8 (section 8.1).
    #[error("text is not UTF-8")]
    NotUtf8,
    /// A close frame with one byte of body, or with a code nobody may send (section 7.4).
    #[error("close frame carries no valid close code")]
    CloseCode,
    /// More than [`crate::Limits::max_message`].
    #[error("message is longer than the limit of {limit} bytes")]
    TooLong {
        /// The limit in bytes.
        limit: usize,
    },
    /// A frame after the close frame (section 5.5.1).
    #[error("a frame arrived after the close frame")]
    AfterClose,
}

impl Violation {
    /// The close code of RFC 6455 section 7.4.1 for this violation.
    pub fn close_code(self) -> u16 {
        match self {
            Self::NotUtf8 => 1007,
            Self::TooLong { .. } => 1009,
            _ => 1002,
        }
    }
}
