//! The client's half of the handshake.
//!
//! Invariant: what the caller passes cannot smuggle a second header or request into the stream.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{HandshakeError, TIMEOUT, accept_key, has_token, head};
use crate::{Limits, Role, WebSocket};

/// Opens a WebSocket over a connected stream. `host` is what goes into the `Host` header, with the port if it is not the
/// default one; `subprotocols` are offered in order of preference. Gives back the one the server chose, if any.
pub async fn client<S>(
    mut io: S,
    host: &str,
    path: &str,
    subprotocols: &[&str],
    headers: &[(&str, &str)],
    limits: Limits,
) -> Result<(WebSocket<S>, Option<String>), HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let key = new_key();
    let request = request(host, path, &key, subprotocols, headers)?;
    let exchange = async {
        io.write_all(request.as_bytes()).await?;
        io.flush().await?;
        head::read(&mut io, parse_answer).await
    };
    let (answer, leftover) =
        tokio::time::timeout(TIMEOUT, exchange).await.map_err(|_| HandshakeError::Timeout)??;
    let chosen = answer.check(&key, subprotocols, &leftover)?;
    Ok((WebSocket::new(io, Role::Client, limits, leftover), chosen))
}

fn new_key() -> String {
    let mut nonce = [0; 16];
    getrandom::fill(&mut nonce).expect("the operating system provides randomness");
    STANDARD.encode(nonce)
}

fn request(
    host: &str,
    path: &str,
    key: &str,
    subprotocols: &[&str],
    headers: &[(&str, &str)],
) -> Result<String, HandshakeError> {
    check(host, "the host", |c| c.is_ascii_graphic())?;
    check(path, "the path", |c| c.is_ascii_graphic())?;
    let mut request = format!(
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Key: {key}\r\nSec-WebSocket-Version: 13\r\n"
    );
    if !subprotocols.is_empty() {
        let offer = subprotocols.join(", ");
        check(&offer, "a subprotocol", |c| c.is_ascii_graphic() || c == ' ')?;
        request.push_str(&format!("Sec-WebSocket-Protocol: {offer}\r\n"));
    }
    for (name, value) in headers {
        check(name, "a header name", |c| c.is_ascii_alphanumeric() || c == '-')?;
        check(value, "a header value", |c| c.is_ascii_graphic() || c == ' ')?;
        request.push_str(&format!("{name}: {value}\r\n"));
    }
    request.push_str("\r\n");
    Ok(request)
}

fn check(
    text: &str,
    what: &'static str,
    is_allowed: impl Fn(char) -> bool,
) -> Result<(), HandshakeError> {
    if text.chars().all(is_allowed) { Ok(()) } else { Err(HandshakeError::BadRequest(what)) }
}

struct Answer {
    status: u16,
    upgrade: Option<String>,
    connection: Option<String>,
    accept: Option<String>,
    subprotocol: Option<String>,
    extensions: Option<String>,
}

fn parse_answer(bytes: &[u8]) -> Result<Option<(usize, Answer)>, HandshakeError> {
    let mut headers = [httparse::EMPTY_HEADER; head::MAX_HEADERS];
    let mut response = httparse::Response::new(&mut headers);
    let length = match response.parse(bytes).map_err(HandshakeError::NotHttp)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    let header = |name| head::text(response.headers, name).map(str::to_owned);
    let answer = Answer {
        status: response.code.unwrap_or_default(),
        upgrade: header("upgrade"),
        connection: header("connection"),
        accept: header("sec-websocket-accept"),
        subprotocol: header("sec-websocket-protocol"),
        extensions: header("sec-websocket-extensions"),
    };
    Ok(Some((length, answer)))
}

impl Answer {
    fn check(
        self,
        key: &str,
        offered: &[&str],
        body: &Bytes,
    ) -> Result<Option<String>, HandshakeError> {
        if self.status != 101 {
            let body = String::from_utf8_lossy(body.get(..1024).unwrap_or(body)).into_owned();
            return Err(HandshakeError::Status { status: self.status, body });
        }
        if !self.upgrade.is_some_and(|value| has_token(&value, "websocket")) {
            return Err(HandshakeError::BadAnswer("no Upgrade: websocket header"));
        }
        if !self.connection.is_some_and(|value| has_token(&value, "upgrade")) {
            return Err(HandshakeError::BadAnswer("no Connection: Upgrade header"));
        }
        if self.accept.as_deref() != Some(accept_key(key).as_str()) {
            return Err(HandshakeError::BadAnswer("Sec-WebSocket-Accept does not match our key"));
        }
        if self.extensions.is_some_and(|value| !value.is_empty()) {
            return Err(HandshakeError::BadAnswer("it chose an extension that was not offered"));
        }
        match self.subprotocol {
            Some(chosen) if !offered.contains(&chosen.as_str()) => {
                Err(HandshakeError::BadAnswer("it chose a subprotocol that was not offered"))
            }
            chosen => Ok(chosen),
        }
    }
}
