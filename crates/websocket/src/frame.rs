//! The frame header of RFC 6455 section 5.2.
//!
//! Invariant: a header that parses has no reserved bit, a defined opcode, the masking its sender owes, a minimal length,
//! and, if it is a control frame, stands alone and is short.

use crate::Role;
use crate::error::Violation;
use crate::message::MAX_CONTROL;

/// Longest header: two bytes, a 64-bit length, a masking key.
pub(crate) const MAX_HEADER: usize = 14;

const FIN: u8 = 0x80;
const RESERVED: u8 = 0x70;
const OPCODE: u8 = 0x0f;
const MASKED: u8 = 0x80;
const LENGTH: u8 = 0x7f;
const LENGTH_16: u8 = 126;
const LENGTH_64: u8 = 127;

/// What a frame carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Opcode {
    Continuation,
    Text,
    Binary,
    Close,
    Ping,
    Pong,
}

impl Opcode {
    fn parse(bits: u8) -> Result<Self, Violation> {
        Ok(match bits {
            0x0 => Self::Continuation,
            0x1 => Self::Text,
            0x2 => Self::Binary,
            0x8 => Self::Close,
            0x9 => Self::Ping,
            0xa => Self::Pong,
            other => return Err(Violation::ReservedOpcode(other)),
        })
    }

    fn bits(self) -> u8 {
        match self {
            Self::Continuation => 0x0,
            Self::Text => 0x1,
            Self::Binary => 0x2,
            Self::Close => 0x8,
            Self::Ping => 0x9,
            Self::Pong => 0xa,
        }
    }

    pub(crate) fn is_control(self) -> bool {
        matches!(self, Self::Close | Self::Ping | Self::Pong)
    }
}

/// Whether more frames of the same message follow.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fin {
    Last,
    More,
}

/// A parsed header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) opcode: Opcode,
    pub(crate) fin: Fin,
    pub(crate) key: Option<[u8; 4]>,
    /// Bytes of payload.
    pub(crate) payload: u64,
    /// Bytes of the header itself.
    pub(crate) size: usize,
}

impl Header {
    /// Parses what `receiver` got; `None` while bytes are missing. The first wrong byte is refused as soon as it is there.
    pub(crate) fn parse(bytes: &[u8], receiver: Role) -> Result<Option<Self>, Violation> {
        let Some((&[first, second], rest)) = bytes.split_first_chunk::<2>() else {
            return Ok(None);
        };
        if first & RESERVED != 0 {
            return Err(Violation::ReservedBit);
        }
        let opcode = Opcode::parse(first & OPCODE)?;
        let fin = if first & FIN != 0 { Fin::Last } else { Fin::More };
        check_control(opcode, fin, second & LENGTH)?;
        let masked = check_mask(second & MASKED != 0, receiver)?;
        let Some((payload, length_size)) = parse_length(second & LENGTH, rest)? else {
            return Ok(None);
        };
        let key = match masked {
            Masking::Clear => None,
            Masking::Masked => match rest.get(length_size..).and_then(<[u8]>::first_chunk) {
                Some(key) => Some(*key),
                None => return Ok(None),
            },
        };
        let size = 2 + length_size + key.map_or(0, |_| 4);
        Ok(Some(Self { opcode, fin, key, payload, size }))
    }
}

enum Masking {
    Clear,
    Masked,
}

fn check_mask(is_masked: bool, receiver: Role) -> Result<Masking, Violation> {
    match (receiver, is_masked) {
        (Role::Server, true) => Ok(Masking::Masked),
        (Role::Client, false) => Ok(Masking::Clear),
        (Role::Server, false) => Err(Violation::Unmasked),
        (Role::Client, true) => Err(Violation::Masked),
    }
}

fn check_control(opcode: Opcode, fin: Fin, short_length: u8) -> Result<(), Violation> {
    if !opcode.is_control() {
        return Ok(());
    }
    if fin == Fin::More {
        return Err(Violation::ControlFragmented);
    }
    if usize::from(short_length) > MAX_CONTROL {
        return Err(Violation::ControlTooLong);
    }
    Ok(())
}

