//! The words of the link: one frame in one binary WebSocket message, a fixed head and the rest as payload.
//! Invariant: `decode` is total (any bytes give a frame or an error, nothing is copied), and a frame
//! that was encoded decodes to itself.
//! Not here: whether a frame is allowed now (`machine`), and the messages before the first frame (`handshake`).
//!
//! Layout, integers big-endian: kind (1), then channel (4) except for GoAway, then
//! | kind | frame | more head | payload |
//! |---|---|---|---|
//! | 1 | Open | credit (4) | service key, 1 to 64 bytes |
//! | 2 | Opened | credit (4) | - |
//! | 3 | Refused | code (2) | text, UTF-8, up to 256 bytes |
//! | 4 | Data | - | 1 to 65,536 bytes |
//! | 5 | Credit | bytes (4), not zero | - |
//! | 6 | Finish | - | - |
//! | 7 | Reset | code (2) | - |
//! | 8 | GoAway | code (2) | text, UTF-8, up to 256 bytes |

use std::fmt;

use bytes::{Buf, Bytes, TryGetError};

use crate::reason::{GoAway, GoAwayCode, MAX_TEXT, Refusal, RefusalCode, ResetReason};

/// Most bytes in one Data frame: large enough that the cost of a frame vanishes, small enough that
/// another channel's small message never waits long behind one.
pub const MAX_DATA: usize = 64 * 1024;
/// Longest service key, in bytes.
pub const MAX_SERVICE_KEY: usize = 64;
/// Longest head of a frame, in bytes.
pub const MAX_HEAD: usize = 9;
/// Longest WebSocket message of a link; give it to the WebSocket as its limit.
pub const MAX_MESSAGE: usize = MAX_HEAD + MAX_DATA;

/// The number of a channel on its link. The side that dialled opens odd numbers, the other even ones.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ChannelId(pub(crate) u32);

impl fmt::Display for ChannelId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The opaque name by which the opening side asks for a service; 1 to [`MAX_SERVICE_KEY`] bytes.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ServiceKey(Bytes);

impl ServiceKey {
    /// Checks the length; the bytes mean nothing here.
    pub fn new(bytes: impl Into<Bytes>) -> Result<Self, FrameError> {
        let bytes = bytes.into();
        match bytes.len() {
            1..=MAX_SERVICE_KEY => Ok(Self(bytes)),
            length => Err(FrameError::ServiceKeyLength(length)),
        }
    }

    /// The bytes as they came.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }
}

/// One message of the link.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Frame {
    /// Asks for a channel to a service and allows `credit` bytes towards the opener.
    Open {
        /// The new channel.
        channel: ChannelId,
        /// What it should lead to.
        key: ServiceKey,
        /// Bytes that the opener is ready to receive.
        credit: u32,
    },
    /// The channel leads somewhere; allows `credit` more bytes towards the acceptor.
    Opened {
        /// The channel.
        channel: ChannelId,
        /// Bytes beyond [`crate::machine::EAGER_CREDIT`] that the acceptor is ready to receive.
        credit: u32,
    },
    /// The channel leads nowhere and is gone.
    Refused {
        /// The channel.
        channel: ChannelId,
        /// Why.
        refusal: Refusal,
    },
    /// Bytes of the channel, in order.
    Data {
        /// The channel.
        channel: ChannelId,
        /// 1 to [`MAX_DATA`] bytes.
        payload: Bytes,
    },
    /// Allows `bytes` more towards the sender of this frame.
    Credit {
        /// The channel.
        channel: ChannelId,
        /// More bytes that may be sent, never zero.
        bytes: u32,
    },
    /// The sender of this frame sends no more bytes on the channel (TCP's FIN).
    Finish {
        /// The channel.
        channel: ChannelId,
    },
    /// The channel is gone, whatever was under way is lost (TCP's RST).
    Reset {
        /// The channel.
        channel: ChannelId,
        /// Why.
        reason: ResetReason,
    },
    /// The link ends: no new channels; the old ones may finish within the sender's grace.
    GoAway(GoAway),
}

/// What is wrong with the bytes of a frame.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FrameError {
    /// The first byte names no frame of this version.
    #[error("unknown frame kind {0}; both ends must speak the version agreed in the handshake")]
    UnknownKind(u8),
    /// The message ends inside the head.
    #[error("frame is cut off inside its head")]
    Truncated,
    /// Bytes behind a frame that carries no payload.
    #[error("{0} bytes too many behind a frame without payload")]
    Excess(usize),
    /// Data of no or of too many bytes.
    #[error("data frame of {0} bytes; allowed are 1 to {MAX_DATA}")]
    DataLength(usize),
    /// A service key of no or of too many bytes.
    #[error("service key of {0} bytes; allowed are 1 to {MAX_SERVICE_KEY}")]
    ServiceKeyLength(usize),
    /// A credit frame that allows nothing.
    #[error("credit of zero bytes")]
    EmptyCredit,
    /// Text that is too long.
    #[error("text of {0} bytes; allowed are up to {MAX_TEXT}")]
    TextLength(usize),
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    TextEncoding,
}

