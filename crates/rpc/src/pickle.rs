//! Pickled text: how upstream carries a plugin's source (Python's `pickle`, protocol 0 on the wire).
//!
//! [`emit_bytes`] writes a string exactly as CPython does; [`emit`] writes the same as ASCII text, which is what upstream's
//! agent can read from a JSON string. [`parse`] reads pickles of protocol 0 to 5 whose whole program is text: pushing
//! strings and remembering them. Invariant: it is total, and its memory is linear in the input. Deliberately not here:
//! every opcode that builds, calls or names anything else; a pickle that has one is refused before anything of it is done.

mod escape;
mod read;

#[cfg(test)]
mod tests;

pub use read::{MAX_PICKLE, parse};

/// Why a pickle was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Larger than [`MAX_PICKLE`].
    #[error("the pickle has {size} bytes; at most {MAX_PICKLE} are read")]
    TooLong {
        /// Its size.
        size: usize,
    },
    /// It does more than describe a string.
    #[error(
        "opcode 0x{opcode:02x} at byte {at} is not one of a pickled string; send the source as a string"
    )]
    Opcode {
        /// Which.
        opcode: u8,
        /// Where.
        at: usize,
    },
    /// It ends before its end mark, or an argument is cut off.
    #[error("the pickle is cut off; send it whole")]
    CutOff,
    /// An argument is not what its opcode asks for.
    #[error("the {what} at byte {at} of the pickle is malformed; pickle the source again")]
    Malformed {
        /// What it should have been.
        what: &'static str,
        /// Where.
        at: usize,
    },
    /// Bytes after the end mark.
    #[error("the pickle goes on after its end; send one string only")]
    TrailingBytes,
    /// Nothing was pushed before the end, or a memo that was never filled was read.
    #[error("the pickle holds no string; send the source as a string")]
    Nothing,
}

/// The string as CPython's `pickle.dumps(text, 0)` writes it, byte for byte. Characters U+0080 to U+00FF are single bytes,
/// so this is not always UTF-8.
#[must_use]
pub fn emit_bytes(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len() + 8);
    out.push(b'V');
    text.chars().for_each(|c| escape::write(c, escape::Latin1::Raw, &mut out));
    out.extend_from_slice(b"\np0\n.");
    out
}

/// As [`emit_bytes`], with U+0080 to U+00FF escaped too: pure ASCII, the same string to every reader. Upstream's agent
/// encodes the text of the wire as UTF-8 before it unpickles, which would break raw ones.
#[must_use]
pub fn emit(text: &str) -> String {
    let mut out = Vec::with_capacity(text.len() + 8);
    out.push(b'V');
    text.chars().for_each(|c| escape::write(c, escape::Latin1::Escaped, &mut out));
    out.extend_from_slice(b"\np0\n.");
    out.into_iter().map(char::from).collect()
}
