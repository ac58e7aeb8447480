//! Whole messages: reassembled, unmasked, checked.
//!
//! Invariant: a `Text` that this crate hands out, and the text of a close reason, is valid UTF-8.

use bytes::Bytes;

use crate::error::Violation;

/// Longest body of a control frame (RFC 6455 section 5.5).
pub(crate) const MAX_CONTROL: usize = 125;

/// One message, or one control frame.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Message {
    /// Valid UTF-8.
    Text(Bytes),
    /// Any bytes.
    Binary(Bytes),
    /// To be answered with a pong of the same body, at most 125 bytes; see [`Message::reply`].
    Ping(Bytes),
    /// The answer to a ping, or an unasked sign of life.
    Pong(Bytes),
    /// The last message of a side.
    Close(Option<CloseReason>),
}

impl Message {
    /// What the protocol wants sent back: a pong for a ping, the same code for a close.
    pub fn reply(&self) -> Option<Message> {
        match self {
            Self::Ping(body) => Some(Self::Pong(body.clone())),
            Self::Close(reason) => Some(Self::Close(reason.as_ref().map(CloseReason::echo))),
            Self::Text(_) | Self::Binary(_) | Self::Pong(_) => None,
        }
    }
}

/// Why a side closes: a code of RFC 6455 section 7.4 and a text for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CloseReason {
    /// 1000 normal, 1001 going away, 1002 protocol error, 1008 policy, 1009 too long, 1011 internal, 3000-4999 private.
    pub code: u16,
    /// At most 123 bytes are sent.
    pub text: String,
}

impl CloseReason {
    /// A reason out of its two parts.
    pub fn new(code: u16, text: impl Into<String>) -> Self {
        Self { code, text: text.into() }
    }

    fn echo(&self) -> Self {
        Self::new(self.code, "")
    }

    /// The text cut to what fits a control frame, at a character boundary.
    pub(crate) fn wire_text(&self) -> &str {
        let end = self.text.floor_char_boundary(MAX_CONTROL - 2);
        self.text.get(..end).unwrap_or_default()
    }

    pub(crate) fn parse(body: &[u8]) -> Result<Option<Self>, Violation> {
        let Some((code, text)) = body.split_first_chunk::<2>() else {
            return if body.is_empty() { Ok(None) } else { Err(Violation::CloseCode) };
        };
        let code = u16::from_be_bytes(*code);
        if !may_be_sent(code) {
            return Err(Violation::CloseCode);
        }
        let text = std::str::from_utf8(text).map_err(|_| Violation::NotUtf8)?;
        Ok(Some(Self::new(code, text)))
    }
}

/// Codes that may stand in a close frame: the registered ones but those that only describe, and the private ranges.
fn may_be_sent(code: u16) -> bool {
    matches!(code, 1000..=1003 | 1007..=1014 | 3000..=4999)
}
