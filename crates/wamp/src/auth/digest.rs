//! HMAC, PBKDF2 and comparison in constant time, all over SHA-256 (RFC 2104, RFC 8018).

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::{Digest as _, Sha256};

/// Bytes of a SHA-256 digest.
pub(super) const DIGEST: usize = 32;

/// HMAC-SHA-256.
pub(super) fn hmac(key: &[u8], message: &[u8]) -> [u8; DIGEST] {
    let mut mac = Hmac::<Sha256>::new_from_slice(key).expect("HMAC takes keys of any length");
    mac.update(message);
    mac.finalize().into_bytes().into()
}

/// SHA-256.
pub(super) fn sha256(message: &[u8]) -> [u8; DIGEST] {
    Sha256::digest(message).into()
}

/// PBKDF2 with HMAC-SHA-256, `length` bytes long.
pub(super) fn pbkdf2(password: &[u8], salt: &[u8], iterations: u32, length: usize) -> Vec<u8> {
    let keyed = Hmac::<Sha256>::new_from_slice(password).expect("HMAC takes keys of any length");
    let run = |message: &[u8]| -> [u8; DIGEST] {
        let mut mac = keyed.clone();
        mac.update(message);
        mac.finalize().into_bytes().into()
    };
    let block = |number: u32| {
        let mut round = run(&[salt, &number.to_be_bytes()].concat());
        let mut sum = round;
        for _ in 1..iterations {
            round = run(&round);
            sum = exclusive_or(&sum, &round);
        }
        sum
    };
    let blocks = length.div_ceil(DIGEST) as u32;
    let mut key: Vec<u8> = (1..=blocks).flat_map(block).collect();
    key.truncate(length);
    key
}

pub(super) fn exclusive_or(a: &[u8; DIGEST], b: &[u8; DIGEST]) -> [u8; DIGEST] {
    std::array::from_fn(|at| a.get(at).unwrap_or(&0) ^ b.get(at).unwrap_or(&0))
}

/// Whether two secrets are the same, in a time that does not tell where they differ.
pub fn same(a: &[u8], b: &[u8]) -> bool {
    // Digests have one length, and which of their bytes differ tells nothing of the secrets.
    let (a, b) = (sha256(a), sha256(b));
    a.iter().zip(&b).fold(0, |differing, (a, b)| differing | (a ^ b)) == 0
}

/// Fresh bytes from the operating system.
pub(super) fn random<const N: usize>() -> [u8; N] {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes).expect("the operating system provides randomness");
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::auth::cryptosign::to_hex;

    #[test]
    fn known_keys_come_out() {
        // RFC 7914 section 11.
        let key = pbkdf2(b"passwd", b"salt", 1, 64);
        assert_eq!(
            to_hex(&key),
            "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc\
             49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783"
        );
        // RFC 4231 test case 2.
        assert_eq!(
            to_hex(&hmac(b"Jefe", b"what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843"
        );
    }

    #[test]
    fn secrets_are_the_same_only_if_they_are() {
        assert!(same(b"abc", b"abc"));
        assert!(!same(b"abc", b"abd") && !same(b"abc", b"ab") && !same(b"", b"a"));
    }
}