impl From<TryGetError> for FrameError {
    fn from(_: TryGetError) -> Self {
        Self::Truncated
    }
}

const OPEN: u8 = 1;
const OPENED: u8 = 2;
const REFUSED: u8 = 3;
const DATA: u8 = 4;
const CREDIT: u8 = 5;
const FINISH: u8 = 6;
const RESET: u8 = 7;
const GO_AWAY: u8 = 8;

/// Reads one frame out of one whole message. Data and keys are lent, not copied.
pub fn decode(mut message: Bytes) -> Result<Frame, FrameError> {
    let kind = message.try_get_u8()?;
    if kind == GO_AWAY {
        let code = GoAwayCode::from_code(message.try_get_u16()?);
        return Ok(Frame::GoAway(GoAway { code, text: text(&message)? }));
    }
    if !(OPEN..=RESET).contains(&kind) {
        return Err(FrameError::UnknownKind(kind));
    }
    let channel = ChannelId(message.try_get_u32()?);
    match kind {
        OPEN => {
            let credit = message.try_get_u32()?;
            Ok(Frame::Open { channel, key: ServiceKey::new(message)?, credit })
        }
        OPENED => {
            let credit = message.try_get_u32()?;
            bare(&message, Frame::Opened { channel, credit })
        }
        REFUSED => {
            let code = RefusalCode::from_code(message.try_get_u16()?);
            Ok(Frame::Refused { channel, refusal: Refusal { code, text: text(&message)? } })
        }
        DATA => match message.len() {
            1..=MAX_DATA => Ok(Frame::Data { channel, payload: message }),
            length => Err(FrameError::DataLength(length)),
        },
        CREDIT => match message.try_get_u32()? {
            0 => Err(FrameError::EmptyCredit),
            bytes => bare(&message, Frame::Credit { channel, bytes }),
        },
        FINISH => bare(&message, Frame::Finish { channel }),
        RESET => {
            let reason = ResetReason::from_code(message.try_get_u16()?);
            bare(&message, Frame::Reset { channel, reason })
        }
        other => Err(FrameError::UnknownKind(other)),
    }
}

fn bare(rest: &Bytes, frame: Frame) -> Result<Frame, FrameError> {
    if rest.is_empty() { Ok(frame) } else { Err(FrameError::Excess(rest.len())) }
}

fn text(rest: &Bytes) -> Result<String, FrameError> {
    if rest.len() > MAX_TEXT {
        return Err(FrameError::TextLength(rest.len()));
    }
    std::str::from_utf8(rest).map(str::to_owned).map_err(|_| FrameError::TextEncoding)
}

/// The head of a frame on the stack, so that a large payload is written from where it lies.
#[derive(Clone, Copy, Debug)]
pub struct Head {
    bytes: [u8; MAX_HEAD],
    length: usize,
}

impl Head {
    fn new(kind: u8) -> Self {
        let empty = Self { bytes: [0; MAX_HEAD], length: 0 };
        empty.with(&[kind])
    }

    fn with(mut self, more: &[u8]) -> Self {
        for (slot, byte) in self.bytes.iter_mut().skip(self.length).zip(more) {
            *slot = *byte;
        }
        self.length += more.len();
        self
    }

    fn channel(self, channel: ChannelId) -> Self {
        self.with(&channel.0.to_be_bytes())
    }

    /// The encoded head.
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(..self.length).expect("no head is longer than MAX_HEAD")
    }
}

impl Frame {
    /// The frame as a head and the payload behind it; the message is the one after the other.
    pub fn encode(&self) -> (Head, &[u8]) {
        match self {
            Self::Open { channel, key, credit } => {
                (Head::new(OPEN).channel(*channel).with(&credit.to_be_bytes()), key.as_bytes())
            }
            Self::Opened { channel, credit } => {
                (Head::new(OPENED).channel(*channel).with(&credit.to_be_bytes()), &[])
            }
            Self::Refused { channel, refusal } => (
                Head::new(REFUSED).channel(*channel).with(&refusal.code.code().to_be_bytes()),
                refusal.text.as_bytes(),
            ),
            Self::Data { channel, payload } => (Head::new(DATA).channel(*channel), payload),
            Self::Credit { channel, bytes } => {
                (Head::new(CREDIT).channel(*channel).with(&bytes.to_be_bytes()), &[])
            }
            Self::Finish { channel } => (Head::new(FINISH).channel(*channel), &[]),
            Self::Reset { channel, reason } => {
                (Head::new(RESET).channel(*channel).with(&reason.code().to_be_bytes()), &[])
            }
            Self::GoAway(away) => {
                (Head::new(GO_AWAY).with(&away.code.code().to_be_bytes()), away.text.as_bytes())
            }
        }
    }

