//! The server's half of the handshake.
//!
//! Deliberately not here: routing, authentication, more than one request for each connection.

use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};

use super::{HandshakeError, TIMEOUT, accept_key, has_token, head};
use crate::{Limits, Role, WebSocket};

/// A client's wish that may be granted: answer 101 with `Upgrade: websocket`, `Connection: Upgrade`,
/// `Sec-WebSocket-Accept: {accept}` and, if one is chosen, `Sec-WebSocket-Protocol`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upgrade {
    /// The value of `Sec-WebSocket-Accept`.
    pub accept: String,
    /// What the client offers, in its order of preference.
    pub subprotocols: Vec<String>,
}

impl Upgrade {
    /// The first subprotocol of `supported`, which is in our order of preference, that the client offers too.
    pub fn choose<'a>(&self, supported: &[&'a str]) -> Option<&'a str> {
        supported.iter().copied().find(|name| self.subprotocols.iter().any(|offer| offer == name))
    }
}

/// Why a request is not upgraded.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// Not a GET.
    #[error("the method of a websocket request must be GET")]
    Method,
    /// No `Upgrade: websocket` and `Connection: Upgrade`.
    #[error("this address speaks websocket only: send Upgrade: websocket and Connection: Upgrade")]
    NotAnUpgrade,
    /// A version other than 13: answer with `Sec-WebSocket-Version: 13`.
    #[error("only websocket version 13 is supported")]
    Version,
    /// No key, or not 16 bytes in base64.
    #[error("Sec-WebSocket-Key must be 16 bytes in base64")]
    Key,
    /// Nothing under this path.
    #[error("nothing is served under this path")]
    NotFound,
    /// No common subprotocol.
    #[error("none of the offered subprotocols is supported")]
    Subprotocol,
    /// The caller may not enter.
    #[error("access denied")]
    Forbidden,
}

impl Refusal {
    /// The HTTP status of the refusal.
    pub fn status(self) -> u16 {
        match self {
            Self::NotAnUpgrade | Self::Version => 426,
            Self::Method | Self::Key | Self::Subprotocol => 400,
            Self::NotFound => 404,
            Self::Forbidden => 403,
        }
    }
}

/// Checks the headers of a request; `header` finds one by its lower-case name.
pub fn check_upgrade<'a>(header: impl Fn(&str) -> Option<&'a str>) -> Result<Upgrade, Refusal> {
    let has = |name: &str, token: &str| header(name).is_some_and(|value| has_token(value, token));
    if !has("upgrade", "websocket") || !has("connection", "upgrade") {
        return Err(Refusal::NotAnUpgrade);
    }
    if header("sec-websocket-version").map(str::trim) != Some("13") {
        return Err(Refusal::Version);
    }
    let key = header("sec-websocket-key").map(str::trim).filter(|key| is_key(key));
    let key = key.ok_or(Refusal::Key)?;
    let offers = header("sec-websocket-protocol").unwrap_or_default();
    let offers = offers.split(',').map(str::trim).filter(|offer| !offer.is_empty());
    Ok(Upgrade { accept: accept_key(key), subprotocols: offers.map(str::to_owned).collect() })
}

fn is_key(key: &str) -> bool {
    use base64::Engine as _;
    base64::engine::general_purpose::STANDARD.decode(key).is_ok_and(|nonce| nonce.len() == 16)
}

/// What a bare server knows about a client before it answers.
#[derive(Debug, Clone)]
pub struct Request {
    /// Path and query as sent.
    pub path: String,
    /// Names in lower case and values, in order; values that are not text are left out.
    pub headers: Vec<(String, String)>,
    /// What the client offers.
    pub subprotocols: Vec<String>,
}

