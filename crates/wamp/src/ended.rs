//! How a session ended.

use crate::Abort;
use crate::uri::error;

/// Why a session is over. The first reason counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    /// This side closed it.
    #[error("closed by this side")]
    Closed,
    /// The peer said goodbye.
    #[error("the peer said goodbye: {reason} {message}")]
    Goodbye {
        /// A reason URI.
        reason: String,
        /// For people; may be empty.
        message: String,
    },
    /// It never began: one side refused.
    #[error("refused: {0}")]
    Refused(Abort),
    /// Ended by order of the router's owner; the text is the reason URI given to the peer.
    #[error("ended by the router: {0}")]
    Killed(String),
    /// Ended by a call of the meta API.
    #[error("ended by another session: {reason} {message}")]
    Dismissed {
        /// A reason URI.
        reason: String,
        /// For people; may be empty.
        message: String,
    },
    /// The router shuts down.
    #[error("the router shuts down")]
    Shutdown,
    /// The peer did not read what was sent to it.
    #[error("the peer does not read; more waits for it than its queue holds")]
    Slow,
    /// The peer fell silent.
    #[error("the peer fell silent")]
    Silent,
    /// The connection failed, or was closed without a goodbye.
    #[error("the connection was lost: {0}")]
    Lost(String),
    /// The peer broke the protocol.
    #[error("the peer broke the protocol: {0}")]
    Violation(String),
}

impl Ended {
    /// The farewell that the peer gets: reason URI and text. None where it would not be read.
    pub(crate) fn farewell(&self) -> Option<(&str, &str)> {
        match self {
            Self::Closed => Some((error::CLOSE_NORMAL, "")),
            Self::Goodbye { .. } => Some((error::GOODBYE_AND_OUT, "")),
            Self::Killed(reason) => Some((reason, "the router ended the session")),
            Self::Dismissed { reason, message } => Some((reason, message)),
            Self::Shutdown => Some((error::SYSTEM_SHUTDOWN, "the router shuts down")),
            Self::Violation(_) => Some((error::PROTOCOL_VIOLATION, "")),
            Self::Refused(_) | Self::Slow | Self::Silent | Self::Lost(_) => None,
        }
    }
}
