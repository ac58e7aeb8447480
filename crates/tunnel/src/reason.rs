//! Why a channel was refused, a channel was reset, or a link ends: one number on the wire, one enum here.
//! Invariant: every number decodes (a newer peer's reason becomes `Other`), and encodes back to itself.
//! Not here: errors of this process (`error.rs`).

use std::fmt;

/// Longest explanatory text carried by a frame, in bytes; longer text is cut at a character boundary.
pub const MAX_TEXT: usize = 256;

macro_rules! reasons {
    ($(#[$doc:meta])* $name:ident { $($(#[$variant_doc:meta])* $variant:ident = $code:literal, $text:literal;)* }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        pub enum $name {
            $($(#[$variant_doc])* $variant,)*
            /// A reason that a newer peer knows and we do not.
            Other(u16),
        }

        impl $name {
            /// The number on the wire.
            pub const fn code(self) -> u16 {
                match self {
                    $(Self::$variant => $code,)*
                    Self::Other(code) => code,
                }
            }

            /// The reason behind a number on the wire.
            pub const fn from_code(code: u16) -> Self {
                match code {
                    $($code => Self::$variant,)*
                    other => Self::Other(other),
                }
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                match self {
                    $(Self::$variant => f.write_str($text),)*
                    Self::Other(code) => write!(f, "reason {code} (unknown to this version)"),
                }
            }
        }
    };
}

reasons! {
    /// Why the accepting side turned a channel down.
    RefusalCode {
        /// The service key is not in the accepting side's table.
        UnknownService = 1, "no such service";
        /// The service is known, but nothing answers at its target.
        Unreachable = 2, "the service does not answer";
        /// The target or the decision took too long.
        Timeout = 3, "the service took too long to answer";
        /// The link holds as many channels as it may.
        Exhausted = 4, "too many channels on this link";
        /// The link is being shut down.
        GoingAway = 5, "the link is shutting down";
        /// The service exists but may not be used now.
        Forbidden = 6, "the service may not be used";
        /// This side of the link accepts no channels at all.
        NotAccepting = 7, "this side accepts no channels";
    }
}

reasons! {
    /// Why a channel ended before both sides had finished.
    ResetReason {
        /// The connection behind the channel was reset by its other end.
        ConnectionReset = 1, "the connection was reset";
        /// The owner let the channel go before it was finished.
        Abandoned = 2, "the channel was abandoned";
        /// Reading or writing the connection behind the channel failed.
        Failed = 3, "the connection failed";
        /// The service was disabled while the channel was open.
        Disabled = 4, "the service was disabled";
        /// The link that carried the channel is gone (never sent: told locally).
        LinkLost = 5, "the link was lost";
    }
}

reasons! {
    /// Why a whole link ends.
    GoAwayCode {
        /// The process shuts down in order.
        Shutdown = 1, "shutting down";
        /// The peer broke the protocol; the text says how.
        Violation = 2, "protocol violation";
        /// The same board has opened a newer link.
        Replaced = 3, "replaced by a newer link";
        /// The peer is no longer welcome.
        Revoked = 4, "access was revoked";
    }
}

/// A channel turned down: the reason, and words for the person who waits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}{}{text}", if text.is_empty() { "" } else { ": " })]
pub struct Refusal {
    /// Why.
    pub code: RefusalCode,
    /// Detail for people, at most [`MAX_TEXT`] bytes; may be empty.
    pub text: String,
}

impl Refusal {
    /// A refusal; `text` over [`MAX_TEXT`] is cut.
    pub fn new(code: RefusalCode, text: impl Into<String>) -> Self {
        Self { code, text: shortened(text.into()) }
    }
}

/// The end of a link as announced by one side.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{code}{}{text}", if text.is_empty() { "" } else { ": " })]
pub struct GoAway {
    /// Why.
    pub code: GoAwayCode,
    /// Detail for people, at most [`MAX_TEXT`] bytes; may be empty.
    pub text: String,
}

impl GoAway {
    /// An announcement; `text` over [`MAX_TEXT`] is cut.
    pub fn new(code: GoAwayCode, text: impl Into<String>) -> Self {
        Self { code, text: shortened(text.into()) }
    }
}

fn shortened(mut text: String) -> String {
    if text.len() > MAX_TEXT {
        text.truncate(text.floor_char_boundary(MAX_TEXT));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_number_decodes_and_encodes_back_to_itself() {
        for code in 0..=u16::MAX {
            assert_eq!(RefusalCode::from_code(code).code(), code);
            assert_eq!(ResetReason::from_code(code).code(), code);
            assert_eq!(GoAwayCode::from_code(code).code(), code);
        }
    }

    #[test]
    fn long_text_is_cut_between_characters() {
        let refusal = Refusal::new(RefusalCode::Unreachable, "é".repeat(200));
        assert_eq!(refusal.text.len(), MAX_TEXT);
        assert!(refusal.to_string().starts_with("the service does not answer: é"));
    }
}
