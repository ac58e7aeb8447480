//! Just enough HTTP/1.1 (RFC 9112) for one request on a connection, as a client and as a server.
//!
//! Invariants: heads and bodies are bounded; any bytes give a message or an error; one connection carries one request. Not
//! here: keeping connections, pipelining, compression, deadlines (the caller's).

use std::io;
use tokio::io::{AsyncRead, AsyncReadExt as _};

/// Largest head.
const MAX_HEAD: usize = 16 * 1024;
/// Most header fields.
const MAX_FIELDS: usize = 64;
/// Informational answers before the real one.
const MAX_INFORMATIONAL: usize = 4;

/// Why there is no message.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The connection failed or ended early.
    #[error("the connection broke: {0}")]
    Io(#[from] io::Error),
    /// Too large.
    #[error("the {what} is larger than {limit} bytes")]
    TooLarge {
        /// Head or body.
        what: &'static str,
        /// The bound.
        limit: usize,
    },
    /// Not HTTP/1.1.
    #[error("it is not HTTP/1.1: {0}")]
    Malformed(&'static str),
}

/// A message without its first line.
#[derive(Debug, Default)]
pub(crate) struct Message {
    /// Names in lower case.
    fields: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
}

/// What somebody asks.
#[derive(Debug)]
pub(crate) struct Request {
    pub(crate) method: String,
    /// As it stands in the request line.
    pub(crate) target: String,
    pub(crate) message: Message,
}

/// What a server says.
#[derive(Debug)]
pub(crate) struct Response {
    pub(crate) status: u16,
    pub(crate) message: Message,
}

/// How a body ends.
enum Framing {
    None,
    Length(usize),
    Chunked,
    UntilClosed,
}

impl Message {
    /// The first field of this name (lower case).
    pub(crate) fn field(&self, name: &str) -> Option<&str> {
        self.fields.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn length(&self) -> Result<Option<usize>, Error> {
        let mut lengths = self.fields.iter().filter(|(name, _)| name == "content-length");
        let Some((_, text)) = lengths.next() else { return Ok(None) };
        if lengths.any(|(_, other)| other != text) || !text.bytes().all(|b| b.is_ascii_digit()) {
            return Err(Error::Malformed("content-length"));
        }
        text.parse().map(Some).map_err(|_| Error::Malformed("content-length"))
    }

    fn is_chunked(&self) -> Result<bool, Error> {
        match self.field("transfer-encoding") {
            None => Ok(false),
            Some(coding) if coding.eq_ignore_ascii_case("chunked") => Ok(true),
            Some(_) => Err(Error::Malformed("transfer-encoding")),
        }
    }
}

/// Reads one request.
pub(crate) async fn read_request(
    io: &mut (impl AsyncRead + Unpin),
    max_body: usize,
) -> Result<Request, Error> {
    let mut reader = Reader { io, buffer: Vec::new() };
    let head = reader.head().await?;
    let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
    let mut parsed = httparse::Request::new(&mut fields);
    let _ = parsed.parse(&head).map_err(|_| Error::Malformed("request"))?;
    let method = parsed.method.ok_or(Error::Malformed("method"))?.to_owned();
    let target = parsed.path.ok_or(Error::Malformed("target"))?.to_owned();
    let mut message = Message { fields: owned(parsed.headers), body: Vec::new() };
    if message.is_chunked()? {
        return Err(Error::Malformed("a request body needs content-length"));
    }
    let framing = message.length()?.map_or(Framing::None, Framing::Length);
    message.body = reader.body(framing, max_body).await?;
    Ok(Request { method, target, message })
}

/// Reads the answer to a request of `method`.
pub(crate) async fn read_response(
    io: &mut (impl AsyncRead + Unpin),
    method: &str,
    max_body: usize,
) -> Result<Response, Error> {
    let mut reader = Reader { io, buffer: Vec::new() };
    for _ in 0..=MAX_INFORMATIONAL {
        let head = reader.head().await?;
        let mut fields = [httparse::EMPTY_HEADER; MAX_FIELDS];
        let mut parsed = httparse::Response::new(&mut fields);
        let _ = parsed.parse(&head).map_err(|_| Error::Malformed("answer"))?;
        let status = parsed.code.ok_or(Error::Malformed("status"))?;
        if (100..200).contains(&status) && status != 101 {
            continue;
        }
        let mut message = Message { fields: owned(parsed.headers), body: Vec::new() };
        let framing = match status {
            101 | 204 | 304 => Framing::None,
            _ if method == "HEAD" => Framing::None,
            _ if message.is_chunked()? => Framing::Chunked,
            _ => message.length()?.map_or(Framing::UntilClosed, Framing::Length),
        };
        message.body = reader.body(framing, max_body).await?;
        return Ok(Response { status, message });
    }
    Err(Error::Malformed("no final answer"))
}

fn owned(fields: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).trim().to_owned();
    fields.iter().map(|field| (field.name.to_ascii_lowercase(), text(field.value))).collect()
}

struct Reader<'a, R> {
    io: &'a mut R,
    buffer: Vec<u8>,
}

