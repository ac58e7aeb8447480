//! The words of the dialect: what a request asks for, ids, the notice of a new client. Pure.
//! Invariant: total; whatever comes in, a value or an error comes out, and what is written parses back.
//! Not here: HTTP itself, what is done with a wish.

use std::fmt;
use std::num::NonZeroU16;

/// Longest board name and foreign id taken from the wire.
const MOST_TEXT: usize = 64;
/// Names under which the board's uuid may stand in the query. Upstream's `-u` is ignored by the server
/// that is known, so the name is not settled; we write the first.
const BOARD_NAMES: [&str; 3] = ["uuid", "u", "client"];

/// A waiting client's id, a version 4 UUID (RFC 9562 section 5.4): the key with which a data socket
/// fetches it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ConnectionId([u8; 16]);

impl ConnectionId {
    /// Out of 16 random bytes.
    pub fn from_random(mut bytes: [u8; 16]) -> Self {
        let [.., version, _, variant, _, _, _, _, _, _, _] = &mut bytes;
        *version = (*version & 0x0f) | 0x40;
        *variant = (*variant & 0x3f) | 0x80;
        Self(bytes)
    }

    /// Reads the usual 36 characters, of either case; `None` if they are no version 4 UUID.
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: &[u8; 36] = text.as_bytes().try_into().ok()?;
        let mut digits = [0; 32];
        let mut found = 0;
        for (place, byte) in bytes.iter().enumerate() {
            if is_dash(place) {
                if *byte != b'-' {
                    return None;
                }
                continue;
            }
            *digits.get_mut(found)? = char::from(*byte).to_digit(16)? as u8;
            found += 1;
        }
        let mut id = [0; 16];
        for (byte, pair) in id.iter_mut().zip(digits.chunks_exact(2)) {
            *byte = pair.iter().fold(0, |byte, digit| byte << 4 | digit);
        }
        (Self::from_random(id).0 == id).then_some(Self(id))
    }

    /// What the control socket says of this client.
    pub(super) fn notice(self) -> String {
        format!("NC:{self}")
    }
}

fn is_dash(place: usize) -> bool {
    matches!(place, 8 | 13 | 18 | 23)
}

impl fmt::Display for ConnectionId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (place, byte) in self.0.iter().enumerate() {
            if matches!(place, 4 | 6 | 8 | 10) {
                f.write_str("-")?;
            }
            write!(f, "{byte:02x}")?;
        }
        Ok(())
    }
}

/// An id as a client of the dialect meets it: any short word, because the ancestor counts instead of
/// drawing UUIDs.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Claim(String);

impl Claim {
    /// Reads `NC:<id>`; `None` for anything else.
    pub fn from_notice(text: &[u8]) -> Option<Self> {
        let id = std::str::from_utf8(text).ok()?.strip_prefix("NC:")?.trim();
        is_word(id).then(|| Self(id.to_owned()))
    }

    /// The request that fetches the client.
    pub(super) fn path(&self) -> String {
        format!("/?id={}", self.0)
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a WebSocket request asks for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Wish {
    /// A control socket: to be told of clients of this port.
    Control {
        /// The public port.
        port: NonZeroU16,
        /// The board that asks, if it says so; a claim, nothing proves it.
        board: Option<String>,
    },
    /// The data socket of a waiting client.
    Data(ConnectionId),
}

/// Why a request means nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestError {
    /// Neither or both.
    #[error("ask for one of /?dst=<host>:<port> and /?id=<uuid>")]
    NotOneWish,
    /// A name twice.
    #[error("a query parameter stands twice")]
    Twice,
    /// Broken percent encoding.
    #[error("the query is not percent-encoded UTF-8")]
    Encoding,
    /// No port.
    #[error("dst must be <host>:<port> with a port from 1 to 65535")]
    Destination,
    /// No id.
    #[error("id must be a version 4 UUID")]
    Id,
    /// A strange board.
    #[error("the board must be at most {MOST_TEXT} letters, digits and dashes")]
    Board,
}

impl Wish {
    /// Reads the target of an HTTP request. The path does not matter, as with upstream: proxies add to it.
    pub fn parse(target: &str) -> Result<Self, RequestError> {
        let query = target.split_once('?').map_or("", |(_, query)| query);
        let query = query.split_once('#').map_or(query, |(query, _)| query);
        let (mut destination, mut id, mut board) = (None, None, None);
        for pair in query.split('&') {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let slot = match name {
                "dst" => &mut destination,
                "id" => &mut id,
                name if BOARD_NAMES.contains(&name) => &mut board,
                _ => continue,
            };
            if slot.replace(decode(value)?).is_some() {
                return Err(RequestError::Twice);
            }
        }
        match (destination, id) {
            (Some(destination), None) => Self::control(&destination, board),
            (None, Some(id)) => ConnectionId::parse(&id).map(Self::Data).ok_or(RequestError::Id),
            (None, None) | (Some(_), Some(_)) => Err(RequestError::NotOneWish),
        }
    }

    fn control(destination: &str, board: Option<String>) -> Result<Self, RequestError> {
        let board = board.filter(|board| !board.is_empty());
        if board.as_deref().is_some_and(|board| !is_word(board)) {
            return Err(RequestError::Board);
        }
        let (_, port) = destination.rsplit_once(':').ok_or(RequestError::Destination)?;
        let digits = !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit());
        let port = digits.then(|| port.parse().ok()).flatten();
        Ok(Self::Control { port: port.ok_or(RequestError::Destination)?, board })
    }
}

