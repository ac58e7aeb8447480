//! The handshake on a WebSocket, with a deadline.
//! Invariant: `Authenticated` is made nowhere else, so a link cannot start before both ends are known; a
//! peer that is silent or wrong is cut, and told why where that helps it.
//! Not here: what is signed (`mod.rs`).

use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncRead, AsyncWrite, ReadHalf, WriteHalf};
use websocket::{CloseReason, Limits, Message, Reader, WebSocket, Writer};

use super::{Credentials, Dialling, Failure, Gatekeeper, Listening, NONCE, refused};
use crate::frame::MAX_MESSAGE;
use crate::machine::Side;
use crate::meter::{Heard, Metered};

/// Within this time the whole handshake is done, or the peer is cut.
pub const HANDSHAKE_DEADLINE: Duration = Duration::from_secs(10);
/// Close code for a peer that failed the handshake (RFC 6455 section 7.4.1, policy violation).
const CLOSE_POLICY: u16 = 1008;

/// What a WebSocket that carries a link should allow its peer.
pub const fn limits() -> Limits {
    Limits { max_message: MAX_MESSAGE }
}

pub(crate) type LinkReader<S> = Reader<ReadHalf<Metered<S>>>;
pub(crate) type LinkWriter<S> = Writer<WriteHalf<Metered<S>>>;

/// A connection whose two ends know each other.
#[derive(Debug)]
pub struct Authenticated<S> {
    pub(crate) reader: LinkReader<S>,
    pub(crate) writer: LinkWriter<S>,
    pub(crate) heard: Heard,
    pub(crate) side: Side,
    identity: String,
}

impl<S> Authenticated<S> {
    /// The dialler's identity, as proved.
    pub fn identity(&self) -> &str {
        &self.identity
    }
}

/// Why there is no link.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The peer said nothing, or too little, in time.
    #[error("tunnel handshake not finished in time")]
    Silent,
    /// The peer failed.
    #[error("tunnel handshake failed: {0}")]
    Failed(#[from] Failure),
    /// The gatekeeper turned the peer down.
    #[error("tunnel link of {identity:?} turned down: {reason}")]
    TurnedDown {
        /// Who the peer says it is.
        identity: String,
        /// What it was told.
        reason: String,
    },
    /// The connection failed or was closed.
    #[error("connection lost in the tunnel handshake: {0}")]
    Connection(#[from] websocket::Error),
    /// The operating system gave no random bytes.
    #[error("no randomness for the tunnel handshake: {0}")]
    Randomness(getrandom::Error),
}

/// The listening end: proves the dialler, then ourselves. The whole exchange must end within `deadline`
/// (usually [`HANDSHAKE_DEADLINE`]).
pub async fn accept<S>(
    websocket: WebSocket<S>,
    gatekeeper: &impl Gatekeeper,
    deadline: Duration,
) -> Result<Authenticated<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut wire = Wire::new(websocket);
    let outcome = tokio::time::timeout(deadline, listen(&mut wire, gatekeeper)).await;
    wire.conclude(Side::Listened, outcome.unwrap_or(Err(HandshakeError::Silent))).await
}

/// The dialling end: proves ourselves, then the listener. The whole exchange must end within `deadline`
/// (usually [`HANDSHAKE_DEADLINE`]).
pub async fn dial<S>(
    websocket: WebSocket<S>,
    credentials: &impl Credentials,
    deadline: Duration,
) -> Result<Authenticated<S>, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let mut wire = Wire::new(websocket);
    let outcome = tokio::time::timeout(deadline, introduce(&mut wire, credentials)).await;
    wire.conclude(Side::Dialled, outcome.unwrap_or(Err(HandshakeError::Silent))).await
}

/// A connection whose two ends know each other already, by the request that opened its WebSocket: the
/// listener by its TLS, the dialler, called `identity` from now on, by what it presented there.
pub fn vouched<S>(websocket: WebSocket<S>, side: Side, identity: String) -> Authenticated<S>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let Wire { reader, writer, heard } = Wire::new(websocket);
    Authenticated { reader, writer, heard, side, identity }
}

