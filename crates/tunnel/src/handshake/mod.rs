//! Who is at the other end: mutual proof by signatures over fresh nonces, before the first frame.
//! Pure, and free of keys: signing and checking are asked of [`Credentials`] and [`Gatekeeper`].
//! Invariant: neither end is through before the other has signed this handshake's two nonces under its
//! own domain, so no signature can be replayed or turned around; each state speaks exactly once.
//! Not here: the clock and the socket (`shell.rs`), keys, what an identity may do.
//!
//! listener → Hello (versions, nonce); dialler → Answer (version, nonce, signature, identity);
//! listener → Welcome (signature) or Refused (reason).

mod message;
mod shell;

use std::future::Future;

use bytes::Bytes;

use self::message::Message;
pub use self::message::{MAX_IDENTITY, MessageError, NONCE, SIGNATURE};
pub use self::shell::{
    Authenticated, HANDSHAKE_DEADLINE, HandshakeError, accept, dial, limits, vouched,
};
pub(crate) use self::shell::{LinkReader, LinkWriter};
use crate::reason::MAX_TEXT;

/// The protocol version this code speaks.
pub const VERSION: u8 = 1;

/// The domains name the version, so a signature of one version is worth nothing in another.
const BOARD_DOMAIN: &[u8] = b"s4t tunnel v1 board";
const CLOUD_DOMAIN: &[u8] = b"s4t tunnel v1 cloud";

/// What the dialling end needs to prove itself and to check the other.
pub trait Credentials: Send + Sync {
    /// The name under which the other end knows our key; 1 to [`MAX_IDENTITY`] bytes.
    fn identity(&self) -> &str;
    /// Our signature of the transcript.
    fn sign(&self, transcript: &[u8]) -> [u8; SIGNATURE];
    /// Whether the expected peer, and nobody else, made this signature of the transcript.
    fn check_peer(&self, transcript: &[u8], signature: &[u8; SIGNATURE]) -> bool;
}

/// What the listening end needs to let someone in.
pub trait Gatekeeper: Send + Sync {
    /// Whether this identity may in and made this signature of the transcript; if not, a reason that
    /// the dialler is told (so it should not say which of the two failed).
    fn verify(
        &self,
        identity: &str,
        transcript: &[u8],
        signature: &[u8; SIGNATURE],
    ) -> impl Future<Output = Result<(), String>> + Send;
    /// Our signature of the transcript.
    fn sign(&self, transcript: &[u8]) -> [u8; SIGNATURE];
}

/// How the peer failed the handshake.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    /// A message that is none.
    #[error("malformed handshake message: {0}")]
    Malformed(#[from] MessageError),
    /// A message out of turn.
    #[error("handshake message out of turn")]
    OutOfTurn,
    /// No version in common.
    #[error(
        "no version in common: the peer offers {lowest} to {highest}, we speak {VERSION}; update the older side"
    )]
    Version {
        /// The lowest version that the peer speaks.
        lowest: u8,
        /// The highest version that the peer speaks.
        highest: u8,
    },
    /// The other end is not who it should be.
    #[error("the peer's signature does not match its pinned key; refuse to go on")]
    WrongPeer,
    /// The listener turned us down.
    #[error("refused by the peer: {0}")]
    Refused(String),
    /// Our own identity has no length that can be sent.
    #[error("our identity has {0} bytes; allowed are 1 to {MAX_IDENTITY}")]
    Identity(usize),
}

fn board_transcript(server: &[u8; NONCE], client: &[u8; NONCE], identity: &str) -> Vec<u8> {
    [BOARD_DOMAIN, server, client, identity.as_bytes()].concat()
}

fn cloud_transcript(server: &[u8; NONCE], client: &[u8; NONCE]) -> Vec<u8> {
    [CLOUD_DOMAIN, client, server].concat()
}

/// The listening end, its Hello sent.
#[derive(Debug)]
pub struct Listening {
    nonce: [u8; NONCE],
}

