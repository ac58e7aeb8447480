//! The cloud's key changes: each new key is announced by a signature of the one before it, and a board that was away follows the
//! announcements from the key that it has pinned to the one that is shown to it.
//!
//! Invariant: what is followed is an unbroken chain of at most [`MAX_CHAIN`] signatures. Deliberately not here: that the
//! last key also proves itself in the handshake, which whoever follows checks next.

use base::key::{KeyPair, PublicKey, from_hex, to_hex};
use model::Timestamp;
use serde::{Deserialize, Serialize};

/// Most changes that a board follows at once.
pub const MAX_CHAIN: usize = 64;

/// One key hands over to the next.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Succession {
    /// The key before, 64 hexadecimal digits.
    pub from: String,
    /// The key after, 64 hexadecimal digits.
    pub to: String,
    /// When.
    pub at: Timestamp,
    /// The signature of the key before, 128 hexadecimal digits.
    pub signature: String,
}

impl Succession {
    /// Announces `to`.
    #[must_use]
    pub fn announce(from: &KeyPair, to: &PublicKey, at: Timestamp) -> Self {
        let before = from.public();
        let signature = from.sign(&transcript(&before, to, at));
        Self {
            from: to_hex(before.as_bytes()),
            to: to_hex(to.as_bytes()),
            at,
            signature: to_hex(&signature),
        }
    }

    /// The key before.
    #[must_use]
    pub fn before(&self) -> Option<PublicKey> {
        from_hex(&self.from).map(PublicKey::from_bytes)
    }

    /// Both keys, when the announcement holds.
    #[must_use]
    pub fn proven(&self) -> Option<(PublicKey, PublicKey)> {
        let before = self.before()?;
        let after = PublicKey::from_bytes(from_hex(&self.to)?);
        let signature = from_hex::<64>(&self.signature)?;
        before
            .verifies(&transcript(&before, &after, self.at), &signature)
            .then_some((before, after))
    }
}

fn transcript(from: &PublicKey, to: &PublicKey, at: Timestamp) -> Vec<u8> {
    let at = at.micros().to_be_bytes();
    [b"s4t succession v1 cloud".as_slice(), from.as_bytes(), to.as_bytes(), &at].concat()
}

/// Where a chain leads that begins with the key of this fingerprint; none when it breaks anywhere.
#[must_use]
pub fn follow(pin: &str, chain: &[Succession]) -> Option<PublicKey> {
    if chain.is_empty() || chain.len() > MAX_CHAIN {
        return None;
    }
    let mut here: Option<PublicKey> = None;
    for succession in chain {
        let (before, after) = succession.proven()?;
        let is_next = match here {
            None => before.fingerprint() == pin,
            Some(key) => before == key,
        };
        if !is_next {
            return None;
        }
        here = Some(after);
    }
    here
}

/// The part of all changes that leads from the key of this fingerprint to the present one; empty when it is none of them.
#[must_use]
pub fn since<'a>(pin: &str, all: &'a [Succession]) -> &'a [Succession] {
    let is_it = |one: &Succession| one.before().is_some_and(|key| key.fingerprint() == pin);
    all.iter().position(is_it).and_then(|at| all.get(at..)).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chain(keys: &[KeyPair]) -> Vec<Succession> {
        let at = Timestamp::from_micros(1);
        let pairs = keys.iter().zip(keys.iter().skip(1));
        pairs.map(|(from, to)| Succession::announce(from, &to.public(), at)).collect()
    }

    #[test]
    fn a_board_that_was_away_follows_the_chain_from_the_key_it_knows() {
        let keys: Vec<KeyPair> = (0..4).map(|_| KeyPair::generate()).collect();
        let all = chain(&keys);
        for (number, key) in keys.iter().enumerate().take(3) {
            let pin = key.public().fingerprint();
            let part = since(&pin, &all);
            assert_eq!(part.len(), 3 - number);
            assert_eq!(follow(&pin, part), Some(keys[3].public()));
        }
        assert!(since(&keys[3].public().fingerprint(), &all).is_empty());
    }

    #[test]
    fn a_chain_that_breaks_anywhere_leads_nowhere() {
        let keys: Vec<KeyPair> = (0..4).map(|_| KeyPair::generate()).collect();
        let (all, pin) = (chain(&keys), keys[0].public().fingerprint());
        assert_eq!(follow(&pin, &[]), None);
        assert_eq!(follow(&pin, &all[1..]), None, "another beginning");
        assert_eq!(follow(&pin, &[all[0].clone(), all[2].clone()]), None, "a link is missing");
        let mut forged = all.clone();
        forged[1].to = to_hex(KeyPair::generate().public().as_bytes());
        assert_eq!(follow(&pin, &forged), None);
        let mut late = all.clone();
        late[0].at = Timestamp::from_micros(2);
        assert_eq!(follow(&pin, &late), None, "its time is signed too");
        let long = vec![all[0].clone(); MAX_CHAIN + 1];
        assert_eq!(follow(&pin, &long), None);
    }
}