    /// The frame as one contiguous message (tests and rare frames).
    pub fn to_message(&self) -> Bytes {
        let (head, payload) = self.encode();
        [head.as_bytes(), payload].concat().into()
    }
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn any_frame() -> impl Strategy<Value = Frame> {
        let channel = any::<u32>().prop_map(ChannelId);
        let text = "\\PC{0,60}";
        prop_oneof![
            (channel.clone(), vec(any::<u8>(), 1..=MAX_SERVICE_KEY), any::<u32>()).prop_map(
                |(channel, key, credit)| Frame::Open {
                    channel,
                    key: ServiceKey::new(key).unwrap(),
                    credit
                }
            ),
            (channel.clone(), any::<u32>())
                .prop_map(|(channel, credit)| Frame::Opened { channel, credit }),
            (channel.clone(), any::<u16>(), text).prop_map(|(channel, code, text)| {
                Frame::Refused {
                    channel,
                    refusal: Refusal::new(RefusalCode::from_code(code), text),
                }
            }),
            (channel.clone(), vec(any::<u8>(), 1..2000))
                .prop_map(|(channel, payload)| Frame::Data { channel, payload: payload.into() }),
            (channel.clone(), 1u32..).prop_map(|(channel, bytes)| Frame::Credit { channel, bytes }),
            channel.clone().prop_map(|channel| Frame::Finish { channel }),
            (channel, any::<u16>()).prop_map(|(channel, code)| Frame::Reset {
                channel,
                reason: ResetReason::from_code(code)
            }),
            (any::<u16>(), text).prop_map(|(code, text)| Frame::GoAway(GoAway::new(
                GoAwayCode::from_code(code),
                text
            ))),
        ]
    }

    proptest! {
        #[test]
        fn a_frame_decodes_to_itself(frame in any_frame()) {
            prop_assert_eq!(decode(frame.to_message()), Ok(frame));
        }

        #[test]
        fn arbitrary_bytes_give_a_frame_or_an_error(bytes in vec(any::<u8>(), 0..300)) {
            if let Ok(frame) = decode(bytes.clone().into()) {
                prop_assert_eq!(frame.to_message(), bytes);
            }
        }

        #[test]
        fn likely_frames_give_a_frame_or_an_error(kind in 0u8..10, rest in vec(any::<u8>(), 0..80)) {
            let bytes = [&[kind], rest.as_slice()].concat();
            if let Ok(frame) = decode(bytes.clone().into()) {
                prop_assert_eq!(frame.to_message(), bytes);
            }
        }

        #[test]
        fn a_truncated_head_is_an_error(frame in any_frame(), keep in 0usize..3) {
            let message = frame.to_message();
            prop_assert_eq!(decode(message.slice(..keep)), Err(FrameError::Truncated));
        }
    }

    #[test]
    fn sizes_outside_the_limits_are_refused() {
        let data = |length: usize| [&[DATA, 0, 0, 0, 1], vec![0; length].as_slice()].concat();
        assert_eq!(decode(data(0).into()), Err(FrameError::DataLength(0)));
        assert!(decode(data(MAX_DATA).into()).is_ok());
        assert_eq!(decode(data(MAX_DATA + 1).into()), Err(FrameError::DataLength(MAX_DATA + 1)));
        let open = [&[OPEN, 0, 0, 0, 1, 0, 0, 0, 1], [7; 65].as_slice()].concat();
        assert_eq!(decode(open.into()), Err(FrameError::ServiceKeyLength(65)));
        let away = [&[GO_AWAY, 0, 1], [b'x'; 257].as_slice()].concat();
        assert_eq!(decode(away.into()), Err(FrameError::TextLength(257)));
    }

    #[test]
    fn an_unknown_kind_says_so() {
        assert_eq!(decode(Bytes::from_static(&[9, 1, 2, 3])), Err(FrameError::UnknownKind(9)));
        assert_eq!(decode(Bytes::from_static(&[0])), Err(FrameError::UnknownKind(0)));
    }
}