impl Listening {
    /// Starts with a fresh random nonce; the bytes are the Hello to send.
    pub fn new(nonce: [u8; NONCE]) -> (Self, Bytes) {
        let hello = Message::Hello { lowest: VERSION, highest: VERSION, nonce };
        (Self { nonce }, hello.encode())
    }

    /// Takes the Answer. The claim in it still has to be verified.
    pub fn on_answer(self, message: &[u8]) -> Result<Claim, Failure> {
        let Message::Answer { version, nonce, signature, identity } = Message::decode(message)?
        else {
            return Err(Failure::OutOfTurn);
        };
        if version != VERSION {
            return Err(Failure::Version { lowest: version, highest: version });
        }
        let transcript = board_transcript(&self.nonce, &nonce, &identity);
        let own_transcript = cloud_transcript(&self.nonce, &nonce);
        Ok(Claim { identity, transcript, signature, own_transcript })
    }
}

/// Who the dialler says it is, with the proof.
#[derive(Debug)]
pub struct Claim {
    /// The name it gave.
    pub identity: String,
    /// What it must have signed.
    pub transcript: Vec<u8>,
    /// Its signature.
    pub signature: [u8; SIGNATURE],
    own_transcript: Vec<u8>,
}

impl Claim {
    /// Lets the dialler in: the Welcome to send. Only after the claim was verified.
    pub fn welcome(&self, gatekeeper: &impl Gatekeeper) -> Bytes {
        Message::Welcome { signature: gatekeeper.sign(&self.own_transcript) }.encode()
    }
}

/// The message that turns a dialler down; the reason is cut to [`MAX_TEXT`] bytes.
pub fn refused(reason: &str) -> Bytes {
    let cut = reason.get(..reason.floor_char_boundary(MAX_TEXT)).unwrap_or_default();
    Message::Refused { reason: cut.to_owned() }.encode()
}

/// The dialling end, waiting for Hello.
#[derive(Debug)]
pub struct Dialling {
    nonce: [u8; NONCE],
}

impl Dialling {
    /// Starts with a fresh random nonce.
    pub fn new(nonce: [u8; NONCE]) -> Self {
        Self { nonce }
    }

    /// Takes the Hello; the bytes are the Answer to send.
    pub fn on_hello(
        self,
        message: &[u8],
        credentials: &impl Credentials,
    ) -> Result<(Answered, Bytes), Failure> {
        let (lowest, highest, server) = match Message::decode(message)? {
            Message::Hello { lowest, highest, nonce } => (lowest, highest, nonce),
            Message::Refused { reason } => return Err(Failure::Refused(reason)),
            Message::Answer { .. } | Message::Welcome { .. } => return Err(Failure::OutOfTurn),
        };
        if !(lowest..=highest).contains(&VERSION) {
            return Err(Failure::Version { lowest, highest });
        }
        let identity = credentials.identity().to_owned();
        if !(1..=MAX_IDENTITY).contains(&identity.len()) {
            return Err(Failure::Identity(identity.len()));
        }
        let transcript = board_transcript(&server, &self.nonce, &identity);
        let signature = credentials.sign(&transcript);
        let answer = Message::Answer { version: VERSION, nonce: self.nonce, signature, identity };
        let peer_transcript = cloud_transcript(&server, &self.nonce);
        Ok((Answered { peer_transcript }, answer.encode()))
    }
}

/// The dialling end, waiting for the verdict.
#[derive(Debug)]
pub struct Answered {
    peer_transcript: Vec<u8>,
}