/// The request for a control socket.
pub(super) fn control_path(authority: &str, port: NonZeroU16, board: Option<&str>) -> String {
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        _ => authority,
    };
    let board = board.map(|board| format!("&{}={board}", BOARD_NAMES[0])).unwrap_or_default();
    format!("/?dst={host}:{port}{board}")
}

/// Whether a board name or a foreign id is harmless in a query and in a log.
pub(super) fn is_word(text: &str) -> bool {
    let mut bytes = text.bytes();
    (1..=MOST_TEXT).contains(&text.len())
        && bytes.all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
}

fn decode(text: &str) -> Result<String, RequestError> {
    let mut bytes = text.bytes();
    let mut decoded = Vec::new();
    while let Some(byte) = bytes.next() {
        let byte = match byte {
            b'%' => hex(bytes.next())? << 4 | hex(bytes.next())?,
            byte => byte,
        };
        decoded.push(byte);
    }
    String::from_utf8(decoded).map_err(|_| RequestError::Encoding)
}

fn hex(digit: Option<u8>) -> Result<u8, RequestError> {
    let digit = digit.and_then(|digit| char::from(digit).to_digit(16));
    digit.map(|digit| digit as u8).ok_or(RequestError::Encoding)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn control(port: u16, board: Option<&str>) -> Wish {
        Wish::Control { port: NonZeroU16::new(port).unwrap(), board: board.map(str::to_owned) }
    }

    #[test]
    fn the_requests_of_upstream_are_understood() {
        assert_eq!(Wish::parse("/?dst=cloud.example:50001"), Ok(control(50001, None)));
        assert_eq!(Wish::parse("//?dst=127.0.0.1%3A50001"), Ok(control(50001, None)));
        assert_eq!(Wish::parse("/proxy/?dst=[::1]:1&uuid=a-1"), Ok(control(1, Some("a-1"))));
        assert_eq!(Wish::parse("/?u=a&dst=x:65535&other=1#top"), Ok(control(65535, Some("a"))));
        let id = "12345678-9abc-4def-8123-456789abcdef";
        assert_eq!(
            Wish::parse(&format!("/?id={id}")),
            Ok(Wish::Data(ConnectionId::parse(id).unwrap()))
        );
    }

    #[test]
    fn what_means_nothing_is_refused_by_name() {
        use RequestError::*;
        for (target, error) in [
            ("/", NotOneWish),
            ("", NotOneWish),
            ("/?dst=a:1&id=12345678-9abc-4def-8123-456789abcdef", NotOneWish),
            ("/?dst=a:1&dst=a:2", Twice),
            ("/?dst=a:%zz", Encoding),
            ("/?dst=a:%f", Encoding),
            ("/?dst=a:%ff", Encoding),
            ("/?dst=50001", Destination),
            ("/?dst=a:", Destination),
            ("/?dst=a:0", Destination),
            ("/?dst=a:+80", Destination),
            ("/?dst=a:65536", Destination),
            ("/?dst=a:1&uuid=a%20b", Board),
            ("/?id=1000", Id),
            ("/?id=12345678-9abc-1def-8123-456789abcdef", Id),
            ("/?id=12345678-9abc-4def-c123-456789abcdef", Id),
            ("/?id=123456789abc-4def-8123-456789abcdef--", Id),
        ] {
            assert_eq!(Wish::parse(target), Err(error), "{target}");
        }
    }

    #[test]
    fn a_notice_of_the_ancestor_counts_instead_of_drawing_uuids() {
        assert_eq!(Claim::from_notice(b"NC:1000").unwrap().path(), "/?id=1000");
        for garbage in [&b"NC:"[..], b"NC:a b", b"NC:a&id=b", b"XX:1", b"", b"NC:\xff"] {
            assert_eq!(Claim::from_notice(garbage), None);
        }
    }

    proptest! {
        #[test]
        fn any_target_is_read_or_refused(target in ".{0,200}") {
            let _ = Wish::parse(&target);
        }

        #[test]
        fn any_notice_is_read_or_ignored(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = Claim::from_notice(&text);
        }

        #[test]
        fn an_id_is_a_uuid_and_parses_back(bytes: [u8; 16]) {
            let id = ConnectionId::from_random(bytes);
            prop_assert_eq!(ConnectionId::parse(&id.to_string()), Some(id));
            prop_assert_eq!(ConnectionId::parse(&id.to_string().to_uppercase()), Some(id));
            let claim = Claim::from_notice(id.notice().as_bytes()).unwrap();
            prop_assert_eq!(Wish::parse(&claim.path()), Ok(Wish::Data(id)));
        }

        #[test]
        fn what_the_client_asks_the_server_understands(
            host in "[a-z0-9.]{1,20}(:[0-9]{1,5})?|\\[::1\\](:80)?",
            port in 1..=u16::MAX,
            board in proptest::option::of("[a-z0-9-]{1,64}"),
        ) {
            let asked = NonZeroU16::new(port).unwrap();
            let path = control_path(&host, asked, board.as_deref());
            prop_assert_eq!(Wish::parse(&path), Ok(control(port, board.as_deref())));
        }
    }
}
