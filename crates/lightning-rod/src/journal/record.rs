//! The records of the journal's file and their framing.
//!
//! A frame is the payload's length and CRC-32 (both little endian, 4 bytes) and the payload. Invariant: any bytes decode to
//! a record, to "more is needed" or to "damaged", in bounded memory. Not here: files, and what the records mean.

use model::{OperationId, Timestamp};
use uuid::Uuid;

/// First bytes of the file: what it is, and the version of its format.
pub(super) const MAGIC: &[u8; 8] = b"s4tjrnl1";
/// Length and checksum in front of each payload.
pub(super) const FRAME_HEAD: usize = 8;
/// Longest answer that is kept, in bytes of text.
pub const MAX_ANSWER: usize = 1024 * 1024;
/// Longest method name that is written; longer ones are cut, they are for people only.
const MAX_METHOD: usize = 64;
/// Bytes of a payload before its text.
const BEGIN_HEAD: usize = 1 + 16 + 8 + 1;
const END_HEAD: usize = 1 + 16;
/// Longest payload.
pub(super) const MAX_PAYLOAD: usize = END_HEAD + MAX_ANSWER;

const BEGIN: u8 = 1;
const END: u8 = 2;

/// Whether work may be repeated when the process died in the middle of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repeat {
    /// It has the same effect when done again.
    Harmless,
    /// It must run at most once.
    Never,
}

/// One record.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Record {
    /// Work begins.
    Begin {
        /// The operation.
        operation: OperationId,
        /// Its entry may be forgotten after this moment.
        keep_until: Timestamp,
        /// What to do when it is found unfinished.
        repeat: Repeat,
        /// What it was, for people.
        method: String,
    },
    /// Work has ended with this answer.
    End {
        /// The operation.
        operation: OperationId,
        /// The answer, the text of an envelope.
        answer: String,
    },
}

/// What a frame's head says.
pub(super) struct Head {
    /// Payload bytes that follow.
    pub(super) length: usize,
    checksum: u32,
}

impl Head {
    /// Reads a head; none when it cannot be one.
    pub(super) fn decode(bytes: [u8; FRAME_HEAD]) -> Option<Self> {
        let [a, b, c, d, e, f, g, h] = bytes;
        let length = usize::try_from(u32::from_le_bytes([a, b, c, d])).ok()?;
        let checksum = u32::from_le_bytes([e, f, g, h]);
        (length > 0 && length <= MAX_PAYLOAD).then_some(Self { length, checksum })
    }

    /// Reads the payload that follows this head; none when it is damaged.
    pub(super) fn payload(&self, payload: &[u8]) -> Option<Record> {
        (crc32fast::hash(payload) == self.checksum).then(|| Record::decode(payload))?
    }
}

impl Record {
    /// Appends the record as a frame. An answer over [`MAX_ANSWER`] is the caller's mistake and is cut.
    pub(super) fn encode(&self, out: &mut Vec<u8>) {
        let mut payload = Vec::with_capacity(BEGIN_HEAD + MAX_METHOD);
        match self {
            Self::Begin { operation, keep_until, repeat, method } => {
                payload.push(BEGIN);
                payload.extend_from_slice(operation.uuid().as_bytes());
                payload.extend_from_slice(&keep_until.micros().to_le_bytes());
                payload.push(u8::from(*repeat == Repeat::Never));
                payload.extend(method.bytes().take(MAX_METHOD));
            }
            Self::End { operation, answer } => {
                payload.push(END);
                payload.extend_from_slice(operation.uuid().as_bytes());
                payload.extend(answer.bytes().take(MAX_ANSWER));
            }
        }
        let length =
            u32::try_from(payload.len()).expect("a payload is at most a little over 1 MiB");
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(&crc32fast::hash(&payload).to_le_bytes());
        out.append(&mut payload);
    }

    /// Where an answer's text begins within its frame.
    pub(super) const ANSWER_AT: usize = FRAME_HEAD + END_HEAD;

    fn decode(payload: &[u8]) -> Option<Self> {
        let (tag, rest) = payload.split_first()?;
        let (id, rest) = rest.split_first_chunk::<16>()?;
        let operation = OperationId::from(Uuid::from_bytes(*id));
        match *tag {
            BEGIN => {
                let (keep_until, rest) = rest.split_first_chunk::<8>()?;
                let (repeat, method) = rest.split_first()?;
                Some(Self::Begin {
                    operation,
                    keep_until: Timestamp::from_micros(i64::from_le_bytes(*keep_until)),
                    repeat: if *repeat == 0 { Repeat::Harmless } else { Repeat::Never },
                    method: String::from_utf8_lossy(method).into_owned(),
                })
            }
            END => Some(Self::End { operation, answer: String::from_utf8(rest.to_vec()).ok()? }),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn read_back(bytes: &[u8]) -> Option<Record> {
        let (head, payload) = bytes.split_first_chunk::<FRAME_HEAD>()?;
        let head = Head::decode(*head)?;
        head.payload(payload.get(..head.length)?)
    }

    proptest! {
        #[test]
        fn a_record_is_read_back_as_it_was_written(
            id: u128,
            at in 0i64..4_000_000_000_000_000,
            never: bool,
            text in ".{0,200}",
            method in "[A-Za-z]{0,64}",
        ) {
            let operation = OperationId::from(Uuid::from_u128(id));
            let repeat = if never { Repeat::Never } else { Repeat::Harmless };
            let keep_until = Timestamp::from_micros(at);
            for record in [
                Record::Begin { operation, keep_until, repeat, method },
                Record::End { operation, answer: text },
            ] {
                let mut bytes = Vec::new();
                record.encode(&mut bytes);
                prop_assert_eq!(read_back(&bytes), Some(record));
            }
        }

        #[test]
        fn any_bytes_are_a_record_or_none(bytes: Vec<u8>) {
            let _ = read_back(&bytes);
        }

        #[test]
        fn a_flipped_bit_is_noticed(id: u128, text in ".{1,40}", which: prop::sample::Index) {
            let operation = OperationId::from(Uuid::from_u128(id));
            let mut bytes = Vec::new();
            let record = Record::End { operation, answer: text };
            record.encode(&mut bytes);
            let bit = which.index(bytes.len() * 8);
            bytes[bit / 8] ^= 1 << (bit % 8);
            prop_assert_ne!(read_back(&bytes), Some(record));
        }
    }
}