impl Answered {
    /// Takes the verdict; `Ok` means that both ends have proved themselves.
    pub fn on_verdict(self, message: &[u8], credentials: &impl Credentials) -> Result<(), Failure> {
        match Message::decode(message)? {
            Message::Welcome { signature }
                if credentials.check_peer(&self.peer_transcript, &signature) =>
            {
                Ok(())
            }
            Message::Welcome { .. } => Err(Failure::WrongPeer),
            Message::Refused { reason } => Err(Failure::Refused(reason)),
            Message::Hello { .. } | Message::Answer { .. } => Err(Failure::OutOfTurn),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A "signature" that names its maker and depends on the transcript.
    fn toy_signature(maker: u8, transcript: &[u8]) -> [u8; SIGNATURE] {
        let mut signature = [maker; SIGNATURE];
        for (index, byte) in transcript.iter().enumerate() {
            signature[index % SIGNATURE] =
                signature[index % SIGNATURE].wrapping_mul(31).wrapping_add(*byte);
        }
        signature
    }

    struct Board(&'static str);
    impl Credentials for Board {
        fn identity(&self) -> &str {
            self.0
        }
        fn sign(&self, transcript: &[u8]) -> [u8; SIGNATURE] {
            toy_signature(1, transcript)
        }
        fn check_peer(&self, transcript: &[u8], signature: &[u8; SIGNATURE]) -> bool {
            *signature == toy_signature(2, transcript)
        }
    }

    struct Cloud(u8);
    impl Gatekeeper for Cloud {
        async fn verify(
            &self,
            _: &str,
            transcript: &[u8],
            signature: &[u8; SIGNATURE],
        ) -> Result<(), String> {
            if *signature == toy_signature(1, transcript) { Ok(()) } else { Err("no".into()) }
        }
        fn sign(&self, transcript: &[u8]) -> [u8; SIGNATURE] {
            toy_signature(self.0, transcript)
        }
    }

    fn run(cloud: &Cloud, board: &Board) -> (Claim, Result<(), Failure>) {
        let (listening, hello) = Listening::new([3; NONCE]);
        let (answered, answer) = Dialling::new([4; NONCE]).on_hello(&hello, board).unwrap();
        let claim = listening.on_answer(&answer).unwrap();
        let verdict = answered.on_verdict(&claim.welcome(cloud), board);
        (claim, verdict)
    }

    #[test]
    fn both_ends_prove_themselves() {
        let (claim, verdict) = run(&Cloud(2), &Board("board-1"));
        assert_eq!(claim.identity, "board-1");
        assert_eq!(claim.signature, toy_signature(1, &claim.transcript));
        assert_eq!(verdict, Ok(()));
    }

    #[test]
    fn a_cloud_with_another_key_is_not_trusted() {
        assert_eq!(run(&Cloud(9), &Board("board-1")).1, Err(Failure::WrongPeer));
    }

    #[test]
    fn the_two_transcripts_never_meet_and_depend_on_everything() {
        let (a, b) = ([1; NONCE], [2; NONCE]);
        let all = [
            board_transcript(&a, &b, "x"),
            board_transcript(&b, &a, "x"),
            board_transcript(&a, &b, "y"),
            cloud_transcript(&a, &b),
            cloud_transcript(&b, &a),
        ];
        for (index, one) in all.iter().enumerate() {
            assert!(!all[index + 1..].contains(one));
        }
    }

    #[test]
    fn a_refusal_reaches_the_dialler_with_its_reason() {
        let (_, hello) = Listening::new([3; NONCE]);
        let (answered, _) = Dialling::new([4; NONCE]).on_hello(&hello, &Board("b")).unwrap();
        let verdict = answered.on_verdict(&refused("unknown board"), &Board("b"));
        assert_eq!(verdict, Err(Failure::Refused("unknown board".into())));
    }

    #[test]
    fn a_foreign_version_and_a_message_out_of_turn_are_named() {
        let future = Message::Hello { lowest: 2, highest: 3, nonce: [0; NONCE] }.encode();
        let failure = Dialling::new([4; NONCE]).on_hello(&future, &Board("b")).unwrap_err();
        assert_eq!(failure, Failure::Version { lowest: 2, highest: 3 });
        let (listening, hello) = Listening::new([3; NONCE]);
        assert_eq!(listening.on_answer(&hello).unwrap_err(), Failure::OutOfTurn);
    }
}
