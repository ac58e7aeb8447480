//! `<agent>.stack4things.rotate_key`: a board is known by another key from now on.
//!
//! The session is authenticated by the old key, and the new one signs [`transcript`], so both are proven in the same moment.
//! Asking again with the same new key gives the same answer.

use base::key::{KeyPair, PublicKey, from_hex, to_hex};
use model::BoardId;
use serde::{Deserialize, Serialize};

/// Keyword arguments.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct RotateKey {
    /// The board.
    pub board_uuid: BoardId,
    /// Its new public key, 64 hexadecimal digits.
    pub public_key: String,
    /// Signature of [`transcript`] by the new key, 128 hexadecimal digits.
    pub proof: String,
}

/// The answer (the `message` of the envelope).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Rotated {
    /// Fingerprint of the key that counts now.
    pub key: String,
}

impl RotateKey {
    /// Asks for `new` in place of `old`, in this session.
    #[must_use]
    pub fn new(board: BoardId, session: u64, old: &PublicKey, new: &KeyPair) -> Self {
        let public = new.public();
        let proof = new.sign(&transcript(board, session, old, &public));
        Self { board_uuid: board, public_key: to_hex(public.as_bytes()), proof: to_hex(&proof) }
    }

    /// The new key, when it was proven in this session against `old`.
    #[must_use]
    pub fn proven(&self, session: u64, old: &PublicKey) -> Option<PublicKey> {
        let new = PublicKey::from_bytes(from_hex(&self.public_key)?);
        let proof = from_hex::<64>(&self.proof)?;
        let transcript = transcript(self.board_uuid, session, old, &new);
        new.verifies(&transcript, &proof).then_some(new)
    }
}

/// What the new key signs: a domain word, then board, session and both keys, all fixed in size. The router chose the session's
/// number at random, so an old proof is worth nothing.
#[must_use]
pub fn transcript(board: BoardId, session: u64, old: &PublicKey, new: &PublicKey) -> Vec<u8> {
    let session = session.to_be_bytes();
    let uuid = *board.uuid().as_bytes();
    [b"s4t rotate v1 board".as_slice(), &uuid, &session, old.as_bytes(), new.as_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_new_key_is_proven_for_one_board_one_session_and_one_old_key() {
        let (old, new) = (KeyPair::generate().public(), KeyPair::generate());
        let asked = RotateKey::new(BoardId::new(), 7, &old, &new);
        assert_eq!(asked.proven(7, &old), Some(new.public()));
        assert_eq!(asked.proven(8, &old), None);
        assert_eq!(asked.proven(7, &KeyPair::generate().public()), None);
        let other = RotateKey { board_uuid: BoardId::new(), ..asked.clone() };
        assert_eq!(other.proven(7, &old), None);
        let garbage = RotateKey { proof: "é".repeat(64), ..asked };
        assert_eq!(garbage.proven(7, &old), None);
    }
}
