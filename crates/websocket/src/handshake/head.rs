//! Reading one HTTP head off a socket, bounded, keeping what came after it.

use bytes::{Bytes, BytesMut};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{HandshakeError, MAX_HEAD};

/// Headers a peer may send; more is refused.
pub(super) const MAX_HEADERS: usize = 64;

/// Reads until `parse` says how long the head is; gives back its answer and the bytes behind the head.
pub(super) async fn read<S, T>(
    io: &mut S,
    parse: impl Fn(&[u8]) -> Result<Option<(usize, T)>, HandshakeError>,
) -> Result<(T, Bytes), HandshakeError>
where
    S: AsyncRead + Unpin,
{
    let mut buffer = BytesMut::with_capacity(1024);
    loop {
        if io.read_buf(&mut buffer).await? == 0 {
            return Err(HandshakeError::Closed);
        }
        if let Some((length, parsed)) = parse(&buffer)? {
            return Ok((parsed, buffer.split_off(length).freeze()));
        }
        if buffer.len() > MAX_HEAD {
            return Err(HandshakeError::HeadTooLong);
        }
    }
}

/// A header's value as text; headers that are not text count as absent.
pub(super) fn text<'a>(headers: &'a [httparse::Header<'_>], name: &str) -> Option<&'a str> {
    headers
        .iter()
        .find(|header| header.name.eq_ignore_ascii_case(name))
        .and_then(|header| std::str::from_utf8(header.value).ok())
        .map(str::trim)
}