async fn listen<S>(
    wire: &mut Wire<S>,
    gatekeeper: &impl Gatekeeper,
) -> Result<String, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let (listening, hello) = Listening::new(nonce()?);
    wire.send(&hello).await?;
    let claim = listening.on_answer(&wire.receive().await?)?;
    let verdict = gatekeeper.verify(&claim.identity, &claim.transcript, &claim.signature).await;
    if let Err(reason) = verdict {
        return Err(HandshakeError::TurnedDown { identity: claim.identity, reason });
    }
    wire.send(&claim.welcome(gatekeeper)).await?;
    Ok(claim.identity)
}

async fn introduce<S>(
    wire: &mut Wire<S>,
    credentials: &impl Credentials,
) -> Result<String, HandshakeError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send,
{
    let hello = wire.receive().await?;
    let (answered, answer) = Dialling::new(nonce()?).on_hello(&hello, credentials)?;
    wire.send(&answer).await?;
    answered.on_verdict(&wire.receive().await?, credentials)?;
    Ok(credentials.identity().to_owned())
}

fn nonce() -> Result<[u8; NONCE], HandshakeError> {
    let mut nonce = [0; NONCE];
    getrandom::fill(&mut nonce).map_err(HandshakeError::Randomness)?;
    Ok(nonce)
}

struct Wire<S> {
    reader: LinkReader<S>,
    writer: LinkWriter<S>,
    heard: Heard,
}

impl<S: AsyncRead + AsyncWrite + Unpin + Send> Wire<S> {
    fn new(websocket: WebSocket<S>) -> Self {
        let (io, role, limits, leftover) = websocket.into_parts();
        let heard = Heard::default();
        let (read, write) = tokio::io::split(Metered { io, heard: heard.clone() });
        let reader = Reader::new(read, role, limits, leftover);
        Self { reader, writer: Writer::new(write, role), heard }
    }

    async fn send(&mut self, message: &[u8]) -> Result<(), websocket::Error> {
        self.writer.feed_binary_with(message, &[]);
        self.writer.flush().await
    }

    async fn receive(&mut self) -> Result<Bytes, HandshakeError> {
        loop {
            match self.reader.next().await? {
                Message::Binary(message) => return Ok(message),
                Message::Text(_) => return Err(Failure::OutOfTurn.into()),
                Message::Close(_) => return Err(websocket::Error::Closed.into()),
                Message::Pong(_) => {}
                ping @ Message::Ping(_) => {
                    if let Some(pong) = ping.reply() {
                        self.writer.feed(&pong);
                    }
                    self.writer.flush().await?;
                }
            }
        }
    }

    /// Hands the connection on, or tells the peer why not and hangs up.
    async fn conclude(
        mut self,
        side: Side,
        outcome: Result<String, HandshakeError>,
    ) -> Result<Authenticated<S>, HandshakeError> {
        let error = match outcome {
            Ok(identity) => {
                let Self { reader, writer, heard } = self;
                return Ok(Authenticated { reader, writer, heard, side, identity });
            }
            Err(error) => error,
        };
        if side == Side::Listened
            && let Some(reason) = told_reason(&error)
        {
            self.writer.feed_binary_with(&refused(&reason), &[]);
        }
        self.writer.feed(&Message::Close(Some(CloseReason::new(CLOSE_POLICY, "handshake failed"))));
        // The peer may not read any more; hanging up is all that matters then.
        let _ = tokio::time::timeout(Duration::from_secs(1), self.writer.shutdown()).await;
        Err(error)
    }
}

fn told_reason(error: &HandshakeError) -> Option<String> {
    match error {
        HandshakeError::TurnedDown { reason, .. } => Some(reason.clone()),
        HandshakeError::Silent | HandshakeError::Failed(_) => Some(error.to_string()),
        HandshakeError::Connection(_) | HandshakeError::Randomness(_) => None,
    }
}
