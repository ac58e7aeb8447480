//! The four messages before the first frame.
//! Invariant: `decode` is total; every message has a bound; what was encoded decodes to itself.
//! Not here: what is signed and who may speak when (`mod.rs`).
//!
//! Layout: kind (1), then
//! | kind | message | from | body |
//! |---|---|---|---|
//! | 0x41 | Hello | listener | lowest version (1), highest version (1), nonce (32) |
//! | 0x42 | Answer | dialler | version (1), nonce (32), signature (64), identity (1 to 256, UTF-8) |
//! | 0x43 | Welcome | listener | signature (64) |
//! | 0x44 | Refused | listener | reason (0 to 256, UTF-8) |

use bytes::{Buf, Bytes, TryGetError};

use crate::reason::MAX_TEXT;

/// Longest identity, in bytes.
pub const MAX_IDENTITY: usize = 256;
/// Bytes of a nonce.
pub const NONCE: usize = 32;
/// Bytes of a signature.
pub const SIGNATURE: usize = 64;

const HELLO: u8 = 0x41;
const ANSWER: u8 = 0x42;
const WELCOME: u8 = 0x43;
const REFUSED: u8 = 0x44;

/// One message of the handshake.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Message {
    Hello { lowest: u8, highest: u8, nonce: [u8; NONCE] },
    Answer { version: u8, nonce: [u8; NONCE], signature: [u8; SIGNATURE], identity: String },
    Welcome { signature: [u8; SIGNATURE] },
    Refused { reason: String },
}

/// What is wrong with a message of the handshake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    /// It ends too early.
    #[error("message is cut off")]
    Truncated,
    /// Bytes behind its end.
    #[error("{0} bytes too many")]
    Excess(usize),
    /// The first byte names no message of the handshake.
    #[error("unknown kind {0:#04x}")]
    UnknownKind(u8),
    /// An identity of no or of too many bytes.
    #[error("identity of {0} bytes; allowed are 1 to {MAX_IDENTITY}")]
    IdentityLength(usize),
    /// A reason that is too long.
    #[error("reason of {0} bytes; allowed are up to {MAX_TEXT}")]
    ReasonLength(usize),
    /// Text that is not UTF-8.
    #[error("text is not UTF-8")]
    Encoding,
}

impl From<TryGetError> for MessageError {
    fn from(_: TryGetError) -> Self {
        Self::Truncated
    }
}

impl Message {
    pub(crate) fn encode(&self) -> Bytes {
        match self {
            Self::Hello { lowest, highest, nonce } => {
                [&[HELLO, *lowest, *highest], nonce.as_slice()].concat().into()
            }
            Self::Answer { version, nonce, signature, identity } => {
                [&[ANSWER, *version], nonce.as_slice(), signature, identity.as_bytes()]
                    .concat()
                    .into()
            }
            Self::Welcome { signature } => [&[WELCOME], signature.as_slice()].concat().into(),
            Self::Refused { reason } => [&[REFUSED], reason.as_bytes()].concat().into(),
        }
    }

    pub(crate) fn decode(mut bytes: &[u8]) -> Result<Self, MessageError> {
        let kind = bytes.try_get_u8()?;
        let message = match kind {
            HELLO => Self::Hello {
                lowest: bytes.try_get_u8()?,
                highest: bytes.try_get_u8()?,
                nonce: array(&mut bytes)?,
            },
            ANSWER => Self::Answer {
                version: bytes.try_get_u8()?,
                nonce: array(&mut bytes)?,
                signature: array(&mut bytes)?,
                identity: identity(&mut bytes)?,
            },
            WELCOME => Self::Welcome { signature: array(&mut bytes)? },
            REFUSED if bytes.len() > MAX_TEXT => {
                return Err(MessageError::ReasonLength(bytes.len()));
            }
            REFUSED => Self::Refused { reason: text(&mut bytes)? },
            other => return Err(MessageError::UnknownKind(other)),
        };
        if bytes.is_empty() { Ok(message) } else { Err(MessageError::Excess(bytes.len())) }
    }
}

fn array<const LENGTH: usize>(bytes: &mut &[u8]) -> Result<[u8; LENGTH], MessageError> {
    let mut array = [0; LENGTH];
    bytes.try_copy_to_slice(&mut array)?;
    Ok(array)
}

fn identity(bytes: &mut &[u8]) -> Result<String, MessageError> {
    match bytes.len() {
        1..=MAX_IDENTITY => text(bytes),
        length => Err(MessageError::IdentityLength(length)),
    }
}

fn text(bytes: &mut &[u8]) -> Result<String, MessageError> {
    let text = std::str::from_utf8(bytes).map_err(|_| MessageError::Encoding)?.to_owned();
    *bytes = &[];
    Ok(text)
}

#[cfg(test)]
mod tests {
    use proptest::collection::vec;
    use proptest::prelude::*;

    use super::*;

    fn any_message() -> impl Strategy<Value = Message> {
        let signature = vec(any::<u8>(), SIGNATURE).prop_map(|bytes| bytes.try_into().unwrap());
        prop_oneof![
            (any::<u8>(), any::<u8>(), any::<[u8; NONCE]>())
                .prop_map(|(lowest, highest, nonce)| Message::Hello { lowest, highest, nonce }),
            (any::<u8>(), any::<[u8; NONCE]>(), signature.clone(), "\\PC{1,60}").prop_map(
                |(version, nonce, signature, identity)| Message::Answer {
                    version,
                    nonce,
                    signature,
                    identity
                }
            ),
            signature.prop_map(|signature| Message::Welcome { signature }),
            "\\PC{0,60}".prop_map(|reason| Message::Refused { reason }),
        ]
    }

    proptest! {
        #[test]
        fn a_message_decodes_to_itself(message in any_message()) {
            prop_assert_eq!(Message::decode(&message.encode()), Ok(message));
        }

        #[test]
        fn arbitrary_bytes_give_a_message_or_an_error(
            kind in prop_oneof![any::<u8>(), HELLO..=REFUSED],
            rest in vec(any::<u8>(), 0..400),
        ) {
            let bytes = [&[kind], rest.as_slice()].concat();
            if let Ok(message) = Message::decode(&bytes) {
                prop_assert_eq!(&message.encode()[..], &bytes[..]);
            }
        }
    }
}
