//! The two escapes of pickled text: Python's raw-unicode-escape (opcode `V`) and quoted bytes (opcode `S`).
//!
//! Invariant: what is not exactly one Unicode string is refused; lone surrogates, which Python strings may hold, are not
//! text and refused too. Deliberately not here: opcodes.

/// What happens to U+0080 to U+00FF.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Latin1 {
    /// One byte each, as CPython.
    Raw,
    /// `\u00xx`.
    Escaped,
}

/// Writes one character as raw-unicode-escape, with what would break a line or end a file escaped as `pickle` does.
pub(super) fn write(c: char, latin1: Latin1, out: &mut Vec<u8>) {
    let code = u32::from(c);
    match (c, code) {
        ('\\' | '\0' | '\n' | '\r' | '\x1a', _) | (_, 0x100..=0xffff) => hex(b'u', code, 4, out),
        (_, 0x1_0000..) => hex(b'U', code, 8, out),
        (_, 0x80..=0xff) if latin1 == Latin1::Escaped => hex(b'u', code, 4, out),
        _ => out.push(code.to_le_bytes()[0]),
    }
}

fn hex(letter: u8, code: u32, digits: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(&[b'\\', letter]);
    for place in (0..digits).rev() {
        let digit = (code >> (4 * place)) & 0xf;
        out.push(char::from_digit(digit, 16).map_or(b'0', |c| c.to_ascii_lowercase() as u8));
    }
}

/// Reads raw-unicode-escape; `None` when an escape is cut off or names no character.
pub(super) fn read_raw(line: &[u8]) -> Option<String> {
    let mut out = String::with_capacity(line.len());
    let mut bytes = line.iter().copied();
    while let Some(byte) = bytes.next() {
        if byte != b'\\' {
            out.push(char::from(byte));
            continue;
        }
        match bytes.next() {
            Some(b'u') => out.push(escaped(&mut bytes, 4)?),
            Some(b'U') => out.push(escaped(&mut bytes, 8)?),
            Some(other) => out.extend(['\\', char::from(other)]),
            None => out.push('\\'),
        }
    }
    Some(out)
}

fn escaped(bytes: &mut impl Iterator<Item = u8>, digits: usize) -> Option<char> {
    let mut code = 0_u32;
    for _ in 0..digits {
        let digit = char::from(bytes.next()?).to_digit(16)?;
        code = code.checked_mul(16)?.checked_add(digit)?;
    }
    char::from_u32(code)
}

/// Reads a quoted Python 2 string; ASCII only, as CPython's `loads` without an encoding.
pub(super) fn read_quoted(line: &[u8]) -> Option<String> {
    let inner = match line {
        [b'\'', inner @ .., b'\''] | [b'"', inner @ .., b'"'] => inner,
        _ => return None,
    };
    let mut out = String::with_capacity(inner.len());
    let mut bytes = inner.iter().copied().peekable();
    while let Some(byte) = bytes.next() {
        if byte == b'\\' {
            backslash(&mut bytes, &mut out)?;
        } else {
            out.push(ascii(byte.into())?);
        }
    }
    Some(out)
}

fn backslash(
    bytes: &mut std::iter::Peekable<impl Iterator<Item = u8>>,
    out: &mut String,
) -> Option<()> {
    let plain = match bytes.next()? {
        b'\n' => return Some(()),
        b @ (b'\\' | b'\'' | b'"') => char::from(b),
        b'a' => '\x07',
        b'b' => '\x08',
        b'f' => '\x0c',
        b'n' => '\n',
        b'r' => '\r',
        b't' => '\t',
        b'v' => '\x0b',
        b'x' => {
            let high = char::from(bytes.next()?).to_digit(16)?;
            ascii(high * 16 + char::from(bytes.next()?).to_digit(16)?)?
        }
        first @ b'0'..=b'7' => {
            let mut code = u32::from(first - b'0');
            for _ in 0..2 {
                let Some(next) = bytes.next_if(|b| (b'0'..=b'7').contains(b)) else { break };
                code = code * 8 + u32::from(next - b'0');
            }
            ascii(code & 0xff)?
        }
        other => {
            out.push('\\');
            ascii(other.into())?
        }
    };
    out.push(plain);
    Some(())
}

fn ascii(code: u32) -> Option<char> {
    char::from_u32(code).filter(char::is_ascii)
}
