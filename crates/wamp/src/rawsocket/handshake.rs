//! The four bytes with which a raw socket begins, on both sides.

use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use websocket::Limits;

use super::{MAGIC, RawSocket};
use crate::codec::Serialiser;

/// Time for the handshake.
const TIMEOUT: Duration = Duration::from_secs(10);
/// The shortest limit that the four bits can tell: 2^9.
const SHORTEST: u32 = 9;
/// The longest: 2^24, one byte more than the length of a message can tell.
const LONGEST: u32 = 24;

/// Refusals: their numbers on the wire.
const UNSUPPORTED_SERIALISER: u8 = 1;
const RESERVED_BITS: u8 = 3;

/// Why no raw socket came to be.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The other side speaks another protocol.
    #[error("this is no raw socket")]
    Foreign,
    /// The serialiser is not known.
    #[error("the serialiser {0} is not known")]
    Serialiser(u8),
    /// Bits are set that must not be.
    #[error("reserved bits are set")]
    Reserved,
    /// The router refused with a number of the specification.
    #[error("the router refused with number {0}")]
    Refused(u8),
    /// It took too long.
    #[error("the handshake took too long")]
    Timeout,
    /// The stream failed.
    #[error("the stream failed: {0}")]
    Io(#[from] std::io::Error),
}

/// The router's side: reads what the client asks for and agrees or refuses.
pub async fn accept<S>(mut io: S, limits: Limits) -> Result<RawSocket<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let agreeing = async {
        let [magic, wish, rest @ ..] = read(&mut io).await?;
        if magic != MAGIC {
            return Err(HandshakeError::Foreign);
        }
        if rest != [0, 0] {
            refuse(&mut io, RESERVED_BITS).await?;
            return Err(HandshakeError::Reserved);
        }
        let Some(serialiser) = serialiser(wish & 0x0f) else {
            refuse(&mut io, UNSUPPORTED_SERIALISER).await?;
            return Err(HandshakeError::Serialiser(wish & 0x0f));
        };
        write(&mut io, length_bits(limits) << 4 | number(serialiser)).await?;
        Ok((serialiser, longest(wish >> 4)))
    };
    let agreed = tokio::time::timeout(TIMEOUT, agreeing).await;
    let (serialiser, peer_max) = agreed.map_err(|_| HandshakeError::Timeout)??;
    Ok(RawSocket { io, serialiser, limits, peer_max })
}

/// The client's side: asks for a serialiser.
pub async fn offer<S>(
    mut io: S,
    serialiser: Serialiser,
    limits: Limits,
) -> Result<RawSocket<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let agreeing = async {
        write(&mut io, length_bits(limits) << 4 | number(serialiser)).await?;
        let [magic, answer, ..] = read(&mut io).await?;
        match (magic, answer & 0x0f) {
            (MAGIC, 0) => Err(HandshakeError::Refused(answer >> 4)),
            (MAGIC, given) if given == number(serialiser) => Ok(longest(answer >> 4)),
            (MAGIC, given) => Err(HandshakeError::Serialiser(given)),
            _ => Err(HandshakeError::Foreign),
        }
    };
    let agreed = tokio::time::timeout(TIMEOUT, agreeing).await;
    let peer_max = agreed.map_err(|_| HandshakeError::Timeout)??;
    Ok(RawSocket { io, serialiser, limits, peer_max })
}

async fn read<S: AsyncRead + Unpin>(io: &mut S) -> Result<[u8; 4], HandshakeError> {
    let mut bytes = [0; 4];
    io.read_exact(&mut bytes).await?;
    Ok(bytes)
}

async fn write<S: AsyncWrite + Unpin>(io: &mut S, second: u8) -> Result<(), HandshakeError> {
    io.write_all(&[MAGIC, second, 0, 0]).await?;
    Ok(io.flush().await?)
}

async fn refuse<S: AsyncWrite + Unpin>(io: &mut S, why: u8) -> Result<(), HandshakeError> {
    write(io, why << 4).await?;
    Ok(io.shutdown().await?)
}

fn number(serialiser: Serialiser) -> u8 {
    match serialiser {
        Serialiser::Json => 1,
        Serialiser::MessagePack => 2,
        Serialiser::Cbor => 3,
    }
}

fn serialiser(number: u8) -> Option<Serialiser> {
    Serialiser::ALL.into_iter().find(|serialiser| self::number(*serialiser) == number)
}

/// Four bits say how long messages may be: 2^(9 + bits). The longest that is not above our own limit.
fn length_bits(limits: Limits) -> u8 {
    let exponent = limits.max_message.max(1).ilog2().clamp(SHORTEST, LONGEST);
    (exponent - SHORTEST) as u8
}

/// The longest message that the bits allow; a length is told in three bytes.
fn longest(bits: u8) -> usize {
    (1usize << (SHORTEST + u32::from(bits & 0x0f))).min((1 << 24) - 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_that_is_told_is_never_above_the_limit_that_is_kept() {
        for (max, expected) in
            [(0, 512), (512, 512), (1000, 512), (1 << 20, 1 << 20), (1 << 30, (1 << 24) - 1)]
        {
            assert_eq!(longest(length_bits(Limits { max_message: max })), expected, "{max}");
        }
    }
}
