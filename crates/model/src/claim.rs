//! A claim: what a board must hold to enrol. It is text that a person can paste or an image can carry.
//!
//! The text is `s4t1.` and base64url of JSON `{"u": url, "p": pin, "s": secret, "c"?: authority}`; the cloud stores only
//! SHA-256 of the secret.

use crate::Invalid;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};
use std::fmt;
use std::str::FromStr;

const PREFIX: &str = "s4t1.";
/// Longest claim text that is read at all.
pub const MAX_LENGTH: usize = 4096;

/// The parts of a claim.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Claim {
    /// Where the cloud is: `http://host:port` or `https://host:port`, with an optional path prefix.
    #[serde(rename = "u")]
    pub url: String,
    /// Fingerprint of the cloud's Ed25519 key (SHA-256, base64url, 43 characters).
    #[serde(rename = "p")]
    pub pin: String,
    /// The secret itself (base64url of 32 random bytes).
    #[serde(rename = "s")]
    pub secret: String,
    /// SHA-256 (base64url) of the DER certificate of the cloud's own authority, when its TLS certificate comes from
    /// there; absent when a public authority signed it or the URL is `http`.
    #[serde(rename = "c", default, skip_serializing_if = "Option::is_none")]
    pub authority: Option<String>,
}

impl Claim {
    /// What the cloud stores instead of the secret.
    #[must_use]
    pub fn hash(secret: &str) -> [u8; 32] {
        Sha256::digest(secret.as_bytes()).into()
    }
}

impl fmt::Display for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let json = serde_json::to_string(self).map_err(|_| fmt::Error)?;
        write!(f, "{PREFIX}{}", URL_SAFE_NO_PAD.encode(json))
    }
}

impl fmt::Debug for Claim {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Claim({})", self.url)
    }
}

impl FromStr for Claim {
    type Err = Invalid;
    fn from_str(text: &str) -> Result<Self, Invalid> {
        let text = text.trim();
        let wrong = |what: &str| {
            Invalid::new(format!(
                "this is not a claim ({what}); copy the whole text that `s4t board claim` printed"
            ))
        };
        if text.len() > MAX_LENGTH {
            return Err(wrong("it is too long"));
        }
        let body =
            text.strip_prefix(PREFIX).ok_or_else(|| wrong("it does not start with s4t1."))?;
        let json = URL_SAFE_NO_PAD.decode(body).map_err(|_| wrong("it is cut or altered"))?;
        let claim: Self =
            serde_json::from_slice(&json).map_err(|_| wrong("it is cut or altered"))?;
        if !claim.url.starts_with("http://") && !claim.url.starts_with("https://") {
            return Err(wrong("its address is neither http:// nor https://"));
        }
        Ok(claim)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_claim_survives_being_pasted_and_nothing_else_is_one() {
        let claim = Claim {
            url: "https://cloud.example:8812".into(),
            pin: "p".into(),
            secret: "s".into(),
            authority: None,
        };
        let text = claim.to_string();
        assert_eq!(format!(" {text}\n").parse::<Claim>().unwrap(), claim);
        for wrong in ["", "s4t1.", "s4t1.e30", "token", text.get(..20).unwrap()] {
            assert!(wrong.parse::<Claim>().unwrap_err().0.contains("not a claim"), "{wrong}");
        }
        assert!(!format!("{claim:?}").contains("\"s\""));
    }
}
