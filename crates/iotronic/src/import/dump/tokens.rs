//! The words of mysqldump's SQL, read from a stream.
//!
//! Invariants: total, whatever the bytes; holds one token at a time, bounded by [`MAX_TOKEN`]; what is skipped is not held at
//! all. Comments, executable ones (`/*!…*/`) too, are no tokens: in what mysqldump writes they carry settings only.

use crate::import::Error;
use std::io::{self, BufRead};

/// Longest value, in bytes: what a server's `max_allowed_packet` is by default.
const MAX_TOKEN: usize = 16 * 1024 * 1024;
/// What is kept of a comment, to know mysqldump's first and last line.
const MAX_COMMENT: usize = 64;

/// One word.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Token {
    /// A keyword, a bare name or a number.
    Word(Vec<u8>),
    /// A name in backticks.
    Name(Vec<u8>),
    /// A string, its escapes resolved.
    Text(Vec<u8>),
    /// Anything else.
    Sign(u8),
}

/// What mysqldump's own comments say of the dump's completeness.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Frame {
    /// It was written without comments.
    None,
    /// Its first line was there, and its last one was not.
    Open,
    /// Both were there.
    Closed,
}

/// The stream.
pub(super) struct Tokens<R> {
    input: R,
    at: u64,
    put_back: Option<Token>,
    frame: Frame,
}

impl<R: BufRead> Tokens<R> {
    pub(super) fn new(input: R) -> Self {
        Self { input, at: 0, put_back: None, frame: Frame::None }
    }

    pub(super) fn frame(&self) -> Frame {
        self.frame
    }

    pub(super) fn wrong(&self, what: impl Into<String>) -> Error {
        Error::Dump { at: self.at, what: what.into() }
    }

    pub(super) fn put_back(&mut self, token: Token) {
        self.put_back = Some(token);
    }

    /// The next word, or nothing at the end.
    pub(super) fn next(&mut self) -> Result<Option<Token>, Error> {
        if let Some(token) = self.put_back.take() {
            return Ok(Some(token));
        }
        while let Some(byte) = self.take()? {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b'#' => self.line_comment()?,
                b'-' if self.peek()? == Some(b'-') => self.line_comment()?,
                b'/' if self.peek()? == Some(b'*') => self.block_comment()?,
                b'`' => return self.quoted(b'`').map(|name| Some(Token::Name(name))),
                b'\'' | b'"' => return self.quoted(byte).map(|text| Some(Token::Text(text))),
                _ if is_word(byte) => return self.word(byte).map(|word| Some(Token::Word(word))),
                _ => return Ok(Some(Token::Sign(byte))),
            }
        }
        Ok(None)
    }

    /// The next word, which must be there.
    pub(super) fn must(&mut self) -> Result<Token, Error> {
        self.next()?.ok_or_else(|| self.wrong("it is cut off in a statement; dump again"))
    }

    /// Skips to the end of the statement without holding it.
    pub(super) fn skip_statement(&mut self) -> Result<(), Error> {
        if self.put_back.take() == Some(Token::Sign(b';')) {
            return Ok(());
        }
        while let Some(byte) = self.take()? {
            match byte {
                b';' => return Ok(()),
                b'\'' | b'"' | b'`' => self.skip_quoted(byte)?,
                b'#' => self.line_comment()?,
                b'-' if self.peek()? == Some(b'-') => self.line_comment()?,
                b'/' if self.peek()? == Some(b'*') => self.block_comment()?,
                _ => {}
            }
        }
        Err(self.wrong("it is cut off in a statement; dump again"))
    }

    fn skip_quoted(&mut self, quote: u8) -> Result<(), Error> {
        loop {
            match self.take()? {
                None => return Err(self.wrong("it is cut off in a string; dump again")),
                Some(b'\\') if quote != b'`' => {
                    self.take()?;
                }
                // A doubled quote opens the rest of the string at once.
                Some(byte) if byte == quote => return Ok(()),
                Some(_) => {}
            }
        }
    }

    fn quoted(&mut self, quote: u8) -> Result<Vec<u8>, Error> {
        let mut out = Vec::new();
        loop {
            let Some(byte) = self.take()? else {
                return Err(self.wrong("it is cut off in a string; dump again"));
            };
            match byte {
                b'\\' if quote != b'`' => self.escape(&mut out)?,
                _ if byte != quote => out.push(byte),
                _ if self.peek()? == Some(quote) => {
                    self.take()?;
                    out.push(quote);
                }
                _ => return Ok(out),
            }
            self.bound(&out)?;
        }
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), Error> {
        match self.take()? {
            None => return Err(self.wrong("it is cut off in a string; dump again")),
            Some(b'0') => out.push(0),
            Some(b'n') => out.push(b'\n'),
            Some(b'r') => out.push(b'\r'),
            Some(b't') => out.push(b'\t'),
            Some(b'b') => out.push(8),
            Some(b'Z') => out.push(26),
            Some(byte @ (b'%' | b'_')) => out.extend([b'\\', byte]),
            Some(byte) => out.push(byte),
        }
        Ok(())
    }

    fn word(&mut self, first: u8) -> Result<Vec<u8>, Error> {
        let mut out = vec![first];
        while let Some(byte) = self.peek()?.filter(|byte| is_word(*byte)) {
            self.take()?;
            out.push(byte);
            self.bound(&out)?;
        }
        Ok(out)
    }

    fn bound(&self, held: &[u8]) -> Result<(), Error> {
        if held.len() > MAX_TOKEN {
            return Err(self.wrong(format!("a value has more than {MAX_TOKEN} bytes")));
        }
        Ok(())
    }

    fn line_comment(&mut self) -> Result<(), Error> {
        let mut held = Vec::new();
        while let Some(byte) = self.take()?.filter(|byte| *byte != b'\n') {
            if held.len() < MAX_COMMENT {
                held.push(byte);
            }
        }
        let says = |words: &[u8]| held.windows(words.len()).any(|window| window == words);
        if says(b"Dump completed") {
            self.frame = Frame::Closed;
        } else if says(b"MySQL dump") || says(b"MariaDB dump") {
            self.frame = Frame::Open;
        }
        Ok(())
    }

    fn block_comment(&mut self) -> Result<(), Error> {
        self.take()?;
        let mut last = 0;
        while let Some(byte) = self.take()? {
            if last == b'*' && byte == b'/' {
                return Ok(());
            }
            last = byte;
        }
        Err(self.wrong("it is cut off in a comment; dump again"))
    }

    fn peek(&mut self) -> Result<Option<u8>, Error> {
        loop {
            match self.input.fill_buf() {
                Ok(buffer) => return Ok(buffer.first().copied()),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(source) => return Err(Error::Read { what: "the dump".into(), source }),
            }
        }
    }

    fn take(&mut self) -> Result<Option<u8>, Error> {
        let byte = self.peek()?;
        if byte.is_some() {
            self.input.consume(1);
            self.at += 1;
        }
        Ok(byte)
    }
}

fn is_word(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'$' | b'.' | b'-' | b'+' | 0x80..)
}
