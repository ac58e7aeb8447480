//! Moves what a process prints into its guest's log.
//!
//! Invariant: never holds more than one line and one read buffer, whatever the guest prints. Not here:
//! caps on rate and size (`log`).

use crate::failure::Stream;
use crate::log::{LINE_BYTES, LogBook};
use std::collections::VecDeque;
use std::sync::Arc;
use tokio::io::{AsyncRead, AsyncReadExt};

const READ_BYTES: usize = 16 << 10;
/// Last lines kept to explain a crash; Node follows its reason by a native stack of some twenty lines.
const TAIL_LINES: usize = 48;
/// Longest line in such an error, in characters.
const TAIL_CHARS: usize = 300;

/// Reads until the end; returns the last lines.
pub(crate) async fn pump(
    mut source: impl AsyncRead + Unpin,
    stream: Stream,
    book: Arc<LogBook>,
) -> VecDeque<String> {
    let mut tail = VecDeque::new();
    let mut line = Vec::new();
    let mut buffer = vec![0; READ_BYTES];
    while let Ok(read) = source.read(&mut buffer).await {
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else { break };
        for byte in bytes {
            if *byte != b'\n' {
                line.push(*byte);
            }
            if *byte == b'\n' || line.len() >= LINE_BYTES {
                let wait = book.push(stream, &finish(&mut line, &mut tail));
                if !wait.is_zero() {
                    tokio::time::sleep(wait).await;
                }
            }
        }
    }
    if !line.is_empty() {
        book.push(stream, &finish(&mut line, &mut tail));
    }
    tail
}

fn finish(line: &mut Vec<u8>, tail: &mut VecDeque<String>) -> String {
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    let text = String::from_utf8_lossy(line).into_owned();
    line.clear();
    if tail.len() == TAIL_LINES {
        tail.pop_front();
    }
    tail.push_back(text.chars().take(TAIL_CHARS).collect());
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::log_file::{LogFile, LogWriter};

    #[tokio::test]
    async fn lines_without_end_and_broken_text_are_logged() {
        let (home, writer) = (tempfile::tempdir().unwrap(), LogWriter::start().unwrap());
        let book = Arc::new(LogBook::open(LogFile::of(home.path(), &writer)));
        let tail = pump(&b"one\r\ntwo\xff\nthree"[..], Stream::Stdout, Arc::clone(&book)).await;
        let texts: Vec<String> = book.read(0, 9).lines.into_iter().map(|line| line.text).collect();
        assert_eq!(texts, ["one", "two\u{fffd}", "three"]);
        assert_eq!(tail.len(), 3);
    }
}
