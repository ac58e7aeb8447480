//! The Ed25519 keys (RFC 8032) that boards and clouds are known by.
//!
//! Invariant: a secret key leaves this module only as a file of mode 0600; what goes over a wire is a public key, a
//! fingerprint or a signature.

use crate::secret;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::path::{Path, PathBuf};
use thiserror::Error;
use zeroize::Zeroizing;

/// Why a key could not be had.
#[derive(Debug, Error)]
pub enum Error {
    /// The file cannot be read or written.
    #[error("key file {path}: {source}")]
    File {
        /// Which file.
        path: PathBuf,
        /// What the system said.
        source: std::io::Error,
    },
    /// Others than the owner may read the file.
    #[error("key file {0} can be read by others; restrict it with chmod 600")]
    Readable(PathBuf),
    /// The text is not a key.
    #[error(
        "{0} does not hold an Ed25519 key: expected 32 bytes as base64url or 64 hexadecimal digits"
    )]
    Malformed(String),
}

/// A key pair of this process.
#[derive(Clone)]
pub struct KeyPair(SigningKey);

impl KeyPair {
    /// A new key from the operating system's randomness.
    #[must_use]
    pub fn generate() -> Self {
        let seed = Zeroizing::new(secret::random::<32>());
        Self(SigningKey::from_bytes(&seed))
    }

    /// Reads the key in `path`, or makes one there on first use (mode 0600, synced before return).
    ///
    /// # Errors
    /// Unreadable, world-readable or malformed file.
    pub fn load_or_create(path: &Path) -> Result<Self, Error> {
        if path.exists() { Self::load(path) } else { Self::create(path) }
    }

    /// Reads the key in `path`.
    ///
    /// # Errors
    /// Missing, unreadable, world-readable or malformed file.
    pub fn load(path: &Path) -> Result<Self, Error> {
        let at = |source| Error::File { path: path.to_owned(), source };
        if secret::readable_by_others(path).map_err(at)? {
            return Err(Error::Readable(path.to_owned()));
        }
        let text = Zeroizing::new(std::fs::read_to_string(path).map_err(at)?);
        let seed =
            decode(text.trim()).ok_or_else(|| Error::Malformed(path.display().to_string()))?;
        Ok(Self(SigningKey::from_bytes(&seed)))
    }

    /// Makes a new key and writes it to `path`, replacing what was there.
    ///
    /// # Errors
    /// The file cannot be written.
    pub fn create(path: &Path) -> Result<Self, Error> {
        let pair = Self::generate();
        let text = Zeroizing::new(URL_SAFE_NO_PAD.encode(pair.0.as_bytes()));
        secret::write_private(path, text.as_bytes())
            .map_err(|source| Error::File { path: path.to_owned(), source })?;
        Ok(pair)
    }

    /// The pair of a secret half that somebody else keeps: the keys inside a right, which live as long as it does.
    #[must_use]
    pub fn from_seed(secret: &[u8; 32]) -> Self {
        Self(SigningKey::from_bytes(secret))
    }

    /// The public half.
    #[must_use]
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key().to_bytes())
    }

    /// Signs `message` (64 bytes, deterministic).
    #[must_use]
    pub fn sign(&self, message: &[u8]) -> [u8; 64] {
        self.0.sign(message).to_bytes()
    }
}

impl fmt::Debug for KeyPair {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "KeyPair({})", self.public().fingerprint())
    }
}

/// The public half of somebody's key.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct PublicKey([u8; 32]);

impl PublicKey {
    /// Any 32 bytes; a value that is no curve point verifies nothing.
    #[must_use]
    pub fn from_bytes(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// From base64url without padding, or from 64 hexadecimal digits (WAMP's form).
    ///
    /// # Errors
    /// The text is neither.
    pub fn parse(text: &str) -> Result<Self, Error> {
        decode(text).map(|bytes| Self(*bytes)).ok_or_else(|| Error::Malformed("public key".into()))
    }

    /// The raw bytes.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// SHA-256 of the key, base64url without padding (43 characters): what a claim pins.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        URL_SAFE_NO_PAD.encode(Sha256::digest(self.0))
    }

    /// Whether `signature` over `message` was made by this key (strict: small-order keys are refused).
    #[must_use]
    pub fn verifies(&self, message: &[u8], signature: &[u8; 64]) -> bool {
        let signature = ed25519_dalek::Signature::from_bytes(signature);
        VerifyingKey::from_bytes(&self.0)
            .is_ok_and(|key| key.verify_strict(message, &signature).is_ok())
    }
}

impl fmt::Display for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&URL_SAFE_NO_PAD.encode(self.0))
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({self})")
    }
}

/// Lower-case hexadecimal digits, the form of keys, challenges and signatures in WAMP-cryptosign.
#[must_use]
pub fn to_hex(bytes: &[u8]) -> String {
    use std::fmt::Write as _;
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        let _ = write!(text, "{byte:02x}");
        text
    })
}

/// Reads exactly `N` bytes of hexadecimal digits.
#[must_use]
pub fn from_hex<const N: usize>(text: &str) -> Option<[u8; N]> {
    if text.len() != N * 2 || !text.is_ascii() {
        return None;
    }
    let mut bytes = [0u8; N];
    for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks_exact(2)) {
        *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
    }
    Some(bytes)
}

fn decode(text: &str) -> Option<Zeroizing<[u8; 32]>> {
    if text.len() == 64 {
        return from_hex(text).map(Zeroizing::new);
    }
    let bytes = Zeroizing::new(URL_SAFE_NO_PAD.decode(text).ok()?);
    Some(Zeroizing::new(bytes.as_slice().try_into().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_is_made_once_and_read_again() {
        let path = std::env::temp_dir().join(format!("base-key-{}", std::process::id()));
        let made = KeyPair::load_or_create(&path).unwrap();
        assert_eq!(made.public(), KeyPair::load_or_create(&path).unwrap().public());
        std::os::unix::fs::chown(&path, None, None).unwrap();
        let open = std::os::unix::fs::PermissionsExt::from_mode(0o644);
        std::fs::set_permissions(&path, open).unwrap();
        assert!(matches!(KeyPair::load(&path), Err(Error::Readable(_))));
        std::fs::remove_file(&path).unwrap();
    }

    #[test]
    fn a_signature_holds_for_its_message_alone() {
        let pair = KeyPair::generate();
        let signature = pair.sign(b"open");
        assert!(pair.public().verifies(b"open", &signature));
        assert!(!pair.public().verifies(b"shut", &signature));
        assert!(!KeyPair::generate().public().verifies(b"open", &signature));
    }

    #[test]
    fn public_keys_are_read_in_both_forms() {
        let key = KeyPair::generate().public();
        assert_eq!(PublicKey::parse(&key.to_string()).unwrap(), key);
        assert_eq!(PublicKey::parse(&to_hex(key.as_bytes())).unwrap(), key);
        assert!(PublicKey::parse("short").is_err());
        assert!(PublicKey::parse(&"é".repeat(32)).is_err());
    }
}
