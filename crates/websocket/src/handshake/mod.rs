//! The opening handshake of RFC 6455 section 4.
//!
//! The client side does its own small HTTP/1.1. The server side is a pure check of headers for servers that have an
//! HTTP stack ([`check_upgrade`]), and a bare server for listeners that have none ([`server`]).
//!
//! Invariants: a head is at most [`MAX_HEAD`] bytes and comes within [`TIMEOUT`]; no extension is ever agreed.

mod client;
mod head;
mod server;

use std::io;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use sha1::{Digest, Sha1};

pub use client::client;
pub use server::{Refusal, Request, Upgrade, check_upgrade, server};

/// Longest HTTP head accepted from a peer.
pub const MAX_HEAD: usize = 16 * 1024;
/// Time a handshake may take as a whole.
pub const TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// The constant of RFC 6455 section 1.3.
const GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";

/// The `Sec-WebSocket-Accept` that answers a `Sec-WebSocket-Key`.
pub fn accept_key(key: &str) -> String {
    STANDARD.encode(Sha1::new().chain_update(key).chain_update(GUID).finalize())
}

/// Why no WebSocket came to be.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The socket failed.
    #[error("socket failed during the websocket handshake: {0}")]
    Io(#[from] io::Error),
    /// The peer took longer than [`TIMEOUT`].
    #[error("the peer did not finish the websocket handshake in time")]
    Timeout,
    /// The connection ended too early.
    #[error("the peer hung up during the websocket handshake")]
    Closed,
    /// More than [`MAX_HEAD`] bytes of headers.
    #[error("the peer sent an HTTP head longer than {MAX_HEAD} bytes")]
    HeadTooLong,
    /// Not HTTP/1.1.
    #[error("the peer does not speak HTTP/1.1: {0}")]
    NotHttp(httparse::Error),
    /// The server answered with something else than 101.
    #[error("the server answered {status} instead of switching to websocket; check the URL")]
    Status {
        /// The HTTP status.
        status: u16,
        /// The beginning of the answer's body, as far as it came with the head.
        body: String,
    },
    /// The server's answer breaks RFC 6455.
    #[error("the server's websocket handshake is wrong: {0}")]
    BadAnswer(&'static str),
    /// A host, path or header that would break the request.
    #[error("{0} contains characters that cannot stand in an HTTP request")]
    BadRequest(&'static str),
    /// We, as a server, refused the client.
    #[error("websocket request refused: {0}")]
    Refused(#[from] Refusal),
}

/// Whether a comma-separated header holds `token`, whatever the case.
fn has_token(header: &str, token: &str) -> bool {
    header.split(',').any(|part| part.trim().eq_ignore_ascii_case(token))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_accept_key_is_the_one_in_the_rfc() {
        assert_eq!(accept_key("dGhlIHNhbXBsZSBub25jZQ=="), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }
}