/// Accepts a WebSocket on a fresh connection without an HTTP stack. `choose` looks at the request and gives the
/// subprotocol to agree on, if any; a refusal is answered with its HTTP status.
pub async fn server<S>(
    mut io: S,
    limits: Limits,
    choose: impl FnOnce(&Request) -> Result<Option<String>, Refusal>,
) -> Result<(WebSocket<S>, Request), HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let exchange = async {
        let (parsed, leftover) = head::read(&mut io, parse_request).await?;
        let chosen = parsed.and_then(|(request, accept)| Ok((choose(&request)?, request, accept)));
        match chosen {
            Ok((subprotocol, request, accept)) => {
                io.write_all(switching(&accept, subprotocol.as_deref()).as_bytes()).await?;
                io.flush().await?;
                Ok((request, leftover))
            }
            Err(refusal) => {
                io.write_all(refused(refusal).as_bytes()).await?;
                io.shutdown().await?;
                Err(HandshakeError::Refused(refusal))
            }
        }
    };
    let (request, leftover) =
        tokio::time::timeout(TIMEOUT, exchange).await.map_err(|_| HandshakeError::Timeout)??;
    Ok((WebSocket::new(io, Role::Server, limits, leftover), request))
}

type Parsed = Result<(Request, String), Refusal>;

fn parse_request(bytes: &[u8]) -> Result<Option<(usize, Parsed)>, HandshakeError> {
    let mut headers = [httparse::EMPTY_HEADER; head::MAX_HEADERS];
    let mut request = httparse::Request::new(&mut headers);
    let length = match request.parse(bytes).map_err(HandshakeError::NotHttp)? {
        httparse::Status::Complete(length) => length,
        httparse::Status::Partial => return Ok(None),
    };
    Ok(Some((length, check_request(&request))))
}

fn check_request(request: &httparse::Request<'_, '_>) -> Parsed {
    if request.method != Some("GET") {
        return Err(Refusal::Method);
    }
    let upgrade = check_upgrade(|name| head::text(request.headers, name))?;
    let headers = request.headers.iter().filter_map(|header| {
        let value = std::str::from_utf8(header.value).ok()?;
        Some((header.name.to_ascii_lowercase(), value.to_owned()))
    });
    let request = Request {
        path: request.path.unwrap_or("/").to_owned(),
        headers: headers.collect(),
        subprotocols: upgrade.subprotocols,
    };
    Ok((request, upgrade.accept))
}

fn switching(accept: &str, subprotocol: Option<&str>) -> String {
    let mut answer = format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n"
    );
    if let Some(subprotocol) = subprotocol {
        answer.push_str(&format!("Sec-WebSocket-Protocol: {subprotocol}\r\n"));
    }
    answer.push_str("\r\n");
    answer
}

fn refused(refusal: Refusal) -> String {
    let (status, body) = (refusal.status(), refusal.to_string());
    format!(
        "HTTP/1.1 {status} Refused\r\nSec-WebSocket-Version: 13\r\nUpgrade: websocket\r\n\
         Content-Type: text/plain\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
        body.len()
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header<'a>(name: &str, changed: (&str, Option<&'a str>)) -> Option<&'a str> {
        if name == changed.0 {
            return changed.1;
        }
        match name {
            "upgrade" => Some("WebSocket"),
            "connection" => Some("keep-alive, Upgrade"),
            "sec-websocket-version" => Some("13"),
            "sec-websocket-key" => Some("dGhlIHNhbXBsZSBub25jZQ=="),
            "sec-websocket-protocol" => Some("wamp.2.json, wamp.2.cbor"),
            _ => None,
        }
    }

    #[test]
    fn a_good_request_gets_its_accept_key_and_our_preferred_subprotocol() {
        let upgrade = check_upgrade(|name| header(name, ("", None))).unwrap();
        assert_eq!(upgrade.accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        assert_eq!(upgrade.choose(&["wamp.2.cbor", "wamp.2.json"]), Some("wamp.2.cbor"));
        assert_eq!(upgrade.choose(&["mqtt"]), None);
    }

    #[test]
    fn each_missing_or_wrong_header_is_refused_by_name() {
        let check = |name, value| check_upgrade(|asked| header(asked, (name, value)));
        assert_eq!(check("upgrade", None), Err(Refusal::NotAnUpgrade));
        assert_eq!(check("connection", Some("close")), Err(Refusal::NotAnUpgrade));
        assert_eq!(check("sec-websocket-version", Some("8")), Err(Refusal::Version));
        assert_eq!(check("sec-websocket-key", Some("short")), Err(Refusal::Key));
        assert_eq!(check("sec-websocket-key", None), Err(Refusal::Key));
    }
}
