//! The HTTP around the server: one request head, then a WebSocket, a page or a refusal.
//! Invariant: a head is at most [`MAX_HEAD`] bytes; a connection serves one request.
//! Not here: the deadline, which is the caller's; what a target means (`request.rs`).

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use websocket::handshake::{HandshakeError, MAX_HEAD, Refusal, check_upgrade};
use websocket::{Limits, Role, WebSocket};

use super::SUBPROTOCOL;

/// Headers of one request; more is refused.
const MOST_HEADERS: usize = 64;
const FIRST_READ: usize = 1024;

/// What upstream's watchers of the port look for.
const PAGE: &str = "<!DOCTYPE html>\n<html><head><title>wstun</title></head>\
    <body><h1>iotronic-wstun is running!</h1></body></html>\n";

/// What a request head asks for.
#[derive(Debug)]
pub(super) enum Head {
    /// A WebSocket, to be opened by [`switch`] or refused by [`refuse`].
    Upgrade { target: String, accept: String },
    /// The page.
    Page,
    /// Something else.
    Refused(Refusal),
}

/// Reads one head; gives back what came behind it too.
pub(super) async fn read<S>(io: &mut S) -> Result<(Head, Bytes), HandshakeError>
where
    S: AsyncRead + Unpin,
{
    let mut buffer = BytesMut::with_capacity(FIRST_READ);
    loop {
        if io.read_buf(&mut buffer).await? == 0 {
            return Err(HandshakeError::Closed);
        }
        if let Some((length, head)) = parse(&buffer)? {
            return Ok((head, buffer.split_off(length).freeze()));
        }
        if buffer.len() > MAX_HEAD {
            return Err(HandshakeError::HeadTooLong);
        }
    }
}

fn parse(bytes: &[u8]) -> Result<Option<(usize, Head)>, HandshakeError> {
    let mut headers = [httparse::EMPTY_HEADER; MOST_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    match request.parse(bytes).map_err(HandshakeError::NotHttp)? {
        httparse::Status::Complete(length) => Ok(Some((length, judge(&request)))),
        httparse::Status::Partial => Ok(None),
    }
}

fn judge(request: &httparse::Request<'_, '_>) -> Head {
    if request.method != Some("GET") {
        return Head::Refused(Refusal::Method);
    }
    match check_upgrade(|name| header(request.headers, name)) {
        Ok(upgrade) if upgrade.choose(&[SUBPROTOCOL]).is_some() => Head::Upgrade {
            target: request.path.unwrap_or_default().to_owned(),
            accept: upgrade.accept,
        },
        Ok(_) => Head::Refused(Refusal::Subprotocol),
        Err(Refusal::NotAnUpgrade) => Head::Page,
        Err(refusal) => Head::Refused(refusal),
    }
}

fn header<'a>(headers: &'a [httparse::Header<'_>], name: &str) -> Option<&'a str> {
    let header = headers.iter().find(|header| header.name.eq_ignore_ascii_case(name))?;
    std::str::from_utf8(header.value).ok()
}

/// Opens the WebSocket.
pub(super) async fn switch<S>(
    mut io: S,
    accept: &str,
    limits: Limits,
    leftover: Bytes,
) -> Result<WebSocket<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\nSec-WebSocket-Protocol: {SUBPROTOCOL}\r\n\r\n"
    );
    io.write_all(answer.as_bytes()).await?;
    io.flush().await?;
    Ok(WebSocket::new(io, Role::Server, limits, leftover))
}

/// Shows the page.
pub(super) async fn page<S: AsyncWrite + Unpin>(io: &mut S) -> Result<(), HandshakeError> {
    answer(io, "200 OK", "text/html; charset=utf-8", PAGE).await
}

/// Refuses with a status of HTTP and a reason for people.
pub(super) async fn refuse<S: AsyncWrite + Unpin>(
    io: &mut S,
    status: u16,
    reason: &str,
) -> Result<(), HandshakeError> {
    answer(io, &format!("{status} Refused"), "text/plain; charset=utf-8", reason).await
}

async fn answer<S: AsyncWrite + Unpin>(
    io: &mut S,
    status: &str,
    kind: &str,
    body: &str,
) -> Result<(), HandshakeError> {
    let answer = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n\
         Sec-WebSocket-Version: 13\r\nConnection: close\r\n\r\n{body}",
        body.len()
    );
    io.write_all(answer.as_bytes()).await?;
    Ok(io.shutdown().await?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const UPGRADE: &str = "GET /?dst=a:1 HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n\
        Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n\
        Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

    fn head(text: &str) -> Head {
        parse(text.as_bytes()).unwrap().unwrap().1
    }

    #[test]
    fn an_upgrade_needs_the_subprotocol_and_anything_else_is_a_page() {
        let whole = format!("{UPGRADE}Sec-WebSocket-Protocol: tunnel-protocol\r\n\r\n");
        assert!(matches!(head(&whole), Head::Upgrade { target, .. } if target == "/?dst=a:1"));
        assert!(matches!(head(&format!("{UPGRADE}\r\n")), Head::Refused(Refusal::Subprotocol)));
        assert!(matches!(head("GET /any HTTP/1.1\r\n\r\n"), Head::Page));
        assert!(matches!(head("PUT / HTTP/1.1\r\n\r\n"), Head::Refused(Refusal::Method)));
        assert!(parse(UPGRADE.as_bytes()).unwrap().is_none());
    }

    proptest! {
        #[test]
        fn any_head_is_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
            let _ = parse(&bytes);
        }
    }
}
