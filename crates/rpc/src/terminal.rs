//! Terminals: how the cloud asks for one (`TerminalOpen`), and what passes inside its channel on the data link.
//!
//! The board answers a key that leads to the terminal once and for a short time; the cloud opens a channel with it. In the
//! channel both sides send frames: one byte of kind, two of length (big endian), then as many bytes:
//!
//! | kind | who sends it | body |
//! |---|---|---|
//! | 1 data | both | bytes of the screen, or of the keyboard |
//! | 2 resize | cloud | columns and rows, two bytes each |
//! | 3 end of input | cloud | nothing |
//! | 4 exit | board, last | the shell's exit code, one byte |
//! | 5 closed | board, last | a word of [`Kind`], a zero byte, a text: why the board ended the terminal |
//!
//! Invariants: any bytes give frames or an error, in memory bounded by one frame; a kind that a newer peer knows is passed
//! over. Deliberately not here: sockets, and what a terminal is on the board.

use model::Kind;
use serde::{Deserialize, Serialize};
use std::str::FromStr;

/// How long the board keeps a key for the channel that follows.
pub const KEY_LIFE_S: u64 = 10;
/// Beginning of every key, which no service's key has.
pub const KEY_PREFIX: &str = "terminal:";
/// Longest command that a terminal is opened with.
pub const MAX_COMMAND: usize = 8192;
/// Most columns, and most rows.
pub const MAX_SIDE: u16 = 1000;
/// Most data in one frame that this side sends.
pub const MAX_DATA: usize = 16 * 1024;
/// Longest text of a `closed` frame.
const MAX_TEXT: usize = 1024;
const HEAD: usize = 3;

/// Columns and rows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Size {
    /// Characters in a row.
    pub cols: u16,
    /// Rows.
    pub rows: u16,
}

impl Default for Size {
    fn default() -> Self {
        Self { cols: 80, rows: 24 }
    }
}

impl Size {
    /// Whether both lie in 1 to [`MAX_SIDE`].
    #[must_use]
    pub fn is_sound(self) -> bool {
        let sound = 1..=MAX_SIDE;
        sound.contains(&self.cols) && sound.contains(&self.rows)
    }
}

/// What stands between the shell and the channel.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Mode {
    /// A pseudo-terminal: a person looks at it.
    #[default]
    Screen,
    /// A plain pipe: bytes pass unchanged, and the end of the input is an end.
    Pipe,
}

/// `TerminalOpen`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Open {
    /// How large the screen is.
    #[serde(flatten)]
    pub size: Size,
    /// Screen or pipe.
    #[serde(default)]
    pub mode: Mode,
    /// What the shell runs; absent: it reads from the terminal.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<String>,
}

/// What `TerminalOpen` answers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Opened {
    /// The key of the channel, good once and for [`KEY_LIFE_S`].
    pub key: String,
    /// As which user of the board the shell runs.
    pub user: String,
}

/// One frame in a terminal's channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Frame {
    /// Bytes of the screen, or of the keyboard.
    Data(Vec<u8>),
    /// The screen has another size.
    Resize(Size),
    /// Nothing more comes from the keyboard.
    EndOfInput,
    /// The shell ended, with this exit code.
    Exit(u8),
    /// The board ended the terminal.
    Closed {
        /// What sort of reason.
        kind: Kind,
        /// The reason.
        text: String,
    },
}

/// A frame that is none. The terminal is over then.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a frame of kind {kind} has a body of {length} bytes that means nothing")]
pub struct FrameError {
    kind: u8,
    length: usize,
}

impl Frame {
    /// As it travels. Data beyond [`u16::MAX`] bytes and texts beyond 1 KiB are cut; senders split data by [`MAX_DATA`].
    #[must_use]
    pub fn encode(&self) -> Vec<u8> {
        match self {
            Self::Data(bytes) => frame(1, bytes),
            Self::Resize(size) => {
                let [a, b] = size.cols.to_be_bytes();
                let [c, d] = size.rows.to_be_bytes();
                frame(2, &[a, b, c, d])
            }
            Self::EndOfInput => frame(3, &[]),
            Self::Exit(code) => frame(4, &[*code]),
            Self::Closed { kind, text } => {
                let text = text.get(..text.floor_char_boundary(MAX_TEXT)).unwrap_or_default();
                frame(5, &[kind.word().as_bytes(), &[0], text.as_bytes()].concat())
            }
        }
    }

    fn decode(kind: u8, body: &[u8]) -> Result<Option<Self>, FrameError> {
        let wrong = FrameError { kind, length: body.len() };
        Ok(Some(match (kind, body) {
            (1, bytes) => Self::Data(bytes.to_vec()),
            (2, [a, b, c, d]) => {
                let (cols, rows) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
                Some(Size { cols, rows })
                    .filter(|size| size.is_sound())
                    .map(Self::Resize)
                    .ok_or(wrong)?
            }
            (3, []) => Self::EndOfInput,
            (4, [code]) => Self::Exit(*code),
            (5, body) => closed(body).ok_or(wrong)?,
            (2..=4, _) => return Err(wrong),
            _ => return Ok(None),
        }))
    }
}

fn frame(kind: u8, body: &[u8]) -> Vec<u8> {
    let length = u16::try_from(body.len()).unwrap_or(u16::MAX);
    let mut bytes = Vec::with_capacity(HEAD + usize::from(length));
    bytes.push(kind);
    bytes.extend_from_slice(&length.to_be_bytes());
    bytes.extend_from_slice(body.get(..usize::from(length)).unwrap_or(body));
    bytes
}

