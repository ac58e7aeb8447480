//! The machine that reads a pickled string: a stack and a memo of strings, and nothing else.

use super::{Refused, escape};
use std::collections::HashMap;
use std::rc::Rc;

/// Largest pickle that is read: the largest plugin source with every character escaped.
pub const MAX_PICKLE: usize = 8 * 1024 * 1024;
/// Newest protocol.
const NEWEST_PROTOCOL: u8 = 5;

/// The string that a pickle holds.
///
/// # Errors
/// It holds anything else, or is malformed; nothing of it was evaluated.
pub fn parse(pickle: &[u8]) -> Result<String, Refused> {
    if pickle.len() > MAX_PICKLE {
        return Err(Refused::TooLong { size: pickle.len() });
    }
    let mut machine =
        Machine { whole: pickle.len(), rest: pickle, top: None, memo: HashMap::new() };
    while machine.step()? == Step::GoOn {}
    let text = machine.top.take().ok_or(Refused::Nothing)?;
    drop(machine);
    Ok(Rc::try_unwrap(text).unwrap_or_else(|shared| shared.as_ref().clone()))
}

#[derive(PartialEq, Eq)]
enum Step {
    GoOn,
    Ended,
}

/// Only the newest string matters: no opcode here takes anything from below the top.
struct Machine<'a> {
    whole: usize,
    rest: &'a [u8],
    top: Option<Rc<String>>,
    memo: HashMap<u64, Rc<String>>,
}

impl<'a> Machine<'a> {
    fn step(&mut self) -> Result<Step, Refused> {
        let at = self.whole - self.rest.len();
        let [opcode] = *self.take_array::<1>()?;
        match opcode {
            b'.' => return self.end(),
            0x80 => self.protocol(at)?,
            0x95 => self.frame(at)?,
            b'V' => self.line(at, escape::read_raw)?,
            b'S' => self.line(at, escape::read_quoted)?,
            b'X' | 0x8c | 0x8d => self.counted(opcode, at, utf8)?,
            b'T' | b'U' => self.counted(opcode, at, ascii)?,
            b'p' | b'g' => self.memo_line(opcode, at)?,
            b'q' | b'h' | b'r' | b'j' => self.memo_binary(opcode)?,
            0x94 => self.remember(self.memo.len() as u64)?,
            _ => return Err(Refused::Opcode { opcode, at }),
        }
        Ok(Step::GoOn)
    }

    fn end(&self) -> Result<Step, Refused> {
        if self.rest.is_empty() { Ok(Step::Ended) } else { Err(Refused::TrailingBytes) }
    }

    fn protocol(&mut self, at: usize) -> Result<(), Refused> {
        match self.take_array::<1>()? {
            [version] if *version <= NEWEST_PROTOCOL => Ok(()),
            _ => Err(Refused::Malformed { what: "protocol version", at }),
        }
    }

    /// A frame only says how much to read at once.
    fn frame(&mut self, at: usize) -> Result<(), Refused> {
        let size = u64::from_le_bytes(*self.take_array()?);
        let fits = usize::try_from(size).is_ok_and(|size| size <= self.rest.len());
        if fits { Ok(()) } else { Err(Refused::Malformed { what: "frame", at }) }
    }

    fn line(&mut self, at: usize, read: fn(&[u8]) -> Option<String>) -> Result<(), Refused> {
        let line = self.take_line()?;
        let text = read(line).ok_or(Refused::Malformed { what: "string", at })?;
        self.push(text);
        Ok(())
    }

    fn counted(
        &mut self,
        opcode: u8,
        at: usize,
        read: fn(&[u8]) -> Option<&str>,
    ) -> Result<(), Refused> {
        let size = match opcode {
            0x8c | b'U' => u64::from(u8::from_le_bytes(*self.take_array()?)),
            0x8d => u64::from_le_bytes(*self.take_array()?),
            _ => u64::from(u32::from_le_bytes(*self.take_array()?)),
        };
        let bytes = self.take(usize::try_from(size).map_err(|_| Refused::CutOff)?)?;
        let text = read(bytes).ok_or(Refused::Malformed { what: "string", at })?;
        self.push(text.to_owned());
        Ok(())
    }

    fn memo_line(&mut self, opcode: u8, at: usize) -> Result<(), Refused> {
        let line = self.take_line()?;
        let key = std::str::from_utf8(line).ok().and_then(|digits| digits.parse().ok());
        let key = key.ok_or(Refused::Malformed { what: "memo number", at })?;
        if opcode == b'p' { self.remember(key) } else { self.recall(key) }
    }

    fn memo_binary(&mut self, opcode: u8) -> Result<(), Refused> {
        let key = match opcode {
            b'q' | b'h' => u64::from(u8::from_le_bytes(*self.take_array()?)),
            _ => u64::from(u32::from_le_bytes(*self.take_array()?)),
        };
        if matches!(opcode, b'q' | b'r') { self.remember(key) } else { self.recall(key) }
    }

    fn push(&mut self, text: String) {
        self.top = Some(Rc::new(text));
    }

    fn remember(&mut self, key: u64) -> Result<(), Refused> {
        let top = self.top.clone().ok_or(Refused::Nothing)?;
        self.memo.insert(key, top);
        Ok(())
    }

    fn recall(&mut self, key: u64) -> Result<(), Refused> {
        self.top = Some(self.memo.get(&key).cloned().ok_or(Refused::Nothing)?);
        Ok(())
    }

    fn take(&mut self, size: usize) -> Result<&'a [u8], Refused> {
        let (taken, rest) = self.rest.split_at_checked(size).ok_or(Refused::CutOff)?;
        self.rest = rest;
        Ok(taken)
    }

    fn take_array<const N: usize>(&mut self) -> Result<&'a [u8; N], Refused> {
        let (taken, rest) = self.rest.split_first_chunk().ok_or(Refused::CutOff)?;
        self.rest = rest;
        Ok(taken)
    }

    fn take_line(&mut self) -> Result<&'a [u8], Refused> {
        let end = self.rest.iter().position(|byte| *byte == b'\n').ok_or(Refused::CutOff)?;
        let line = self.take(end)?;
        self.take(1)?;
        Ok(line)
    }
}

fn utf8(bytes: &[u8]) -> Option<&str> {
    std::str::from_utf8(bytes).ok()
}

fn ascii(bytes: &[u8]) -> Option<&str> {
    utf8(bytes).filter(|text| text.is_ascii())
}
