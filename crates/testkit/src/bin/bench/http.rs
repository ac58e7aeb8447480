//! One kept connection to the cloud's API, with requests made beforehand: as little work as asking can be.
//!
//! Invariant: an answer that is not a success is a panic, so a figure never counts refusals.

use serde::de::DeserializeOwned;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

/// Longest wait for an answer.
const TIMEOUT: Duration = Duration::from_secs(30);
/// Bytes taken from the socket at a time.
const PIECE: usize = 64 * 1024;

/// Whom to ask, and as whom.
#[derive(Debug, Clone)]
pub(crate) struct Asker {
    pub(crate) at: String,
    pub(crate) token: String,
}

impl Asker {
    /// The bytes of a request; an empty body is none.
    pub(crate) fn request(&self, method: &str, path: &str, body: &str) -> Vec<u8> {
        let Self { at, token } = self;
        format!(
            "{method} {path} HTTP/1.1\r\nhost: {at}\r\nx-auth-token: {token}\r\n\
             content-type: application/json\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
        .into_bytes()
    }

    /// Connects.
    pub(crate) fn connect(&self) -> Kept {
        let stream = TcpStream::connect(&self.at).unwrap();
        stream.set_nodelay(true).unwrap();
        stream.set_read_timeout(Some(TIMEOUT)).unwrap();
        Kept { stream, buffer: Vec::new() }
    }
}

/// A connection that stays.
pub(crate) struct Kept {
    stream: TcpStream,
    buffer: Vec<u8>,
}

impl Kept {
    /// Sends a request and reads its whole answer, of which the body is returned.
    pub(crate) fn ask(&mut self, request: &[u8]) -> &[u8] {
        self.stream.write_all(request).unwrap();
        self.buffer.clear();
        let head = loop {
            self.fill();
            if let Some(end) = self.buffer.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                break end + 4;
            }
        };
        let (status, length) = read_head(&self.buffer[..head]);
        while self.buffer.len() < head + length {
            self.fill();
        }
        let body = &self.buffer[head..];
        assert!((200..300).contains(&status), "{status}: {}", String::from_utf8_lossy(body));
        body
    }

    /// As [`Kept::ask`], and reads the body as JSON.
    pub(crate) fn ask_json<T: DeserializeOwned>(&mut self, request: &[u8]) -> T {
        serde_json::from_slice(self.ask(request)).unwrap()
    }

    fn fill(&mut self) {
        let had = self.buffer.len();
        self.buffer.resize(had + PIECE, 0);
        let read = self.stream.read(&mut self.buffer[had..]).unwrap();
        assert!(read > 0, "the cloud closed the connection");
        self.buffer.truncate(had + read);
    }
}

/// Status and length of the body.
fn read_head(head: &[u8]) -> (u16, usize) {
    let text = String::from_utf8_lossy(head).to_ascii_lowercase();
    let status = text.split(' ').nth(1).and_then(|word| word.parse().ok()).unwrap();
    let length = text
        .lines()
        .find_map(|line| line.strip_prefix("content-length:"))
        .map(|value| value.trim().parse().unwrap());
    (status, length.unwrap_or_else(|| panic!("no content-length: {text}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn status_and_length_are_read_from_the_head() {
        let head = b"HTTP/1.1 202 Accepted\r\nContent-Length: 17\r\n\r\n";
        assert_eq!(read_head(head), (202, 17));
    }
}