/// The length, and how many bytes it took beyond the second byte.
fn parse_length(short: u8, rest: &[u8]) -> Result<Option<(u64, usize)>, Violation> {
    let (length, size, least) = match short {
        LENGTH_16 => match rest.first_chunk::<2>() {
            Some(length) => (u64::from(u16::from_be_bytes(*length)), 2, 126),
            None => return Ok(None),
        },
        LENGTH_64 => match rest.first_chunk::<8>() {
            Some(length) => (u64::from_be_bytes(*length), 8, 1 << 16),
            None => return Ok(None),
        },
        short => (u64::from(short), 0, 0),
    };
    if length < least || length > i64::MAX as u64 {
        return Err(Violation::LengthNotMinimal);
    }
    Ok(Some((length, size)))
}

/// Appends the header of an unfragmented frame.
pub(crate) fn append_header(
    out: &mut Vec<u8>,
    opcode: Opcode,
    payload: usize,
    key: Option<[u8; 4]>,
) {
    let masked = if key.is_some() { MASKED } else { 0 };
    out.push(FIN | opcode.bits());
    match payload {
        0..=125 => out.push(masked | payload as u8),
        126..=0xffff => {
            out.push(masked | LENGTH_16);
            out.extend_from_slice(&(payload as u16).to_be_bytes());
        }
        _ => {
            out.push(masked | LENGTH_64);
            out.extend_from_slice(&(payload as u64).to_be_bytes());
        }
    }
    if let Some(key) = key {
        out.extend_from_slice(&key);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(bytes: &[u8]) -> Result<Option<Header>, Violation> {
        Header::parse(bytes, Role::Client)
    }

    #[test]
    fn a_written_header_parses_to_itself() {
        for payload in [0usize, 1, 125, 126, 65535, 65536, 1 << 24] {
            for key in [None, Some([1, 2, 3, 4])] {
                let mut out = Vec::new();
                append_header(&mut out, Opcode::Binary, payload, key);
                let receiver = if key.is_some() { Role::Server } else { Role::Client };
                let header = Header::parse(&out, receiver).unwrap().unwrap();
                assert_eq!((header.payload, header.key), (payload as u64, key));
                assert_eq!(header.size, out.len());
                for cut in 0..out.len() {
                    assert_eq!(Header::parse(&out[..cut], receiver), Ok(None));
                }
            }
        }
    }

    #[test]
    fn lengths_in_more_bytes_than_needed_are_refused() {
        assert_eq!(client(&[0x82, 126, 0, 125]), Err(Violation::LengthNotMinimal));
        assert_eq!(
            client(&[0x82, 127, 0, 0, 0, 0, 0, 0, 0xff, 0xff]),
            Err(Violation::LengthNotMinimal)
        );
        assert_eq!(
            client(&[0x82, 127, 0x80, 0, 0, 0, 0, 1, 0, 0]),
            Err(Violation::LengthNotMinimal)
        );
    }

    #[test]
    fn reserved_bits_opcodes_and_bad_control_frames_are_refused() {
        assert_eq!(client(&[0xc2, 0]), Err(Violation::ReservedBit));
        assert_eq!(client(&[0x83, 0]), Err(Violation::ReservedOpcode(3)));
        assert_eq!(client(&[0x8b, 0]), Err(Violation::ReservedOpcode(11)));
        assert_eq!(client(&[0x09, 0]), Err(Violation::ControlFragmented));
        assert_eq!(client(&[0x89, 126]), Err(Violation::ControlTooLong));
    }

    #[test]
    fn each_role_insists_on_the_masking_it_is_owed() {
        assert_eq!(client(&[0x82, 0x80, 0, 0, 0, 0]), Err(Violation::Masked));
        assert_eq!(Header::parse(&[0x82, 0], Role::Server), Err(Violation::Unmasked));
    }
}
