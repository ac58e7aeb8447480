//! WAMP-cryptosign: an Ed25519 signature over a challenge (specification section 14.6, RFC 8032).
//!
//! HELLO carries `authextra.pubkey`, CHALLENGE carries `challenge`, both in hexadecimal; AUTHENTICATE carries the signature
//! followed by the challenge, in hexadecimal. Channel binding is null: it is the transport's TLS that binds.

pub use ed25519_dalek::SigningKey;
use ed25519_dalek::{Signature, Signer, VerifyingKey};
use serde_json::Value;

use crate::{Abort, Dict};

/// The method's name.
pub const METHOD: &str = "cryptosign";

/// Bytes of a challenge.
pub const CHALLENGE: usize = 32;

/// Why a proof could not be made or does not hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ProofError {
    /// Not a public key.
    #[error("the public key is not 32 bytes in hexadecimal, or not a point of the curve")]
    PublicKey,
    /// Not a challenge.
    #[error("the challenge is not 32 bytes in hexadecimal")]
    Challenge,
    /// Not a signature.
    #[error("the signature is not 96 bytes in hexadecimal")]
    Signature,
    /// A signature by another key or over another challenge.
    #[error("the signature does not match the public key and the challenge")]
    Mismatch,
}

impl From<ProofError> for Abort {
    fn from(error: ProofError) -> Self {
        Abort::failed(error.to_string())
    }
}

/// A challenge that was given out and waits for its answer.
#[derive(Debug, Clone)]
pub struct Pending {
    /// The key that has to sign.
    pub public_key: [u8; 32],
    challenge: [u8; CHALLENGE],
}

/// The `authextra` of a client's HELLO.
pub fn hello_extra(public_key: &[u8; 32]) -> Dict {
    let mut extra = Dict::new();
    extra.insert("pubkey".into(), to_hex(public_key).into());
    extra.insert("channel_binding".into(), Value::Null);
    extra
}

/// The public key in a HELLO's `authextra`.
pub fn public_key(extra: &Dict) -> Result<[u8; 32], ProofError> {
    let text = extra.get("pubkey").and_then(Value::as_str).ok_or(ProofError::PublicKey)?;
    from_hex(text).ok_or(ProofError::PublicKey)
}

/// A fresh challenge for the holder of `public_key`, and the extra of the CHALLENGE message.
pub fn challenge(public_key: [u8; 32]) -> (Pending, Dict) {
    let mut challenge = [0; CHALLENGE];
    getrandom::fill(&mut challenge).expect("the operating system provides randomness");
    let mut extra = Dict::new();
    extra.insert("challenge".into(), to_hex(&challenge).into());
    extra.insert("channel_binding".into(), Value::Null);
    (Pending { public_key, challenge }, extra)
}

/// The client's answer: the signature for AUTHENTICATE.
pub fn answer(key: &SigningKey, challenge_extra: &Dict) -> Result<String, ProofError> {
    let text = challenge_extra.get("challenge").and_then(Value::as_str);
    let challenge: [u8; CHALLENGE] = text.and_then(from_hex).ok_or(ProofError::Challenge)?;
    let signature = key.sign(&challenge);
    Ok(to_hex(&signature.to_bytes()) + &to_hex(&challenge))
}

/// Checks an answer against what was asked.
pub fn verify(pending: &Pending, signature: &str) -> Result<(), ProofError> {
    let signed: [u8; 96] = from_hex(signature).ok_or(ProofError::Signature)?;
    let (signature, challenge) = signed.split_first_chunk::<64>().ok_or(ProofError::Signature)?;
    if challenge != pending.challenge {
        return Err(ProofError::Mismatch);
    }
    let key = VerifyingKey::from_bytes(&pending.public_key).map_err(|_| ProofError::PublicKey)?;
    key.verify_strict(challenge, &Signature::from_bytes(signature))
        .map_err(|_| ProofError::Mismatch)
}

/// Lower-case hexadecimal.
pub fn to_hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Exactly `N` bytes in hexadecimal of either case.
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    if !rest.is_empty() || pairs.len() != N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, [high, low]) in bytes.iter_mut().zip(pairs) {
        let digit = |c: u8| char::from(c).to_digit(16);
        *byte = (digit(*high)? * 16 + digit(*low)?) as u8;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(seed: u8) -> SigningKey {
        SigningKey::from_bytes(&[seed; 32])
    }

    #[test]
    fn the_holder_of_the_key_passes_and_nobody_else() {
        let (pending, extra) = challenge(key(1).verifying_key().to_bytes());
        let good = answer(&key(1), &extra).unwrap();
        assert_eq!(verify(&pending, &good), Ok(()));
        let other = answer(&key(2), &extra).unwrap();
        assert_eq!(verify(&pending, &other), Err(ProofError::Mismatch));
        let (later, _) = challenge(pending.public_key);
        assert_eq!(verify(&later, &good), Err(ProofError::Mismatch), "an answer is not reusable");
    }

    #[test]
    fn malformed_proofs_are_refused_by_name() {
        let (pending, _) = challenge(key(1).verifying_key().to_bytes());
        for wrong in ["", "zz", &"0".repeat(191), &"é".repeat(96)] {
            assert_eq!(verify(&pending, wrong), Err(ProofError::Signature));
        }
        assert_eq!(answer(&key(1), &Dict::new()), Err(ProofError::Challenge));
        assert_eq!(public_key(&Dict::new()), Err(ProofError::PublicKey));
    }

    #[test]
    fn hello_carries_the_key_in_hexadecimal() {
        let extra = hello_extra(&[0xab; 32]);
        assert_eq!(public_key(&extra), Ok([0xab; 32]));
        assert_eq!(extra.get("pubkey"), Some(&Value::from("ab".repeat(32))));
    }
}
