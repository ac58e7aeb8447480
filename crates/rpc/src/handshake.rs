//! Who is who on the control channel: WAMP-cryptosign for the board, and in the same exchange the cloud's proof that it
//! holds the key the board has pinned.
//!
//! HELLO `authextra` carries [`HelloExtra`]; CHALLENGE `extra` carries [`ChallengeExtra`], whose proof is a signature over
//! [`timed_transcript`] for a machine that says which cloud it has pinned, over [`cloud_transcript`] for one before that; WELCOME `authextra` carries [`WelcomeExtra`]. A board signs nothing before the proof holds.

use crate::succession::Succession;
use model::Timestamp;
use serde::{Deserialize, Serialize};

/// What a machine wants with its session.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Intent {
    /// It is a board and wants to work.
    #[default]
    Work,
    /// It wants to enrol with a claim.
    Enrol,
}

/// `authextra` of HELLO.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct HelloExtra {
    /// The machine's Ed25519 public key, 64 hexadecimal digits (WAMP-cryptosign).
    pub pubkey: String,
    /// 32 random bytes as hexadecimal digits, which the cloud's proof covers.
    #[serde(default)]
    pub s4t_nonce: String,
    /// Why it comes.
    #[serde(default)]
    pub s4t_intent: Intent,
    /// A random text of this life of the agent's process, the same at each of its connections; machines before it send none.
    /// It tells a board that comes back from a second machine with its key.
    #[serde(default)]
    pub s4t_instance: String,
    /// Fingerprint of the cloud's key that it has pinned; machines before it send none, and get neither a signed time nor a chain.
    #[serde(default)]
    pub s4t_pin: String,
}

/// `extra` of CHALLENGE.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct ChallengeExtra {
    /// 32 random bytes as hexadecimal digits, which the machine signs (WAMP-cryptosign).
    pub challenge: String,
    /// The cloud's public key, 64 hexadecimal digits; its fingerprint is what a claim pins.
    #[serde(default)]
    pub s4t_cloud: String,
    /// The cloud's signature over [`timed_transcript`], or without a time over [`cloud_transcript`]; 128 hexadecimal digits.
    #[serde(default)]
    pub s4t_proof: String,
    /// The cloud's clock, covered by the proof.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub s4t_time: Option<Timestamp>,
    /// From the key that the machine has pinned to the one above, when they are two.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub s4t_chain: Vec<Succession>,
}

/// `authextra` of WELCOME.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WelcomeExtra {
    /// Host name of the cloud's agent, first part of its procedures.
    pub s4t_agent: String,
    /// Newest native protocol the cloud speaks.
    pub s4t_protocol: u32,
    /// The cloud's clock.
    pub s4t_time: Timestamp,
}

/// What the cloud signs: a domain word, then the machine's nonce, the challenge and the machine's key, all fixed in size.
#[must_use]
pub fn cloud_transcript(nonce: &[u8; 32], challenge: &[u8; 32], machine: &[u8; 32]) -> Vec<u8> {
    [b"s4t control v1 cloud".as_slice(), nonce, challenge, machine].concat()
}

/// The same with the cloud's clock, so that nobody between the two can tell a board another time.
#[must_use]
pub fn timed_transcript(
    nonce: &[u8; 32],
    challenge: &[u8; 32],
    machine: &[u8; 32],
    time: Timestamp,
) -> Vec<u8> {
    let time = time.micros().to_be_bytes();
    [b"s4t control v2 cloud".as_slice(), nonce, challenge, machine, &time].concat()
}

/// Error URI of an ABORT for a key that is no board's.
pub const UNKNOWN_KEY: &str = "s4t.error.unknown_key";
/// Error URI of an ABORT for a key that was replaced or whose board was given up: trying again is useless.
pub const REFUSED_KEY: &str = "s4t.error.refused_key";
/// Error URI of an ABORT for a key with which two machines answered: it is tried again now and then, until somebody decided.
pub const PARKED_KEY: &str = "s4t.error.parked_key";