fn closed(body: &[u8]) -> Option<Frame> {
    let at = body.iter().position(|byte| *byte == 0)?;
    let (word, text) = (body.get(..at)?, body.get(at.saturating_add(1)..)?);
    let kind = Kind::ALL.into_iter().find(|kind| kind.word().as_bytes() == word)?;
    Some(Frame::Closed { kind, text: String::from_str(std::str::from_utf8(text).ok()?).ok()? })
}

/// Makes frames of bytes as they come.
#[derive(Debug, Default)]
pub struct Decoder {
    bytes: Vec<u8>,
    /// How much of `bytes` was given out.
    from: usize,
}

impl Decoder {
    /// Takes what came; ask [`Decoder::next`] for all frames before the next push, and no more than one is kept.
    pub fn push(&mut self, bytes: &[u8]) {
        self.bytes.drain(..self.from);
        self.from = 0;
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole frame.
    ///
    /// # Errors
    /// What came is no frame; nothing sensible follows.
    #[allow(
        clippy::should_implement_trait,
        reason = "an iterator would end at a frame not yet whole"
    )]
    pub fn next(&mut self) -> Result<Option<Frame>, FrameError> {
        loop {
            let rest = self.bytes.get(self.from..).unwrap_or_default();
            let Some(([kind, a, b], rest)) = rest.split_first_chunk::<HEAD>() else {
                return Ok(None);
            };
            let length = usize::from(u16::from_be_bytes([*a, *b]));
            let Some(body) = rest.get(..length) else { return Ok(None) };
            let frame = Frame::decode(*kind, body)?;
            self.from += HEAD + length;
            if frame.is_some() {
                return Ok(frame);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::collection::vec;
    use proptest::prelude::*;

    fn frames() -> impl Strategy<Value = Frame> {
        let side = 1..=MAX_SIDE;
        let text = "[^\u{0}]{0,40}";
        prop_oneof![
            vec(any::<u8>(), 0..MAX_DATA).prop_map(Frame::Data),
            (side.clone(), side).prop_map(|(cols, rows)| Frame::Resize(Size { cols, rows })),
            Just(Frame::EndOfInput),
            any::<u8>().prop_map(Frame::Exit),
            (0..Kind::ALL.len(), text)
                .prop_map(|(at, text)| Frame::Closed { kind: Kind::ALL[at], text }),
        ]
    }

    fn decode(pieces: &[&[u8]]) -> Result<Vec<Frame>, FrameError> {
        let (mut decoder, mut frames) = (Decoder::default(), Vec::new());
        for piece in pieces {
            decoder.push(piece);
            while let Some(frame) = decoder.next()? {
                frames.push(frame);
            }
        }
        Ok(frames)
    }

    #[test]
    fn a_kind_of_a_newer_peer_is_passed_over() {
        let bytes = [frame(99, b"whatever"), Frame::Exit(3).encode()].concat();
        assert_eq!(decode(&[&bytes]).unwrap(), [Frame::Exit(3)]);
    }

    #[test]
    fn bodies_that_mean_nothing_are_refused() {
        for (kind, body) in [
            (2, [0, 80, 0].as_slice()),
            (2, &[0, 0, 0, 24]),
            (2, &[0xff, 0xff, 0, 24]),
            (3, &[1]),
            (4, &[]),
            (5, b"no end of the word"),
            (5, b"no_kind\0text"),
            (5, b"timeout\0\xff"),
        ] {
            assert!(decode(&[&frame(kind, body)]).is_err(), "{kind} {body:?}");
        }
    }

    #[test]
    fn what_is_too_long_is_cut_between_characters() {
        let closed = Frame::Closed { kind: Kind::Timeout, text: "é".repeat(MAX_TEXT) };
        let Frame::Closed { text, .. } = decode(&[&closed.encode()]).unwrap().remove(0) else {
            panic!("another frame")
        };
        assert_eq!(text.len(), MAX_TEXT);
        let long = Frame::Data(vec![7; 70_000]).encode();
        assert_eq!(decode(&[&long]).unwrap(), [Frame::Data(vec![7; usize::from(u16::MAX)])]);
    }

    proptest! {
        #[test]
        fn frames_come_out_as_they_went_in_however_they_are_cut(
            sent in vec(frames(), 1..6),
            cuts in vec(any::<prop::sample::Index>(), 0..8),
        ) {
            let bytes: Vec<u8> = sent.iter().flat_map(Frame::encode).collect();
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len())).collect();
            cuts.extend([0, bytes.len()]);
            cuts.sort_unstable();
            let pieces: Vec<&[u8]> = cuts.windows(2).map(|cut| &bytes[cut[0]..cut[1]]).collect();
            prop_assert_eq!(decode(&pieces).unwrap(), sent);
        }

        #[test]
        fn any_bytes_give_frames_or_an_error_and_little_is_kept(
            pieces in vec(vec(any::<u8>(), 0..3000), 0..20),
            few_kinds: bool,
        ) {
            let mut decoder = Decoder::default();
            'pieces: for mut piece in pieces {
                if few_kinds && let Some(first) = piece.first_mut() {
                    *first %= 7;
                }
                decoder.push(&piece);
                loop {
                    match decoder.next() {
                        Ok(Some(_)) => {}
                        Ok(None) => break,
                        Err(_) => break 'pieces,
                    }
                }
                prop_assert!(decoder.bytes.len() - decoder.from < HEAD + usize::from(u16::MAX));
            }
        }
    }
}