impl<R: AsyncRead + Unpin> Reader<'_, R> {
    /// Everything up to and with the empty line.
    async fn head(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            if let Some(end) = self.buffer.windows(4).position(|four| four == b"\r\n\r\n") {
                return Ok(self.split(end + 4));
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Error::TooLarge { what: "head", limit: MAX_HEAD });
            }
            self.more().await?;
        }
    }

    async fn body(&mut self, framing: Framing, limit: usize) -> Result<Vec<u8>, Error> {
        let too_large = Error::TooLarge { what: "body", limit };
        match framing {
            Framing::None => Ok(Vec::new()),
            Framing::Length(length) if length > limit => Err(too_large),
            Framing::Length(length) => self.exactly(length).await,
            Framing::UntilClosed => {
                while self.buffer.len() <= limit {
                    match self.more().await {
                        Err(Error::Io(error)) if error.kind() == io::ErrorKind::UnexpectedEof => {
                            return Ok(std::mem::take(&mut self.buffer));
                        }
                        other => other?,
                    }
                }
                Err(too_large)
            }
            Framing::Chunked => self.chunks(limit).await,
        }
    }

    async fn chunks(&mut self, limit: usize) -> Result<Vec<u8>, Error> {
        let mut body = Vec::new();
        loop {
            let line = self.line().await?;
            let size = line.split(|byte| *byte == b';').next().unwrap_or_default();
            let size = std::str::from_utf8(size).map(str::trim).unwrap_or_default();
            let size = usize::from_str_radix(size, 16).map_err(|_| Error::Malformed("chunk"))?;
            if size == 0 {
                return Ok(body);
            }
            if size > limit - body.len() {
                return Err(Error::TooLarge { what: "body", limit });
            }
            body.extend(self.exactly(size).await?);
            if self.exactly(2).await? != b"\r\n" {
                return Err(Error::Malformed("chunk"));
            }
        }
    }

    async fn line(&mut self) -> Result<Vec<u8>, Error> {
        loop {
            if let Some(end) = self.buffer.iter().position(|byte| *byte == b'\n') {
                return Ok(self.split(end + 1));
            }
            if self.buffer.len() > MAX_HEAD {
                return Err(Error::TooLarge { what: "line", limit: MAX_HEAD });
            }
            self.more().await?;
        }
    }

    async fn exactly(&mut self, count: usize) -> Result<Vec<u8>, Error> {
        while self.buffer.len() < count {
            self.more().await?;
        }
        Ok(self.split(count))
    }

    fn split(&mut self, at: usize) -> Vec<u8> {
        let rest = self.buffer.split_off(at);
        std::mem::replace(&mut self.buffer, rest)
    }

    async fn more(&mut self) -> Result<(), Error> {
        let mut chunk = [0; 4096];
        match self.io.read(&mut chunk).await? {
            0 => Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            count => {
                self.buffer.extend(chunk.iter().take(count));
                Ok(())
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    async fn response(bytes: &[u8]) -> Result<Response, Error> {
        read_response(&mut &*bytes, "GET", 1000).await
    }

    #[tokio::test]
    async fn bodies_end_by_length_by_chunks_and_by_closing() {
        for bytes in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello and more"[..],
            b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhe\r\n3;x=y\r\nllo\r\n0\r\n\r\n",
            b"HTTP/1.0 200 OK\r\n\r\nhello",
        ] {
            let response = response(bytes).await.unwrap();
            assert_eq!((response.status, response.message.body.as_slice()), (200, &b"hello"[..]));
        }
    }

    #[tokio::test]
    async fn what_is_too_large_or_ambiguous_is_refused() {
        let long = [b"HTTP/1.1 200 OK\r\nX: ".to_vec(), vec![b'x'; MAX_HEAD + 5000]].concat();
        for bytes in [
            &b"HTTP/1.1 200 OK\r\nContent-Length: 1001\r\n\r\n"[..],
            b"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nabc",
            b"HTTP/1.1 200 OK\r\nContent-Length: +1\r\n\r\na",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n",
            b"hello\r\n\r\n",
            b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhel",
            &long,
        ] {
            assert!(response(bytes).await.is_err(), "{}", String::from_utf8_lossy(bytes).len());
        }
        let body = [b"HTTP/1.0 200 OK\r\n\r\n".to_vec(), vec![b'x'; 1001]].concat();
        assert!(response(&body).await.is_err());
        let chunked = b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
        assert!(read_request(&mut &chunked[..], 10).await.is_err());
    }

    proptest! {
        #[test]
        fn any_bytes_are_a_message_or_an_error(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(async {
                let _ = response(&bytes).await;
                let _ = read_request(&mut bytes.as_slice(), 100).await;
            });
        }
    }
}
